"""The engine: looks for what is due, works on it, and carries out what a lane's transaction may not wait for.

Nothing here decides anything, and nothing is remembered that matters: everything due is found in the tables. So an engine may
die at any moment, and any number of them may run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, connections
from django.db.models import Q
from lottery import drand, rooms, sources
from lottery.rooms import Room
from lottery.state import Phase
from redis import RedisError

from fleet_client import AsyncClient, errors
from fleet_client.answers import Event, Lock
from website.engine import calls, feed, looks, older_fleet, reconciliation, recovery
from website.engine.beacon import Beacon, Source
from website.engine.clock import Clock
from website.engine.models import Call
from website.engine.steps import Given, Wants
from website.engine.writer import Worked, Writer
from website.live import hints, retention
from website.raffles import instances
from website.raffles.models import Purchase, TemplateVersion
from website.rooms.models import TICKET_NAMES, Bet, Lane, RoomVersion

log = logging.getLogger(__name__)
T = TypeVar("T")

LANES_AT_ONCE = 50
THREADS = 4
AGAIN_S = 1.0
"""After something went wrong that is nobody's fault but the network's or the database's."""
REST_S = 0.005
"""Between commits on SQLite, whose waiting is not fair: others would wait for seconds."""
FEED_WAIT_S = 25.0
FEED_LIMIT = 200
STOCK_PAGE_MAX = 200
BEACON_S = 10.0
PROBE_S = 5.0
TIDY_S = 60.0
LOOK_S = 10.0
IDS_MAX = 200  # that one request asks for
LOOKS = 2
LOOK_AGAIN_S = 5.0
LOOK_BACK_S = 10.0
HELD = ("held", "part_moved")
TOLERANCE_MS = 1_000
OLDER_S = 5.0
"""Between looks whether an older fleet is still one."""
ROUNDS_OF_WANTS = 4


class Engine:
    """`source_of` gives the source of beacons of a room's chain."""

    def __init__(self, writer: Writer, fleet: AsyncClient, source_of: Callable[[Room], Source], clock: Clock) -> None:
        self.writer, self.fleet, self.source_of, self.clock = writer, fleet, source_of, clock
        # On SQLite one thread: within a process writers take turns and need not fight.
        self._one = connection.vendor == "sqlite"
        self._count = 1 if self._one else THREADS
        self._threads = ThreadPoolExecutor(self._count, "engine-db")
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._sending: set[int] = set()
        self._answers: dict[str, dict[int, calls.Outcome]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._woken, self._to_send = asyncio.Event(), asyncio.Event()
        self._deaf = threading.Event()
        self.reconcile_again_s = LOOK_AGAIN_S
        self._ending = False
        self._now_and_then = (self._tidy, self._reconcile, self._look)
        self._looked: frozenset[str] = frozenset()
        self._unsure = True
        self._mode_heard = False
        self._livemode: bool | None = None

    async def run(self) -> None:
        """Until it is canceled."""
        try:
            with contextlib.suppress(DatabaseError, OSError):
                await self._compare()  # before the first bet is taken
            with contextlib.suppress(DatabaseError, OSError, errors.FleetError, TimeoutError):
                async with asyncio.timeout(LOOK_BACK_S):
                    await self._look_back()
            async with asyncio.TaskGroup() as group:
                for work in (self._lanes, self._calls, self._follow, self._probe, self._listen, *self._now_and_then):
                    group.create_task(self._forever(work))
        finally:
            self._ending = True
            self._deaf.set()
            for task in [*self._busy.values(), *self._tasks]:
                task.cancel()
            await asyncio.gather(*self._busy.values(), *self._tasks, return_exceptions=True)
            await asyncio.to_thread(self._close_threads)

    def _close_threads(self) -> None:
        """Each thread has a connection of its own and closes it itself."""
        together = threading.Barrier(self._count)

        def close() -> None:
            connections.close_all()
            together.wait()

        for done in [self._threads.submit(close) for _ in range(self._count)]:
            done.result()
        self._threads.shutdown()

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        """One kind of work; trouble of the database or the fleet is waited out."""
        while True:
            try:
                await work()
            except (DatabaseError, errors.FleetError, OSError) as error:
                log.warning("%s: %s", work.__name__, error)
                await asyncio.sleep(AGAIN_S)
            except Exception:
                log.exception("%s failed; it goes on", work.__name__)
                await asyncio.sleep(AGAIN_S)

    async def _db(self, unit: Callable[..., T], *arguments: Any) -> T:
        """Runs one unit of work of the database."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._rested, unit, *arguments)

    def _rested(self, unit: Callable[..., T], *arguments: Any) -> T:
        try:
            return unit(*arguments)
        finally:
            if self._one:
                time.sleep(REST_S)

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- lanes

    async def _lanes(self) -> None:
        self._woken.clear()
        for lane in await self._db(due_lanes, self.clock.now_ms(), self.writer.name):
            self.wake(lane)
        await self._pause(self._woken)

    async def _pause(self, woken: asyncio.Event) -> None:
        """Until something has happened here, or it is time to look for what happened elsewhere."""
        # Not `wait_for`: in Python 3.11 it loses a cancellation that comes together with what is waited for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.SITE_LOOK_MS / 1000):
                await woken.wait()

    def wake(self, lane: str) -> None:
        """Has a lane worked on now, or once more when it is being worked on."""
        if self._ending:
            return
        if lane in self._busy:
            self._again.add(lane)
            return
        self._again.discard(lane)
        task = self._busy[lane] = asyncio.create_task(self._work(lane))
        task.add_done_callback(lambda _: self._done(lane))

    def _done(self, lane: str) -> None:
        del self._busy[lane]
        if lane in self._again:
            self.wake(lane)

    async def _listen(self) -> None:
        """Hints of work. Without them it is found a little later (`_pause`)."""
        if not settings.SITE_REDIS_URL:
            await asyncio.sleep(TIDY_S)
            return
        loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(hints.hear, self._deaf, lambda lane: loop.call_soon_threadsafe(self._heard, lane))
        except RedisError as error:
            log.warning("no hints: %s", type(error).__name__)
            await asyncio.sleep(AGAIN_S)

    def _heard(self, lane: str) -> None:
        self._woken.set()
        self._to_send.set()
        if lane:
            self.wake(lane)

    async def _reconcile(self) -> None:
        """What the fleet has bound for us is what is in play: looked at twice before somebody is alarmed."""
        if not settings.SITE_RECONCILE_MS:
            await asyncio.sleep(TIDY_S)
            return
        self._unsure = True  # a fleet may come back older between two answers
        minute_ms = await self._db(reconciliation.claim, self.clock.now_ms())
        if minute_ms is not None:
            for _ in range(LOOKS):
                before, held = await self._db(reconciliation.ours), await self._held()
                after = await self._db(reconciliation.ours)
                found = reconciliation.compare(before, held, after)
                if not found:
                    break
                await asyncio.sleep(self.reconcile_again_s)
            if found:
                log.error("what the fleet has bound is not what is in play: %s", "; ".join(each.text for each in found[:20]))
            await self._db(reconciliation.keep, minute_ms, after, held, found, self.clock.now_ms())
        await asyncio.sleep(AGAIN_S)

    async def _look_back(self) -> None:
        """Whether the fleet has bound for us what stands nowhere here: then this database is an older one (S20)."""
        await self._db(self.writer.look_back)
        locks = [lock async for lock in self.fleet.each_lock(state=list(HELD))]
        for lane in await self._db(self._noted, locks):
            log.error("the fleet knows of a later round of %s than this database: it is not driven", lane)

    def _noted(self, locks: list[Lock]) -> list[str]:
        close_old_connections()
        return recovery.note(recovery.missing(locks, ()), self.writer.marks)

    async def _held(self) -> dict[str, frozenset[str]]:
        """Every lock that the fleet holds for us, with the items that are under it still."""
        locks = [lock async for lock in self.fleet.each_lock(state=list(HELD))]
        await self._db(self._noted, locks)
        return {lock.ref: frozenset(row.deposit_id for row in lock.rows if row.state == "held") for lock in locks}

    async def _look(self) -> None:
        """How kinds look that were not seen before. One that the fleet knows no picture of is not asked for again."""
        missing = await self._db(looks.missing)
        new = sorted(missing.keys() - self._looked)
        for start in range(0, len(new), IDS_MAX):
            some = new[start : start + IDS_MAX]
            page = await self.fleet.deposits(ids=[missing[each] for each in some])
            await self._db(looks.keep, page.deposits)
            self._looked |= set(some)
        await asyncio.sleep(LOOK_S)

    async def _tidy(self) -> None:
        """Messages that nobody asks for any more go."""
        await self._db(retention.purge, self.clock.now_ms())
        await asyncio.to_thread(self.writer.witness.purge, settings.SITE_WITNESS_DAYS, self.clock.now_ms() / 1000)
        await asyncio.sleep(TIDY_S)

    async def _work(self, lane: str) -> None:
        try:
            # All that has piled up at once: one transaction after the other would wait for the lane's row.
            if answers := self._answers.pop(lane, None):
                await self._db(calls.answered, answers, self.clock.machine_ms())
            given = Given(clock_wrong=await self._clock_wrong())
            for _ in range(ROUNDS_OF_WANTS):
                worked = await self._db(self.writer.work, lane, given)
                self._after(worked)
                fetched = await self._fetch(worked)
                if fetched is None:
                    return
                given = fetched
        except (DatabaseError, errors.FleetError, OSError) as error:
            log.warning("lane %s: %s", lane, error)
            await asyncio.sleep(AGAIN_S)
        except Exception:
            log.exception("lane %s could not be worked on; it is tried again", lane)
            await asyncio.sleep(AGAIN_S)

    def _after(self, worked: Worked) -> None:
        """Others may have something to do now: a lane of the same room, and who sends calls."""
        self._to_send.set()
        if worked.added:
            self._woken.set()
            if worked.phase is not Phase.GAME:
                for lane in [name for name in self._lanes_of(worked.room) if name != worked.lane]:
                    self.wake(lane)

    def _lanes_of(self, room: str) -> list[str]:
        if instances.template_of(room) is not None:
            return []  # raffles do not wait for each other
        return [f"{room}-{letter}" for letter in "abcdefgh"[: settings.SITE_LANES_PER_ROOM]]

    async def _fetch(self, worked: Worked) -> Given | None:
        """What a lane wants from outside; None when it wants nothing, or what it wants is not to be had yet."""
        wants: Wants = worked.wants
        wrong = await self._clock_wrong()
        if wants.stock_max_cents is not None:
            most = min(settings.SITE_STOCK_MAX * settings.SITE_LANES_PER_ROOM, STOCK_PAGE_MAX)
            found = await self.fleet.stock(value_max_cents=wants.stock_max_cents, limit=most)
            change = [row.deposit_id for row in found.items if row.market_hash_name not in TICKET_NAMES]
            return Given(stock=change, clock_wrong=wrong)
        if wants.beacon is not None and worked.rules is not None:
            beacon = await self._beacon(worked.rules, wants.beacon)
            return None if beacon is None else Given(beacon=beacon, clock_wrong=wrong)
        return None

    async def _beacon(self, rules: Room, number: int) -> Beacon | None:
        try:
            async with asyncio.timeout(BEACON_S):
                beacon = await self.source_of(rules).fetch(number)
        except TimeoutError:
            return None
        if beacon is not None and rules.network is not None:
            self.clock.saw(sources.round_time_ms(rules.network, number))
        return beacon

    # ---- the clock

    async def _probe(self) -> None:
        """Holds the clock against beacons and the database's clock; tells other engines how far lanes are."""
        await asyncio.to_thread(self.writer.marks.share)
        if await self._db(self.writer.look_back):
            log.error("the database is older than what was committed before: no lane is driven (manage.py recover)")
        await self._compare()
        await asyncio.sleep(PROBE_S)

    async def _clock_wrong(self) -> bool:
        if self.clock.stepped():
            await self._compare()
        return self.clock.wrong

    async def _compare(self) -> None:
        """A beacon that a close at this moment would wait for, and that is public already, proves that the clock is late."""
        other_ms = await self._db(database_ms)
        if other_ms is not None:
            self.clock.saw(other_ms - TOLERANCE_MS)
        for rules in await self._db(rooms_in_use):
            network = rules.network
            if network is not None:
                closing = sources.source_of(rules.source, network, self.clock.machine_ms(), rules.entropy_margin_s)
                await self._beacon(rules, closing.number)
        was = self.clock.wrong
        self.clock.compared()
        if self.clock.wrong and not was:
            log.error("this machine's clock is late: no bets are taken, and no round is begun, until it is right")

    # ---- calls

    async def _calls(self) -> None:
        self._to_send.clear()
        for call in await self._db(calls.claim, self.clock.machine_ms()):
            if call.id not in self._sending:
                self._sending.add(call.id)
                self._go(self._send(call))
        await self._pause(self._to_send)

    async def _send(self, call: Call) -> None:
        try:
            outcome = await calls.send(self.fleet, call)
            if call.lane:
                self._answers.setdefault(call.lane, {})[call.id] = outcome
                self.wake(call.lane)
            else:
                await self._db(calls.answered, {call.id: outcome}, self.clock.machine_ms())
        except (DatabaseError, OSError) as error:
            log.warning("%s %s: %s", call.kind, call.ref, error)  # it is due again in a while
        except Exception:
            log.exception("%s %s could not be sent; it is tried again", call.kind, call.ref)
        finally:
            self._sending.discard(call.id)

    # ---- the fleet's feed

    async def _follow(self) -> None:
        """After each silence the first question is whether it is the fleet that it was."""
        if self._unsure and not await self._same_fleet():
            await asyncio.sleep(OLDER_S)
            return
        self._unsure = False
        try:
            await self._read_on()
        except BaseException:
            self._unsure = True
            raise

    async def _same_fleet(self) -> bool:
        mine = await self._db(older_fleet.seen)
        if mine is None or not older_fleet.is_older(mine, (await self.fleet.events(after=mine.number - 1, limit=1)).events):
            if mine is not None and await self._db(older_fleet.known):  # the newer one is back
                await self._db(older_fleet.over, mine.number, f"{mine.number}|{mine.identity}", self.clock.now_ms())
            return True
        if not await self._db(older_fleet.known):
            locks = [lock.ref async for lock in self.fleet.each_lock()]
            transfers = [row.ref async for row in self.fleet.each_transfer()]
            lost = await self._db(older_fleet.unknown, locks, transfers)
            await self._db(older_fleet.noticed, lost, self.clock.now_ms())
            log.error("the fleet is older than what it told us: all lanes are paused, nothing is sent to it")
        return False

    async def _read_on(self) -> None:
        after = await self._db(feed.position)
        # The first answer is wanted at once: until the fleet has said whether it is live, nobody may play.
        page = await self.fleet.events(after=after, limit=FEED_LIMIT, wait=FEED_WAIT_S if self._mode_heard else 0)
        if not self._mode_heard or page.livemode is not self._livemode:
            await self._db(feed.saw_mode, page.livemode)
            self._mode_heard, self._livemode = True, page.livemode
        if page.next != after:
            worth = await self._worth(page.events)
            await self._db(feed.take, page.events, worth, after, page.next, self.clock.now_ms())

    async def _worth(self, events: list[Event]) -> Mapping[str, int]:
        ids = feed.brought_in(events)
        found: dict[str, int] = {}
        for start in range(0, len(ids), IDS_MAX):
            page = await self.fleet.deposits(ids=ids[start : start + IDS_MAX])
            found |= {row.deposit_id: row.value_cents for row in page.deposits}
        return found


def due_lanes(now_ms: int, name: str) -> list[str]:
    """Lanes with something to do that no other engine is at: by their clock, or because a new bet is there."""
    close_old_connections()
    # A lease of somebody whose clock is far ahead is none.
    until = Q(driver_until_ms__lte=now_ms) | Q(driver_until_ms__gt=now_ms + settings.SITE_LEASE_MS)
    # A retired lane too: what was under way when it ended is freed, and a bet that comes late is refused.
    mine = Lane.objects.filter(Q(driver=name) | until)
    waiting = Bet.objects.filter(state__in=(Bet.NEW, Bet.LOCKED)).values("lane")
    buying = Purchase.objects.filter(state=Purchase.NEW).values("lane")
    due = mine.filter(Q(next_at_ms__lte=now_ms) | Q(name__in=waiting) | Q(name__in=buying)).order_by("next_at_ms")
    return list(due.values_list("name", flat=True)[:LANES_AT_ONCE])


def rooms_in_use() -> list[Room]:
    """Rules whose rounds wait for a beacon, one for each chain."""
    close_old_connections()
    rows = RoomVersion.objects.filter(state__in=(RoomVersion.APPROVED, RoomVersion.IN_USE)).values_list("rules", flat=True)
    raffled = TemplateVersion.objects.filter(template__active=True, state=TemplateVersion.APPROVED)
    in_use = [rooms.parse(json.loads(text)) for text in rows] + [instances.rules_of(row, 1) for row in raffled]
    return list({rules.entropy: rules for rules in in_use if rules.source.waits}.values())


def database_ms() -> int | None:
    """The clock of the database, where that is another machine's."""
    close_old_connections()
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        row = cursor.fetchone()
    return int(row[0]) if row else None


def chain_of(rules: Room) -> drand.Chain:
    """The drand chain that a room waits for. Raises ValueError where it waits for none."""
    terms, network = rules.beacon, rules.network
    if network is None:
        raise ValueError(f"{rules.name} waits for no beacon")
    if terms is None:
        return drand.CHAINS[network.chain_hash]
    key, group = bytes.fromhex(terms.public_key), bytes.fromhex(terms.group_hash)
    return drand.Chain(terms.beacon_id, network.chain_hash, key, terms.period, terms.genesis, group, network.chained)
