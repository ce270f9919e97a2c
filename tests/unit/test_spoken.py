"""Players are spoken to in their language: every sentence that the code has, and no other, stands in each file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer import spoken
from balancer.items import policy
from balancer.trades import precheck, shares
from balancer.web import pages, problems
from balancer.web.handlers.verify import check, people
from bot_worker.steam import answers
from shared.domain.status import FINAL
from shared.errors import PlayerMustAct

OTHERS = sorted(set(spoken.FORMS) - {"en"})
TEMPLATES = Path(pages.__file__).parent / "templates"
PLACE = re.compile(r"\{(\w+)\}")
# Calls that show their arguments to a player.
SHOWN = {"refused", "say"}


def in_templates() -> Iterator[str]:
    for path in TEMPLATES.glob("*.html"):
        for found in re.finditer(r"\{\{\s*_\((.*?)\)\s*\}\}", path.read_text(encoding="utf-8"), re.DOTALL):
            yield from re.findall(r'"([^"]{2,})"', re.sub(r'"\w+":', "", found[1]))
    headings = re.search(r"headings = \{(.*?)\}", (TEMPLATES / "answer.html").read_text(encoding="utf-8"), re.DOTALL)
    assert headings is not None
    yield from re.findall(r': "([^"]+)"', headings[1])


def in_calls() -> Iterator[str]:
    """Sentences that handlers of pages write where they show them; a place for each value in them."""
    for module in (people, check, pages):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in SHOWN:
                for argument in node.args:
                    yield from (text for each in _whole(argument) if (text := _text(each)) and " " in text)


def _whole(node: ast.AST) -> Iterator[ast.AST]:
    """The texts in an expression, and not the parts that one is put together of."""
    yield node
    if not isinstance(node, ast.JoinedStr):
        for each in ast.iter_child_nodes(node):
            yield from _whole(each)


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(each.value if isinstance(each, ast.Constant) else "{x}" for each in node.values)  # type: ignore[misc]
    return None


def in_tables() -> Iterator[str]:
    yield from problems.PLAYER_MESSAGES.values()
    yield from check.PLAYER_MESSAGES.values()
    yield from precheck.MESSAGES.values()
    yield from people.ENDED.values()
    yield from (text for pair in [*pages.FAILURES.values(), pages.FAILURE] for text in pair)
    yield from (status.value for status in FINAL)
    yield from (text for name, text in vars(answers).items() if re.fullmatch(r"_[A-Z]+", name) and isinstance(text, str))
    yield from (player for _, player in shares._SENTENCES.values())
    with pytest.raises(PlayerMustAct) as caught:
        policy.check_partner(15)
    yield str(caught.value.player_message)


@pytest.mark.parametrize("code", OTHERS)
def test_every_sentence_of_the_code_is_there_in_each_language(code: str) -> None:
    language = spoken.language(code)
    found = {*in_templates(), *(PLACE.sub("7", text) for text in [*in_tables(), *in_calls()])}
    assert len(found) > 100
    assert sorted(text for text in found if language.say(text) == text) == []


@pytest.mark.parametrize("code", OTHERS)
def test_translations_have_the_places_of_their_sentences(code: str) -> None:
    language = spoken.language(code)
    for text, said in language.sentences.items():
        assert sorted(PLACE.findall(text)) == sorted(PLACE.findall(said)), text
        assert said != text
        assert (text[-1] in ".:?!") == (said[-1] in ".:?!"), text


@pytest.mark.parametrize("code", OTHERS)
def test_no_sentence_is_left_over_that_nothing_says(code: str) -> None:
    root = Path(spoken.__file__).parents[1]
    files = [
        *root.glob("balancer/**/*.py"),
        *root.glob("shared/*.py"),
        *root.glob("bot_worker/**/*.py"),
        *TEMPLATES.glob("*.html"),
    ]
    code_text = re.sub(r'"\s*\n?\s*f?"|\s+', " ", "\n".join(path.read_text(encoding="utf-8") for path in files))
    code_text = re.sub(r"\s+", "", code_text.replace("{{", "{").replace("}}", "}"))
    left = []
    for text in spoken.language(code).sentences:
        parts = [part for part in PLACE.split(text)[::2] if len(part) > 3]
        if not all(re.sub(r"\s+", "", part) in code_text for part in _without_shared(parts)):
            left.append(text)
    assert left == []


def _without_shared(parts: list[str]) -> list[str]:
    from shared.errors import ANSWER_FIRST

    return [each.removesuffix(ANSWER_FIRST).strip() for each in parts]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("ru", "ru"),
        ("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", "ru"),
        ("en-US,en;q=0.9,ru;q=0.8", "en"),
        ("de-DE, ru;q=0.3", "ru"),
        ("de", "en"),
        ("ru;q=0, en;q=0.1", "en"),
        ("ru;q=0", "en"),
        ("ru;q=2, en;q=x", "en"),
        ("RU", "ru"),
        ("*", "en"),
        ("," * 10_000 + "ru", "en"),
        ("\u0440\u0443;;;q=q", "en"),
    ],
)
def test_the_language_that_is_wanted_most_is_spoken(header: str, code: str) -> None:
    assert spoken.wanted(header) == code


def test_numbers_get_the_form_of_their_word() -> None:
    russian = spoken.language("ru")
    counted = [russian.counted(count, "item").partition(" ")[2] for count in (1, 2, 5, 11, 12, 21, 22, 25, 100, 101, 111)]
    one, few, many = russian.counts["item"]
    assert counted == [one, few, many, many, many, one, few, many, many, one, many]
    assert [spoken.language("en").counted(count, "hour") for count in (0, 1, 2)] == ["0 hours", "1 hour", "2 hours"]


def test_a_sentence_keeps_what_was_filled_in_and_an_unknown_one_stays() -> None:
    russian = spoken.language("ru")
    text = shares.too_many(shares.OPEN_OFFERS, 5, 17).player_message
    assert text and "17" in russian.say(text) and "5" in russian.say(text) and russian.say(text) != text
    assert russian.say("A sentence of a later release.") == "A sentence of a later release."
