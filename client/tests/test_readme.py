"""The README's Python is Python, and names what there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from fleet_client import AsyncClient, Client, Patience, errors, openid, webhooks

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
KNOWN = {
    "fleet": Client,
    "errors": errors,
    "openid": openid,
    "webhooks": webhooks.Webhooks,
    "Client": Client,
    "AsyncClient": AsyncClient,
    "Patience": Patience,
}


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_names_what_there_is(number: int) -> None:
    tree = ast.parse(BLOCKS[number])
    used = [
        (node.value.id, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in KNOWN
    ]
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert used or imported
    assert [f"{name}.{attribute}" for name, attribute in used if not hasattr(KNOWN[name], attribute)] == []
    for node in imported:
        exec(compile(ast.Module([node], []), "README", "exec"), {})


def test_the_errors_shown_are_all_there_are() -> None:
    tree = README[README.index("FleetError\n├──") :].split("```")[0]
    named = set(re.findall(r"[├└]── (\w+)", tree))
    assert named == {kind.__name__ for kind in errors.FleetError.__subclasses__() if kind.__module__ == errors.__name__} | {
        kind.__name__ for kind in errors.Problem.__subclasses__()
    }


def test_names_in_the_text_are_calls() -> None:
    named = set(re.findall(r"`(?:await )?fleet\.(\w+)\(", README))
    assert named and [name for name in named if not hasattr(Client, name)] == []
