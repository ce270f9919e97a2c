"""`POST /locks` and `POST /transfers`, few rows and as many as one call may have, against the raw statements."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert
from sqlalchemy.engine import Engine

from balancer.db import tables
from scripts.benchmarks.http_rows import folder, promises
from scripts.benchmarks.load import Ask, Result, fire
from scripts.benchmarks.options import Options
from scripts.benchmarks.raw_sql import BOTS
from scripts.benchmarks.rows import Floor, Row, interleaved, median
from scripts.benchmarks.site import Site, site
from scripts.lab.postgres import EmbeddedPostgres
from shared.clock import Clock

Say = Callable[[str], None]
FLOOR = 0.4
OWNER, WINNER = "user-owner", "user-winner"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Shape:
    """``locks`` of ``rows`` each, and transfers that each use up so many of them; over so many connections."""

    rows: int
    locks: int
    locks_per_transfer: int
    connections: int


def shapes(options: Options) -> list[Shape]:
    """Ten rows, and the most: locks of 1 000, transfers of 2 000."""
    few = 20 if options.quick else 300
    return [Shape(10, few, 1, 32), Shape(1000, 2 if options.quick else 6, 2, 2)]


def on_postgres(options: Options, say: Say) -> Iterator[Row]:
    """The rows of games on PostgreSQL."""
    say("locks and transfers on PostgreSQL")
    with EmbeddedPostgres(durable=options.durable) as server:
        urls = server.create_database("ours"), server.create_database("raw")
        written = promises(urls[0])
        with site(*urls, say) as running:
            yield from rows(running, options, "PostgreSQL", written)


def on_sqlite(options: Options, say: Say) -> Iterator[Row]:
    """… on SQLite."""
    say("locks and transfers on SQLite")
    with folder() as place, site(f"sqlite:///{place / 'ours.db'}", f"sqlite:///{place / 'raw.db'}", say) as running:
        yield from rows(running, options, "SQLite", "WAL, synchronous=FULL")


def rows(running: Site, options: Options, database: str, written: str) -> Iterator[Row]:
    """Four rates: locks and transfers of both shapes."""
    for engine in (running.ours, running.raw):
        _users(engine)
    for shape in shapes(options):
        found = _measure(running, options, shape)
        for place, (name, n_rows) in enumerate(
            (("POST /locks", shape.rows), ("POST /transfers", shape.rows * shape.locks_per_transfer))
        ):
            ours, raw = (median([pair[place].rate for pair in found[side]]) for side in ("ours", "raw"))
            middle = " / ".join(f"{median([pair[place].p50_ms for pair in found[side]]):.1f}" for side in ("ours", "raw"))
            note = f"{shape.connections} connections; p50 {middle} ms; {written}"
            yield Row(f"{name} of {n_rows}, {database}", "per s", ours, raw, Floor.ratio(FLOOR), "≥ 0.4", note)


def _measure(running: Site, options: Options, shape: Shape) -> dict[str, list[tuple[Result, Result]]]:
    def play(engine: Engine, url: str, api_key: str) -> tuple[Result, Result]:
        locks, transfers = _asks(shape, _deposits(engine, running.item_id, shape.rows * shape.locks))
        fired = [
            fire(url, asks, connections=shape.connections, api_key=api_key).require(200, 201) for asks in (locks, transfers)
        ]
        return fired[0], fired[1]

    def ours(_turn: int) -> tuple[Result, Result]:
        return play(running.ours, running.stack.balancer_url, running.stack.api_key)

    def raw(_turn: int) -> tuple[Result, Result]:
        return play(running.raw, running.raw_url, "")

    for warm_up in (ours, raw):
        warm_up(-1)
    return interleaved(options.rounds, {"ours": ours, "raw": raw})


def _asks(shape: Shape, ids: list[str]) -> tuple[list[Ask], list[Ask]]:
    number, locks, transfers = next(_numbers), [], []
    for start in range(0, len(ids), shape.rows):
        ref = f"bench-{number}-{start}"
        locks.append(Ask("POST", "/locks", {"ref": ref, "user_id": OWNER, "deposit_ids": ids[start : start + shape.rows]}))
    for start in range(0, len(locks), shape.locks_per_transfer):
        used = [ask.body for ask in locks[start : start + shape.locks_per_transfer]]
        moves = [{"deposit_id": each, "from": OWNER, "to": WINNER} for body in used for each in body["deposit_ids"]]
        body = {"ref": f"bench-{number}-{start}", "locks": [body["ref"] for body in used], "moves": moves}
        transfers.append(Ask("POST", "/transfers", body))
    return locks, transfers


def _users(engine: Engine) -> None:
    now = Clock().now()
    both = [{"user_id": each, "steam_id": 76561198000000001 + n, "created_at": now} for n, each in enumerate((OWNER, WINNER))]
    with engine.begin() as connection:
        connection.execute(insert(tables.users), both)


def _deposits(engine: Engine, item_id: str, count: int) -> list[str]:
    """Fresh rows in custody of one owner, spread over the bots; their ids."""
    now, number = Clock().now(), next(_numbers)
    made: list[dict[str, Any]] = [
        {
            "deposit_id": f"dep_bench{number:06}x{place:06}",
            "item_id": item_id,
            "user_id": OWNER,
            "status": "active",
            "color": "red",
            "bot_id": place % BOTS + 1,
            "app_id": 730,
            "context_id": "2",
            "asset_id": 90_000_000_000 + number * 1_000_000 + place,
            "value_cents": 100,
            "settled_at": now,
            "created_at": now,
            "touched": now,
        }
        for place in range(count)
    ]
    with engine.begin() as connection:
        connection.execute(insert(tables.deposits), made)
    return [row["deposit_id"] for row in made]
