"""Bots that read players' inventories: when whose turn it is, and which report answers which order.

An order of kind ``inventory`` goes to one bot when the turn of its address has come (`balancer.fleet.reads`); its report comes
back through the report loop and is known by its order's id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import redis

from balancer.fleet.reads import Lane, Turns, idlest
from balancer.items.readings import THROTTLED_S, UNAVAILABLE, seconds
from balancer.orders.build import Orders
from balancer.orders.outbox import Outbox
from shared import log, request_ids
from shared.errors import SteamUnavailable
from shared.orders import InventoryOrder
from shared.reports import Report
from shared.sections import TradeSettings

# What concerns the address that a bot reads from, so that another one may do better.
OF_THE_LANE = frozenset({"steam_throttled", "own_pace"})

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    bot: str
    answer: asyncio.Future[Report]


class Readers:
    """Has bots read; used in the event loop's thread, ``client`` in others."""

    def __init__(self, times: TradeSettings, client: redis.Redis, orders: Orders, outbox: Outbox) -> None:
        self._times = times
        self._turns = Turns(client)
        self._orders = orders
        self._outbox = outbox
        self._asked: dict[str, _Asked] = {}  # by the order's id

    async def in_turn(
        self,
        lanes: Sequence[Lane],
        wait_s: float,
        ask: Callable[[Lane], Awaitable[Report]],
        placed: Callable[[float], None] = lambda _wait_s: None,
    ) -> Report:
        """Ask when the turn of the address that is free first has come; an address that may not read now is held.

        ``placed`` is told how long that takes, once it is known.

        Raises:
            NoBotAvailable: ``inventory_busy``, it takes longer than ``wait_s``.
            redis.RedisError: nobody knows whose turn it is.
            TimeoutError: no answer came.
        """
        turn = await self._turns.take(lanes, wait_s)
        placed(turn.wait_s)
        await asyncio.sleep(turn.wait_s)
        report = await ask(turn.lane)
        if report.data.get("code") in OF_THE_LANE:
            await self._turns.hold(turn.lane, seconds(report.data.get("retry_after_s"), THROTTLED_S))
        return report

    async def ask(self, lane: Lane, payload: InventoryOrder) -> Report:
        """Give the order to the bot of this address that reads least at the moment, and wait for the report that answers it.

        Raises:
            TimeoutError: none came within ``inventory_wait_s``.
        """
        bot = idlest(lane, int(payload.steam_id), [asked.bot for asked in self._asked.values()])
        wait_s = self._times.inventory_wait_s
        order = self._orders.build("inventory", bot, payload, lifetime_s=wait_s, request_id=request_ids.current())
        answer: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._asked[order.order_id] = _Asked(bot, answer)
        try:
            if not await self._outbox.give([order]):
                raise SteamUnavailable("The bots cannot be reached.", code=UNAVAILABLE)
            async with asyncio.timeout(wait_s):
                return await answer
        finally:
            del self._asked[order.order_id]

    def note(self, report: Report) -> None:
        """A bot has read an inventory, or could not; what nobody here waits for, or another bot says, is passed over."""
        asked = self._asked.get(report.order_id or "")
        if asked is None or asked.answer.done():
            return
        if asked.bot != report.bot:
            _log.error("another bot answered", action="inventory", bot=report.bot, asked=asked.bot)
            return
        asked.answer.set_result(report)
