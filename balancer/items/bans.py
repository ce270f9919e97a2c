"""Which players Steam keeps from trading: read for many players in one call, and used for hours.

Each read of an inventory by a bot may ask for a hundred accounts at no further cost. A new player waits a moment for other new
players; a known player whose answer grows old is asked for together with others, so a frequent player never costs a separate
call. A ban is believed no longer than an inventory: it is a bot's word, and bans end.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from shared.clock import Clock
from shared.domain.ids import SteamId

ASKED_MAX = 99  # GetPlayerBans takes a hundred, and the bot asks of itself too
KNOWN_MAX = 100_000
# How long a new player waits for others: far less than a read takes.
GATHER_S = 0.1
# From when on of its life a word is renewed in passing.
OLD_SHARE = 0.5


class Bans:
    """What is known in this process; used in the event loop's thread."""

    def __init__(self, clock: Clock, believed_s: float, banned_s: float) -> None:
        """``believed_s``: how long it is believed that a player may trade; ``banned_s``: that they may not."""
        self._clock = clock
        self._believed_s = believed_s
        self._banned_s = banned_s
        # Banned, and believed until when in monotonic s; oldest use first.
        self._known: OrderedDict[SteamId, tuple[bool, float]] = OrderedDict()
        self._new: set[SteamId] = set()
        self._gathered: asyncio.Event | None = None
        self._asked: dict[SteamId, asyncio.Event] = {}

    def of(self, steam_id: SteamId) -> bool | None:
        """Whether this player is banned; ``None``: not known."""
        known = self._known.get(steam_id)
        if known is None or known[1] <= self._clock.monotonic():
            return None
        self._known.move_to_end(steam_id)
        return known[0]

    def wants(self, steam_id: SteamId) -> None:
        """This player's inventory will be read soon: the next order that asks, whoever's it is, asks for them too."""
        if self.of(steam_id) is None and steam_id not in self._asked:
            self._new.add(steam_id)

    async def to_ask(self, steam_id: SteamId) -> list[SteamId]:
        """Whom the order that reads this player's inventory is to ask for; call `answered` with them when that is over.

        Empty if nobody is to be asked for: the player is known, or another order asks for them.
        """
        if self.of(steam_id) is not None or steam_id in self._asked:
            return []
        self._new.add(steam_id)
        if self._gathered is not None:
            await self._gathered.wait()
            return []
        self._gathered = asyncio.Event()
        try:
            await asyncio.sleep(GATHER_S)
        finally:
            new = [steam_id, *(self._new - {steam_id})]
            wanted, self._new = new, set(new[ASKED_MAX:])
            self._gathered.set()
            self._gathered = None
        wanted = [*wanted[:ASKED_MAX], *self._growing_old(ASKED_MAX - len(wanted))]
        self._asked |= {each: asyncio.Event() for each in wanted}
        return wanted

    def answered(self, asked: Iterable[SteamId], data: Mapping[str, Any]) -> None:
        """An order that asked for these is answered, or will not be; ``data`` is what its report says."""
        bans = data.get("bans")
        now = self._clock.monotonic()
        for steam_id in asked:
            banned = bans.get(str(int(steam_id))) if isinstance(bans, dict) else None
            if isinstance(banned, bool):
                self._known[steam_id] = (banned, now + (self._banned_s if banned else self._believed_s))
                self._known.move_to_end(steam_id)
            event = self._asked.pop(steam_id, None)
            if event is not None:
                event.set()
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    async def wait(self, steam_id: SteamId) -> bool | None:
        """The same as `of`, once the order that asks for this player is answered."""
        event = self._asked.get(steam_id)
        if event is not None:
            await event.wait()
        return self.of(steam_id)

    def _growing_old(self, room: int) -> list[SteamId]:
        """Those whose word is past its half, who were here last first."""
        soon = self._clock.monotonic() + self._believed_s * OLD_SHARE
        due: list[SteamId] = []
        for steam_id in reversed(self._known):
            if len(due) >= room:
                break
            if self._known[steam_id][1] < soon and steam_id not in self._asked:
                due.append(steam_id)
        return due
