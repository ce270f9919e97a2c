"""What the import contracts cannot say: a package may import *only* these. The rest is in pyproject.toml."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = {
    "shared/domain": {"shared.domain"},
    "sandbox": {"sandbox", "aiohttp", "cryptography", "pyblst"},
    "lottery_core/lottery": {"lottery"},
    "client/fleet_client": {"fleet_client", "httpx"},
}
# A module that is the extra itself: nothing else of its package imports it (the layers in pyproject.toml).
WHOLE = {"client/fleet_client": {"aiohttp_site.py"}}
# Packages of extras: imported by the function that needs them, never on the way in.
EXTRAS = {"lottery_core/lottery": {"matplotlib", "pyblst"}}


def imports(path: Path, *, deep: bool = True) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if deep else tree.body:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module


def foreign(folder: Path, allowed: set[str]) -> list[str]:
    found = []
    whole = WHOLE.get(folder.relative_to(ROOT).as_posix(), set()) if folder.is_relative_to(ROOT) else set()
    for path in sorted(folder.rglob("*.py")):
        if path.name in whole:
            continue
        for line, module in imports(path):
            standard = module.partition(".")[0] in sys.stdlib_module_names
            ours = any(module == name or module.startswith(f"{name}.") for name in allowed)
            if not standard and not ours:
                found.append(f"{path.relative_to(folder)}:{line} {module}")
    return found


@pytest.mark.parametrize("package", ALLOWED)
def test_package_imports_nothing_else(package: str) -> None:
    assert foreign(ROOT / package, ALLOWED[package] | EXTRAS.get(package, set())) == []


@pytest.mark.parametrize("package", EXTRAS)
def test_extras_are_imported_late(package: str) -> None:
    early = [module for path in (ROOT / package).rglob("*.py") for _, module in imports(path, deep=False)]
    assert {module.partition(".")[0] for module in early}.isdisjoint(EXTRAS[package])


def test_the_clients_sign_in_needs_the_standard_library_only(tmp_path: Path) -> None:
    """It is what the balancer takes of the client; `fleet_client.openid` names no other module of its own package either."""
    (tmp_path / "openid.py").write_bytes((ROOT / "client/fleet_client/openid.py").read_bytes())
    assert foreign(tmp_path, set()) == []


def test_a_foreign_import_is_found_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("import json, shared.domain.ids\nfrom shared.domain import items\n")
    (tmp_path / "bad.py").write_text("def f():\n    from shared.wire import push\nimport shared.domains\n")
    assert foreign(tmp_path, {"shared.domain"}) == ["bad.py:3 shared.domains", "bad.py:2 shared.wire"]
