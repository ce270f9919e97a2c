"""How the office writes what operations change."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from website.office import marks
from website.pages import parameters
from website.pages.templatetags.site import cents, moment, short

AMOUNTS = parameters.MONEY | {"price_cents", "commission_cents", "coins"}
LONG = 120


class Compared(NamedTuple):
    name: str
    before: str
    after: str
    changed: bool


def compared(before: dict[str, Any], after: dict[str, Any]) -> list[Compared]:
    """One row for each name that either side has, in the order of `after`."""
    names = [*after, *(name for name in before if name not in after)]
    return [Compared(n, value(n, before.get(n)), value(n, after.get(n)), before.get(n) != after.get(n)) for n in names]


def value(name: str, found: Any) -> str:
    """As people read it; nothing for nothing."""
    match found:
        case None | "" | []:
            return "–"
        case bool():
            return _("yes") if found else _("no")
        case str() if name.endswith("_hash"):
            return short(found)
        case int() if name in AMOUNTS:
            return cents(found)
        case int() if name.endswith("_ms"):
            when = moment(found)
            return "–" if not found or when is None else when.strftime("%Y-%m-%d %H:%M UTC")
        case list() if name == "rake":
            return ", ".join(f"{limit} %: {rate} %" for limit, rate in found)
        case list():
            return ", ".join(map(str, found))
        case str() if len(found) > LONG:
            return f"{found[:LONG]}…"
        case _:
            return str(found)


def texts(after: dict[str, Any]) -> list[tuple[str, str, SafeString]] | None:
    """A text as readers would see it: language, title, body."""
    return [(lang, after[f"title_{lang}"], marks.rendered(after[f"body_{lang}"])) for lang in ("en", "ru")]


def door(code: str) -> str:
    if code == "locked":
        return _("Too many wrong tries: this account is locked for a quarter of an hour.")
    return _("The code is wrong, or was used already. Wait for the next one.")
