"""Choosing a bot, as a pure function: never over a limit, never a false refusal, the same as looking at every bot."""

from __future__ import annotations

import time
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.fleet.choose import Limits, Refusal, Room, Rooms, choose_deposit

LIMITS = Limits(items_max=20, offers_max=4, trade_items_max=8)

rooms_of = st.lists(
    st.tuples(st.sampled_from(["red", "blue"]), st.integers(0, 21), st.integers(0, 5)), min_size=0, max_size=12
).map(lambda rows: [Room(f"{color}-{number}", color, used, offers) for number, (color, used, offers) in enumerate(rows, 1)])
colors = st.sampled_from([None, "red", "blue"])


def snapshot(rooms: list[Room], limits: Limits = LIMITS) -> Rooms:
    made = Rooms(limits)
    for room in rooms:
        made.put(room)
    return made


def fits(room: Room, n_items: int, limits: Limits = LIMITS) -> bool:
    return room.used + n_items <= limits.items_max and room.offers + limits.trades(n_items) <= limits.offers_max


@given(
    rooms_of,
    st.integers(1, 40),
    colors,
    st.dictionaries(st.sampled_from([f"red-{n}" for n in range(1, 13)]), st.integers(1, 9)),
)
def test_a_choice_fits_and_a_refusal_is_true(rooms: list[Room], n_items: int, color: str | None, held: dict[str, int]) -> None:
    chosen = choose_deposit(snapshot(rooms), held, n_items, color)
    candidates = {room.name: room for room in rooms if color in (None, room.color)}
    total = sum(room.capacity(LIMITS) for room in candidates.values())
    if isinstance(chosen, Refusal):
        assert total < n_items
        assert (chosen is Refusal.NONE_ONLINE) == (not candidates)
        return
    assert sum(n for _, n in chosen) == n_items
    assert len({name for name, _ in chosen}) == len(chosen)
    assert all(fits(candidates[name], n) for name, n in chosen)
    if any(fits(room, n_items) for room in candidates.values()):
        assert len(chosen) == 1


@given(rooms_of, st.integers(1, 20), colors)
def test_the_chosen_bot_has_the_fewest_offers_then_the_fewest_items(rooms: list[Room], n_items: int, color: str | None) -> None:
    chosen = choose_deposit(snapshot(rooms), {}, n_items, color)
    able = [room for room in rooms if color in (None, room.color) and fits(room, n_items)]
    if able:
        assert not isinstance(chosen, Refusal)
        best = min(able, key=lambda room: (room.offers, room.used))
        [(name, _)] = chosen
        picked = next(room for room in rooms if room.name == name)
        assert (picked.offers, picked.used) == (best.offers, best.used)


@given(rooms_of, st.lists(st.tuples(st.integers(1, 12), st.integers(0, 20), st.integers(0, 4)), max_size=40), st.integers(1, 8))
def test_changes_over_time_leave_no_stale_choice(rooms: list[Room], changes: list[tuple[int, int, int]], n_items: int) -> None:
    made = snapshot(rooms)
    now = {room.name: room for room in rooms}
    for number, used, offers in changes:
        room = Room(f"red-{number}", "red", used, offers)
        now[room.name] = room
        made.put(room)
    assert choose_deposit(made, {}, n_items, None) == choose_deposit(snapshot(list(now.values())), {}, n_items, None)


@given(rooms_of, st.integers(1, 40), colors)
def test_choosing_leaves_the_snapshot_as_it_was(rooms: list[Room], n_items: int, color: str | None) -> None:
    made = snapshot(rooms)
    first = choose_deposit(made, {}, n_items, color)
    assert choose_deposit(made, {}, n_items, color) == first
    assert sorted(made.names()) == sorted(room.name for room in rooms)


def test_the_bot_that_holds_most_of_the_users_items_is_preferred() -> None:
    made = snapshot([Room("red-1", "red", 0, 0), Room("red-2", "red", 10, 2), Room("red-3", "red", 5, 1)])
    assert choose_deposit(made, {"red-2": 7, "red-3": 2}, 3, None) == [("red-2", 3)]
    assert choose_deposit(made, {"red-2": 7, "red-3": 2}, 12, None) == [("red-3", 12)]
    assert choose_deposit(made, {"red-2": 7}, 3, "blue") is Refusal.NONE_ONLINE


@given(rooms_of, st.integers(1, 40), st.sets(st.integers(1, 12), max_size=4))
def test_barred_bots_get_nothing_and_come_back(rooms: list[Room], n_items: int, numbers: set[int]) -> None:
    barred = {room.name for number, room in enumerate(rooms, 1) if number in numbers}
    made = snapshot(rooms)
    chosen = choose_deposit(made, dict.fromkeys(barred, 9), n_items, None, barred)
    assert chosen == choose_deposit(snapshot([room for room in rooms if room.name not in barred]), {}, n_items, None)
    assert sorted(made.names()) == sorted(room.name for room in rooms)


def test_taking_counts_until_the_row_says_otherwise() -> None:
    made = snapshot([Room("red-1", "red", 0, 0), Room("red-2", "red", 0, 0)])
    made.take("red-1", 5)
    assert choose_deposit(made, {}, 1, None) == [("red-2", 1)]
    assert made.get("red-1") == Room("red-1", "red", 5, 1)


def test_full_offers_and_full_slots_are_told_apart() -> None:
    assert choose_deposit(snapshot([Room("red-1", "red", 0, 4)]), {}, 1, None) is Refusal.OFFERS_FULL
    assert choose_deposit(snapshot([Room("red-1", "red", 20, 0)]), {}, 1, None) is Refusal.SLOTS_FULL


@pytest.mark.slow
def test_cost_does_not_grow_with_the_number_of_bots() -> None:
    limits = Limits(1000, 30, 100)

    def timer(n_bots: int) -> timeit.Timer:
        made = snapshot([Room(f"red-{n}", "red", n % 900, n % 30) for n in range(1, n_bots + 1)], limits)

        def one() -> None:
            chosen = choose_deposit(made, {}, 10, None)
            assert not isinstance(chosen, Refusal)
            room = made.get(chosen[0][0])
            made.take(chosen[0][0], 10)
            assert room is not None
            made.put(room)

        return timeit.Timer(one, timer=time.thread_time)

    # Looking at every bot would cost a hundred times as much. In turns, and without what other processes do meanwhile.
    few, many = timer(100), timer(10_000)
    rounds = [(few.timeit(300), many.timeit(300)) for _ in range(15)]
    assert min(cost for _, cost in rounds) < 10 * min(cost for cost, _ in rounds)
