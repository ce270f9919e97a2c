"""The baseline: the same rows as one deposit of the balancer, written by the bare driver with as little as possible around it.

PostgreSQL gets all rows in one prepared statement, SQLite gets group commits from one writer thread. Nothing is validated,
chosen or ordered here: that is what the balancer is compared with.
"""

from __future__ import annotations

import itertools
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.rows import tuple_row

from scripts.benchmarks.fake_fleet import inspect_link, pattern_of, wear_of

BOTS = 100
BATCH_MAX = 64
_SEALED_URL = "A" * 150  # as long as a sealed trade URL
_numbers = itertools.count(int(time.time() * 1000) << 20)

TRADE = (
    "trade_id, direction, status, user_id, partner, trade_url_sealed, color, bot_id, attempt, items_awaited, expires_at, "
    "order_issued_at, order_expires_at, message, client_id, created_at, touched"
)
DEPOSIT = (
    "deposit_id, item_id, user_id, status, color, bot_id, app_id, context_id, asset_id, from_steam_id, class_id, instance_id, "
    "fingerprint, wear, pattern, inspect_link, value_cents, created_at, touched"
)
ITEM = "trade_id, deposit_id, market_hash_name, value_cents, fingerprint, app_id, context_id, asset_id"
TOKEN = "token_hash, trade_id, steam_id, expires_at"  # noqa: S105
EVENT = "at, kind, trade_id, user_id, bot, who, data"
IDEMPOTENCY = "client_id, key, body_hash, trade_ids, created_at"

POSTGRES_DEPOSIT = f"""
WITH
t AS (INSERT INTO trades ({TRADE}) VALUES (%(trade_id)s, 'deposit', 'queued', %(user_id)s, %(partner)s, %(url)s, 'red', %(bot)s,
  1, 0, %(later)s, %(now)s, %(later)s, '', 'cli_bench', %(now)s, %(now)s)),
d AS (INSERT INTO deposits ({DEPOSIT}) SELECT deposit_id, %(item_id)s, %(user_id)s, 'deposit_pending', 'red', %(bot)s, 730, '2',
  asset_id, %(partner)s, '310776767', '302028390', fingerprint, wear, pattern, link, %(cents)s, %(now)s, %(now)s
  FROM unnest(%(ids)s::text[], %(assets)s::bigint[], %(prints)s::text[], %(wears)s::text[], %(patterns)s::text[],
    %(links)s::text[]) AS r (deposit_id, asset_id, fingerprint, wear, pattern, link)),
i AS (INSERT INTO trade_items ({ITEM}) SELECT %(trade_id)s, deposit_id, %(name)s, %(cents)s, fingerprint, 730, '2', asset_id
  FROM unnest(%(ids)s::text[], %(assets)s::bigint[], %(prints)s::text[]) AS r (deposit_id, asset_id, fingerprint)),
k AS (INSERT INTO tokens ({TOKEN}) VALUES (%(token)s, %(trade_id)s, %(partner)s, %(later)s)),
m AS (INSERT INTO idempotency ({IDEMPOTENCY}) VALUES ('cli_bench', %(key)s, %(hash)s, %(trade_id)s, %(now)s)),
b AS (UPDATE bots SET slots_reserved = slots_reserved + 10, open_offers = open_offers + 1, touched = %(now)s
  WHERE color = 'red' AND bot_id = %(bot)s)
INSERT INTO events ({EVENT})
  VALUES (%(now)s, 'trade_created', %(trade_id)s, %(user_id)s, %(bot_name)s, 'client:bench', %(data)s)
"""  # noqa: S608 - made of the constants above

SENT = "UPDATE trades SET status = 'sent', offer_id = 7000000000 WHERE trade_id = {}"

TRADE_READ = """
SELECT t.trade_id, t.direction, t.status, t.user_id, t.partner, t.color, t.bot_id, b.steam_id, t.offer_id, t.attempt,
  t.cancel_requested_at, t.failure_code, t.failure_reason, t.player_message, t.settles_at, t.expires_at, t.created_at,
  t.touched, i.deposit_id, d.status, i.market_hash_name, i.value_cents, i.asset_id, i.new_asset_id, i.matched
FROM trades t JOIN bots b ON b.color = t.color AND b.bot_id = t.bot_id
JOIN trade_items i ON i.trade_id = t.trade_id LEFT JOIN deposits d ON d.deposit_id = i.deposit_id
WHERE t.trade_id = {} ORDER BY i.deposit_id
"""

Values = dict[str, Any]
Work = Callable[[sqlite3.Connection], None]


@dataclass(frozen=True, slots=True)
class Item:
    """The one kind of item that all deposits of a run are made of; it stands in the table already."""

    item_id: str
    name: str
    cents: int


def values(body: Any, key: str, item: Item) -> Values:
    """What one deposit writes, from the request's own JSON."""
    number = next(_numbers)
    now = datetime.now(UTC)
    bot = number % BOTS + 1
    assets = [int(asset_id) for asset_id in body["asset_ids"]]
    wears, patterns = [wear_of(asset) for asset in assets], [pattern_of(asset) for asset in assets]
    ids = [f"dep_{number:016x}{place:04d}" for place in range(len(assets))]
    told = [{"deposit_id": deposit_id, "to": "deposit_pending"} for deposit_id in ids]
    return {
        "trade_id": f"trd_{number:020x}",
        "user_id": body["user_id"],
        "partner": int(body["steam_id"]),
        "url": _SEALED_URL,
        "bot": bot,
        "bot_name": f"red-{bot}",
        "now": now,
        "later": now + timedelta(minutes=30),
        "item_id": item.item_id,
        "name": item.name,
        "cents": item.cents,
        "ids": ids,
        "assets": assets,
        "prints": [f"{item.name}|{wear}|{pattern}|" for wear, pattern in zip(wears, patterns, strict=True)],
        "wears": wears,
        "patterns": patterns,
        "links": [inspect_link(asset) for asset in assets],
        "token": f"{number:064x}",
        "key": key,
        "hash": f"{number:064x}",
        "data": json.dumps({"to": "queued", "direction": "deposit", "deposits": told}),
    }


class RawPostgres:
    """A thread and a connection for each unit of work in flight."""

    def __init__(self, url: str, units: int) -> None:
        parts = urlsplit(url)
        self._url = urlunsplit(parts._replace(scheme="postgresql"))
        self._own = threading.local()
        self._threads = ThreadPoolExecutor(units)

    def _connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        connection: psycopg.Connection[tuple[Any, ...]] | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=1, row_factory=tuple_row)
            self._own.connection = connection
        return connection

    def deposit(self, row: Values) -> Future[None]:
        return self._threads.submit(self._deposit, row)

    def _deposit(self, row: Values) -> None:
        self._connection().execute(POSTGRES_DEPOSIT.encode(), row)

    def sent(self, trade_id: str) -> Future[None]:
        """The update that follows a report."""
        return self._threads.submit(self._sent, trade_id)

    def _sent(self, trade_id: str) -> None:
        self._connection().execute(SENT.format("%s").encode(), (trade_id,))

    def run(self, work: Callable[[psycopg.Connection[tuple[Any, ...]]], None]) -> Future[None]:
        """Anything else that is one unit of work."""
        return self._threads.submit(lambda: work(self._connection()))

    def read(self, trade_id: str) -> Future[list[tuple[Any, ...]]]:
        return self._threads.submit(self._read, trade_id)

    def _read(self, trade_id: str) -> list[tuple[Any, ...]]:
        return self._connection().execute(TRADE_READ.format("%s").encode(), (trade_id,)).fetchall()


def _marks(columns: str) -> str:
    return ", ".join("?" * len(columns.split(", ")))


class RawSqlite:
    """One writer thread; what waits meanwhile shares the next commit."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self._path = path
        self._synchronous = synchronous
        self._waiting: queue.SimpleQueue[tuple[Values | str | Work, Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._write, daemon=True).start()

    def deposit(self, row: Values) -> Future[None]:
        return self._put(row)

    def sent(self, trade_id: str) -> Future[None]:
        """The update that follows a report."""
        return self._put(trade_id)

    def run(self, work: Work) -> Future[None]:
        """Anything else; the writer commits."""
        return self._put(work)

    def _put(self, work: Values | str | Work) -> Future[None]:
        done: Future[None] = Future()
        self._waiting.put((work, done))
        return done

    def _write(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        for pragma in ("journal_mode=WAL", f"synchronous={self._synchronous}", "busy_timeout=10000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        while True:
            batch = [self._waiting.get()]
            while len(batch) < BATCH_MAX and not self._waiting.empty():
                batch.append(self._waiting.get())
            connection.execute("BEGIN IMMEDIATE")
            for work, _ in batch:
                if isinstance(work, str):
                    connection.execute(SENT.format("?"), (work,))
                elif callable(work):
                    work(connection)
                else:
                    insert_sqlite(connection, work)
            connection.execute("COMMIT")
            for _, done in batch:
                done.set_result(None)


def insert_sqlite(connection: sqlite3.Connection, row: Values) -> None:
    """All rows of one deposit, a statement per table."""
    now, later = _naive(row["now"]), _naive(row["later"])
    trade_id, user_id, partner, bot, item = row["trade_id"], row["user_id"], row["partner"], row["bot"], row["item_id"]
    run = connection.execute
    run(
        f"INSERT INTO trades ({TRADE}) VALUES ({_marks(TRADE)})",  # noqa: S608
        (
            *(trade_id, "deposit", "queued", user_id, partner, row["url"], "red", bot),
            *(1, 0, later, now, later, "", "cli_bench", now, now),
        ),
    )
    each = list(zip(row["ids"], row["assets"], row["prints"], row["wears"], row["patterns"], row["links"], strict=True))
    connection.executemany(
        f"INSERT INTO deposits ({DEPOSIT}) VALUES ({_marks(DEPOSIT)})",  # noqa: S608
        [
            (
                *(deposit_id, item, user_id, "deposit_pending", "red", bot, 730, "2", asset, partner, "310776767", "302028390"),
                *(print_, wear, pattern, link, row["cents"], now, now),
            )
            for deposit_id, asset, print_, wear, pattern, link in each
        ],
    )
    connection.executemany(
        f"INSERT INTO trade_items ({ITEM}) VALUES ({_marks(ITEM)})",  # noqa: S608
        [(trade_id, deposit_id, row["name"], row["cents"], print_, 730, "2", asset) for deposit_id, asset, print_, *_ in each],
    )
    run(f"INSERT INTO tokens ({TOKEN}) VALUES ({_marks(TOKEN)})", (row["token"], trade_id, partner, later))  # noqa: S608
    run(
        f"INSERT INTO idempotency ({IDEMPOTENCY}) VALUES ({_marks(IDEMPOTENCY)})",  # noqa: S608
        ("cli_bench", row["key"], row["hash"], trade_id, now),
    )
    run(
        "UPDATE bots SET slots_reserved = slots_reserved + 10, open_offers = open_offers + 1, touched = ? "
        "WHERE color = 'red' AND bot_id = ?",
        (now, bot),
    )
    told = (now, "trade_created", trade_id, user_id, row["bot_name"], "client:bench", row["data"])
    run(f"INSERT INTO events ({EVENT}) VALUES ({_marks(EVENT)})", told)  # noqa: S608


def _naive(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
