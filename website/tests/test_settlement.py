"""From an outcome to calls: parts that the fleet takes, whatever the size of a round. In memory."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from website.engine import settlement
from website.engine.settlement import Credit, Move, Part


@st.composite
def rounds(draw: st.DrawFn) -> tuple[list[Move], dict[int, str], list[Credit], list[str]]:
    """Rows under locks of some sizes, whose takers get runs of them; the numbers that are hard are near the fleet's limit."""
    sizes = draw(st.lists(st.sampled_from([0, 1, 2, 3, 700, 1_999, 2_000, 2_001, 4_500]), max_size=4))
    per_lock = draw(st.sampled_from([1, 1, 7, 1_000]))
    numbers = iter(range(1, sum(sizes) + 1))
    moved = [Move(next(numbers), "giver", str(taker)) for taker, size in enumerate(sizes) for _ in range(size)]
    locks = {move.number: f"bet_{move.number // per_lock}" for move in moved}
    owed = [Credit("9", cents + 1, "referral") for cents in range(draw(st.sampled_from([0, 1, 2_000, 2_001])))]
    return moved, locks, owed, draw(st.sampled_from([[], ["stk_lane_1"]]))


@settings(max_examples=60, deadline=None)
@given(rounds())
def test_w15_parts_are_disjoint_and_together_all_that_moves(
    given: tuple[list[Move], dict[int, str], list[Credit], list[str]],
) -> None:
    moved, locks, owed, left = given
    found = settlement.parts(moved, locks, owed, left)
    every = [move for part in found for move in part.moves]
    assert Counter(every) == Counter(moved) and len({move.number for move in every}) == len(every)
    assert Counter(line for part in found for line in part.credits) == Counter(owed)
    for part in found:
        assert max(len(part.moves), len(part.locks), len(part.credits)) <= 2_000
        assert {locks[move.number] for move in part.moves} <= set(part.locks), "each names the locks that it uses"
        assert len(set(part.locks)) == len(part.locks)
        assert part.moves or part.credits or part.locks, "no call that does nothing"
    assert [part.release for part in found] == ["none"] * (len(found) - 1) + ["rest"] * bool(found)
    if left:
        assert set(left) <= set(found[-1].locks), "what is left of the house's pieces is freed by the last call"
    _check_takers(found, moved)


def _check_takers(found: list[Part], moved: list[Move]) -> None:
    """Rows of one taker are in one part where they fit."""
    for taker, count in Counter(move.taker for move in moved).items():
        parts = [part for part in found if any(move.taker == taker for move in part.moves)]
        assert len(parts) == -(-count // 2_000)


@pytest.mark.parametrize("count", [2_000, 2_001])
def test_w15_a_pot_of_as_many_bets_as_a_call_takes_frees_the_stock_too(count: int) -> None:
    """Each bet one item and one lock: with that of the stock it is a lock too many for the last call."""
    moved = [Move(number, str(number), "winner") for number in range(count)]
    found = settlement.parts(moved, {number: f"bet_{number}" for number in range(count)}, [], ["stk_lane_1"])
    assert all(len(part.locks) <= 2_000 for part in found)
    assert found[-1].release == "rest" and "stk_lane_1" in found[-1].locks
