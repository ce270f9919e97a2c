"""Large records are read row by row: to the same record, with the same refusals, and in little memory."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import lottery_factories as make
import pytest
import records
from test_mutations import flips, other_values, spoiled_still_fails

from lottery import record, rooms, rounds, verify
from lottery.encoding import canonical_json
from lottery.events import Bet, Row
from lottery.verify.reading import rows, shape, strict

CORE = Path(__file__).resolve().parents[2]


def by_rows(text: bytes, trusted: frozenset[str] = frozenset()) -> verify.Report:
    """`verify.verify`, to which every text counts as a large one."""
    return verify.verify_record(strict.parse(text, at_once=0), trusted)


def plain(value: dict[str, Any]) -> dict[str, Any]:
    """Items as lists, whatever they were read to."""
    return {**value, "items": {name: list(column) for name, column in value["items"].items()}}


@pytest.mark.parametrize("name", records.NAMES)
def test_a_record_is_read_to_the_same(name: str) -> None:
    at_once = plain(shape.read(strict.parse(records.text(name))))
    parsed = strict.parse(records.text(name), at_once=0)
    assert (type(parsed["items"]) is rows.Table) == bool(at_once["items"]["bet"])
    assert plain(shape.read(parsed)) == at_once


@pytest.mark.parametrize("name", records.NAMES)
def test_the_verdict_is_the_same(name: str) -> None:
    report = by_rows(records.text(name))
    due = verify.UNCHECKED if name in records.UNCHECKED else verify.LIE if name == records.FAILURE else verify.GOOD
    assert report.verdict == due, report.lie


@pytest.mark.parametrize("name", ["classic-unlimited", "raffle", "global-pot-mixed", "void-lonely", "house-failure"])
def test_no_byte_of_the_items_can_be_changed(name: str) -> None:
    text = records.text(name)
    start, stop = text.find(rows.KEY), text.find(b'"log":')
    for spoiled in flips(text[start:stop], 5, len(name)):
        assert spoiled_still_fails(text[:start] + spoiled + text[stop:], by_rows)
    for index in range(start, stop, 11):
        assert spoiled_still_fails(text[:index] + text[index + 1 :], by_rows)
        assert spoiled_still_fails(text[:index] + text[index : index + 1] + text[index:], by_rows)


def test_no_field_of_an_item_can_be_changed_to_anything() -> None:
    found, choose = records.load("classic-unlimited"), Random("rows")
    for where, value in records.leaves(found["items"]):
        other = choose.choice(list(other_values(value)))
        spoiled = canonical_json(records.changed(found, ("items", *where), other))
        assert spoiled_still_fails(spoiled, by_rows), (where, other)


@pytest.mark.parametrize(
    "text",
    [
        b'{"close":{"items":[{"bet":1}]}}',
        b'{"items":[{"bet":1}',
        b'{"items":[{"bet":1,"bet":1}]}',
        b'{"items":[{}]}',
        b'[{"items":[{"bet":1}]}]',
        b'{"a\\"items":[{"bet":1}]}',
        b'{"items":[{',
        b'{"items":[{"bet":01}]}',
    ],
)
def test_items_in_another_place_or_spelling_are_no_record(text: bytes) -> None:
    with pytest.raises(verify.Unreadable):
        by_rows(text)


@pytest.mark.parametrize(
    ("column", "value"),
    [("team", 3), ("price", 2**64), ("user_id", 10**19 * 9), ("tickets_end", 2**64), ("client_seed", "x" * 65), ("bet", None)],
)
def test_a_column_has_its_range(column: str, value: Any) -> None:
    spoiled = records.changed(records.load("5v5-inverse"), ("items", 1, column), value)
    with pytest.raises(verify.Unreadable, match=column):
        by_rows(canonical_json(spoiled))


def test_a_client_seed_has_one_spelling() -> None:
    lane = make.Lane(rooms.load("classic-unlimited", entropy="none"), "seeds")
    state = lane.started()
    for user, seed in ((1, 'a "quoted" \\ жёлтый \n seed'), (2, "]}],{"), (3, "")):
        make.place(state, user, [300], client_seed=seed)
    text = canonical_json(record.sealed(make.finish(lane, state)))
    assert by_rows(text).good
    for one, other in ((b"\\n", b"\\u000a"), ("ж".encode(), b"\\u0436"), (b'\\"', b"\\u0022")):
        assert one in text
        with pytest.raises(verify.Unreadable):
            by_rows(text.replace(one, other))


def big_pot(folder: Path, items: int) -> Path:
    """A sealed pot of so many items, in a file."""
    limit = sum(100 + row % 977 for row in range(items))
    room = rooms.load("global-pot", entropy="none", bet_item_limit_max=None, global_pot_limit=limit)
    lane = make.Lane(room, "big", 1)
    state = lane.started()
    for start in range(0, items, 10):
        user = start // 10 * 7919 % 5000
        offered = tuple([Row(row, 11, user, 100 + row % 977) for row in range(start, start + 10)])
        rounds.apply(state, Bet(state.now, f"b{start}", user, offered))
    path = folder / "big.json"
    path.write_bytes(canonical_json(record.sealed(make.finish(lane, state))))
    return path


MEASURE = r"""
import re, sys, time
from lottery import cli
before = time.process_time()
code = cli.main(["verify", sys.argv[1], "--json"])
print()
status = open("/proc/self/status").read()  # the peak of getrusage would be that of the process that started this one
print(code, time.process_time() - before, int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024)
"""


def measured(path: Path) -> tuple[int, float, int]:
    """Exit code, seconds of CPU and MiB at the most, of a process of its own."""
    ran = subprocess.run([sys.executable, "-c", MEASURE, str(path)], cwd=CORE, capture_output=True, text=True, check=True)
    code, seconds, mib = ran.stdout.split()[-3:]
    return int(code), float(seconds), int(mib)


@pytest.mark.slow
def test_a_pot_of_fifty_thousand_items_takes_little_memory(tmp_path: Path) -> None:
    code, _, mib = measured(big_pot(tmp_path, 50_000))
    assert code == 0
    assert mib < 100


@pytest.mark.long
def test_a_pot_of_a_million_items_is_verified_within_its_targets(tmp_path: Path) -> None:
    code, seconds, mib = measured(big_pot(tmp_path, 1_000_000))
    assert (code, mib <= 600) == (0, True)
    assert seconds <= 30  # 15 on a quiet machine


def test_the_items_of_json_may_be_given_parsed_too() -> None:
    assert verify.verify_record(json.loads(records.text("classic-unlimited"))).good
