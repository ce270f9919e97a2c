"""`POST /deposit`, `GET /trade/{id}` and `/healthz` of a balancer against bare servers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from scripts.benchmarks.load import Ask, Result, fire
from scripts.benchmarks.options import Options
from scripts.benchmarks.rows import Floor, Row, interleaved, median
from scripts.benchmarks.site import CONNECTIONS, ITEMS, Player, Site, cpu_s, site
from scripts.lab.postgres import EmbeddedPostgres

Say = Callable[[str], None]
TRADES_READ = 200


def on_postgres(options: Options, say: Say) -> Iterator[Row]:
    """The HTTP rows on PostgreSQL."""
    say("HTTP rows on PostgreSQL")
    with EmbeddedPostgres(durable=options.durable) as server:
        urls = server.create_database("ours"), server.create_database("raw")
        written = promises(urls[0])
        with site(*urls, say) as running:
            yield from deposit_rows(running, options, "PostgreSQL", 0.3, "≥ 0.5", written)
            yield from read_rows(running, options)


def on_sqlite(options: Options, say: Say) -> Iterator[Row]:
    """The deposit rows on SQLite."""
    say("HTTP rows on SQLite")
    with folder() as place:
        urls = f"sqlite:///{place / 'ours.db'}", f"sqlite:///{place / 'raw.db'}"
        with site(*urls, say) as running:
            yield from deposit_rows(running, options, "SQLite", 0.25, "≥ 0.25", "WAL, synchronous=FULL")


@contextmanager
def folder() -> Iterator[Path]:
    """Where databases of one measurement lie."""
    with tempfile.TemporaryDirectory(prefix="fleet-bench-db-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def promises(url: str) -> str:
    """What this PostgreSQL promises about a commit."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        said = []
        for name in ("synchronous_commit", "fsync"):
            found = connection.execute(f"SHOW {name}".encode()).fetchone()
            said.append(f"{name}={found[0] if found else '?'}")
        return ", ".join(said)


def deposit_rows(running: Site, options: Options, database: str, floor: float, goal: str, written: str) -> Iterator[Row]:
    """Rate and slowest hundredth of a deposit of ten items, against the same rows written by the bare driver."""
    stack = running.stack

    worked: dict[str, list[float]] = {"ours": [], "raw": []}

    def fired(side: str, url: str, players: list[Player], api_key: str = "") -> Result:
        begun_s = cpu_s(running.pids[side])
        asks = [player.deposit() for player in players]
        result = fire(url, asks, connections=CONNECTIONS, api_key=api_key).require(201, 202)
        ended_s = cpu_s(running.pids[side])
        if begun_s is not None and ended_s is not None:
            worked[side].append((ended_s - begun_s) * 1000 / len(players))
        return result

    def ours(_turn: int) -> Result:
        players = running.players.take(options.deposits)
        running.warm(players)
        return fired("ours", stack.balancer_url, players, stack.api_key)

    def raw(_turn: int) -> Result:
        return fired("raw", running.raw_url, running.players.take(options.deposits))

    for warm_up in (ours, raw):
        warm_up(-1)
    before = running.rows_written(running.ours), running.rows_written(running.raw)
    found = interleaved(options.rounds, {"ours": ours, "raw": raw})
    after = running.rows_written(running.ours), running.rows_written(running.raw)
    requests = options.rounds * options.deposits
    rows = [per_request(old, new, requests) for old, new in zip(before, after, strict=True)]
    note = f"{CONNECTIONS} connections, {ITEMS} items, inventories known beforehand; {written}; rows per deposit {rows[0]}"
    if rows[1] != rows[0]:
        note += f", raw {rows[1]}"
    name = f"POST /deposit, {database}"
    yield _rate(name, found, Floor.ratio(floor), goal, note)
    yield _p99(name, found, "≤ 3x")
    if all(worked.values()):
        mine, bare = median(worked["ours"][1:]), median(worked["raw"][1:])
        note = "of the server's process with its loops, without the database's; steadier than a rate on a busy machine"
        yield Row(f"{name}: processor time", "ms each", mine, bare, note=note)


def per_request(before: dict[str, int], after: dict[str, int], requests: int) -> str:
    grown = {name: (after[name] - before[name]) / requests for name in after}
    # Users are made beforehand by the bench itself.
    return ", ".join(f"{name} {count:g}" for name, count in grown.items() if count and name != "users")


def _rate(name: str, found: dict[str, list[Result]], floor: Floor, goal: str, note: str = "") -> Row:
    ours, raw = (median([result.rate for result in found[side]]) for side in ("ours", "raw"))
    return Row(name, "per s", ours, raw, floor, goal, note)


def _p99(name: str, found: dict[str, list[Result]], goal: str) -> Row:
    ours, raw = (median([result.p99_ms for result in found[side]]) for side in ("ours", "raw"))
    middle = " / ".join(f"{median([result.p50_ms for result in found[side]]):.0f}" for side in ("ours", "raw"))
    return Row(f"{name}: p99", "ms", ours, raw, None, goal, f"p50 {middle} ms")


def read_rows(running: Site, options: Options) -> Iterator[Row]:
    """One trade by its id, and the page that says that the process answers."""
    stack = running.stack
    mine = [Ask("GET", f"/trade/{trade_id}") for trade_id in running.trade_ids(running.ours, TRADES_READ)]
    bare = [Ask("GET", f"/trade/{trade_id}") for trade_id in running.trade_ids(running.raw, TRADES_READ)]
    repeat = max(1, options.reads // max(1, len(mine)))
    name = "GET /trade/{id}, PostgreSQL"
    found = interleaved(
        options.rounds,
        {
            "ours": lambda _turn: fire(stack.balancer_url, mine, repeat=repeat, api_key=stack.api_key).require(200),
            "raw": lambda _turn: fire(running.raw_url, bare, repeat=repeat).require(200),
        },
    )
    yield _rate(
        name, found, Floor.ratio(0.3), "≥ 0.5", "64 connections; the bare side reads the trade and its ten items in one join"
    )
    yield _p99(name, found, "")
    health = [Ask("GET", "/healthz")]
    found = interleaved(
        options.rounds,
        {
            "ours": lambda _turn: fire(stack.balancer_url, health, repeat=options.reads * 2).require(200),
            "raw": lambda _turn: fire(running.raw_url, health, repeat=options.reads * 2).require(200),
        },
    )
    yield _rate("GET /healthz", found, Floor.ratio(0.8), "≥ 0.8", "64 connections; against a bare aiohttp handler")
