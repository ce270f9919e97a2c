"""Which bots take a deposit, or why none can: a pure choice over a snapshot in memory.

Preferred is the bot that already holds most of this user's items (fewer offers when the user withdraws), then the one with the
fewest open offers and, among those, the fewest items: it sends soonest and has the most room. Several bots share a deposit only
if none can take all of it.

`Rooms` keeps one heap per number of open offers, ordered by used slots. Among bots with equally many open offers the one with
the fewest items has the most room, so looking at the top of each heap is enough, and the cost of a choice does not grow with
the number of bots. Outdated heap entries are thrown away when they come to the top.

Nothing here is binding: the guarded UPDATE in the transaction is (`balancer.fleet.reserve`).
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Refusal(StrEnum):
    """Why no bot can take it."""

    NONE_ONLINE = "none_online"
    OFFERS_FULL = "offers_full"
    SLOTS_FULL = "slots_full"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many items fit into one bot, how many of its open offers deposits may use, and how many items go into one trade."""

    items_max: int
    offers_max: int
    trade_items_max: int

    def trades(self, n_items: int) -> int:
        """How many trades, so open offers, it takes to move this many items."""
        return -(-n_items // self.trade_items_max)


@dataclass(frozen=True, slots=True)
class Room:
    """One bot that may take deposits: ``used`` slots are held or reserved, ``offers`` are open."""

    name: str
    color: str
    used: int
    offers: int

    def capacity(self, limits: Limits) -> int:
        """How many items it can take now."""
        return max(0, min(limits.items_max - self.used, (limits.offers_max - self.offers) * limits.trade_items_max))


Part = tuple[str, int]
_ANY = ""


class Rooms:
    """The bots that are online and active, ordered for choosing. Not safe for two threads at once."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._rooms: dict[str, Room] = {}
        self._heaps: dict[str, dict[int, list[tuple[int, str]]]] = {}
        self._entries = 0

    def __len__(self) -> int:
        return len(self._rooms)

    def get(self, name: str) -> Room | None:
        return self._rooms.get(name)

    def put(self, room: Room) -> None:
        """Add a bot, or say how it stands now."""
        if self._rooms.get(room.name) == room:
            return
        self._rooms[room.name] = room
        self._push(room)
        if self._entries > 4 * len(self._rooms) + 256:
            self._rebuild()

    def drop(self, name: str) -> None:
        """This bot takes nothing for now."""
        self._rooms.pop(name, None)

    def names(self) -> list[str]:
        return list(self._rooms)

    def take(self, name: str, n_items: int) -> None:
        """Count ``n_items`` and their trades as taken by this bot, until the next `put` says how it stands."""
        room = self._rooms[name]
        self.put(replace(room, used=room.used + n_items, offers=room.offers + self.limits.trades(n_items)))

    def tops(self, color: str | None) -> Iterator[Room]:
        """The bot with the most free slots for each number of open offers, fewest open offers first."""
        heaps = self._heaps.get(color or _ANY, {})
        for offers in range(self.limits.offers_max):
            if (heap := heaps.get(offers)) and (room := self._top(heap, offers)) is not None:
                yield room

    def any_of(self, color: str | None) -> bool:
        """Whether there is any bot at all (of this color)."""
        return bool(self._rooms) if color is None else any(room.color == color for room in self._rooms.values())

    def _push(self, room: Room) -> None:
        for group in (room.color, _ANY):
            heap = self._heaps.setdefault(group, {}).setdefault(room.offers, [])
            heapq.heappush(heap, (room.used, room.name))
            self._entries += 1

    def _top(self, heap: list[tuple[int, str]], offers: int) -> Room | None:
        while heap:
            used, name = heap[0]
            room = self._rooms.get(name)
            if room is not None and room.used == used and room.offers == offers:
                return room
            heapq.heappop(heap)
            self._entries -= 1
        return None

    def _rebuild(self) -> None:
        self._heaps.clear()
        self._entries = 0
        for room in self._rooms.values():
            self._push(room)


def choose_deposit(
    rooms: Rooms,
    user_holdings: Mapping[str, int],
    n_items: int,
    color: str | None,
    barred: Collection[str] = (),
) -> list[Part] | Refusal:
    """How many items go to which bots, or why none can take them. Leaves ``rooms`` as it stands.

    ``user_holdings`` says how many of the user's items each bot holds; ``barred`` are the few bots that this user's items
    may not go to, as they have too many offers open with this user.
    """
    aside = [room for name in barred if (room := rooms.get(name)) is not None]
    for room in aside:
        rooms.drop(room.name)
    try:
        return _choose(rooms, user_holdings, n_items, color)
    finally:
        for room in aside:
            rooms.put(room)


def _choose(rooms: Rooms, user_holdings: Mapping[str, int], n_items: int, color: str | None) -> list[Part] | Refusal:
    favourite = _favourite(rooms, user_holdings, n_items, color)
    if favourite is not None:
        return [(favourite, n_items)]
    for room in rooms.tops(color):
        if room.capacity(rooms.limits) >= n_items:
            return [(room.name, n_items)]
    return _split(rooms, n_items, color)


def _favourite(rooms: Rooms, holdings: Mapping[str, int], n_items: int, color: str | None) -> str | None:
    for name, _ in sorted(holdings.items(), key=lambda held: (-held[1], held[0])):
        room = rooms.get(name)
        if room and room.capacity(rooms.limits) >= n_items and color in (None, room.color):
            return name
    return None


def _split(rooms: Rooms, n_items: int, color: str | None) -> list[Part] | Refusal:
    """Fill the roomiest bots, one after the other."""
    parts: list[Part] = []
    set_aside: list[Room] = []
    left = n_items
    try:
        while left:
            best = max(rooms.tops(color), key=lambda room: room.capacity(rooms.limits), default=None)
            if best is None or not best.capacity(rooms.limits):
                return _why(rooms, set_aside, color)
            share = min(left, best.capacity(rooms.limits))
            parts.append((best.name, share))
            left -= share
            set_aside.append(best)
            rooms.drop(best.name)
    finally:
        for room in set_aside:
            rooms.put(room)
    return parts


def _why(rooms: Rooms, set_aside: list[Room], color: str | None) -> Refusal:
    if not set_aside and not rooms.any_of(color):
        return Refusal.NONE_ONLINE
    return Refusal.SLOTS_FULL if set_aside or any(rooms.tops(color)) else Refusal.OFFERS_FULL
