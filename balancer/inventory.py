"""A player's inventory, read through a bot: asked once however many wait, believed for a minute, forgotten when it changed.

An order of kind ``inventory`` goes to one bot; its report comes back through the report loop and is known by its order's id.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import redis

from balancer.bans import Bans
from balancer.fleet import Fleet
from shared import log, wire
from shared.clock import Clock, ServerClock
from shared.domain.ids import SteamId, record_id
from shared.domain.items import Asset, HeldAsset
from shared.errors import FleetError, NoBotAvailable, NotAccepted, PlayerMustAct, SteamThrottled, SteamUnavailable
from shared.messages import InventoryOrder, Order, Report
from shared.sealing import MasterKey
from shared.settings import Settings

CACHED_MAX = 2000
# A player who is new may be asked for by another player's order: so long his own waits for that one's answer.
BANS_WAIT_S = 3.0
WATCHED_MAX = 20_000
UNAVAILABLE = "inventory_unavailable"

# What a bot's ``inventory_failed`` means; every other code is "not now".
FAILURES: dict[str, type[FleetError]] = {
    "inventory_private": PlayerMustAct,
    "partner_hold": PlayerMustAct,
    "partner_banned": PlayerMustAct,
    "trade_url_wrong": NotAccepted,
    "steam_throttled": SteamThrottled,
    "steam_maintenance": SteamUnavailable,
}
DETAILS = {
    "inventory_private": "The player's inventory is private.",
    "partner_hold": "Steam would hold trades with this player.",
    "partner_banned": "Steam does not let this player trade.",
    "trade_url_wrong": "The trade URL is no longer valid.",
}

_log = log.get(__name__)
Key = tuple[SteamId, str]


@dataclass(frozen=True, slots=True)
class PlayerInventory:
    """What a bot saw. ``hold_days`` is ``None`` when it was not told."""

    steam_id: SteamId
    assets: dict[Asset, HeldAsset]
    hold_days: int | None
    read_at: datetime


@dataclass(slots=True)
class _Cached:
    inventory: PlayerInventory
    good_until_ms: int
    read_ms: int


@dataclass(frozen=True, slots=True)
class _Asked:
    bot: str
    answer: asyncio.Future[Report]


@dataclass
class Inventories:
    """Reads and remembers players' inventories. ``redis`` is used in threads."""

    settings: Settings
    clock: Clock
    server_clock: ServerClock
    master: MasterKey
    redis: redis.Redis
    fleet: Fleet
    _cached: OrderedDict[Key, _Cached] = field(default_factory=OrderedDict)
    _reading: dict[Key, asyncio.Task[PlayerInventory]] = field(default_factory=dict)
    _asked: dict[str, _Asked] = field(default_factory=dict)  # by the order's id
    _keys: dict[SteamId, set[Key]] = field(default_factory=dict)  # those above, by player
    _watched: OrderedDict[str, SteamId] = field(default_factory=OrderedDict)
    _no_hold: OrderedDict[Key, int] = field(default_factory=OrderedDict)  # until when, in ms, Steam is believed to hold nothing
    bans: Bans = field(init=False)

    def __post_init__(self) -> None:
        times = self.settings.trades
        self.bans = Bans(self.clock, times.bans_cache_s, times.inventory_cache_s)

    async def read(self, steam_id: SteamId, trade_token: str | None) -> PlayerInventory:
        """The inventory, at most ``inventory_cache_s`` old.

        Raises:
            PlayerMustAct: ``inventory_private``, ``partner_hold``, ``partner_banned``.
            NotAccepted: ``trade_url_wrong``.
            SteamUnavailable: no bot could read it in time.
            SteamThrottled: Steam wants fewer reads.
        """
        key = _key(steam_id, trade_token)
        cached = self._cached.get(key)
        if cached is not None and self.clock.now_ms() < cached.good_until_ms:
            return cached.inventory
        reading = self._reading.get(key)
        if reading is None:
            reading = asyncio.create_task(self._read(key, trade_token))
            self._reading[key] = reading
            self._keys.setdefault(steam_id, set()).add(key)
            reading.add_done_callback(lambda done: self._finished(key, done))
        return await asyncio.shield(reading)

    async def untradable(self, steam_id: SteamId) -> dict[Asset, HeldAsset]:
        """What the player holds and may not trade. Steam leaves it out of what a partner may offer, so the public inventory is
        read; empty if that is private or cannot be read now."""
        key = _key(steam_id, None)
        cached = self._cached.get(key)
        believed_ms = int(self.settings.trades.untradable_cache_s * 1000)
        try:
            if cached is not None and self.clock.now_ms() < cached.read_ms + believed_ms:
                public = cached.inventory
            else:
                public = await self.read(steam_id, None)
        except FleetError as error:
            _log.debug("public inventory not read", action="inventory", reason=error.error_code)
            return {}
        return {asset: held for asset, held in public.assets.items() if not held.tradable}

    def known(self, steam_id: SteamId, trade_token: str | None) -> bool:
        """Whether `read` would answer without troubling a bot."""
        cached = self._cached.get(_key(steam_id, trade_token))
        return cached is not None and self.clock.now_ms() < cached.good_until_ms

    def forget(self, steam_id: SteamId) -> None:
        """Believe nothing older about this player."""
        for key in self._keys.pop(steam_id, ()):
            self._cached.pop(key, None)
            self._reading.pop(key, None)

    def watch(self, trade_ids: Iterable[str], steam_id: SteamId) -> None:
        """Items of this player were put in these trades: forget him now, and whenever one of them changes."""
        self.forget(steam_id)
        for trade_id in trade_ids:
            self._watched[trade_id] = steam_id
        while len(self._watched) > WATCHED_MAX:
            self._watched.popitem(last=False)

    def changed(self, trade_ids: Iterable[str]) -> None:
        """These trades changed; an accepted one means that the inventory did too."""
        for trade_id in trade_ids:
            steam_id = self._watched.get(trade_id)
            if steam_id is not None:
                self.forget(steam_id)

    def told(self, report: Report) -> None:
        """A bot has read an inventory, or could not; what nobody here waits for, or another bot says, is passed over."""
        asked = self._asked.get(report.order_id or "")
        if asked is None or asked.answer.done():
            return
        if asked.bot != report.bot:
            _log.error("another bot answered", action="inventory", bot=report.bot, asked=asked.bot)
            return
        asked.answer.set_result(report)

    def close(self) -> None:
        """End every read that is still waiting."""
        for reading in list(self._reading.values()):
            reading.cancel()

    def _finished(self, key: Key, done: asyncio.Task[PlayerInventory]) -> None:
        current = self._reading.get(key) is done
        if current:
            del self._reading[key]
        if done.cancelled() or done.exception() is not None or not current:
            self._unlist(key)
            return
        good_ms = int(self.settings.trades.inventory_cache_s * 1000)
        now_ms = self.clock.now_ms()
        self._cached[key] = _Cached(done.result(), now_ms + good_ms, now_ms)
        self._cached.move_to_end(key)
        while len(self._cached) > CACHED_MAX:
            oldest, _ = self._cached.popitem(last=False)
            self._unlist(oldest)

    def _unlist(self, key: Key) -> None:
        """Nothing is known or being read under this key any more."""
        if key in self._cached or key in self._reading:
            return
        mine = self._keys.get(key[0], set())
        mine.discard(key)
        if not mine:
            self._keys.pop(key[0], None)

    async def _read(self, key: Key, trade_token: str | None) -> PlayerInventory:
        try:
            async with asyncio.timeout(self.settings.trades.inventory_wait_s):
                return await self._asked_for(key, trade_token)
        except TimeoutError:
            raise SteamUnavailable("No bot could read the player's inventory in time.", code=UNAVAILABLE) from None

    async def _asked_for(self, key: Key, trade_token: str | None) -> PlayerInventory:
        """One order, which asks for no more than is not known: the hold of this player, and trade bans of many."""
        steam_id = key[0]
        if trade_token is None:
            return self._understood(steam_id, await self._ask(InventoryOrder(str(int(steam_id)), None)))
        if self.bans.of(steam_id):
            raise failure({"code": "partner_banned"})
        asked = await self.bans.to_ask(steam_id)
        data: dict[str, Any] = {}
        try:
            with_hold = self.clock.now_ms() >= self._no_hold.get(key, 0)
            bans_of = [str(int(each)) for each in asked]
            report = await self._ask(InventoryOrder(str(int(steam_id)), trade_token, None, with_hold, bans_of))
            data = report.data
        finally:
            self.bans.answered(asked, data)
        found = self._understood(steam_id, report)
        if await self._banned(steam_id):
            raise failure({"code": "partner_banned"})
        return self._with_hold(key, found, asked=with_hold)

    async def _banned(self, steam_id: SteamId) -> bool:
        """Whether this player may not trade, as far as it is known or becomes known in a moment."""
        try:
            async with asyncio.timeout(BANS_WAIT_S):
                return bool(await self.bans.wait(steam_id))
        except TimeoutError:
            return False

    def _with_hold(self, key: Key, found: PlayerInventory, *, asked: bool) -> PlayerInventory:
        """That Steam holds nothing is believed for a while; that it does is asked each time."""
        if not asked:
            return replace(found, hold_days=0)
        if found.hold_days == 0:
            self._no_hold[key] = self.clock.now_ms() + int(self.settings.trades.hold_cache_s * 1000)
            self._no_hold.move_to_end(key)
            while len(self._no_hold) > WATCHED_MAX:
                self._no_hold.popitem(last=False)
        return found

    async def _ask(self, payload: InventoryOrder) -> Report:
        """Give the order and wait for the report that answers it."""
        try:
            bot = self.fleet.pick_reader(payload.steam_id).name
        except NoBotAvailable:
            raise SteamUnavailable("No bot is there to read the player's inventory.", code=UNAVAILABLE) from None
        order = self._order(bot, payload)
        answer: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._asked[order.order_id] = _Asked(bot, answer)
        try:
            await asyncio.to_thread(self._enqueue, order)
            return await answer
        except redis.RedisError as error:
            _log.warning("inventory order not given", action="inventory", bot=bot, error=type(error).__name__)
            raise SteamUnavailable("The bots cannot be reached.", code=UNAVAILABLE) from error
        finally:
            del self._asked[order.order_id]

    def _order(self, bot: str, payload: InventoryOrder) -> Order:
        now_ms = self.server_clock.now_ms()
        order_id = record_id("ord", self.clock.now_ms(), secrets.token_bytes(7))
        expires_at_ms = now_ms + int(self.settings.trades.inventory_wait_s * 1000)
        return Order(order_id, "inventory", bot, None, 0, now_ms, expires_at_ms, payload)

    def _enqueue(self, order: Order) -> None:
        created_at = self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        wire.enqueue(self.redis, [(order, self.master.bot(order.bot))], created_at)

    def _understood(self, steam_id: SteamId, report: Report) -> PlayerInventory:
        if report.kind != "inventory_read":
            raise failure(report.data)
        try:
            held: Iterable[HeldAsset] = [HeldAsset.from_json(row) for row in report.data["assets"]]
            assets = {one.asset: one for one in held}
            hold_days = report.data.get("hold_days")
            if not isinstance(hold_days, int | None):
                raise TypeError("days are a number")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            _log.error("inventory makes no sense", action="inventory", bot=report.bot, reason=type(error).__name__)
            raise SteamUnavailable("The player's inventory cannot be read now.", code=UNAVAILABLE) from error
        return PlayerInventory(steam_id, assets, hold_days, self.clock.now())


def _key(steam_id: SteamId, trade_token: str | None) -> Key:
    return steam_id, hashlib.sha256(trade_token.encode()).hexdigest() if trade_token else ""


def failure(data: dict[str, Any]) -> FleetError:
    """The error that a bot's ``inventory_failed`` stands for."""
    code = str(data.get("code") or UNAVAILABLE)
    kind = FAILURES.get(code)
    if kind is None:
        return SteamUnavailable("The player's inventory cannot be read now.", code=UNAVAILABLE)
    return kind(DETAILS.get(code, "Steam does not answer reads of inventories now."), code=code)
