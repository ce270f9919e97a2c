"""How many names of the code under test, or of what it uses, the tests replace while they run: few, and none of them private.

What a test wants to shorten, break or watch it passes in when it makes an object (a clock, a wait, a database that is away).
A patch goes round that: it holds on to a name, and says nothing any more when the code takes another way. Environment
variables are no patches: like a file of settings they are what a process is given.

    python tests/tooling/test_patches.py     lists them
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("tests", "lottery_core/tests", "client/tests")
MOST = 9

# Attributes that parts of the tests themselves have to be told by.
OWN = {"waiting", "instead"}
REPLACING = {"setattr", "delattr", "setitem", "delitem"}


def patches() -> list[str]:
    """Each as ``path:line: source``."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if "node_modules" not in path.parts]
    return [f"{path.relative_to(ROOT)}:{line}" for path in paths for line in patches_of(path.read_text())]


def patches_of(source: str) -> list[str]:
    """Each as ``line: source``: calls of monkeypatch, mock and ``setattr``, and attributes that are given another function."""
    tree, lines = ast.parse(source), source.splitlines()
    imported, functions = set(_imported(tree)), set(_functions(tree))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.stmt | ast.expr)]
    found = {node.lineno for node in nodes if _is_call(node) or _is_assignment(node, imported, functions)}
    return [f"{number}: {lines[number - 1].strip()}" for number in sorted(found)]


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)


def _functions(tree: ast.AST) -> Iterator[str]:
    """Those that are written inside another one, as replacements are."""
    for outer in ast.walk(tree):
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = (node for body in outer.body for node in ast.walk(body))
            yield from (node.name for node in inner if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _is_call(node: ast.AST) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [alias.name for alias in node.names]
        module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        return any(name.partition(".")[0] == "mock" or name == "unittest.mock" for name in [*names, module])
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Attribute):
        return called.attr in REPLACING
    return isinstance(called, ast.Name) and called.id in ("setattr", "delattr")


def _is_assignment(node: ast.AST, imported: set[str], functions: set[str]) -> bool:
    """``Imported.name = ...``, or ``anything.name = `` a function of this file."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    value = node.value
    is_function = isinstance(value, ast.Lambda) or (isinstance(value, ast.Name) and value.id in functions)
    for target in targets:
        if isinstance(target, ast.Attribute):
            root = _root(target)
            if root in imported or (is_function and root != "self" and target.attr not in OWN):
                return True
    return False


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def test_the_tests_replace_few_names() -> None:
    found = patches()
    assert len(found) <= MOST, "\n".join(["pass it in when the object is made:", *found])


def test_what_is_a_patch() -> None:
    source = """
import thing
from unittest import mock
def test(monkeypatch, world):
    monkeypatch.setattr(thing, "name", 1)
    thing.name = 2
    world.ctx.db.run = lambda: None
    def away(): ...
    world.call = away
    setattr(world, "x", away)
    world.count = 3
    monkeypatch.setenv("FLEET_VAULT_KEY", "x")
"""
    assert [line.partition(":")[0] for line in patches_of(source)] == ["3", "5", "6", "7", "9", "10"]


if __name__ == "__main__":
    print(*patches(), sep="\n")
