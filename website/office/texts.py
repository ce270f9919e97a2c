"""What pages say: the newest approved text, or the site's own where nobody has written one."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import get_language

from website.office import marks
from website.office.models import Text

PAGES = ("help", "types", "contacts", "terms", "privacy")
NEWS = "news-"


@dataclass(frozen=True)
class Shown:
    """A text in the reader's language."""

    name: str
    title: str
    body: SafeString
    at_ms: int


def newest(name: str) -> Text | None:
    return Text.objects.filter(name=name).order_by("-version").first()


def shown(name: str) -> Shown | None:
    """What a page of information says; None: what its template says."""
    row = newest(name)
    return None if row is None or not row.body_en else _shown(row)


def news(most: int = 50) -> list[Shown]:
    """The newest first, by when each was first approved; one that was taken down is not among them."""
    found: dict[str, Text] = {}
    first: dict[str, int] = {}
    for row in Text.objects.filter(name__startswith=NEWS).order_by("version"):
        found[row.name] = row
        first.setdefault(row.name, row.at_ms)
    rows = sorted(found.values(), key=lambda row: -first[row.name])
    return [_shown(row, first[row.name]) for row in rows if row.body_en][:most]


def _shown(row: Text, at_ms: int | None = None) -> Shown:
    russian = (get_language() or "").startswith("ru") and row.body_ru
    title, body = (row.title_ru, row.body_ru) if russian else (row.title_en, row.body_en)
    return Shown(row.name, title, marks.rendered(body), row.at_ms if at_ms is None else at_ms)
