"""What may stand in an offer's message: everything that shows what it is, in any script, and nothing else."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.web.visible import MARKS_MAX, flaw

GOOD = [
    "",
    "Welcome!",
    "Привет, שלום, مرحبا, สวัสดี, 你好, こんにちは, 안녕",
    "Straße, naïve, e\u0301te\u0301, Tiê\u0301ng, שָׁלוֹם, हिन्दी",
    "👩\u200d🚀 👨\u200d👩\u200d👧 🎉 👍🏽 ♥ ★ € ½ № → ✓",
    "50% off: #1 (really) [yes] {ok} <3 a@b ~ ^ ` |",
    "two  spaces",
]
# By what they are: control, format, bidi, joiners, fillers, blanks, spaces, separators, selectors, tags, private, unassigned.
BAD = """
    0 9 A D 1B 7F 85 9B
    AD 600 61C 6DD 70F 180E 200B 200C 200D 200E 200F 2060 2061 2064 2065 FEFF
    202A 202B 202C 202D 202E 2066 2067 2068 2069 206A 206F
    34F 115F 1160 17B4 17B5 180B 180F 2800 3164 FFA0 FFFC FFFD 1D159 1D173 1D17A
    A0 1680 2000 2003 2007 2009 200A 202F 205F 3000 2028 2029
    FE00 FE0E FE0F E0100 E01EF E0001 E0020 E0041 E007F 13430 1BCA0
    FFF0 FFF9 FFFA FFFB E000 F8FF F0000 10FFFD FFFF 10FFFF D800 378
"""


@pytest.mark.parametrize("text", GOOD)
def test_any_script_and_emoji_are_welcome(text: str) -> None:
    assert flaw(text) is None


@pytest.mark.parametrize("name", BAD.split())
def test_what_cannot_be_seen_is_named_with_its_place(name: str) -> None:
    code = int(name, 16)
    for text in (f"ab{chr(code)}c", f"ab{chr(code)}", f"ab{chr(code) * 40}c"):
        assert (flaw(text) or "").startswith(f"Leave out U+{code:04X}")
        assert " at place 3: " in (flaw(text) or "")


@pytest.mark.parametrize("text", ["a\u200db", "👩\u200d", "\u200d👩", "👩\u200da", "👩\u200d\u200d🚀", "a\u200d👩"])
def test_the_joiner_joins_emoji_only(text: str) -> None:
    assert "U+200D" in (flaw(text) or "")


def test_towers_of_marks_are_none() -> None:
    assert flaw("a" + "\u0301" * MARKS_MAX) is None
    assert "U+0301" in (flaw("a" + "\u0301" * (MARKS_MAX + 1)) or "")
    assert "place 1" in (flaw("\u0301a") or "")  # it would sit on the link's end


@given(st.text(max_size=60))
def test_what_is_taken_shows(text: str) -> None:
    """By Python's own word for it, which knows no blank letters."""
    if flaw(text) is None:
        assert all(sign.isprintable() or sign == "\u200d" or unicodedata.category(sign) == "Cn" for sign in text)
        assert not any(0xE0000 <= ord(sign) < 0xE1000 for sign in text)


@given(st.characters())
def test_the_sentence_can_be_shown(sign: str) -> None:
    found = flaw(f"a{sign}b")
    assert found is None or (found.isprintable() and found.endswith("."))
