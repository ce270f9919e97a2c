"""Countries by ISO 3166-1 code, with their names in the languages of the site. Source of the names: Unicode CLDR."""

from __future__ import annotations

import json
from pathlib import Path

_NAMES: dict[str, list[str]] = json.loads((Path(__file__).parent / "countries.json").read_text(encoding="utf-8"))
_LANGUAGES = ("en", "ru")
CODES = tuple(_NAMES)


def name(code: str, language: str) -> str:
    """How a country is called; its code if nobody knows it."""
    known = _NAMES.get(code)
    return code if known is None else known[_LANGUAGES.index(language) if language in _LANGUAGES else 0]


def listed(language: str) -> list[tuple[str, str]]:
    """All of them, code and name, by name as the language sorts it."""
    pairs = [(code, name(code, language)) for code in CODES]
    return sorted(pairs, key=lambda pair: pair[1].casefold().replace("ё", "е"))
