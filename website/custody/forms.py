"""What forms of items send, read strictly: whatever is odd is refused with a code, and nothing odd goes any further."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

from django.http import QueryDict

from website.custody.errands import ITEMS_MAX, ErrandError

_ID = re.compile(r"[A-Za-z0-9_]{1,64}")
_AMOUNT = re.compile(r"([0-9]{1,9})(?:[.,]([0-9]{1,2}))?")
_COUNT = re.compile(r"[0-9]{1,4}")


def new_token() -> str:
    """The one-use word of a form."""
    return secrets.token_urlsafe(18)


def ids(form: QueryDict, name: str, most: int = ITEMS_MAX) -> list[str]:
    """Chosen items, each once. Raises ErrandError."""
    found = list(dict.fromkeys([*form.getlist(name), *_of_piles(form, name)]))
    if not found:
        raise ErrandError("nothing")
    if len(found) > most:
        raise ErrandError("too_many")
    if not all(_ID.fullmatch(each) for each in found):
        raise ErrandError("not_found")
    return found


def few(form: QueryDict, name: str, most: int = ITEMS_MAX) -> list[str]:
    """The same, but none is fine."""
    return ids(form, name, most) if form.getlist(name) or _of_piles(form, name) else []


def sent(form: QueryDict, name: str) -> list[str]:
    """Chosen items as they were sent, to be shown chosen again; nothing of a form that is none."""
    try:
        return few(form, name)
    except ErrandError:
        return []


def _of_piles(form: QueryDict, name: str) -> list[str]:
    """So `…_many` of each `…_pile` of items that are alike. Raises ErrandError."""
    listed, counts = form.getlist(f"{name}_pile"), form.getlist(f"{name}_many")
    if len(listed) != len(counts):
        raise ErrandError("not_found")
    found: list[str] = []
    for each, text in zip(listed, counts, strict=True):
        of_pile, many = each.split(","), count(text or "0")
        if many is None or many > len(of_pile):
            raise ErrandError("not_found")
        found += of_pile[:many]
    return found


def amount(text: str) -> int | None:
    """An amount as people write it, in cents; None for what is none."""
    match = _AMOUNT.fullmatch(text.strip())
    return None if match is None else int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def count(text: str) -> int | None:
    """A small whole number; None for what is none."""
    return int(text) if _COUNT.fullmatch(text.strip()) and text.isascii() else None


def token(form: QueryDict) -> str:
    """Raises ErrandError."""
    text = form.get("token", "")
    if not re.fullmatch(r"[A-Za-z0-9_-]{8,64}", text):
        raise ErrandError("token")
    return text


def both(first: Sequence[str], second: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))
