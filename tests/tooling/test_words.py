"""Names are the field's words (CONTRIBUTING.md, `docs/glossary.md`): the old house's words name nothing any more."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

OLD = {"told", "said", "look", "found"}
"""Each of them stood for several things; what a thing is says more: `event_data`, `notice`, `differences`, `rows`."""

ROOT = Path(__file__).resolve().parents[2]

KEPT = {
    ("balancer/fleet/health.py", "look"),  # a field of the public answer: a bot may look, take, give
    ("balancer/web/ops/sessions.py", "said"),  # a column of a table that exists at users'
}


def names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.Attribute(attr=name) | ast.alias(asname=str(name)):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name


def old_names(source: str) -> set[str]:
    """The old words among the names of a module. ``LOOK`` stands for the word ``look`` of the public interface."""
    return {name for name in names(ast.parse(source)) if name.strip("_").lower() in OLD and name != "LOOK"}


@pytest.mark.parametrize("room", ["balancer", "bot_worker"])
def test_no_name_is_one_of_the_old_words(room: str) -> None:
    read = {path.relative_to(ROOT).as_posix(): old_names(path.read_text("utf-8")) for path in (ROOT / room).rglob("*.py")}
    assert len(read) > 50, "the rooms were not read"
    stray = {(path, name) for path, old in read.items() for name in old} - KEPT
    assert not stray, f"name what it is (docs/glossary.md): {sorted(stray)}"


def test_what_is_kept_is_still_there() -> None:
    assert all(name in old_names(Path(ROOT, path).read_text("utf-8")) for path, name in KEPT)


@pytest.mark.parametrize(
    "source",
    [
        "def told(): ...",
        "class _Found: ...",
        "found = 1",
        "def f(said): ...",
        "x.look()",
        "import a as told",
        "for look in (): ...",
    ],
)
def test_an_old_word_is_noticed(source: str) -> None:
    assert old_names(source)


def test_a_word_in_a_sentence_is_no_name() -> None:
    assert not old_names('text = "nothing was found"  # as told\nnot_found = text')
