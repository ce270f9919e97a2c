"""No modules import each other in a circle: what the layers of pyproject.toml cannot say of modules within one room."""

from __future__ import annotations

import grimp
import pytest

PACKAGES = ("balancer", "bot_worker", "sandbox", "scripts", "shared", "fleet_client")


def circles(imports: dict[str, set[str]]) -> list[set[str]]:
    """Modules that reach each other by imports, in groups; pure. What imports nothing that is left is taken away, both ways."""
    left = {module: set(found) for module, found in imports.items()}
    while gone := _ends(left) | (left.keys() - {each for found in left.values() for each in found}):
        left = {module: found - gone for module, found in left.items() if module not in gone}
    groups: list[set[str]] = []
    for module in left:
        if not any(module in group for group in groups):
            groups.append({other for other in _reached(left, module) if module in _reached(left, other)})
    return [group for group in groups if group]


def _ends(imports: dict[str, set[str]]) -> set[str]:
    return {module for module, found in imports.items() if not found}


def _reached(imports: dict[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    following = [start]
    while following:
        new = imports[following.pop()] - reached
        reached |= new
        following += new
    return reached


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    graph = grimp.build_graph(package, cache_dir=None)
    assert circles({module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}) == []


def test_a_circle_is_found_and_what_only_leads_to_it_is_not_in_it() -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a"}}
    assert circles(imports) == [{"b", "c"}]
