"""Whatever comes in from outside, in any shape: a typed refusal, or a result that holds; never anything else."""

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import lottery_factories as make
import pytest

from lottery import cli, encoding, event_json, record, replay, rooms, rounds, rules, verify
from lottery.commitments import Piece, Rest
from lottery.effects import Effects
from lottery.errors import LotteryError, Refused, RoomError
from lottery.events import Create, Event, Tick
from lottery.snapshots import snapshot
from lottery.sources import Check
from lottery.state import Round

HOSTILE: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**32, 2**63, 2**64 - 1, 2**64, 10**5000, 1.5, float("nan")),
    *("", "x", "\ud800", "0" * 64, "é" * 100, [], [[]], [0], {}, {"a": {}}, {"1": [1]}, [None], [{"deposit_id": 1}]),
]
Place = tuple[str | int, ...]


def places(value: Any, where: Place = ()) -> Iterator[Place]:
    """Every value inside of this one."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*where, key)
        yield from places(each, (*where, key))


def spoiled(value: Any, choose: Random) -> Any:
    """A copy with one value replaced, one field dropped, or one entry doubled."""
    found = copy.deepcopy(value)
    *path, last = choose.choice(list(places(found)))
    holder: Any = found
    for key in path:
        holder = holder[key]
    how = choose.randrange(8)
    if how == 0:
        del holder[last]
    elif how == 1 and isinstance(holder, list) and isinstance(last, int):
        holder.append(copy.deepcopy(holder[last]))
    else:
        holder[last] = choose.choice(HOSTILE)
    return found


def recorded(kind: str) -> list[dict[str, Any]]:
    """The events of a whole round as JSON."""
    listed: list[dict[str, Any]] = []
    create, apply = rounds.create, rounds.apply

    def listed_create(event: Create, previous: Round | None = None) -> Round:
        listed.append(event_json.to_json(event))
        return create(event, previous)

    def listed_apply(state: Round, event: Event, check: Check | None = None) -> Effects:
        listed.append(event_json.to_json(event))
        return apply(state, event, check)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "create", listed_create)
        patch.setattr(rounds, "apply", listed_apply)
        make.EVERY_KIND[kind]()
    return listed


def was_refused(listed: Any) -> bool:
    """Whether the engine refuses it; what it seals, the verifier must accept."""
    try:
        sealed = replay.sealed_record(listed, make.issued)
    except LotteryError:
        return True
    try:
        report = verify.verify_record(json.loads(encoding.canonical_json(sealed)))
    except verify.Unreadable as error:
        raise AssertionError(f"sealed, yet no record: {error}") from error
    fake = report.lie is not None and report.lie[0] in ("beacon", "block work", "house's failure")
    assert report.verdict != verify.LIE or fake, report.checks[-1]
    return False


def refusals(kind: str, count: int) -> int:
    """How many of that many spoiled lists are refused; a sealed record that does not verify fails the test."""
    listed, choose = recorded(kind), Random(f"hostile {kind}")
    return sum(was_refused(spoiled(listed, choose)) for _ in range(count))


@pytest.mark.parametrize("kind", make.EVERY_KIND)
def test_spoiled_events_are_refused_or_give_a_record_that_holds(kind: str) -> None:
    assert refusals(kind, 40) > 10


@pytest.mark.long
@pytest.mark.parametrize("kind", make.EVERY_KIND)
def test_many_spoiled_events_are_refused_or_give_a_record_that_holds(kind: str) -> None:
    assert refusals(kind, 1_000) > 250


@pytest.mark.parametrize("listed", [[], [1], [None], [[]], ["create"], [{"event": []}], [{"event": "create"}], [{}]])
def test_what_is_no_list_of_events_is_refused(listed: Any) -> None:
    with pytest.raises(LotteryError):
        replay.replay(listed)


@pytest.mark.parametrize("name", rooms.names())
def test_a_spoiled_room_is_refused_by_its_field(name: str) -> None:
    rules, choose = rooms.load(name).rules, Random(name)
    for field in rules:
        for value in HOSTILE:
            try:
                room = rooms.parse({**rules, field: copy.deepcopy(value)})
            except RoomError as error:
                assert error.field
            else:
                assert len(room.rules_hash) == 32
    for _ in range(200):
        try:
            rooms.parse(spoiled(rules, choose))
        except RoomError as error:
            assert error.field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rake_change_max": 65_536}, "rake_change_max"),
        ({"item_limit_max": 2**32}, "item_limit_max"),
        ({"bet_value_max": 2**64}, "bet_value_max"),
        ({"priority_items": (2**64,)}, "priority_items"),
        ({"name": "\ud800"}, "name"),
        ({"rake": (3,)}, "rake"),
        ({"rake": 3}, "rake"),
        ({"speed": 3}, "speed"),
    ],
)
def test_what_no_verifier_would_read_is_refused_when_the_room_is_loaded(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(RoomError) as wrong:
        rooms.load("classic-unlimited", **changes)
    assert wrong.value.field == field


def test_a_room_of_the_greatest_change_plays_and_verifies() -> None:
    lane = make.Lane(rooms.load("classic-unlimited", rake_change_max=65_535), "change", 2)
    assert lane.started().rules.rake_change_max == 65_535
    assert verify.rules.CHANGE_MAX == verify.rake.CHANGE_MAX == rules.RAKE_CHANGE_MAX_CENTS


def test_more_than_32_in_a_team_are_refused() -> None:
    changes = {"team_limit": 33, "player_limit": 66, "min_players": 66}
    with pytest.raises(RoomError, match="team_limit"):
        rooms.load("5v5", **changes)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"now": 2**64}, "number"),
        ({"now": -1}, "malformed"),
        ({"round": 2**64}, "malformed"),
        ({"guarantees": (Piece(1, 2, 2**64),)}, "malformed"),
        ({"guarantees": (Piece(1, 2, 10**18),)}, "number"),
    ],
)
def test_a_round_with_a_number_beyond_64_bits_is_not_created(change: dict[str, Any], code: str) -> None:
    lane = make.Lane(rooms.load("classic-unlimited"), "wide", 2)
    with pytest.raises(Refused) as refused:
        rounds.create(lane.create_event(**change))
    assert refused.value.code == code


def test_no_event_comes_later_than_the_log_can_say() -> None:
    state = make.Lane(rooms.load("classic-unlimited"), "late", 2).started()
    before = snapshot(state)
    with pytest.raises(Refused) as refused:
        rounds.apply(state, Tick(2**64, "late"))
    assert (refused.value.code, snapshot(state)) == ("number", before)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"inviters": (6, 6)}, "inviters"),
        ({"inviters": (5,)}, "inviters"),
        ({"inviters": (2**64,)}, "malformed"),
        ({"inviters": tuple(range(10, 31))}, "malformed"),
        ({"rests": (Rest("lane", 1, bytes(32), 0, 5),)}, "rests"),
    ],
)
def test_what_a_bet_brings_along_must_make_sense(change: dict[str, Any], code: str) -> None:
    state = make.Lane(rooms.load("classic-unlimited"), "settle", 2).started()
    before = snapshot(state)
    with pytest.raises(Refused) as refused:
        make.place(state, 5, [300], **change)
    assert (refused.value.code, snapshot(state)) == (code, before)


@pytest.mark.parametrize(
    ("stock", "code"),
    [
        ((Piece(2**64, 1, 1),), "malformed"),
        ((Piece(10**9, 1, -1),), "malformed"),
        (make.stock([1] * 257), "stock"),
        ((Piece(99, 1, 5), Piece(99, 1, 5)), "duplicate_rows"),
        ((Piece(make.HOUSE, 1, 5),), "duplicate_rows"),
    ],
)
def test_a_stock_that_cannot_be_offered(stock: tuple[Piece, ...], code: str) -> None:
    lane = make.Lane(rooms.load("classic-unlimited"), "stock", 2)
    with pytest.raises(Refused) as refused:
        rounds.create(lane.create_event(stock=stock, guarantees=(Piece(make.HOUSE, 1, 1),)))
    assert refused.value.code == code


# ---- the command line


RECORD = encoding.canonical_json(record.sealed(make.EVERY_KIND["classic"]()[1]))
GARBAGE = {
    "empty": b"",
    "no text": bytes(range(256)),
    "an image": b"\x89PNG\r\n\x1a\n" + bytes(1000),
    "not a number": b'{"format":NaN}',
    "infinity": b"[Infinity,-Infinity]",
    "a fraction": b'{"id":1.0}',
    "an exponent": b'{"id":1e400}',
    "a huge number": b'{"id":' + b"9" * 100_000 + b"}",
    "a key twice": RECORD[:-1] + b',"seal":"00"}',
    "half a pair": RECORD.replace(b'"room":"', b'"room":"\\ud800'),
    "a byte-order mark": b"\xef\xbb\xbf" + RECORD,
    "UTF-16": RECORD.decode().encode("utf-16"),
    "cut off": RECORD[: len(RECORD) // 2],
    "twice": RECORD * 2,
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"a":' * 200_000,
    "deep and closed": b"[" * 900 + b"]" * 900,
    "quotes without end": b"[" * 1_001 + b'"' + b'\\"' * 500_000,
    "a long text": b'"' + b"a" * 5_000_000 + b'"',
    "another record": b'{"format":"lot3"}',
    "a number": b"0",
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_is_answered_with_a_sentence(what: str, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "record.json"
    file.write_bytes(GARBAGE[what])
    for command in ("verify", "explain", "replay"):
        assert cli.main([command, str(file)]) in (1, 2)
        told = capsys.readouterr()
        assert 0 < len(told.out + told.err) < 2_000


def test_a_spoiled_record_is_answered_with_a_sentence() -> None:
    value, choose = json.loads(RECORD), Random("record")
    for _ in range(600):
        other = spoiled(value, choose)
        try:
            report = verify.verify_record(other)
        except verify.Unreadable as error:
            assert str(error).startswith("record")
        else:
            assert not report.good or json.dumps(other) == json.dumps(value)


@pytest.mark.long
def test_fifty_megabytes_of_anything_are_answered(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    million = 1_000_000
    for text in (b"[" * 50 * million, b'"' * 50 * million, b"{" + b'\\"' * 25 * million, b"[" + b"[]," * 16 * million + b"[]]"):
        file = tmp_path / "record.json"
        file.write_bytes(text)
        assert cli.main(["verify", str(file)]) == 2
        assert len(capsys.readouterr().err) < 2_000
