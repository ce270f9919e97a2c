"""What players read, in their language: one file per language in `balancer/languages/`.

The code says every sentence in English, and a file gives it in another language, by that sentence, as gettext does it. So a
sentence that was kept in the database, or came from a bot, is translated when somebody reads it, and one that has no
translation is shown in English. Codes, details for programs and the feed are never translated.

The language is that of the request under way (`use`); where there is none, English.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer

FOLDER = Path(__file__).parent / "languages"
HEADER_MAX = 200  # characters of Accept-Language that are looked at
_NAME = re.compile(r"\\?\{(\w+)\\?\}")


def _english(count: int) -> int:
    return 0 if count == 1 else 1


def _russian(count: int) -> int:
    if count % 10 == 1 and count % 100 != 11:
        return 0
    return 1 if count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14) else 2


# Which form of a word goes with a number; the languages that there are.
FORMS: dict[str, Callable[[int], int]] = {"en": _english, "ru": _russian}


@dataclass(frozen=True)
class Language:
    """``name`` is its own; ``sentences`` by their English ones; ``filled`` are those with places, as patterns of what the code
    has filled in.
    """

    code: str
    name: str
    sentences: Mapping[str, str]
    counts: Mapping[str, list[str]]
    filled: tuple[tuple[re.Pattern[str], str], ...]

    def say(self, text: str) -> str:
        """This English sentence in this language; unchanged if the file does not have it."""
        if (sentence := self.sentences.get(text)) is not None:
            return sentence
        for pattern, sentence in self.filled:
            if (match := pattern.fullmatch(text)) is not None:
                return sentence.format(**match.groupdict())
        return text

    def counted(self, count: int, what: str) -> str:
        """``3 items``: the number with the word's form for it."""
        return f"{count} {self.counts[what][FORMS[self.code](count)]}"


@cache
def language(code: str) -> Language:
    """One of `FORMS`, from its file."""
    read = tomllib.loads((FOLDER / f"{code}.toml").read_text(encoding="utf-8"))
    filled = tuple((_pattern(text), sentence) for text, sentence in read["sentences"].items() if _NAME.search(text))
    return Language(code, read["name"], {**read["sentences"], **read["pages"]}, read["counts"], filled)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(_NAME.sub(r"(?P<\1>.{1,100}?)", re.escape(text)))


_current: ContextVar[str] = ContextVar("language", default="en")


def use(accept_language: str) -> None:
    """Speak the language that this header wants most of those we have, until the next call in this task."""
    _current.set(wanted(accept_language))


def current() -> Language:
    return language(_current.get())


def say(text: str) -> str:
    """This English sentence in the language of this request."""
    return current().say(text)


def counted(count: int, what: str) -> str:
    return current().counted(count, what)


def wanted(accept_language: str) -> str:
    """The best of our languages for an Accept-Language header (RFC 9110, 12.5.4); English if it names none of them."""
    best, best_weight = "en", 0.0
    for part in accept_language[:HEADER_MAX].split(","):
        name, _, parameter = part.partition(";")
        code = name.strip().lower().partition("-")[0]
        weight = _weight(parameter.strip())
        if code in FORMS and weight > best_weight:
            best, best_weight = code, weight
    return best


def _weight(parameter: str) -> float:
    if not parameter:
        return 1.0
    match = re.fullmatch(r"q\s*=\s*([01](?:\.[0-9]{0,3})?)", parameter)
    return float(match[1]) if match else 0.0


# In JSON in the reader's language.
PlayerMessage = Annotated[str, PlainSerializer(say, return_type=str)]
