"""Property 11: the verifier accepts every record that the engine seals, of every room and every end."""

import ast
import copy
import importlib.util
import sys
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import own_chain
import plays
import pytest

from lottery import rake, rooms, verify
from lottery.encoding import canonical_json
from lottery.errors import RoomError
from lottery.verify.reading import shape
from lottery.verify.rules import sense

MAKE = Path(__file__).resolve().parents[2] / "examples" / "make.py"
SHARED = {"lottery.encoding", "lottery.drand"}


def disagreement(seed: str) -> str:
    """What the verifier says against a record of the engine, "" when nothing."""
    report = verify.verify(canonical_json(plays.random_record(seed)))
    return "" if report.lie is None else f"{seed}: {report.lie}"


@pytest.mark.parametrize("part", range(5))
def test_five_hundred_rounds_agree(part: int) -> None:
    found = [disagreement(f"quick {part} {number}") for number in range(100)]
    assert not any(found), list(filter(None, found))


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_a_hundred_thousand_rounds_agree(part: int) -> None:
    found = [disagreement(f"slow {part} {number}") for number in range(10_000)]
    assert not any(found), list(filter(None, found))


ODD: list[Any] = [
    *(None, True, False, 0, 1, 2, 3, 5, 40, 41, 100, 101, 3599, 3600, 10_000, 10_001, 2**32, 2**64, -1, 1.5, "", "x"),
    *(
        [],
        [0],
        [1],
        [1, 2],
        [5] * 101,
        [[100, 5]],
        [[50, 5], [100, 0]],
        [[0, 5], [100, 5]],
        [[100, 101]],
        "cent",
        "item",
        "bought",
    ),
    *("none", "drand:quicknet", "drand:other", "drand:" + "0" * 64, "block:bitcoin", "manual:mixed:default", "manual:direct"),
    *("complement", "inverse", "classic", "pot", "teams", "raffle", "x" * 201, "\ud800", {}, {"scheme": "x"}),
]


def engine_accepts(rules: Any) -> bool:
    try:
        rooms.parse(copy.deepcopy(rules))
    except RoomError:
        return False
    return True


def verifier_accepts(rules: Any) -> bool:
    try:
        sense(shape.RULES(rules))
    except (verify.Lie, verify.Unreadable):
        return False
    return True


def rules_with_oddities(choose: Random) -> Any:
    """Rules that often make sense, with up to three fields of something else; complete, as a record has them."""
    rules = {**rooms.load("classic-unlimited").rules, **plays.random_rules(choose)}
    if choose.random() < 0.3:
        rules = plays.random_room(choose).rules
    for _ in range(choose.randrange(4)):
        rules = {**rules, choose.choice(list(rules)): choose.choice(ODD)}
    if rules["raffle"] and type(rules["raffle"]) is dict and choose.random() < 0.3:
        rules["raffle"] = {**rules["raffle"], choose.choice(list(rules["raffle"])): choose.choice(ODD)}
    return rules


def test_p07_engine_and_verifier_refuse_the_same_rules() -> None:
    choose, accepted = Random("rules"), 0
    for _ in range(4_000):
        rules = rules_with_oddities(choose)
        assert engine_accepts(rules) == verifier_accepts(rules), rules
        accepted += engine_accepts(rules)
    assert 400 < accepted < 3_600


def test_p07_engine_and_verifier_refuse_the_same_terms_of_a_chain() -> None:
    terms, choose, accepted = own_chain.terms(), Random("terms"), 0
    rules = rooms.load("classic-unlimited", entropy=f"drand:{terms.chain_hash}", beacon=terms).rules
    for number in range(400):
        field = choose.choice(list(rules["beacon"]))
        values = [*ODD, "00" * 48, "00" * 96, "00" * 32, "pedersen-bls-chained", rules["beacon"][field]]
        beacon = {**rules["beacon"], field: choose.choice(values)} if number else rules["beacon"]
        other = {**rules, "beacon": beacon}
        assert engine_accepts(other) == verifier_accepts(other), beacon
        accepted += engine_accepts(other)
    assert accepted > 0


def random_pool(choose: Random) -> tuple[Any, list[Any]]:
    """A record as far as the choice of the rake looks at it, and its rows for the engine: small and large, cheap and dear."""
    count, dearest = choose.choice((1, 3, 12, 60, 400)), choose.choice((3, 60, 900, 30_000, 90_000, 5_000_000))
    rows = [(number, choose.randrange(dearest + 1), choose.choice((1, 2)), choose.choice((3, 4))) for number in range(count)]
    pieces = [
        (10_000 + number, choose.choice((1, 2, 5, 40, 2_000, 70_000))) for number in range(choose.choice((0, 2, 20, 256)))
    ]
    most = choose.choice((0, 100, 65_535))
    rules = {"priority_items": choose.choice(([], [3])), "rake_change_max": most, "rake_change_max_bp": None}
    rows.sort(key=lambda row: (-row[1], row[0]))
    record = {
        "rules": rules,
        "bank": sum(row[1] for row in rows),
        "stock": {"deposit_id": [row for row, _ in pieces], "price": [price for _, price in pieces]},
        "outcome": {"winners": [{"user_id": 1}]},
        "pot": SimpleNamespace(dearest_first=rows),
    }
    return record, rows


def beyond_the_bound() -> tuple[Any, list[Any]]:
    """The one sum that would do needs a row that a set of so wide sums does not take any more."""
    prices = [1_000] * 200 + [2] * 300
    rows = [(number, price, 2, 3) for number, price in enumerate(prices)]
    rules = {"priority_items": [], "rake_change_max": 65_535, "rake_change_max_bp": None}
    stock = {"deposit_id": [10_000], "price": [475]}
    record = {"rules": rules, "bank": sum(prices), "stock": stock, "outcome": {"winners": [{"user_id": 1}]}}
    return {**record, "pot": SimpleNamespace(dearest_first=rows)}, rows


def test_p12_the_verifier_chooses_the_same_rows_from_any_pot() -> None:
    choose = Random("pools")
    for number in range(1_500):
        record, rows = random_pool(choose) if number else beyond_the_bound()
        targets = (1, 50, 999, 65_535, 65_536, 200_001, record["bank"] // 10 or 1, record["bank"] + 5)
        target = choose.choice(targets) if number else 65_535
        first = record["rules"]["priority_items"]
        items = [(owner, rake.Item(row, price, 0 if item in first else 1)) for row, price, owner, item in rows]
        others, own = [item for owner, item in items if owner != 1], [item for owner, item in items if owner == 1]
        stock = list(map(rake.Item, record["stock"]["deposit_id"], record["stock"]["price"]))
        most = record["rules"]["rake_change_max"] if stock else 0
        found = rake.collect(target, others, own, stock, most)
        take = verify.rake.choose(record, target)
        assert list(found.taken) == verify.rake.deposits(take.rows)
        assert sorted(found.change) == sorted(verify.rake.deposits(take.back))
        assert found.net == verify.rake.worth(take.rows) - verify.rake.worth(take.back) <= target


def test_the_random_rounds_are_of_all_rooms_and_all_ends() -> None:
    played = [plays.random_record(f"kinds {number}") for number in range(400)]
    drawn = [record for record in played if record["outcome"]["void"] is None]
    assert {record["mode"] for record in drawn} == {1, 2, 3, 4, 5, 6}
    assert {record["close"]["mode"] for record in drawn} == {0, 1, 2, 3, 4}
    assert {record["outcome"]["closed_by"] for record in played} >= {*verify.reading.shape.ENDS} - {"failure"}
    assert {record["rules"]["ranges"] for record in drawn} == {None, "complement", "inverse"}
    assert any(record["outcome"]["rake"] and record["outcome"]["rake"]["change"] for record in drawn)
    assert any(record["outcome"]["rake"] and record["outcome"]["rake"]["shortfall"] for record in drawn)
    assert any(record["outcome"]["rake"] and record["outcome"]["rake"]["carried"] for record in drawn)
    assert any(payout["credit"] for record in drawn for payout in record["outcome"]["payouts"])
    assert any(record["outcome"]["renew"] for record in drawn)
    assert any(record["guarantees"] for record in drawn)
    assert all(record["close"]["source"] == "void" for record in played if record["outcome"]["void"])


def test_the_examples_are_what_the_engine_makes_today() -> None:
    spec = importlib.util.spec_from_file_location("make_examples", MAKE)
    assert spec is not None and spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert sorted(make.EXAMPLES) == sorted(path.stem for path in MAKE.parent.glob("*.json"))
    for name in make.EXAMPLES:
        assert make.example(name) == (MAKE.parent / f"{name}.json").read_bytes(), name


def test_the_verifier_shares_only_the_encoding_with_the_engine() -> None:
    files = sorted(Path(verify.__file__).parent.rglob("*.py"))
    assert {path.parent.name for path in files} == {"verify", "reading"}
    for path in files:
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
