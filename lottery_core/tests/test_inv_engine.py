"""Invariants 16 to 19, over sequences of events: replay, idempotence, limits, the timer."""

from dataclasses import replace
from typing import Any

import lottery_factories as make
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from lottery import event_json, events, record, rooms, rounds
from lottery.commitments import Piece
from lottery.effects import Receipt, TimerStarted
from lottery.errors import Refused
from lottery.events import Event, Start, Tick, Void
from lottery.payouts import moving_rows
from lottery.rooms import Room
from lottery.snapshots import load, snapshot
from lottery.state import Phase, Round

SMALL_TEAMS = {"player_limit": 4, "min_players": 4, "team_limit": 2, "item_limit_max": 8, "bet_item_limit_max": 3}
SMALL_POT = {"global_pot_limit": 900, "bet_value_min": None, "shares": (3, 2, 1)}
ROOMS = {
    "clock": rooms.load("classic-unlimited", item_limit_max=9, bet_item_limit_max=4, bet_value_min=5),
    "items": rooms.load("classic-limited", item_limit_max=6, bet_item_limit_max=3, bet_value_max=400),
    "bank": rooms.load("global-pot", **SMALL_POT, entropy="drand:quicknet"),
    "mixed": rooms.load("global-pot", **SMALL_POT),
    "direct": rooms.load("global-pot", **SMALL_POT, entropy="manual:direct"),
    "teams": rooms.load("5v5", **SMALL_TEAMS, bet_value_min=None),
    "tokens": rooms.load("giveaway", item_limit_max=5, bet_item_limit_max=2),
}


class Sequences(RuleBasedStateMachine):
    """Any order of events, sensible or not, against one round; everything accepted is kept for replay."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[Any] = []
        self.timers = 0

    @initialize(kind=st.sampled_from(sorted(ROOMS)), start=st.sampled_from([True, True, True, False]))
    def create(self, kind: str, start: bool) -> None:
        self.lane = make.Lane(ROOMS[kind], kind)
        event = self.lane.create_event(stock=make.stock([3, 5, 9]) if ROOMS[kind].rake else ())
        self.state = rounds.create(event)
        self.accepted.append(event)
        if start:
            self.tell(Start(self.state.now, make.token()))

    @property
    def room(self) -> Room:
        return self.state.rules

    def tell(self, event: Event) -> None:
        """Applies an event; a refusal must leave the state byte-identical, a repetition must change nothing."""
        before, phase, deadline = snapshot(self.state), self.state.phase, self.state.deadline
        try:
            effects = make.apply(self.state, event)
        except Refused:
            assert snapshot(self.state) == before
            return
        self.accepted.append(event)
        self.timers += sum(isinstance(effect, TimerStarted) for effect in effects)
        self.check_timer(event, phase, deadline)
        after = snapshot(self.state)
        for later in (event, replace(event, now=event.now + 7)):
            assert make.apply(self.state, later) == effects
            assert snapshot(self.state) == after

    def check_timer(self, event: Event, phase: Phase, deadline: int | None) -> None:
        if isinstance(event, events.Bet):
            assert phase is Phase.GAME
            assert deadline is None or event.now < deadline
        if deadline is not None and event.now >= deadline and isinstance(event, Tick):
            assert self.state.phase is not Phase.GAME
        if deadline is not None:
            assert self.state.deadline == deadline

    @rule(delay=st.integers(0, 3))
    def start(self, delay: int) -> None:
        self.tell(Start(self.state.now + delay, make.token()))

    @rule(
        user=st.integers(1, 5),
        prices=st.lists(st.one_of(st.none(), st.integers(0, 300)), max_size=4),
        delay=st.integers(-2, 9000),
        team=st.sampled_from([0, 0, 1, 2]),
        item=st.sampled_from([2, 2, 2, 1, 11]),
        facts=st.sampled_from([{}, {}, {}, {"settled": False}, {"status": "withdraw_pending"}, {"name": "Souvenir M4A1"}]),
    )
    def bet(self, user: int, prices: list[int | None], delay: int, team: int, item: int, facts: dict[str, Any]) -> None:
        if self.room.team_limit and not team:
            team = 1 + user % 2
        self.tell(
            make.bet(self.state, user, prices, max(0, self.state.now + delay), team=team, item=item, inviters=(7, 8), **facts)
        )

    @rule(amounts=st.lists(st.tuples(st.integers(1, 5), st.lists(st.integers(5, 90), min_size=1, max_size=3)), max_size=6))
    def many_bets(self, amounts: list[tuple[int, list[int]]]) -> None:
        for user, prices in amounts:
            team = 1 + user % 2 if self.room.team_limit else 0
            self.tell(make.bet(self.state, user, prices, self.state.now + 1, team=team, item=2))

    @rule(delay=st.sampled_from([0, 1, 20_000, 90_000_000]))
    def tick(self, delay: int) -> None:
        self.tell(Tick(self.state.now + delay, make.token()))

    @rule(right=st.booleans())
    def open(self, right: bool) -> None:
        secret = self.lane.secret(self.state) if right else make.digest("wrong")
        self.tell(events.Open(self.state.now + 1000, make.token(), secret))

    @precondition(lambda self: self.state.close is not None and self.state.close.source != "void")
    @rule(off=st.sampled_from([0, 0, 1]))
    def entropy(self, off: int) -> None:
        event = make.entropy_event(self.state)
        self.tell(events.Entropy(event.now, event.token, event.source_round + off, event.entropy, event.proof))

    @rule(digits=st.sampled_from(["7", "0012", "x", ""]))
    def typed(self, digits: str) -> None:
        self.tell(make.typed(self.state, digits))

    @rule()
    def finalize(self) -> None:
        self.tell(events.Finalize(self.state.now, make.token()))

    @precondition(lambda self: self.state.outcome is not None)
    @rule(complete=st.booleans())
    def settled(self, complete: bool) -> None:
        rows = sorted(moving_rows(self.state))
        self.tell(events.Settled(self.state.now, make.token(), tuple(rows if complete else rows[1:])))

    @rule(enough=st.booleans())
    def renew(self, enough: bool) -> None:
        self.tell(events.Renew(self.state.now, make.token(), make.digest("new anchor"), self.state.number + enough))

    @rule(now=st.integers(0, 9))
    def fail(self, now: int) -> None:
        if not now:
            self.tell(events.Fail(self.state.now, make.token(), "the disk is gone"))

    @rule(now=st.booleans())
    def void(self, now: bool) -> None:
        if now and self.state.phase in (Phase.GAME, Phase.WARMUP) and len(self.accepted) < 8:
            return
        self.tell(Void(self.state.now, make.token(), "test"))

    @invariant()
    def replay_gives_the_same_state(self) -> None:
        if self.accepted:
            again = rounds.fold(self.accepted, check=make.issued)
            assert snapshot(again) == snapshot(self.state)
            assert again.log == self.state.log

    @invariant()
    def limits_hold(self) -> None:
        if self.accepted:
            check_limits(self.state)
            assert self.timers <= 1

    def teardown(self) -> None:
        if self.accepted:
            assert snapshot(load(snapshot(self.state))) == snapshot(self.state)
        if self.accepted and self.state.seal is not None:
            listed = [event_json.from_json(event_json.to_json(event)) for event in self.accepted]
            assert record.sealed(rounds.fold(listed, check=make.issued)) == record.sealed(self.state)


def check_limits(state: Round) -> None:
    room = state.rules
    assert room.item_limit_max is None or len(state.entries) <= room.item_limit_max
    for player in state.players.values():
        mine = [entry for entry in state.entries if entry.user_id == player.user_id]
        assert player.items == len(mine)
        assert player.value == sum(entry.price for entry in mine)
        assert player.tickets == sum(entry.tickets for entry in mine) > 0
        assert room.bet_item_limit_max is None or len(mine) <= room.bet_item_limit_max
        assert room.bet_value_max is None or player.value <= room.bet_value_max
    for placed in state.bets:
        value = sum(entry.price for entry in state.entries[placed.start : placed.end])
        assert room.bet_value_min is None or value >= room.bet_value_min
        assert room.allowed is None or {entry.item_id for entry in state.entries} <= room.allowed
    if room.team_limit:
        for team in (1, 2):
            assert sum(player.team == team for player in state.players.values()) <= room.team_limit


def test_inv_16_17_18_19_any_sequence_of_events() -> None:
    run_state_machine_as_test(Sequences, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))


def test_inv_16_replay_is_equal_at_every_prefix_and_through_json() -> None:
    told = whole_round()
    for length in range(1, len(told) + 1):
        live = rounds.fold(told[:length], check=make.issued)
        again = rounds.fold([event_json.from_json(event_json.to_json(event)) for event in told[:length]], check=make.issued)
        assert snapshot(live) == snapshot(again)
        assert live.log == again.log
    assert live.phase is Phase.SEALED


def whole_round() -> list[Any]:
    lane = make.Lane(rooms.load("classic-unlimited"))
    event = lane.create_event(guarantees=(Piece(make.HOUSE, 3, 50),), stock=make.stock([4, 5]))
    told: list[Any] = [event]
    state = rounds.create(event)

    def tell(event: Event) -> None:
        make.apply(state, event)
        told.append(event)

    tell(Start(state.now, make.token()))
    for user, prices in ((1, [300, 7]), (2, [500]), (1, [120])):
        tell(make.bet(state, user, prices, state.now + 10, client_seed="ж", inviters=(8, 9)))
    tell(Tick(state.deadline or 0, make.token()))
    tell(events.Open(state.now + 1000, make.token(), lane.secret(state)))
    tell(make.entropy_event(state))
    tell(events.Finalize(state.now, make.token()))
    tell(events.Settled(state.now, make.token(), tuple(moving_rows(state))))
    return told


def test_inv_17_every_event_repeated_later_changes_nothing() -> None:
    told = whole_round()
    state = rounds.fold(told[:1])
    answers = []
    for event in told[1:]:
        answers.append(make.apply(state, event))
        before = snapshot(state)
        for earlier, answer in zip(told[1:], answers, strict=False):
            assert make.apply(state, earlier) == answer
            assert snapshot(state) == before


def test_inv_17_a_token_for_something_else_is_refused() -> None:
    state = make.Lane(rooms.load("classic-unlimited")).started()
    first = make.bet(state, 1, [300], token="once")
    (receipt,) = make.apply(state, first)
    before = snapshot(state)
    assert isinstance(receipt, Receipt)
    for other in (make.bet(state, 2, [300], token="once"), make.bet(state, 1, [300], token="once", client_seed="x")):
        try:
            make.apply(state, other)
        except Refused as refusal:
            assert refusal.code == "token_reused"
        else:
            raise AssertionError("accepted")
        assert snapshot(state) == before


def test_inv_17_a_repeated_bet_is_answered_even_after_the_close() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = lane.started()
    bet = make.bet(state, 1, [300])
    answer = make.apply(state, bet)
    make.place(state, 2, [200])
    make.finish(lane, state)
    assert make.apply(state, bet) == answer


def test_inv_19_timer_starts_once_at_the_second_player() -> None:
    state = make.Lane(rooms.load("classic-unlimited")).started()
    assert [type(effect) for effect in make.place(state, 1, [300])] == [Receipt]
    assert state.deadline is None
    effects = make.place(state, 2, [300], state.now + 2000)
    assert effects[1:] == (TimerStarted(make.T0 + 32_000),)
    assert [type(effect) for effect in make.place(state, 3, [300])] == [Receipt]
    assert state.deadline == make.T0 + 32_000


def test_inv_19_nothing_at_the_deadline_and_closed_by_it() -> None:
    state = make.Lane(rooms.load("classic-unlimited")).started()
    make.place(state, 1, [300])
    make.place(state, 2, [300], make.T0 + 2000)
    make.place(state, 1, [100], make.T0 + 31_999)
    before = snapshot(state)
    for late in (32_000, 32_001):
        try:
            make.place(state, 2, [100], make.T0 + late)
        except Refused as refusal:
            assert (refusal.code, refusal.accepts) == ("deadline", {"before": make.T0 + 32_000})
        else:
            raise AssertionError("accepted")
    assert snapshot(state) == before
    make.apply(state, Tick(make.T0 + 99_000, make.token()))
    assert state.phase is Phase.CLOSED
    assert state.close is not None
    assert state.close.close_ms == make.T0 + 32_000


def test_inv_19_five_a_side_starts_when_both_teams_are_full() -> None:
    state = make.Lane(rooms.load("5v5")).started()
    for index in range(9):
        make.place(state, index + 1, [100], team=1 + index % 2)
        assert state.deadline is None
    make.place(state, 10, [100], team=2)
    assert state.deadline == make.T0 + 60_000
