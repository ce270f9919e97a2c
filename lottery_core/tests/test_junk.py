"""Events with junk of all types in every place, in every phase: a typed refusal that changes nothing, never anything else."""

import copy
import dataclasses
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import lottery_factories as make
import pytest

from lottery import event_checks, events, rooms, rounds
from lottery.commitments import Link, Piece, Rest
from lottery.errors import LotteryError, Refused, RoomError
from lottery.events import Denial, Row
from lottery.payouts import moving_rows
from lottery.snapshots import load, snapshot
from lottery.state import Phase, Round


class Odd:
    """Equal to everything, hashed as nothing."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


JUNK: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**63, 2**64, 10**5000, 1.5, 1.0, float("nan"), float("inf"), 1j, Decimal(1), Fraction(1)),
    *("", "x", "\ud800", "\x00", "x" * 5000, "é" * 150, b"", b"x", bytes(32), bytearray(32), [], [1], (), (1,), ((),), (None,)),
    *({}, {"signature": 1}, {1: "x"}, {"a": "b"}, {"\ud800": "x"}, set(), frozenset({1}), object(), int, len, Odd(), range(3)),
    *((Row(1, 1, 1, 1.5),), (Row("1", [], {}, None),), (Row(*[None] * 8),), ([1] * 8,), ((1,) * 8,), (Piece(1, 2, 3),)),  # type: ignore[arg-type]
    *((Piece(1.0, 2, 3),), (Rest("", 1, b"", 1, 1),), (Rest(1, 1, bytes(32), 1, 1),), Link(b"", 1), Link(bytes(32), 1.0)),  # type: ignore[arg-type]
    *(Denial("x"), Denial(1), Denial("x", 1.5), Phase.GAME, rooms.load("giveaway")),  # type: ignore[arg-type]
]


def well_formed(state: Round, lane: make.Lane) -> list[Any]:
    """One good event of each kind; whether the phase takes it is another question."""
    now = state.now + 1
    return [
        events.Start(now, "start"),
        make.bet(state, 1, [300], now, token="a bet"),
        events.Buy(now, "buy", 1, 1, 10**6),
        events.Manual(now, "manual", "7", 1, 2, "https://video.example"),
        events.Tick(now, "tick"),
        events.Open(now + 1000, "open", lane.secret(state)),
        events.Entropy(now, "entropy", 5, bytes(32), {"signature": "00"}),
        events.Finalize(now, "finalize"),
        events.Settled(now, "settled", (1, 2)),
        events.Void(now, "void", "reason"),
        events.Renew(now, "renew", bytes(32), 99),
        events.Fail(now, "fail", "reason"),
    ]


def in_every_phase() -> Iterator[tuple[make.Lane, Round]]:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = lane.create()
    yield lane, state
    rounds.apply(state, events.Start(state.now, "began"))
    make.place(state, 1, [300])
    yield lane, state
    make.place(state, 2, [300])
    make.close_by_time(state)
    yield lane, state
    rounds.apply(state, events.Open(state.now + 1000, "opened", lane.secret(state)))
    yield lane, state
    make.apply(state, make.entropy_event(state))
    yield lane, state
    rounds.apply(state, events.Finalize(state.now, "finalized"))
    yield lane, state
    rounds.apply(state, events.Settled(state.now, "sealed", tuple(moving_rows(state))))
    yield lane, state
    void = make.Lane(rooms.load("classic-unlimited")).started()
    rounds.apply(void, events.Void(void.now, "void", "reason"))
    yield lane, void


def spoiled(event: Any) -> Iterator[Any]:
    """The event with junk in one of its fields after the other."""
    for field in dataclasses.fields(event):
        for junk in JUNK:
            yield dataclasses.replace(event, **{field.name: junk})


def tried(state: Round, before: bytes, event: Any) -> bool:
    """Whether it was refused. Nothing but a refusal may be raised; refused, it must have changed nothing."""
    fresh = load(before)
    try:
        make.apply(fresh, event)
    except Refused:
        assert snapshot(fresh) == before, event
        return True
    return False


def test_p11_junk_of_all_types_is_refused_and_changes_nothing() -> None:
    refused = taken = 0
    for lane, state in in_every_phase():
        before = snapshot(state)
        for event in well_formed(state, lane):
            for number, junk in enumerate(spoiled(event)):
                if (number + refused) % 6:
                    continue  # a sixth of all pairs, another one for each event and phase
                done = tried(state, before, junk)
                refused, taken = refused + done, taken + (not done)
    assert refused > 3_000
    assert 0 < taken < refused / 20


@pytest.mark.parametrize("event", [None, 5, "start", {"event": "start"}, object(), events.Start, Odd(), ()])
def test_p11_what_is_no_event_is_refused(event: Any) -> None:
    state = make.Lane(rooms.load("classic-unlimited")).started()
    before = snapshot(state)
    with pytest.raises(Refused):
        rounds.apply(state, event)
    with pytest.raises(Refused):
        rounds.create(event)
    assert snapshot(state) == before


def test_p11_a_time_with_a_fraction_does_not_seal_a_round() -> None:
    """The seal was made, and then the record could not be written."""
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = lane.started()
    make.place(state, 1, [300])
    make.place(state, 2, [300])
    make.close_by_time(state)
    make.draw(lane, state)
    rounds.apply(state, events.Finalize(state.now, "finalize"))
    before = snapshot(state)
    with pytest.raises(Refused) as refused:
        rounds.apply(state, events.Settled(state.now + 0.5, "settled", tuple(moving_rows(state))))  # type: ignore[arg-type]
    assert (refused.value.code, refused.value.accepts["field"]) == ("malformed", "now")
    assert snapshot(state) == before


def test_p11_a_creation_with_junk_is_refused() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    good = lane.create_event()
    taken = 0
    for junk in spoiled(good):
        try:
            rounds.create(junk)
        except Refused:
            continue
        taken += 1
        assert junk.round == 1
    assert taken < 30


def test_p11_rows_of_a_bet_with_junk_are_refused() -> None:
    state = make.Lane(rooms.load("classic-unlimited", bet_value_min=None)).started()
    good, before, taken = make.rows(1, [300, 200]), snapshot(state), 0
    for field in Row._fields:
        for junk in JUNK:
            rows = (good[0], good[1]._replace(**{field: junk}))
            fresh = load(before)
            try:
                rounds.apply(fresh, events.Bet(fresh.now, "b", 1, rows))
            except Refused:
                assert snapshot(fresh) == before
            else:
                taken += 1
                load(snapshot(fresh))
    assert taken < 25


@pytest.mark.parametrize("field", ["deposit_id", "item_id", "user_id", "price"])
def test_p11_true_is_no_number_in_a_row(field: str) -> None:
    """It equals 1, so that whoever compares only would take it."""
    state = make.Lane(rooms.load("classic-unlimited", bet_value_min=None)).started()
    good = make.rows(1, [300, 200])
    with pytest.raises(Refused) as refused:
        rounds.apply(state, events.Bet(state.now, "b", 1, (good[0], Row(**(good[1]._asdict() | {field: True})))))
    assert refused.value.code == "malformed"


def test_p11_the_quick_look_at_a_bet_passes_nothing_that_the_slow_one_refuses() -> None:
    good = make.bet(make.Lane(rooms.load("classic-unlimited")).started(), 1, [300])
    passed = [junk for junk in spoiled(good) if event_checks.is_plain(junk)]
    for junk in (good, *passed):
        event_checks.field_by_field(junk)
    assert len(passed) > 10


def test_p11_junk_in_the_rules_is_refused_by_name_or_plays() -> None:
    rules, refused = rooms.load("global-pot").rules, 0
    for field in rules:
        for junk in JUNK:
            try:
                room = rooms.parse({**copy.deepcopy(rules), field: junk})
            except RoomError as error:
                refused += 1
                assert error.field
            else:
                assert len(room.rules_hash) == 32
    assert refused > 1_000


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[1]", b"\xff", b'{"format":"lot2.state","state":{}}', b'{"format":1}'])
def test_p11_bytes_that_are_no_snapshot_are_refused(data: bytes) -> None:
    with pytest.raises(LotteryError, match="snapshot"):
        load(data)
