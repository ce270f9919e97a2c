"""Invariant 25: exactly n tickets, money conserved, and as many open instances as the template wants, never more."""

from typing import Any

import lottery_factories as make
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from lottery import raffle, record, rooms, rounds
from lottery.commitments import Piece
from lottery.effects import Debit, Receipt, Refund
from lottery.errors import LotteryError, Refused, RoomError
from lottery.events import Buy, Tick
from lottery.raffle import Board, Slot, Template
from lottery.state import Phase, Round

GAME = Template(7, "a game", 1499, 101, 20)


def opened(template: Template = GAME, seed: str = "raffle") -> tuple[make.Lane, Round]:
    slot = Slot(template.template_id, 1)
    lane = make.Lane(raffle.instance_rules(template, slot), seed, name=slot.lane)
    return lane, lane.started(guarantees=(Piece(make.HOUSE, 99, template.price),))


def buy(state: Round, user: int, quantity: int, balance: int = 10**6, **changes: Any) -> tuple[Any, ...]:
    values = {"now": state.now, "token": make.token(), **changes}
    return rounds.apply(state, Buy(values["now"], values["token"], user, quantity, balance))


@pytest.mark.parametrize(("tickets", "price", "surplus"), [(20, 80, 0), (7, 229, 3)])
def test_inv_25_ticket_price_is_rounded_up_for_the_house(tickets: int, price: int, surplus: int) -> None:
    template = Template(1, "a game", 1499, 101, tickets)
    assert (template.ticket_price, raffle.surplus(template)) == (price, surplus)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(-1, 30), st.integers(0, 3000)), max_size=40))
def test_inv_25_exactly_n_tickets_whatever_the_order(wishes: list[tuple[int, int, int]]) -> None:
    _, state = opened()
    paid = 0
    for user, quantity, balance in wishes:
        before, sold = make.snapshot(state), state.tickets
        try:
            effects = buy(state, user, quantity, balance)
        except Refused as refusal:
            assert make.snapshot(state) == before
            if refusal.code == "capacity":
                assert refusal.accepts == {"capacity": 20 - sold}
            continue
        assert isinstance(effects[0], Receipt)
        assert effects[1] == Debit(user, quantity * 80)
        paid += quantity * 80
        assert quantity * 80 <= balance
    assert state.tickets <= 20
    assert paid == state.bank == state.tickets * 80
    assert (state.phase is Phase.CLOSED) == (state.tickets == 20)


def test_inv_25_sold_out_is_the_close_and_debits_are_n_times_the_price() -> None:
    lane, state = opened()
    buy(state, 1, 12)
    buy(state, 2, 8)
    assert (state.phase, state.closed_by, state.bank) == (Phase.CLOSED, "sold_out", 20 * 80)
    make.finish(lane, state)
    sealed = record.sealed(state)
    winner = sealed["outcome"]["winners"][0]["user_id"]
    assert winner == (1 if sealed["winning_ticket"] < 12 else 2)
    assert sealed["outcome"]["payouts"][0]["guarantees"] == [make.HOUSE]
    assert (sealed["mode"], sealed["outcome"]["rake"], sealed["outcome"]["house"]) == (6, None, [])


def test_inv_25_two_buyers_of_the_last_ticket() -> None:
    _, state = opened()
    buy(state, 1, 19)
    buy(state, 2, 1)
    before = make.snapshot(state)
    with pytest.raises(Refused) as refused:
        buy(state, 3, 1)
    assert (refused.value.code, refused.value.accepts) == ("capacity", {"capacity": 0})
    assert make.snapshot(state) == before


def test_inv_25_too_many_and_too_poor() -> None:
    _, state = opened()
    buy(state, 1, 19)
    for quantity, balance, code, accepts in (
        (2, 10**6, "capacity", {"capacity": 1}),
        (1, 79, "balance", {"needed": 80, "capacity": 0}),
        (0, 80, "quantity", {"at_least": 1}),
    ):
        with pytest.raises(Refused) as refused:
            buy(state, 2, quantity, balance)
        assert (refused.value.code, refused.value.accepts) == (code, accepts)


def test_inv_25_a_purchase_is_idempotent() -> None:
    _, state = opened()
    first = buy(state, 1, 3, token="once")
    before = make.snapshot(state)
    assert buy(state, 1, 3, token="once", now=state.now + 5) == first
    assert make.snapshot(state) == before
    with pytest.raises(Refused):
        buy(state, 1, 4, token="once")


def test_inv_25_expiry_pays_everything_back() -> None:
    lane, state = opened(Template(7, "a game", 1499, 101, 20, expires_s=3600))
    buy(state, 1, 3)
    buy(state, 2, 1)
    buy(state, 1, 1)
    (refund,) = rounds.apply(state, Tick(make.T0 + 3_600_000, make.token()))
    assert isinstance(refund, Refund)
    assert [(payout.user_id, payout.credit, payout.rows) for payout in refund.payouts] == [(1, 320, ()), (2, 80, ())]
    make.finish(lane, state)
    outcome = record.sealed(state)["outcome"]
    assert (outcome["void"], [payout["guarantees"] for payout in outcome["payouts"]]) == ("expired", [[], []])


@given(st.integers(0, 19), st.lists(st.integers(1, 4), min_size=20, max_size=20))
def test_inv_25_the_winner_follows_from_the_order_of_purchases(seed: int, users: list[int]) -> None:
    lane, state = opened(seed=f"raffle {seed}")
    for user in users:
        buy(state, user, 1)
    make.finish(lane, state)
    assert state.winners[0].user_id == users[state.winners[0].ticket or 0]


class Boards(RuleBasedStateMachine):
    """Instances open and end in any order while the operator edits the templates."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Board()
        self.before = 0

    @rule(parallel=st.integers(1, 4), active=st.booleans(), price=st.integers(1, 100))
    def edit(self, parallel: int, active: bool, price: int) -> None:
        running = set(self.board.busy)
        raffle.put(self.board, Template(7, "a game", price, 0, 5, parallel, active))
        assert self.board.busy == running

    @rule()
    def create_all(self) -> None:
        for each in raffle.wanted(self.board):
            raffle.opened(self.board, each.slot)
        template = self.board.templates.get(7)
        if template and template.active:
            assert self.board.open_instances(7) >= template.parallel
            assert raffle.wanted(self.board) == []

    @rule(data=st.data())
    def end_one(self, data: st.DataObject) -> None:
        if self.board.busy:
            slot = data.draw(st.sampled_from(sorted(self.board.busy)))
            raffle.over(self.board, slot)
            with pytest.raises(LotteryError):
                raffle.over(self.board, slot)

    @rule(number=st.integers(1, 5))
    def open_uninvited(self, number: int) -> None:
        slot = Slot(7, number)
        if slot not in {each.slot for each in raffle.wanted(self.board)}:
            with pytest.raises(LotteryError):
                raffle.opened(self.board, slot)

    @invariant()
    def never_opens_above_what_is_wanted(self) -> None:
        template = self.board.templates.get(7)
        now, missing = self.board.open_instances(7), len(raffle.wanted(self.board))
        if template and template.active:
            assert now + missing == max(now, template.parallel)
        else:
            assert missing == 0


def test_inv_25_open_instances_return_to_k_and_never_exceed_it() -> None:
    run_state_machine_as_test(Boards)


def test_inv_25_a_template_recreates_itself_with_nobody_in_it() -> None:
    board = Board()
    (wanted,) = raffle.put(board, GAME)
    raffle.opened(board, wanted.slot)
    lane = make.Lane(wanted.rules, name=wanted.slot.lane)
    first = lane.started()
    buy(first, 1, 20)
    make.finish(lane, first)
    raffle.put(board, Template(7, "a dearer game", 2999, 1, 20))
    (again,) = raffle.over(board, wanted.slot)
    assert (again.slot, again.rules.raffle.price if again.rules.raffle else 0) == (wanted.slot, 2999)
    lane.room = again.rules
    second = lane.create()
    assert (second.number, second.players, second.tickets) == (2, {}, 0)
    assert first.rules.raffle is not None
    assert first.rules.raffle.price == 1499


def test_inv_25_deactivating_lets_running_ones_finish() -> None:
    board = Board()
    for each in raffle.put(board, Template(7, "a game", 100, 0, 5, parallel=2)):
        raffle.opened(board, each.slot)
    assert raffle.put(board, Template(7, "a game", 100, 0, 5, parallel=2, active=False)) == []
    assert raffle.offers(board) == {7: 2}
    assert raffle.over(board, Slot(7, 2)) == []
    assert raffle.over(board, Slot(7, 1)) == []


@pytest.mark.parametrize(
    ("field", "terms"),
    [("tickets", ("p", 1, 0, 0)), ("price", ("p", -1, 0, 1)), ("price", ("p", 0, 0, 1)), ("prize", ("", 1, 0, 1))],
)
def test_raffle_terms_are_checked(field: str, terms: tuple[Any, ...]) -> None:
    with pytest.raises(RoomError) as wrong:
        Template(1, *terms)
    assert wrong.value.field == field


def test_inv_25_bets_of_rows_are_not_for_raffles_and_purchases_only_for_them() -> None:
    _, state = opened()
    with pytest.raises(Refused) as refused:
        make.place(state, 1, [100])
    assert refused.value.code == "mode"
    classic = make.Lane(rooms.load("classic-unlimited")).started()
    with pytest.raises(Refused) as refused:
        buy(classic, 1, 1)
    assert refused.value.code == "mode"
