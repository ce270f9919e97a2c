"""Every sentence has its translation, with the same places to fill in, and what is compiled is what is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

SITE = Path(__file__).resolve().parents[1]
CATALOGUES = sorted(SITE.glob("*/locale/*/LC_MESSAGES/django.po"))
PLACE = re.compile(r"%\(\w+\)[sd]|%%")


def texts(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def test_there_are_catalogues() -> None:
    assert CATALOGUES


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: str(path.relative_to(SITE).parts[0]))
def test_a_catalogue_is_whole(path: Path) -> None:
    with path.open("rb") as file:
        written = read_po(file)
    with path.with_suffix(".mo").open("rb") as file:
        compiled = read_mo(file)
    for message in written:
        if not message.id:
            continue
        assert not message.fuzzy and all(texts(message)), message.id
        english = message.id if isinstance(message.id, str) else message.id[-1]
        for text in texts(message):
            assert set(PLACE.findall(text)) <= set(PLACE.findall(english)), message.id
        if isinstance(message.id, str):
            assert set(PLACE.findall(texts(message)[0])) == set(PLACE.findall(english)), message.id
        found = compiled.get(english if isinstance(message.id, str) else message.id[0], message.context)
        assert found is not None and texts(found) == texts(message), f"compile {path.name} again: {message.id}"
