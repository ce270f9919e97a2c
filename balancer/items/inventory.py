"""A player's inventory, read through a bot: read once however many wait, used for a minute, dropped when it has changed.

`balancer.items.readers` has bots read. What Steam refuses is remembered for a while too, and one player makes so many
reads a minute and no more (`balancer.rates`). A request that gives up before its read's turn does not lose it: the read
goes on, and whoever asks again finds it.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import redis

from balancer import rates
from balancer.fleet.reads import READ_S, Lane, busy
from balancer.fleet.snapshot import Fleet
from balancer.items.bans import Bans
from balancer.items.readers import OF_THE_LANE, Readers
from balancer.items.readings import UNAVAILABLE, PlayerInventory, failure, understood
from balancer.orders.build import Orders
from balancer.orders.outbox import Outbox
from balancer.rates import Rates, Take
from shared import log
from shared.clock import Clock
from shared.domain.ids import SteamId
from shared.domain.items import Asset, HeldAsset
from shared.errors import FleetError, NoBotAvailable, SteamUnavailable
from shared.orders import InventoryOrder
from shared.reports import Report
from shared.settings import Settings

CACHED_MAX = 2000
LANES_TRIED = 3
# A failure that may be over in a moment is remembered for no longer than this.
PASSING_S = 5.0
# Another player's order may ask for a new player's bans: this long the new player's own order waits for that answer.
BANS_WAIT_S = 3.0
WATCHED_MAX = 20_000

_log = log.get(__name__)
Key = tuple[SteamId, str]
T = TypeVar("T")


@dataclass(slots=True)
class _Cached:
    inventory: PlayerInventory
    good_until_ms: int
    read_ms: int
    second: asyncio.Task[PlayerInventory] | None = None  # another host's reading of the same, asked for once


@dataclass(frozen=True, slots=True)
class _Failed:
    error: FleetError
    until_ms: int


@dataclass(slots=True, eq=False)
class _Reading:
    """A read that waits for its turn or is under way. ``placed`` is set when its turn is known, or when it has failed before.

    ``due_s`` is the monotonic time of its turn; ``remember_s`` is for how long its failure holds; ``with_hold``: the order that
    went out asks for Steam's hold too.
    """

    key: Key
    placed: asyncio.Event = field(default_factory=asyncio.Event)
    due_s: float = 0.0
    remember_s: float = 0.0
    with_hold: bool = False


_UnderWay = tuple[_Reading, asyncio.Task[PlayerInventory]]


@dataclass
class Inventories:
    """Reads and remembers players' inventories. ``redis`` is used in threads; without ``rates`` a player may ask at will."""

    settings: Settings
    clock: Clock
    redis: redis.Redis
    fleet: Fleet
    orders: Orders
    outbox: Outbox
    rates: Rates | None = None
    _cached: OrderedDict[Key, _Cached] = field(default_factory=OrderedDict)
    _failed: OrderedDict[Key, _Failed] = field(default_factory=OrderedDict)
    _reading: dict[Key, _UnderWay] = field(default_factory=dict)
    _keys: dict[SteamId, set[Key]] = field(default_factory=dict)  # those above, by player
    _watched: OrderedDict[str, SteamId] = field(default_factory=OrderedDict)
    _no_hold: OrderedDict[Key, int] = field(default_factory=OrderedDict)  # until when, in ms, Steam is believed to hold nothing
    bans: Bans = field(init=False)
    readers: Readers = field(init=False)

    def __post_init__(self) -> None:
        times = self.settings.trades
        self.bans = Bans(self.clock, times.bans_cache_s, times.inventory_cache_s)
        self.readers = Readers(self.settings.trades, self.redis, self.orders, self.outbox)

    @property
    def waiting(self) -> int:
        """How many reads of this balancer wait for their turn or are under way."""
        return len(self._reading)

    async def read(self, steam_id: SteamId, trade_token: str | None) -> PlayerInventory:
        """The inventory, at most ``inventory_cache_s`` old.

        Raises:
            PlayerMustAct: ``inventory_private``, ``partner_hold``, ``partner_banned``.
            NotAccepted: ``trade_url_wrong``, ``unknown_player``.
            RateLimited: this player's inventory was asked for too often.
            NoBotAvailable: ``inventory_busy``, its turn does not come within ``inventory_wait_s``; it is read all the same.
            SteamUnavailable: no bot could read it in time.
            SteamThrottled: Steam wants fewer reads.
        """
        key = _key(steam_id, trade_token)
        if (known := self._known(key)) is not None:
            return known
        if key not in self._reading and self.rates is not None and self.rates.reads is not None:
            rates.refuse(await self.rates.take(Take(self.rates.reads, str(int(steam_id)))))
            if (known := self._known(key)) is not None:
                return known
        return await self._result(*(self._reading.get(key) or self._begin(key, trade_token)))

    def _known(self, key: Key) -> PlayerInventory | None:
        """What was read a moment ago; raises what it failed with a moment ago."""
        now_ms = self.clock.now_ms()
        cached = self._cached.get(key)
        if cached is not None and now_ms < cached.good_until_ms:
            return cached.inventory
        failed = self._failed.get(key)
        if failed is not None and now_ms < failed.until_ms:
            raise _again(failed.error, (failed.until_ms - now_ms) / 1000)
        return None

    def _begin(self, key: Key, trade_token: str | None) -> _UnderWay:
        reading = _Reading(key)
        task = asyncio.create_task(self._read(reading, trade_token))
        self._reading[key] = (reading, task)
        self._keys.setdefault(key[0], set()).add(key)
        task.add_done_callback(lambda done: self._finished(reading, done))
        return reading, task

    async def _result(self, reading: _Reading, task: asyncio.Task[PlayerInventory]) -> PlayerInventory:
        """What it comes to, if that is soon enough for somebody who waits."""
        wait_s = self.settings.trades.inventory_wait_s
        try:
            async with asyncio.timeout(wait_s):
                await reading.placed.wait()
                left_s = reading.due_s - self.clock.monotonic()
                if left_s > max(0.0, wait_s - READ_S):
                    raise busy(left_s)
                return await asyncio.shield(task)
        except TimeoutError:
            left_s = reading.due_s - self.clock.monotonic()
            if left_s > 0:
                raise busy(left_s) from None
            raise SteamUnavailable("No bot could read the player's inventory in time.", code=UNAVAILABLE) from None

    async def second(self, first: PlayerInventory, trade_token: str) -> PlayerInventory:
        """The same inventory, read by a bot of another host than the one of ``first``; once for as long as that is believed.

        Raises:
            NoBotAvailable: ``no_second_reader``, no bot of another host is there; ``inventory_busy``.
            PlayerMustAct, NotAccepted, SteamUnavailable, SteamThrottled: what this bot says instead of an inventory.
        """
        cached = self._cached.get(_key(first.steam_id, trade_token))
        if cached is None or cached.inventory is not first:  # it is not believed any more, so nobody shares it
            return await self._second(first, trade_token)
        if cached.second is None:
            cached.second = task = asyncio.create_task(self._second(first, trade_token))
            task.add_done_callback(lambda done: _forget_failed(cached, done))
        return await asyncio.shield(cached.second)

    async def _second(self, first: PlayerInventory, trade_token: str) -> PlayerInventory:
        lanes = self.fleet.lanes_beside(first.read_by)
        if not lanes:
            raise NoBotAvailable(
                "Bots of two hosts must read items of this value, and no bot of a second host is online.",
                code="no_second_reader",
            )
        wanted = InventoryOrder(str(int(first.steam_id)), trade_token, with_hold=False, own_rows=None, second=True)
        try:
            wait_s = self.settings.trades.inventory_wait_s
            report = await self.readers.in_turn(lanes, wait_s, lambda lane: self.readers.ask(lane, wanted))
        except (redis.RedisError, TimeoutError) as error:
            _log.warning("inventory not read again", action="inventory", error=type(error).__name__)
            raise SteamUnavailable("No bot could read the player's inventory in time.", code=UNAVAILABLE) from error
        if report.kind != "inventory_read":
            refusal = failure(report.data)
            refusal.data["read_by"] = report.bot
            raise refusal
        return understood(first.steam_id, report, self.clock.now())

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
        """Whether `read` would answer without troubling a bot, with a refusal too."""
        key, now_ms = _key(steam_id, trade_token), self.clock.now_ms()
        cached, failed = self._cached.get(key), self._failed.get(key)
        return (cached is not None and now_ms < cached.good_until_ms) or (failed is not None and now_ms < failed.until_ms)

    def is_coming(self, steam_id: SteamId, trade_token: str | None) -> bool:
        """Whether `read` would cost no read of its own: it is known, or a read for somebody else is under way."""
        return self.known(steam_id, trade_token) or _key(steam_id, trade_token) in self._reading

    def forget(self, steam_id: SteamId) -> None:
        """Believe nothing older about this player."""
        for key in self._keys.pop(steam_id, ()):
            self._cached.pop(key, None)
            self._failed.pop(key, None)
            self._reading.pop(key, None)

    def watch(self, trade_ids: Iterable[str], steam_id: SteamId) -> None:
        """Items of this player were put in these trades: forget the inventory now, and whenever one of them changes."""
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

    def close(self) -> None:
        """End every read that is still waiting."""
        for _, task in list(self._reading.values()):
            task.cancel()

    def _finished(self, reading: _Reading, done: asyncio.Task[PlayerInventory]) -> None:
        key = reading.key
        current = self._reading.get(key) == (reading, done)
        if current:
            del self._reading[key]
        error = None if done.cancelled() else done.exception()
        if done.cancelled() or not current:
            self._unlist(key)
            return
        now_ms = self.clock.now_ms()
        if error is None:
            good_ms = int(self.settings.trades.inventory_cache_s * 1000)
            _keep(self._cached, key, _Cached(done.result(), now_ms + good_ms, now_ms), self._unlist)
        elif isinstance(error, FleetError) and reading.remember_s:
            _keep(self._failed, key, _Failed(error, now_ms + int(reading.remember_s * 1000)), self._unlist)
        self._unlist(key)

    def _unlist(self, key: Key) -> None:
        """Forget the key if nothing is known or being read under it any more."""
        if key in self._cached or key in self._failed or key in self._reading:
            return
        mine = self._keys.get(key[0], set())
        mine.discard(key)
        if not mine:
            self._keys.pop(key[0], None)

    async def _read(self, reading: _Reading, trade_token: str | None) -> PlayerInventory:
        """Wait for a turn and let a bot read; through another address when this one may not read now."""
        steam_id = reading.key[0]
        try:
            if trade_token is not None:
                if self.bans.of(steam_id):
                    raise failure({"code": "partner_banned"})
                self.bans.wants(steam_id)
            report = await self._through_one(reading, trade_token)
            for _ in range(LANES_TRIED - 1):
                if report.data.get("code") not in OF_THE_LANE or len(self.fleet.lanes) < 2:
                    break
                report = await self._through_one(reading, trade_token)
            if report.kind != "inventory_read":
                raise self._refused(reading, report.data)
            inventory = understood(steam_id, report, self.clock.now())
            if trade_token is None:
                return inventory
            if await self._banned(steam_id):
                raise self._refused(reading, {"code": "partner_banned"})
            return self._with_hold(reading, inventory)
        except redis.RedisError as error:
            _log.warning("inventory order not given", action="inventory", error=type(error).__name__)
            raise SteamUnavailable("The bots cannot be reached.", code=UNAVAILABLE) from error
        except TimeoutError:
            raise SteamUnavailable("No bot could read the player's inventory in time.", code=UNAVAILABLE) from None
        finally:
            reading.placed.set()

    def _refused(self, reading: _Reading, data: dict[str, Any]) -> FleetError:
        """What a bot told instead of an inventory, and for how long it holds."""
        error, most_s = failure(data), self.settings.trades.failure_cache_s
        reading.remember_s = min(most_s, PASSING_S) if error.retryable else most_s
        return error

    async def _through_one(self, reading: _Reading, trade_token: str | None) -> Report:
        """One read, when the turn of the address that is free first has come."""
        lanes = self.fleet.lanes
        if not lanes:
            raise SteamUnavailable("No bot is online that could read the player's inventory.", code=UNAVAILABLE)

        def placed(wait_s: float) -> None:
            reading.due_s = self.clock.monotonic() + wait_s
            reading.placed.set()

        wait_s = self.settings.trades.inventory_queue_s
        return await self.readers.in_turn(lanes, wait_s, lambda lane: self._asked_for(lane, reading, trade_token), placed)

    async def _asked_for(self, lane: Lane, reading: _Reading, trade_token: str | None) -> Report:
        """One order, which asks for no more than is not known: the hold of this player, and trade bans of many."""
        steam_id = reading.key[0]
        if trade_token is None:
            return await self.readers.ask(lane, InventoryOrder(str(int(steam_id)), None))
        asked = await self.bans.to_ask(steam_id)
        data: dict[str, Any] = {}
        try:
            reading.with_hold = self.clock.now_ms() >= self._no_hold.get(reading.key, 0)
            bans_of = [str(int(each)) for each in asked]
            level = self.settings.limits.steam_level_min > 0
            wanted = InventoryOrder(str(int(steam_id)), trade_token, None, reading.with_hold, bans_of, with_level=level)
            report = await self.readers.ask(lane, wanted)
            data = report.data
        finally:
            self.bans.answered(asked, data)
        return report

    async def _banned(self, steam_id: SteamId) -> bool:
        """Whether this player may not trade, as far as it is known or becomes known in a moment."""
        try:
            async with asyncio.timeout(BANS_WAIT_S):
                return bool(await self.bans.wait(steam_id))
        except TimeoutError:
            return False

    def _with_hold(self, reading: _Reading, inventory: PlayerInventory) -> PlayerInventory:
        """That Steam holds nothing is believed for a while; that it does is asked each time."""
        if not reading.with_hold:
            return replace(inventory, hold_days=0)
        key = reading.key
        if inventory.hold_days == 0:
            self._no_hold[key] = self.clock.now_ms() + int(self.settings.trades.hold_cache_s * 1000)
            self._no_hold.move_to_end(key)
            while len(self._no_hold) > WATCHED_MAX:
                self._no_hold.popitem(last=False)
        return inventory


def _key(steam_id: SteamId, trade_token: str | None) -> Key:
    return steam_id, hashlib.sha256(trade_token.encode()).hexdigest() if trade_token else ""


def _forget_failed(cached: _Cached, done: asyncio.Task[PlayerInventory]) -> None:
    """Whoever asks next tries again."""
    if done.cancelled() or done.exception() is not None:
        cached.second = None


def _keep(kept: OrderedDict[Key, T], key: Key, value: T, dropped: Callable[[Key], None]) -> None:
    """Remember the newest so many."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > CACHED_MAX:
        oldest, _ = kept.popitem(last=False)
        dropped(oldest)


def _again(error: FleetError, left_s: float) -> FleetError:
    """The same refusal once more; what may go well later says when it is asked for again."""
    after_s = math.ceil(left_s) if error.retryable else error.retry_after_s
    return type(error)(
        error.detail, code=error.error_code, reason=error.reason, retry_after_s=after_s, player_message=error.player_message
    )
