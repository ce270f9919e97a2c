"""Bind rows to a game: all of a call or none, once per ref."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from balancer.custody import refs
from balancer.custody.locks.show import RELEASED, Lock, LockRow
from balancer.custody.locks.terms import Terms, Wish, was_released, why_not
from balancer.custody.refs import Answer, Call
from balancer.db import pipeline
from balancer.db.tables import bots, deposits, items, lock_rows, locks, users
from balancer.fields import maybe_unix, unix
from shared.domain.games import LockRowState, LockState
from shared.domain.status import DepositStatus
from shared.errors import Conflict, FleetPaused


def lock(connection: Connection, call: Call, wish: Wish, terms: Terms) -> Answer:
    """Bind all of these rows or none. The same ref and body again: the same answer, as it was given.

    Raises:
        NotFound, Forbidden (not_owner), Conflict (not_active, item_locked, item_unsettled, item_frozen, partner_blocked,
        bot_restricted, value_stale, lock_released), RequestReused (ref_reused), FleetPaused: see `why_not`.
    """
    new = {**call.key, "user_id": wish.user_id, "state": LockState.HELD.value, "note": wish.note}
    if not write_new(connection, {**new, "body_hash": call.body_hash, "created_at": call.now}):
        return _again(connection, call)
    if terms.paused is not None:
        raise FleetPaused("Locks are paused.", reason=terms.paused or None, paused="locks")
    rows = rows_of(connection, wish.deposit_ids)
    # After the rows are locked: a reversal freezes them and blocks its user in one transaction.
    blocked_by = connection.scalar(select(users.c.blocked_by).where(users.c.user_id == wish.user_id))
    if (refusal := why_not(wish, rows, blocked_by, call, terms)) is not None:
        raise refusal
    bind(connection, call.client_id, call.ref, list(rows), call.now)
    kept = [_kept(call, row) for row in rows.values()]
    connection.execute(lock_rows.insert(), kept)
    data = {**call.key, "deposit_ids": list(rows), "note": wish.note}
    event = refs.tell(connection, "items_locked", data, call.who, call.now, wish.user_id)
    shown = [_row_view(row) for row in rows.values()]
    return refs.finish(
        connection, locks, call, Lock(call.ref, wish.user_id, LockState.HELD, wish.note, unix(call.now), shown, event)
    )


def write_new(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Write the row of a ref that was never seen; false: it was."""
    new = pipeline.insert(connection, locks).values(row).on_conflict_do_nothing().returning(locks.c.ref)
    return connection.execute(new).first() is not None


def _again(connection: Connection, call: Call) -> Answer:
    row = connection.execute(select(locks).where(refs.of(locks, call))).one()
    if row.state in RELEASED:
        raise was_released([call.ref])
    refs.check_body(row.body_hash, call)
    return Answer(row.answer, first=False)


def rows_of(connection: Connection, deposit_ids: Iterable[str]) -> dict[str, Row[Any]]:
    """These deposits with their items, locked in the order of their ids; ``bot_frozen`` is why their bot is."""
    query = (
        select(
            deposits,
            items.c.market_hash_name,
            items.c.icon_url,
            items.c.value_cents.label("item_value_cents"),
            items.c.value_source,
            items.c.valued_at,
            bots.c.frozen_by.label("bot_frozen"),
        )
        .join(items, items.c.item_id == deposits.c.item_id)
        .outerjoin(bots, (bots.c.color == deposits.c.color) & (bots.c.bot_id == deposits.c.bot_id))
        .where(deposits.c.deposit_id.in_(list(deposit_ids)))
        .order_by(deposits.c.deposit_id)
        .with_for_update(of=deposits)
    )
    return {row.deposit_id: row for row in connection.execute(query)}


def bind(connection: Connection, client_id: str, ref: str, ids: Sequence[str], now: datetime) -> None:
    """Whatever was read before: only rows that are free this very moment are bound, and all of them.

    Raises:
        Conflict: ``item_locked``; the transaction is given up.
    """
    free = (deposits.c.status == DepositStatus.ACTIVE.value, deposits.c.locked_by.is_(None))
    bound = connection.execute(
        update(deposits).where(deposits.c.deposit_id.in_(ids), *free).values(locked_by=refs.tag(client_id, ref), touched=now)
    )
    if bound.rowcount != len(ids):
        raise Conflict("An item was taken by another call at this moment.", code="item_locked", deposit_ids=list(ids))


def _kept(call: Call, row: Row[Any]) -> dict[str, Any]:
    return {
        **call.key,
        "deposit_id": row.deposit_id,
        "value_cents": row.item_value_cents,
        "valued_at": row.valued_at,
        "state": LockRowState.HELD.value,
    }


def _row_view(row: Row[Any]) -> LockRow:
    return LockRow(
        deposit_id=row.deposit_id,
        item_id=row.item_id,
        market_hash_name=row.market_hash_name,
        status=DepositStatus(row.status),
        state=LockRowState.HELD,
        value_cents=row.item_value_cents,
        valued_at=maybe_unix(row.valued_at),
        taken_in_value_cents=row.value_cents,
        settled_at=maybe_unix(row.settled_at),
        settles_at=maybe_unix(row.settles_at),
        inspect_link=row.inspect_link,
        icon_url=row.icon_url,
    )
