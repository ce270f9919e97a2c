"""Property 11: the verifier accepts every record that the engine seals, of every room and every end."""

import ast
import importlib.util
import sys
from pathlib import Path

import plays
import pytest

from lottery import verify
from lottery.encoding import canonical_json

MAKE = Path(__file__).resolve().parents[2] / "examples" / "make.py"
SHARED = {"lottery.encoding", "lottery.drand"}


def disagreement(seed: str) -> str:
    """What the verifier says against a record of the engine, "" when nothing."""
    report = verify.verify(canonical_json(plays.random_record(seed)))
    return "" if report.good else f"{seed}: {report.checks[-1].name}: {report.checks[-1].value}"


@pytest.mark.parametrize("part", range(5))
def test_five_hundred_rounds_agree(part: int) -> None:
    found = [disagreement(f"quick {part} {number}") for number in range(100)]
    assert not any(found), list(filter(None, found))


@pytest.mark.parametrize(
    "seed", ["slow 1 8818", "slow 5 1016", "slow 5 5689", "slow 7 1867", "c3780", "d4305", "f12760", "f36412"]
)
def test_rests_of_earlier_rounds_that_could_not_be_met_in_full_agree(seed: str) -> None:
    rake = plays.random_record(seed)["outcome"]["rake"]
    assert 0 < rake["net"] < rake["due"] + rake["carry"]
    assert disagreement(seed) == ""


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_a_hundred_thousand_rounds_agree(part: int) -> None:
    found = [disagreement(f"slow {part} {number}") for number in range(10_000)]
    assert not any(found), list(filter(None, found))


def test_the_random_rounds_are_of_all_rooms_and_all_ends() -> None:
    played = [plays.random_record(f"kinds {number}") for number in range(400)]
    drawn = [record for record in played if record["outcome"]["void"] is None]
    assert {record["mode"] for record in drawn} == {1, 2, 3, 4, 5, 6}
    assert {record["close"]["mode"] for record in drawn} == {0, 1, 2, 3, 4}
    assert {record["outcome"]["closed_by"] for record in played} == {"items", "bank", "time", "manual", "sold_out", "void"}
    assert {record["rules"]["ranges"] for record in drawn} == {None, "complement", "inverse"}
    assert any(record["outcome"]["rake"] and record["outcome"]["rake"]["change"] for record in drawn)
    assert any(record["outcome"]["rake"] and record["outcome"]["rake"]["shortfall"] for record in drawn)
    assert any(record["outcome"]["guarantees"] for record in drawn)
    assert any(record["close"]["source"] != "void" for record in played if record["outcome"]["void"])


def test_the_examples_are_what_the_engine_makes_today() -> None:
    spec = importlib.util.spec_from_file_location("make_examples", MAKE)
    assert spec is not None and spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert sorted(make.EXAMPLES) == sorted(path.stem for path in MAKE.parent.glob("*.json"))
    for name in make.EXAMPLES:
        assert make.example(name) == (MAKE.parent / f"{name}.json").read_bytes(), name


def test_the_verifier_shares_only_the_encoding_with_the_engine() -> None:
    folder = Path(verify.__file__).parent
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in imported(node):
                assert name in SHARED or name.startswith("lottery.verify") or name.split(".")[0] in sys.stdlib_module_names, (
                    name
                )


def imported(node: ast.AST) -> list[str]:
    """Modules that a node imports; `from lottery import x` counts as lottery.x."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        return [f"lottery.{alias.name}" for alias in node.names] if module == "lottery" else [module]
    return []
