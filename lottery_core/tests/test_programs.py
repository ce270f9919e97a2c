"""Simulation, replay, records through JSON, and that the package needs nothing but the standard library."""

import argparse
import ast
import doctest
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import lottery_factories as make
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lottery
from lottery import encoding, event_json, raffle, record, replay, rooms, rounds, simulate
from lottery.errors import LotteryError
from lottery.raffle import Slot, Template

PACKAGE = Path(lottery.__file__).parent
IMPURE = {"time", "random", "secrets", "os", "socket", "uuid", "threading", "asyncio", "subprocess"}


def engine_modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.glob("*.py")) if path.stem not in ("cli", "__main__", "drand", "explain")]


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", engine_modules(), ids=lambda path: path.stem)
def test_the_engine_imports_the_standard_library_only_and_nothing_impure(path: Path) -> None:
    names = imported(path) - {"lottery"}
    assert names - {"matplotlib"} <= sys.stdlib_module_names
    assert not names & IMPURE
    assert "matplotlib" not in names or path.stem == "simulate"


@pytest.mark.parametrize("path", engine_modules(), ids=lambda path: path.stem)
def test_the_engine_knows_nothing_of_the_verifier(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "lottery.verify" not in text
    assert "import verify" not in text


@pytest.mark.parametrize("name", rooms.names())
def test_simulation_of_every_room(name: str) -> None:
    room = rooms.load(name, **({"global_pot_limit": 200_000} if name == "global-pot" else {}))
    calls: list[tuple[int, int]] = []
    report = simulate.simulate(room, 5, 10, "test", progress=lambda done, count: calls.append((done, count)))
    assert calls == [(done, 5) for done in range(1, 6)]
    assert (report.rounds, report.void, report.over_due) == (5, 0, 0)
    assert 0 <= report.collected <= report.due
    assert report.as_json() == simulate.simulate(room, 5, 10, "test").as_json()
    assert room.name in simulate.as_text(report)


@pytest.mark.parametrize("entropy", ["manual:direct", "block:bitcoin", "drand:default", "none"])
def test_simulation_in_every_mode(entropy: str) -> None:
    name = "global-pot" if entropy.startswith("manual") else "classic-unlimited"
    changes = {"global_pot_limit": 100_000} if name == "global-pot" else {}
    assert simulate.simulate(rooms.load(name, entropy=entropy, **changes), 2, 12).void == 0


def test_simulation_of_a_raffle() -> None:
    terms = Template(7, "a game", 1499, 101, 20)
    report = simulate.simulate(raffle.instance_rules(terms, Slot(7, 1)), 3, 5)
    assert (report.void, report.bank) == (0, 3 * 1600)


def test_simulation_counts_its_brackets() -> None:
    report = simulate.simulate(rooms.load("classic-unlimited"), 40, 3)
    assert sum(bracket.rounds for bracket in report.brackets) == 40
    assert sum(bracket.collected for bracket in report.brackets) == report.collected
    assert sum(bracket.due for bracket in report.brackets) == report.due
    assert report.edge <= report.nominal <= 0.1


def test_simulation_refuses_what_cannot_be_played() -> None:
    with pytest.raises(LotteryError):
        simulate.simulate(rooms.load("classic-unlimited"), 0)
    with pytest.raises(LotteryError):
        simulate.simulate(rooms.load("5v5"), 1, 4)
    with pytest.raises(LotteryError, match="cannot fill"):
        simulate.simulate(rooms.load("classic-limited"), 1, 3)


def commands() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    simulate.add_commands(subparsers)
    replay.add_commands(subparsers)
    return parser


def test_simulate_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = commands().parse_args(["simulate", "classic-unlimited", "--rounds", "3", "--json"])
    assert arguments.run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["rounds"] == 3
    own = tmp_path / "own.toml"
    own.write_text("name = 'own'\nmode = 'classic'\nitem_limit_max = 4", encoding="utf-8")
    arguments = commands().parse_args(["simulate", str(own), "--rounds", "2", "--no-change"])
    assert arguments.run(arguments) == 0
    assert "own: 2 rounds" in capsys.readouterr().out
    arguments = commands().parse_args(["simulate", "poker"])
    assert arguments.run(arguments) == 2
    assert "poker" in capsys.readouterr().err


def test_plot_needs_its_extra_and_says_so(tmp_path: Path) -> None:
    """`-S` starts a Python without any package."""
    program = "import sys; from lottery import simulate; simulate.plot(simulate.Report('x'), sys.argv[1])"
    picture = str(tmp_path / "x.png")
    ran = subprocess.run([sys.executable, "-S", "-c", program, picture], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert ran.returncode == 1
    assert "lottery.errors.LotteryError" in ran.stderr.splitlines()[-1]
    assert "plot" in ran.stderr.splitlines()[-1]


# ---- examples in documents


def test_the_readmes_example_runs_as_it_stands() -> None:
    told = doctest.testfile(str(PACKAGE.parent / "README.md"), module_relative=False)
    assert (told.failed, told.attempted > 25) == (0, True)


@pytest.mark.parametrize("path", engine_modules(), ids=lambda path: path.stem)
def test_examples_in_the_modules_run(path: Path) -> None:
    module = importlib.import_module(f"lottery.{path.stem}" if path.stem != "__init__" else "lottery")
    assert doctest.testmod(module).failed == 0


# ---- replay


def told(kind: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The events of a whole round as JSON, recorded while it is played, and its record."""
    listed: list[dict[str, Any]] = []
    create, apply = rounds.create, rounds.apply

    def record_create(event: Any, previous: Any = None) -> Any:
        listed.append(event_json.to_json(event))
        return create(event, previous)

    def record_apply(state: Any, event: Any, check: Any = None) -> Any:
        effects = apply(state, event, check)
        listed.append(event_json.to_json(event))
        return effects

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "create", record_create)
        patch.setattr(rounds, "apply", record_apply)
        _, state = make.EVERY_KIND[kind]()
    return listed, record.sealed(state)


@pytest.mark.parametrize("kind", make.EVERY_KIND)
def test_inv_16_replay_of_the_events_is_the_record_byte_for_byte(kind: str) -> None:
    listed, sealed = told(kind)
    through = json.loads(encoding.canonical_json(listed))
    assert encoding.canonical_json(replay.sealed_record(through, make.issued)) == encoding.canonical_json(sealed)


def test_replay_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    listed, sealed = told("classic none")
    path, out = tmp_path / "events.json", tmp_path / "record.json"
    path.write_bytes(encoding.canonical_json(listed))
    arguments = commands().parse_args(["replay", str(path), "--output", str(out)])
    assert arguments.run(arguments) == 0
    assert out.read_bytes() == encoding.canonical_json(sealed)
    arguments = commands().parse_args(["replay", str(path)])
    assert arguments.run(arguments) == 0
    assert json.loads(capsys.readouterr().out) == sealed
    for wrong in (listed[:-1], listed[1:], {"no": "list"}, [{"event": "bribe"}], [{**listed[0], "now": "noon"}]):
        path.write_text(json.dumps(wrong), encoding="utf-8")
        assert arguments.run(arguments) == 2
        assert "lottery replay:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "values",
    [
        {"event": "bet", "now": 1.5},
        {"event": "start"},
        {"event": "start", "now": 1, "token": "x", "colour": "red"},
        {"event": "open", "now": 1, "token": "x", "secret": "AB" * 32},
        {"event": "bet", "now": 1, "token": "x", "user_id": 1, "rows": [{"deposit_id": "1"}]},
        {"event": None},
    ],
)
def test_events_that_are_none_are_named(values: dict[str, Any]) -> None:
    with pytest.raises(LotteryError, match="event"):
        event_json.from_json(values)


# ---- canonical JSON

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_canonical_json_reads_back_and_is_one_text(value: Any) -> None:
    text = encoding.canonical_json(value)
    assert json.loads(text) == value
    assert encoding.canonical_json(json.loads(text)) == text


@pytest.mark.parametrize("value", [1.5, [1e20], {"a": {"b": 1e-9}}, [float("nan")], [float("inf")], (1.0,)])
def test_canonical_json_has_no_floats(value: Any) -> None:
    with pytest.raises(ValueError, match=r"integers only|not JSON compliant"):
        encoding.canonical_json(value)


def test_hex_is_lower_case_and_of_one_length() -> None:
    assert encoding.unhex("00ff", 2) == b"\x00\xff"
    for wrong in ("00FF", "00 ff", "00f", "zz"):
        with pytest.raises(ValueError, match=r"hex|expected|odd|non-"):
            encoding.unhex(wrong, 2)
    with pytest.raises(ValueError, match="expected 32 bytes"):
        encoding.unhex("00ff")
