"""What is kept of a person, and forgetting it: an operator's answer to somebody who asks for either.

Whoever is forgotten leaves trades, items and events behind, as the books must go on adding up, under a made-up name that
nobody can lead back: user id, Steam id, trade URL and messages are gone. Only who has nothing here any more is forgotten.
Backups and logs are the operator's.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, or_, select, update

from balancer.db import engine
from balancer.db.tables import (
    HOUSE,
    credit_calls,
    credits,
    deposits,
    events,
    exchanges,
    idempotency,
    lock_rows,
    locks,
    operator_sessions,
    operators,
    sessions,
    tokens,
    trade_items,
    trades,
    users,
)
from balancer.journal import events as feed
from balancer.journal.by import By
from shared.domain.status import IN_CUSTODY, LIVE, TradeStatus
from shared.errors import Conflict, NotFound

PAGE = 20_000  # events that one look goes through
CHUNK = 500
FORGOTTEN = "user_forgotten"
# Under way, or Steam may still reverse it.
_OPEN = [*(status.value for status in LIVE), TradeStatus.ACCEPTED.value]


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the site and the Steam account that belongs to it."""

    user_id: str
    steam_id: int
    blocked_by: str | None


def find(connection: Connection, name: str) -> Person:
    """The person with this user id or, if there is none, this Steam id.

    Raises:
        NotFound: nobody such is known.
    """
    which = [users.c.user_id == name]
    if name.isdigit() and len(name) <= 18:
        which.append(users.c.steam_id == int(name))
    for condition in which:
        row = connection.execute(select(users).where(condition, users.c.steam_id.is_not(None))).first()
        if row is not None and row.user_id != HOUSE:
            return Person(row.user_id, row.steam_id, row.blocked_by)
    raise NotFound(f"no person here has the user id or the Steam id {name}")


# --- everything that is kept -----------------------------------------------------------------------------


def export(connection: Connection, person: Person) -> dict[str, Any]:
    """Everything that is kept of this person, as plain JSON values; of secrets only that there is one."""
    mine = select(trades.c.trade_id).where(trades.c.user_id == person.user_id)
    numbers = _pages(connection, 0, events.c.user_id == person.user_id)
    return {
        "user": _rows(connection, users, users.c.user_id == person.user_id)[0],
        "trades": [_without_secrets(row) for row in _rows(connection, trades, trades.c.user_id == person.user_id)],
        "trade_items": _rows(connection, trade_items, trade_items.c.trade_id.in_(mine)),
        "deposits": _rows(connection, deposits, _deposits_of(person)),
        "locks": _rows(connection, locks, locks.c.user_id == person.user_id),
        "credits": _rows(connection, credits, credits.c.user_id == person.user_id),
        "exchanges": _rows(connection, exchanges, exchanges.c.user_id == person.user_id),
        "sign_ins": [
            {name: row[name] for name in ("created_at", "expires_at")}
            for row in _rows(connection, sessions, sessions.c.steam_id == person.steam_id)
        ],
        "events": [row for chunk in _chunks(numbers) for row in _rows(connection, events, events.c.number.in_(chunk))],
    }


def _rows(connection: Connection, table: Table, which: ColumnElement[bool]) -> list[dict[str, Any]]:
    query = select(table).where(which).order_by(*table.primary_key.columns)
    return [{name: _plain(value) for name, value in row.items()} for row in connection.execute(query).mappings()]


def _plain(value: Any) -> Any:
    """Times as text, Steam's long numbers as text too."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, int) and value > 2**53 else value


def _without_secrets(trade: dict[str, Any]) -> dict[str, Any]:
    sealed = trade.pop("trade_url_sealed")
    return {**trade, "trade_url_kept": bool(sealed)}


def _deposits_of(person: Person) -> ColumnElement[bool]:
    return or_(deposits.c.user_id == person.user_id, deposits.c.from_steam_id == person.steam_id)


# --- forgetting --------------------------------------------------------------------------------------------


def check_free(connection: Connection, person: Person) -> None:
    """
    Raises:
        Conflict: ``still_trading``, ``items_in_custody``, ``credit_left`` or ``partner_blocked``: why this person cannot be
            forgotten yet.
    """
    unfinished = or_(trades.c.status.in_(_OPEN), trades.c.items_awaited > 0, trades.c.find_at.is_not(None))
    open_trades = list(connection.scalars(select(trades.c.trade_id).where(trades.c.user_id == person.user_id, unfinished)))
    if open_trades:
        raise Conflict(
            f"{person.user_id} has {len(open_trades)} trades under way, or that Steam may still reverse, {open_trades[0]} for "
            "one; wait until they have settled or ended",
            code="still_trading",
        )
    custody = deposits.c.status.in_([status.value for status in IN_CUSTODY])
    here = connection.scalar(select(func.count()).where(deposits.c.user_id == person.user_id, custody))
    if here:
        raise Conflict(f"{person.user_id} has {here} items in custody; give them back first", code="items_in_custody")
    cents = connection.scalar(select(users.c.credit_cents).where(users.c.user_id == person.user_id))
    if cents:
        raise Conflict(f"{person.user_id} has a credit of {cents} cents; settle it first", code="credit_left")
    if person.blocked_by is not None:
        raise Conflict(
            f"{person.user_id} is blocked, as trade {person.blocked_by} was reversed, and could begin anew; unblock first",
            code="partner_blocked",
        )


def mentions(connection: Connection, person: Person, after: int, page: int = PAGE) -> list[int]:
    """Numbers above ``after`` of the events that are about this person or name them, looked for ``page`` by ``page``."""
    place = func.strpos if engine.is_postgres(connection) else func.instr
    named = [place(events.c.data, text) > 0 for text, _ in _names(person, "")]
    return _pages(connection, after, or_(events.c.user_id == person.user_id, *named), page)


def _pages(connection: Connection, after: int, which: ColumnElement[bool], size: int = PAGE) -> list[int]:
    """Numbers of events above ``after``; a bounded number of them is gone through at a time."""
    numbers: list[int] = []
    while True:
        page = select(events.c.number).where(events.c.number > after).order_by(events.c.number).limit(size).subquery()
        last = connection.scalar(select(func.max(page.c.number)))
        if last is None:
            return numbers
        query = select(events.c.number).where(events.c.number > after, events.c.number <= last, which)
        numbers += list(connection.scalars(query.order_by(events.c.number)))
        after = last


def forget(connection: Connection, person: Person, known: list[int], by: By) -> dict[str, int]:
    """Take this person's name off everything. ``known``: what `mentions` found before; later events are looked up here.

    Returns how many trades, items and events were renamed.

    Raises:
        NotFound, Conflict: they are not here any more, or may not be forgotten yet; nothing was changed.
    """
    locked = connection.execute(select(users).where(users.c.user_id == person.user_id).with_for_update()).first()
    if locked is None or locked.steam_id != person.steam_id:
        raise NotFound(f"{person.user_id} is not here any more")
    check_free(connection, Person(locked.user_id, locked.steam_id, locked.blocked_by))
    alias = f"forgotten-{secrets.token_hex(8)}"
    connection.execute(insert(users).values(user_id=alias, steam_id=None, created_at=by.now))
    _drop_what_only_names(connection, person)
    numbers = [*known, *mentions(connection, person, max(known, default=0))]
    _rename_events(connection, person, alias, numbers)
    _rename_games(connection, person, alias)
    n_trades = connection.execute(
        update(trades)
        .where(trades.c.user_id == person.user_id)
        .values(user_id=alias, partner=0, trade_url_sealed="", message="", player_message=None)
    ).rowcount
    n_items = connection.execute(
        update(deposits).where(deposits.c.user_id == person.user_id).values(user_id=alias, from_steam_id=None)
    ).rowcount
    connection.execute(update(deposits).where(_deposits_of(person)).values(from_steam_id=None))
    connection.execute(delete(users).where(users.c.user_id == person.user_id))
    done = {"trades": n_trades, "items": n_items, "events": len(numbers)}
    feed.append(connection, feed.row(FORGOTTEN, done, by, None, alias))
    return done


def _drop_what_only_names(connection: Connection, person: Person) -> None:
    """Sign-ins, an operator's codes, tokens, and the keys of requests, which a site may have made of a name."""
    mine = trades.c.user_id == person.user_id
    for table in (sessions, operator_sessions, operators):
        connection.execute(delete(table).where(table.c.steam_id == person.steam_id))
    connection.execute(delete(tokens).where(tokens.c.trade_id.in_(select(trades.c.trade_id).where(mine))))
    # A request's key is written at the same moment as its trades.
    made = list(connection.execute(select(trades.c.trade_id, trades.c.created_at).where(mine)))
    for row in made:
        same = idempotency.c.trade_ids.contains(row.trade_id, autoescape=True)
        connection.execute(delete(idempotency).where(idempotency.c.created_at == row.created_at, same))


def _rename_events(connection: Connection, person: Person, alias: str, numbers: list[int]) -> None:
    data: Any = events.c.data
    for text, instead in _names(person, alias):
        data = func.replace(data, text, instead)
    for chunk in _chunks(numbers):
        here = events.c.number.in_(chunk)
        connection.execute(update(events).where(here).values(data=data))
        connection.execute(update(events).where(here, events.c.user_id == person.user_id).values(user_id=alias))


def _rename_games(connection: Connection, person: Person, alias: str) -> None:
    """Locks and lines of credit stay under the made-up name; the answers of locks are wiped of both ids, whoever's they are."""
    answer: Any = locks.c.answer
    for text, instead in [*_names(person, alias), (str(person.steam_id), "0")]:
        answer = func.replace(answer, text, instead)
    held_its_items = select(lock_rows.c.ref).where(
        lock_rows.c.client_id == locks.c.client_id,
        lock_rows.c.ref == locks.c.ref,
        lock_rows.c.deposit_id.in_(select(deposits.c.deposit_id).where(_deposits_of(person))),
    )
    mine = locks.c.user_id == person.user_id
    connection.execute(update(locks).where(or_(mine, held_its_items.exists())).values(answer=answer))
    connection.execute(update(locks).where(mine).values(user_id=alias))
    its_lines = select(credits.c.line).where(
        credits.c.user_id == person.user_id,
        credits.c.client_id == credit_calls.c.client_id,
        credits.c.ref == credit_calls.c.ref,
    )
    credit_answer: Any = credit_calls.c.answer
    for text, instead in _names(person, alias):
        credit_answer = func.replace(credit_answer, text, instead)
    connection.execute(update(credit_calls).where(its_lines.exists()).values(answer=credit_answer))
    for table in (credits, exchanges):
        connection.execute(update(table).where(table.c.user_id == person.user_id).values(user_id=alias))


def _names(person: Person, alias: str) -> list[tuple[str, str]]:
    """How an event's data may name this person, and what is written instead: a user id where it is one, a Steam id anywhere."""
    return [
        (f'"user_id":{json.dumps(person.user_id)}', f'"user_id":{json.dumps(alias)}'),
        (f'"{person.steam_id}"', json.dumps(alias)),
        (f":{person.steam_id}", ":0"),
    ]


def _chunks(numbers: list[int]) -> list[list[int]]:
    return [numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK)]
