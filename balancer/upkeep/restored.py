"""A copy of a SQLite database while it is in use, and putting one back: what may have happened since is looked for.

A backup is older than the world. A trade that it shows as queued may have been sent since, so every trade of which an order may
be out goes into doubt, and a bot decides: it is never sent again on the backup's word. Trades that have an offer are searched
for as they are, accepted ones are looked at like any other. New trades stay paused until an operator has run the audit, because
what was made after the backup is not in it. Event numbers jump, so that readers of the feed miss nothing.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select, text, update
from sqlalchemy.engine import make_url

from balancer.db import engine
from balancer.db.tables import trades
from balancer.fleet import switches
from balancer.journal import events, record
from balancer.journal.by import By
from balancer.journal.rules import ByRules, Rules
from shared import private_files
from shared.domain.ids import bot_name
from shared.domain.status import LIVE, TradeEvent, TradeStatus
from shared.errors import Conflict, NotFound, SettingsError
from shared.settings import Settings

S = TradeStatus

NUMBERS_SKIPPED = 1_000_000
REASON = "restored from a backup: run the audit, then let trades go on"
_ORDER_MAY_BE_OUT = (S.QUEUED, S.SENDING)


def database_file(settings: Settings) -> Path:
    """The file of the SQLite database.

    Raises:
        SettingsError: it is another kind of database, or one in memory.
    """
    path = engine.sqlite_file(make_url(settings.database.url))
    if path is None:
        raise SettingsError("only a SQLite file is copied like this; for PostgreSQL use pg_dump, and --marks-only afterwards")
    return path


def backup(source: Path, target: Path) -> int:
    """A whole and consistent copy, also while balancers write. Returns its size in bytes.

    Raises:
        NotFound: there is no such database.
        Conflict: the target exists.
    """
    if not source.exists():
        raise NotFound(f"there is no database {source}")
    if target.exists():
        raise Conflict(f"{target} exists; a backup overwrites nothing")
    with private_files.draft(target) as half:
        try:
            _copy(source, half)
        except sqlite3.Error as error:
            raise Conflict(f"{target} was not written: {error}; look at the space on its disk, and at {source}") from error
        half.rename(target)
    return target.stat().st_size


def put_back(copy: Path, database: Path, now: datetime) -> Path | None:
    """Put a checked copy in the database's place. What was there is kept beside it; its file is returned.

    Raises:
        NotFound, Conflict: the copy is not there, is damaged, or is none of ours.
    """
    _check(copy)
    kept = None
    if database.exists():
        kept = database.with_name(f"{database.name}.before-{now:%Y%m%d-%H%M%S}")
        backup(database, kept)
    private_files.make_folder(database.parent)
    private_files.make(database)
    _copy(copy, database)
    return kept


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(target)) as writer:
        reader.backup(writer)


def _check(copy: Path) -> None:
    if not copy.is_file():
        raise NotFound(f"there is no backup {copy}")
    try:
        with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        raise Conflict(f"{copy} is no database ({error}); nothing was changed, name another one") from error
    if verdict != "ok" or not {"alembic_version", "trades", "deposits"} <= tables:
        raise Conflict(f"{copy} is damaged, or no backup of this service; nothing was changed, name another one")


# --- what may have happened since -----------------------------------------------------------------------


def mark(connection: Connection, settings: Settings, by: By) -> dict[str, int]:
    """After a restore: doubt, searches, paused switches, a jump of the event numbers. How many trades by status before.

    Nothing is searched for before orders from before the restore are over for certain.
    """
    skip_numbers(connection)
    rules, times = Rules.of(settings), settings.trades
    find_at = by.now + timedelta(seconds=times.order_expiry_s + times.order_in_hand_s)
    rows = list(connection.execute(_open_trades()))
    counted: dict[str, int] = {}
    for trade in rows:
        counted[trade.status] = counted.get(trade.status, 0) + 1
        _mark(connection, trade, ByRules(by.who, by.now, rules), find_at)
    for switch in switches.NAMES:
        switches.write(connection, switch, by, REASON, True)
    events.append(connection, events.row("database_restored", {"trades": counted}, by))
    return counted


def _open_trades() -> Any:
    open_now = [*(status.value for status in LIVE), S.ACCEPTED.value]
    return select(trades).where(trades.c.status.in_(open_now)).order_by(trades.c.trade_id).with_for_update()


def _mark(connection: Connection, trade: Row[Any], by: ByRules, find_at: datetime) -> None:
    if trade.status in _ORDER_MAY_BE_OUT:
        record.record(connection, trade, TradeEvent.ANSWER_LOST, {"reason": "restored"}, by)
    else:
        bot = bot_name(trade)
        row = events.row("restored", {"status": trade.status}, by, trade.trade_id, trade.user_id, bot)
        events.append(connection, row)
    values: dict[str, Any] = {"find_at": find_at, "find_tries": 0, "settle_asked_at": None}
    connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(values))


def skip_numbers(connection: Connection) -> None:
    """Numbers that readers of the feed may have seen after the backup are not given out a second time."""
    if engine.is_postgres(connection):
        connection.execute(
            text("SELECT setval('events_number_seq', (SELECT last_value FROM events_number_seq) + :skipped)"),
            {"skipped": NUMBERS_SKIPPED},
        )
    else:
        connection.execute(
            text("UPDATE sqlite_sequence SET seq = seq + :skipped WHERE name = 'events'"), {"skipped": NUMBERS_SKIPPED}
        )
