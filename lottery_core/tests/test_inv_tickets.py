"""Invariants 3 to 10: tickets, their owners, and the exactness of every draw."""

from collections import Counter
from decimal import ROUND_FLOOR, Decimal, getcontext
from fractions import Fraction
from itertools import permutations

import lottery_factories as make
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery import commitments, draw, rooms
from lottery.state import Round

getcontext().prec = 200
prices = st.lists(st.integers(0, 500), min_size=1, max_size=3).filter(any)
bets = st.lists(st.tuples(st.integers(1, 4), prices), min_size=1, max_size=8)
OPEN = {"bet_value_min": None, "item_limit_max": None, "bet_item_limit_max": None}


def pot(stakes: list[tuple[int, list[int]]]) -> Round:
    state = make.Lane(rooms.load("classic-unlimited", **OPEN)).started()
    for user, values in stakes:
        make.place(state, user, values)
    return state


@given(bets)
def test_inv_03_ranges_are_contiguous_from_zero(stakes: list[tuple[int, list[int]]]) -> None:
    state = pot(stakes)
    end = 0
    for entry in state.entries:
        assert entry.first == end
        end += entry.tickets
    assert end == state.tickets == sum(entry.tickets for entry in state.entries)
    assert max(entry.first + entry.tickets - 1 for entry in state.entries if entry.tickets) == state.tickets - 1
    by_player = sorted(each for player in state.players.values() for each in player.ranges)
    assert [first for first, _ in by_player] == [0, *(end for _, end in by_player[:-1])]


@given(bets)
def test_inv_04_tickets_are_the_snapshot_prices(stakes: list[tuple[int, list[int]]]) -> None:
    state = pot(stakes)
    assert state.tickets == sum(sum(values) for _, values in stakes) == state.bank


def test_inv_04_token_rooms_count_items() -> None:
    _, state = make.giveaway(users=(1, 2, 2, 3))
    assert (state.tickets, state.bank) == (4, 20)
    assert [entry.tickets for entry in state.entries] == [1, 1, 1, 1]


def linear(state: Round, ticket: int) -> int:
    return next(entry.user_id for entry in state.entries if entry.first <= ticket < entry.first + entry.tickets)


@given(bets)
def test_inv_05_lookup_is_the_linear_scan(stakes: list[tuple[int, list[int]]]) -> None:
    state = pot(stakes)
    for ticket in range(state.tickets):
        assert state.owner(ticket) == linear(state, ticket)


def test_inv_05_borders_of_a_large_pot() -> None:
    firsts, index, first = [], [], 0
    for number in range(20_000):
        count = (number * 7919) % 5
        firsts.append(first)
        if count:
            index.append((number, first, first + count - 1))
        first += count
    for number, low, high in index:
        assert draw.owner(firsts, low) == draw.owner(firsts, high) == number


def test_inv_05_no_ticket_beyond_the_pot() -> None:
    state = pot([(1, [3])])
    for ticket in (-1, 3):
        with pytest.raises(IndexError):
            state.owner(ticket)


@given(st.lists(st.integers(1, 300), min_size=2, max_size=6), st.integers(0, 2**256 - 1))
def test_inv_06_splitting_a_bet_keeps_the_winner(values: list[int], word: int) -> None:
    whole = pot([(1, [50]), (2, values), (3, [70])])
    split = pot([(1, [50]), *[(2, [value]) for value in values], (3, [70])])
    assert whole.tickets == split.tickets
    ticket = word * whole.tickets >> 256
    assert whole.owner(ticket) == split.owner(ticket)


@given(bets, st.permutations([1, 2, 3, 4]), st.integers(0, 2**64 - 1))
def test_inv_07_renaming_users_renames_the_winner(stakes: list[tuple[int, list[int]]], names: list[int], word: int) -> None:
    before = pot(stakes)
    after = pot([(names[user - 1], values) for user, values in stakes])
    ticket = word * before.tickets >> 64
    assert after.owner(ticket) == names[before.owner(ticket) - 1]


def accepted_words(n: int) -> list[int]:
    return [word for word in range(256) if word * n % 256 >= 256 % n]


@pytest.mark.parametrize("stakes", [(3, 5, 8), (1, 100, 27), (64, 64, 1)])
def test_inv_08_order_of_bets_does_not_change_chances(stakes: tuple[int, ...]) -> None:
    for order in permutations(range(len(stakes))):
        state = pot([(user + 1, [stakes[user]]) for user in order])
        words = accepted_words(state.tickets)
        wins = Counter(state.owner(word * state.tickets >> 8) for word in words)
        for user, stake in enumerate(stakes, 1):
            assert Fraction(wins[user], len(words)) == Fraction(stake, state.tickets) == state.chance(user)


def narrow(first: int) -> draw.Words:
    """A source whose first word is `first` and whose later ones are always accepted."""
    return lambda label, index, attempt, block: bytes([first if not attempt else 255]) + bytes(31)


def test_inv_09_uniform_is_exact_for_every_n_with_narrow_words() -> None:
    for n in range(1, 257):
        drawn = [draw.uniform(n, "x", 0, narrow(first), 8) for first in range(256)]
        kept = Counter(each.value for each in drawn if not each.attempt)
        assert set(kept) == set(range(n))
        assert set(kept.values()) == {256 // n}
        assert sum(kept.values()) == 256 - 256 % n


def test_inv_09_a_rejected_word_is_followed_by_the_next_attempt() -> None:
    asked = []

    def words(label: str, index: int, attempt: int, block: int) -> bytes:
        asked.append((label, index, attempt, block))
        return bytes([0 if attempt < 2 else 200]) + bytes(31)

    drawn = draw.uniform(200, "winner", 4, words, 8)
    assert (drawn.value, drawn.attempt) == (200 * 200 >> 8, 2)
    assert asked == [("winner", 4, 0, 0), ("winner", 4, 1, 0), ("winner", 4, 2, 0)]


def test_inv_09_wide_numbers_get_wide_words() -> None:
    assert [draw.width(n) for n in (1, 2**191, 2**192 - 1, 2**192, 2**448)] == [256, 256, 256, 512, 768]
    asked: list[int] = []

    def words(label: str, index: int, attempt: int, block: int) -> bytes:
        asked.append(block)
        return bytes([255 if block == 0 else 1]) * 32

    n = 2**200
    assert draw.uniform(n, "x", 0, words).value == (int.from_bytes(bytes([255]) * 32 + bytes([1]) * 32, "big") * n) >> 512
    assert asked == [0, 1]


@pytest.mark.parametrize(("n", "bits"), [(0, 8), (-1, 8), (257, 8)])
def test_inv_09_impossible_draws_are_refused(n: int, bits: int) -> None:
    with pytest.raises(ValueError, match="cannot draw"):
        draw.uniform(n, "x", 0, narrow(1), bits)


@given(st.integers(0, 2**256 - 1), st.integers(1, 10**18 - 1))
def test_inv_10_published_decimal_gives_the_ticket(word: int, tickets: int) -> None:
    number = commitments.winning_number(word)
    assert len(number) == 98
    assert int((Decimal(number) * tickets).to_integral_value(ROUND_FLOOR)) == word * tickets >> 256


@given(st.integers(2, 10**18 - 1), st.data())
def test_inv_10_also_at_ticket_borders(tickets: int, data: st.DataObject) -> None:
    ticket = data.draw(st.integers(1, tickets - 1))
    border = -(-(ticket << 256) // tickets)
    for word in (border - 1, border):
        floor = int((Decimal(commitments.winning_number(word)) * tickets).to_integral_value(ROUND_FLOOR))
        assert floor == word * tickets >> 256
    assert border * tickets >> 256 == ticket


def test_inv_10_every_border_of_small_pots() -> None:
    for tickets in (2, 3, 7, 10, 64):
        for ticket in range(1, tickets):
            border = -(-(ticket << 256) // tickets)
            number = Decimal(commitments.winning_number(border))
            assert int((number * tickets).to_integral_value(ROUND_FLOOR)) == ticket
