"""Invariants 1, 2 and 24: nothing is lost, nothing is doubled, and referral credit stays below the rake."""

from collections import Counter
from typing import Any

import lottery_factories as make
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery import referral, rooms, rounds
from lottery.commitments import Piece
from lottery.errors import LotteryError
from lottery.referral import Registration
from lottery.state import Phase, Round

prices = st.lists(st.integers(0, 3000), min_size=1, max_size=4)
bets = st.lists(st.tuples(st.integers(1, 4), prices), min_size=2, max_size=10)
small = st.lists(st.integers(1, 80), max_size=12)


def moved(state: Round) -> Counter[int]:
    """How often each deposit row leaves the round, to whomever."""
    assert state.outcome is not None
    out: Counter[int] = Counter(state.outcome["house"])
    for payout in state.outcome["payouts"]:
        out.update(payout["rows"])
    return out


def check_rows(state: Round) -> None:
    staked = Counter(entry.deposit_id for entry in state.entries)
    if state.rules.mode != "raffle":
        assert moved(state) == staked
        assert set(staked.values()) <= {1}
    assert state.outcome is not None
    promised = [row for payout in state.outcome["payouts"] for row in payout["guarantees"]]
    expected = [] if state.outcome["void"] else [piece.deposit_id for piece in state.guarantees]
    assert promised == expected


def check_value(state: Round, stock: dict[int, int]) -> None:
    assert state.outcome is not None
    price = {entry.deposit_id: entry.price for entry in state.entries}
    change = sum(stock[row] for payout in state.outcome["payouts"] for row in payout["change"])
    house = sum(price[row] for row in state.outcome["house"])
    winners = 0
    for payout in state.outcome["payouts"]:
        rows = sum(price[row] for row in payout["rows"])
        handed = sum(stock[row] for row in payout["change"])
        assert rows + handed + payout["credit"] == payout["claim"]
        winners += rows + handed
    assert state.bank + change == winners + house
    if state.outcome["rake"]:
        credit = sum(payout["credit"] for payout in state.outcome["payouts"])
        assert house - change - credit == state.outcome["rake"]["net"]


def played(stakes: list[tuple[int, list[int]]], stock: list[int], **changes: Any) -> tuple[Round, dict[int, int]]:
    room = rooms.load("classic-unlimited", bet_value_min=None, item_limit_max=None, bet_item_limit_max=None, **changes)
    lane = make.Lane(room)
    pieces = make.stock(stock)
    state = lane.started(stock=pieces)
    for user, values in stakes:
        if sum(values):
            make.place(state, user, values)
    if state.phase is Phase.GAME and state.deadline is None:
        rounds.apply(state, make.Void(state.now, make.token(), "test"))
    make.finish(lane, state)
    return state, {piece.deposit_id: piece.price for piece in pieces}


@given(bets, small)
def test_inv_01_every_row_goes_in_and_comes_out_once(stakes: list[tuple[int, list[int]]], stock: list[int]) -> None:
    state, _ = played(stakes, stock)
    check_rows(state)


@given(bets, small)
def test_inv_02_value_is_conserved(stakes: list[tuple[int, list[int]]], stock: list[int]) -> None:
    state, pieces = played(stakes, stock)
    check_value(state, pieces)


@pytest.mark.parametrize("kind", make.EVERY_KIND)
def test_inv_01_rows_and_inv_02_value_in_every_kind_of_room(kind: str) -> None:
    _, state = make.EVERY_KIND[kind]()
    check_rows(state)
    check_value(state, {piece.deposit_id: piece.price for piece in state.stock})


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("entropy", ["drand:quicknet", "manual:direct"])
def test_inv_02_pot_house_keeps_exactly_the_due(seed: int, entropy: str) -> None:
    _, state = make.pot(f"pot {seed}", entropy, players=4 + seed * 3)
    check_rows(state)
    check_value(state, {})
    assert state.outcome is not None
    assert state.outcome["rake"]["net"] == sum(line["due"] for line in state.outcome["rake"]["dues"])


def test_inv_01_a_void_round_returns_the_same_rows_and_keeps_the_guarantee() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = lane.started(guarantees=(Piece(make.HOUSE, 5, 100),))
    make.place(state, 1, [300, 200])
    rounds.apply(state, make.Void(state.now, make.token(), "maintenance"))
    make.finish(lane, state)
    assert state.outcome is not None
    assert [(payout["user_id"], payout["rows"]) for payout in state.outcome["payouts"]] == [(1, [1, 2])]
    assert state.outcome["house"] == []
    assert state.outcome["referral"] == []
    check_rows(state)


# ---- 24


@given(st.integers(0, 10**9), st.integers(0, 40), st.integers(0, 30))
def test_inv_24_credits_stay_below_the_rake_and_never_rise(collected: int, percent: int, levels: int) -> None:
    credits = referral.credits(collected, percent, levels)
    assert sum(credits) < collected or not credits
    assert credits == sorted(credits, reverse=True)
    assert all(cents > 0 for cents in credits)
    assert len(credits) <= min(levels, referral.DEPTH_MAX)


def test_inv_24_the_worked_example() -> None:
    assert referral.credits(1000, 20, 20) == [200, 40, 8, 1]


def test_inv_24_nothing_without_collected_rake() -> None:
    assert referral.entry(1, 0, (2, 3), 20) is None
    assert referral.credits(0, 20, 5) == []


def test_inv_24_base_is_what_was_collected_not_what_was_due() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    for small, base in ((0, 0), (300, 300)):
        state = lane.started()
        make.place(state, 1, [20_000], inviters=(9, 8))
        make.place(state, 2, [20_000], inviters=(9, 8))
        if small:
            make.place(state, 3, [small], inviters=(9, 8))
        make.finish(lane, state)
        assert state.outcome is not None
        assert state.outcome["rake"]["due"] > state.outcome["rake"]["net"] == base
        paid = [{"user_id": state.winners[0].user_id, "base": 300, "inviters": [9, 8], "credits": [60, 12]}]
        assert state.outcome["referral"] == (paid if base else [])


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), max_size=30))
def test_inv_24_no_circles(registrations: list[tuple[int, int]]) -> None:
    known: dict[int, Registration] = {}
    for time, (user, inviter) in enumerate(registrations):
        new = Registration(user, time, inviter or None, time)
        if user in known:
            continue
        try:
            referral.check_registration(new, known)
        except LotteryError:
            continue
        known[user] = new
    for user in known:
        above = referral.chain(user, known, 10**6)
        assert user not in above
        assert len(set(above)) == len(above)


def test_inv_24_a_link_counts_from_the_first_deposit_and_the_chain_is_capped() -> None:
    known = {1: Registration(1, 0), 2: Registration(2, 1, 1, None)}
    assert referral.chain(2, known, 10) == ()
    known[2] = Registration(2, 1, 1, 5)
    assert referral.chain(2, known, 4) == ()
    assert referral.chain(2, known, 5) == (1,)
    long = {user: Registration(user, user, user - 1 or None, user) for user in range(1, 40)}
    assert referral.chain(39, long, 100) == tuple(range(38, 18, -1))


def test_inv_24_an_inviter_must_be_known_earlier_and_somebody_else() -> None:
    known = {1: Registration(1, 100)}
    for wrong in (Registration(2, 100, 1), Registration(2, 50, 1), Registration(2, 200, 2), Registration(2, 200, 9)):
        with pytest.raises(LotteryError):
            referral.check_registration(wrong, known)
    referral.check_registration(Registration(2, 101, 1), known)
