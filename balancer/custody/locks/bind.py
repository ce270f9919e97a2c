"""Bind rows to a game: all of a call or none, once per ref."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from balancer.custody import refs
from balancer.custody.locks.show import RELEASED, Lock, LockRow
from balancer.custody.locks.terms import Terms, Wish, was_released, why_not
from balancer.custody.refs import Answer, Call
from balancer.db import pipeline
from balancer.db.pipeline import Statement, Step
from balancer.db.tables import bots, deposits, items, lock_rows, locks, users
from balancer.fields import maybe_unix, unix
from balancer.items import worth
from balancer.journal import events
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
    data = {**call.key, "deposit_ids": list(rows), "note": wish.note}
    lock_event = events.row("items_locked", data, call.by, None, wish.user_id)
    kept = pipeline.inserting(connection, [(lock_rows, [_kept(call, row) for row in rows.values()])])
    steps = [_binding(connection, call.client_id, call.ref, list(rows), call.now), *kept]
    (bound, *_), event = refs.do_and_tell(connection, steps, lock_event)
    _check_bound(bound, list(rows))
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
            worth.value_cents.label("item_value_cents"),
            worth.value_source.label("value_source"),
            worth.valued_at.label("valued_at"),
            bots.c.frozen_by.label("bot_frozen"),
        )
        .select_from(
            worth.of(deposits).outerjoin(bots, (bots.c.color == deposits.c.color) & (bots.c.bot_id == deposits.c.bot_id))
        )
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
    [bound] = pipeline.run(connection, [_binding(connection, client_id, ref, ids, now)])
    _check_bound(bound, ids)


_BIND = Statement.of(
    f"UPDATE deposits SET locked_by = :tag, touched = :now WHERE deposit_id :ids[] AND status = '{DepositStatus.ACTIVE.value}' "  # noqa: S608
    "AND locked_by IS NULL"
)


def _binding(connection: Connection, client_id: str, ref: str, ids: Sequence[str], now: datetime) -> Step:
    return _BIND.step(connection, tag=refs.tag(client_id, ref), now=now, ids=list(ids))


def _check_bound(bound: int, ids: Sequence[str]) -> None:
    if bound != len(ids):
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
