"""Choosing a bot: the choice in memory alone, and with the reservation that makes it true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from balancer.db import migrate
from balancer.db.engine import Database
from balancer.fleet import reserve
from balancer.fleet.choose import Limits, Refusal, Room, Rooms, choose_deposit
from balancer.fleet.reads import idlest, window
from balancer.fleet.snapshot import Fleet
from scripts.benchmarks.fake_fleet import FakeFleet
from scripts.benchmarks.options import Options
from scripts.benchmarks.rows import BenchError, Floor, Row, interleaved, median
from scripts.benchmarks.running import folder
from scripts.lab.postgres import EmbeddedPostgres
from scripts.lab.redis_server import EmbeddedRedis
from shared import settings, wire
from shared.clock import Clock, ServerClock
from shared.sealing import MasterKey

Say = Callable[[str], None]
SIZES = (10, 1000, 10_000)
FLOORS = {1000: 0.9, 10_000: 0.85}
PICK_FLOOR = 0.2  # a tenth of a microsecond is lost to the processor's caches; sorting ten thousand bots would leave 0.0001
CHOICES = 2000
ITEMS = 10

# Ten thousand heartbeats take a while to write on a busy machine; none of them shall count as old.
PATIENT = {"offline_after_s": 600.0}


def choosing(options: Options, say: Say) -> Iterator[Row]:
    """Choices per second among many bots, as a share of those among ten."""
    say("choosing a bot")
    found = interleaved(options.repeats, {str(size): _choices_of(size) for size in SIZES})
    base = median(found[str(SIZES[0])])
    for size in SIZES[1:]:
        rate = median(found[str(size)])
        yield Row(_named("choosing a bot", size), "per s", rate, base, note="in memory, against ten bots")
    with (
        folder() as directory,
        EmbeddedRedis(directory / "redis") as carrier,
        EmbeddedPostgres(durable=options.durable) as server,
    ):
        yield from _reserving(options, carrier.url, server)


def _named(what: str, size: int) -> str:
    return f"{what} among {size:,}".replace(",", " ")


def _choices_of(size: int) -> Callable[[int], float]:
    rooms = Rooms(Limits(items_max=10**9, offers_max=10**9, trade_items_max=100))
    for number in range(size):
        rooms.put(Room(f"red-{number + 1}", "red", number * 7919 % 500, number % 25))

    def choose(_turn: int) -> float:
        started = time.perf_counter()
        for _ in range(CHOICES):
            parts = choose_deposit(rooms, {}, ITEMS, None)
            if isinstance(parts, Refusal):
                raise BenchError(f"no bot was chosen: {parts}")
            for name, n_items in parts:
                rooms.take(name, n_items)
        return CHOICES / (time.perf_counter() - started)

    return choose


def _reserving(options: Options, redis_url: str, server: EmbeddedPostgres) -> Iterator[Row]:
    """The choice and its guarded UPDATE as one transaction of PostgreSQL."""
    sides, picks = {}, {}
    opened = []
    for size in SIZES:
        database, fleet = _fleet(redis_url, server.create_database(f"bots_{size}"), size)
        opened.append(database)
        sides[str(size)] = _reservations_of(database, fleet, options)
        picks[str(size)] = _picks_of(fleet)
    yield from _picking(interleaved(options.repeats, picks))
    found = interleaved(options.rounds, sides)
    base = median(found[str(SIZES[0])])
    for size in SIZES[1:]:
        floor, rate = FLOORS[size], median(found[str(size)])
        note = "one thread, PostgreSQL, against ten bots"
        yield Row(_named("choosing and reserving", size), "per s", rate, base, Floor.ratio(floor), f"≥ {floor}", note)
    for database in opened:
        database.close()


def _picking(found: dict[str, list[float]]) -> Iterator[Row]:
    """The bot that reads a player's inventory."""
    base = median(found[str(SIZES[0])])
    for size in SIZES[1:]:
        rate, floor = median(found[str(size)]), Floor.ratio(PICK_FLOOR)
        name = _named("picking a reader", size)
        yield Row(name, "per s", rate, base, floor, f"≥ {PICK_FLOOR}", "in memory, against ten bots")


def _picks_of(fleet: Fleet) -> Callable[[int], float]:
    def pick(_turn: int) -> float:
        started = time.perf_counter()
        for number in range(CHOICES):
            idlest(window(fleet.lanes, number)[0], number, ())
        return CHOICES / (time.perf_counter() - started)

    return pick


def _fleet(redis_url: str, url: str, size: int) -> tuple[Database, Fleet]:
    """A snapshot of this many bots that are online, with their rows."""
    migrate.upgrade(url)
    limits = {"offers_per_bot_max": 10**6, "bot_items_max": 10**7}
    loaded = settings.load(None, {"database": {"url": url}, "redis": {"url": redis_url}, "limits": limits, "group": PATIENT})
    master, client, clock = MasterKey(bytes(32)), wire.connect(redis_url), Clock()
    client.delete(wire.BOTS)
    FakeFleet(redis_url, master, size, lambda _steam_id: []).beat_once(client)
    database = Database(loaded.database)
    fleet = Fleet(loaded, clock, ServerClock(clock), master, client, database)
    asyncio.run(fleet.refresh())
    if len(fleet.online()) != size:
        raise BenchError(f"{len(fleet.online())} of {size} bots are online")
    return database, fleet


def _reservations_of(database: Database, fleet: Fleet, options: Options) -> Callable[[int], float]:
    count = 20 if options.quick else 400

    def run(_turn: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            with database.transaction() as connection:
                reserve.for_deposit(connection, fleet, {}, ITEMS, None)
        return count / (time.perf_counter() - started)

    return run
