"""Locks: rows of a user, or of the house, that are bound to a game, so that nobody withdraws them or plays them twice.

A lock never runs out by itself: one that ended in the middle of a round would be worse than one that stays. It ends when its
client releases it or hands its rows over (`balancer.custody.transfers`), or by an operator's word. A row under a held lock can
always be handed over: a freeze, a reversal, a blocked user, a pause change nothing about that.

Rows are locked in the order of their ids, after the lock's own row, so that calls at the same time wait for each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, Row, select, update

from balancer import fields
from balancer.custody import refs
from balancer.custody.refs import Answer, Call
from balancer.db import pipeline
from balancer.db.tables import bots, clients, deposits, items, lock_rows, locks, users
from balancer.fields import Time, maybe_unix, unix
from balancer.journal import events
from shared import log
from shared.domain.games import LockRowState, LockState
from shared.domain.status import DepositStatus
from shared.errors import Conflict, FleetError, FleetPaused, Forbidden, NotFound

logger = log.get(__name__)

HOUSE_ISSUED = "house"  # the source of a value that the house itself has set; it does not grow old
RELEASED = (LockState.RELEASED.value, LockState.RELEASED_UNSEEN.value)
OPEN = (LockState.HELD.value, LockState.PART_MOVED.value)
OPERATOR = "cli:"
ALARM = "lock_released_by_operator"
ACTION = (
    "the items of this lock can be withdrawn and locked again, although the game that they stand in may still run: see that "
    "the site has ended it; `fleet locks restore` binds them again while they are there"
)


@dataclass(frozen=True, slots=True)
class Wish:
    """Which rows of whom. ``unsettled``: also those that Steam may still take back, at the risk of the site's house."""

    user_id: str
    deposit_ids: Sequence[str]
    unsettled: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What keeps rows from being bound now. ``cannot_give`` says why the items of a bot cannot be had at the moment."""

    value_age_max_s: float
    settle_margin_s: float
    cannot_give: Callable[[str], str | None] = lambda _bot: None
    paused: str | None = None  # why, maybe empty; `None`: nobody has paused locks


@dataclass(frozen=True, slots=True)
class LockRow:
    """One item under a lock. `value_cents` is what it was worth when it was locked; null: nobody knew."""

    deposit_id: str
    item_id: str
    market_hash_name: str
    status: DepositStatus
    state: LockRowState
    value_cents: int | None
    valued_at: Time | None
    taken_in_value_cents: Annotated[int, Field(description="What it was worth when it came")]
    settled_at: Annotated[Time | None, Field(description="Null: Steam may still take it back")]
    settles_at: Time | None
    inspect_link: str | None
    icon_url: str


@dataclass(frozen=True, slots=True)
class Lock:
    """Items bound to a game. Of one that was released before it came only `ref`, `state` and `locked_at` say anything."""

    ref: str
    user_id: str | None
    state: LockState
    note: str
    locked_at: Time
    rows: list[LockRow]
    event: Annotated[int | None, Field(description="The number of its event in the feed")]


@dataclass(frozen=True, slots=True)
class Release:
    """A lock that holds nothing any more: what was freed, and what had been handed over before."""

    ref: str
    state: LockState
    released: list[str]
    moved: list[str]
    event: int | None


# --- binding ----------------------------------------------------------------------------------------------


def lock(connection: Connection, call: Call, wish: Wish, terms: Terms) -> Answer:
    """Bind all of these rows or none. The same ref and body again: the same answer, as it was given.

    Raises:
        NotFound, Forbidden (not_owner), Conflict (not_active, item_locked, item_unsettled, item_frozen, partner_blocked,
        bot_restricted, value_stale, lock_released), RequestReused (ref_reused), FleetPaused: see `why_not`.
    """
    new = {**call.key, "user_id": wish.user_id, "state": LockState.HELD.value, "note": wish.note}
    if not _write_new(connection, {**new, "body_hash": call.body_hash, "created_at": call.now}):
        return _again(connection, call)
    if terms.paused is not None:
        raise FleetPaused("Locks are paused.", reason=terms.paused or None, paused="locks")
    rows = rows_of(connection, wish.deposit_ids)
    # After the rows are locked: a reversal freezes them and blocks its user in one transaction.
    blocked_by = connection.scalar(select(users.c.blocked_by).where(users.c.user_id == wish.user_id))
    if (refusal := why_not(wish, rows, blocked_by, call, terms)) is not None:
        raise refusal
    _bind(connection, call.client_id, call.ref, list(rows), call.now)
    kept = [_kept(call, row) for row in rows.values()]
    connection.execute(lock_rows.insert(), kept)
    data = {**call.key, "deposit_ids": list(rows), "note": wish.note}
    event = refs.tell(connection, "items_locked", data, call.who, call.now, wish.user_id)
    shown = [_row_view(row) for row in rows.values()]
    return refs.finish(
        connection, locks, call, Lock(call.ref, wish.user_id, LockState.HELD, wish.note, unix(call.now), shown, event)
    )


def _write_new(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Write the row of a ref that was never seen; false: it was."""
    new = pipeline.insert(connection, locks).values(row).on_conflict_do_nothing().returning(locks.c.ref)
    return connection.execute(new).first() is not None


def _again(connection: Connection, call: Call) -> Answer:
    row = connection.execute(select(locks).where(refs.of(locks, call))).one()
    if row.state in RELEASED:
        raise released([call.ref])
    refs.check_body(row.body_hash, call)
    return Answer(row.answer, first=False)


def released(which: Sequence[str]) -> Conflict:
    return Conflict("This lock was released, which is for good; use another ref.", code="lock_released", locks=list(which))


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


def _bind(connection: Connection, client_id: str, ref: str, ids: Sequence[str], now: datetime) -> None:
    """Whatever was read before: only rows that are free this very moment are bound, and all of them.

    Raises:
        Conflict: ``item_locked``; the transaction is given up.
    """
    free = (deposits.c.status == DepositStatus.ACTIVE.value, deposits.c.locked_by.is_(None))
    bound = connection.execute(
        update(deposits).where(deposits.c.deposit_id.in_(ids), *free).values(locked_by=tag(client_id, ref), touched=now)
    )
    if bound.rowcount != len(ids):
        raise Conflict("An item was taken by another call at this moment.", code="item_locked", deposit_ids=list(ids))


def tag(client_id: str, ref: str) -> str:
    """How a row names the lock that holds it."""
    return f"{client_id}:{ref}"


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


# --- why not ----------------------------------------------------------------------------------------------


def why_not(wish: Wish, rows: Mapping[str, Row[Any]], blocked_by: str | None, call: Call, terms: Terms) -> FleetError | None:
    """Why these rows cannot be bound, with all that this is true of; ``None``: they can. Pure.

    Of several reasons the first counts, in the order of docs/http-api.md.
    """
    if missing := [each for each in wish.deposit_ids if each not in rows]:
        return NotFound("There are no such deposits.", deposit_ids=missing)
    return next(_refusals(wish, list(rows.values()), blocked_by, call, terms), None)


def _refusals(wish: Wish, rows: Sequence[Row[Any]], blocked_by: str | None, call: Call, terms: Terms) -> Iterator[FleetError]:
    if found := [row for row in rows if row.user_id != wish.user_id]:
        yield Forbidden("These items belong to another user.", code="not_owner", deposit_ids=_ids(found))
    if found := [row for row in rows if row.status != DepositStatus.ACTIVE]:
        told = [{"deposit_id": row.deposit_id, "status": row.status} for row in found]
        yield Conflict("These items are not in custody, or are on their way out.", code="not_active", deposits=told)
    if found := [row for row in rows if row.locked_by is not None]:
        own = tag(call.client_id, "")
        mine = sorted({row.locked_by.removeprefix(own) for row in found if row.locked_by.startswith(own)})
        yield Conflict("These items are in a game.", code="item_locked", deposit_ids=_ids(found), refs=mine)
    if not wish.unsettled and (found := [row for row in rows if row.settled_at is None]):
        yield Conflict(
            "Steam may still reverse the trades that brought these items.",
            code="item_unsettled",
            deposit_ids=_ids(found),
            settles_at=_settle_at(found, terms.settle_margin_s),
        )
    if found := [row for row in rows if row.frozen_by is not None]:
        yield Conflict("These items are frozen until an operator has looked.", code="item_frozen", deposit_ids=_ids(found))
    if blocked_by is not None:
        yield Conflict(
            "A trade with this player was reversed; an operator has to look first.",
            code="partner_blocked",
            deposit_ids=_ids(rows),
        )
    if found := [row for row in rows if _cannot_give(row, terms) is not None]:
        yield Conflict(
            "The bots that hold these items cannot give them now.",
            code="bot_restricted",
            deposit_ids=_ids(found),
            reason=_cannot_give(found[0], terms),
        )
    oldest = call.now - timedelta(seconds=terms.value_age_max_s)
    if found := [row for row in rows if _is_stale(row, oldest)]:
        yield Conflict("The values of these items are too old to play with.", code="value_stale", deposit_ids=_ids(found))


def _ids(rows: Iterable[Row[Any]]) -> list[str]:
    return [row.deposit_id for row in rows]


def _settle_at(rows: Sequence[Row[Any]], margin_s: float) -> int | None:
    """When the last of them may settle, in unix seconds; ``None``: Steam has not said so of each."""
    times = [row.settles_at for row in rows]
    return None if None in times else int(max(times).timestamp() + margin_s)


def _cannot_give(row: Row[Any], terms: Terms) -> str | None:
    if row.bot_id is None:
        return None
    return "bot_frozen" if row.bot_frozen is not None else terms.cannot_give(f"{row.color}-{row.bot_id}")


def _is_stale(row: Row[Any], oldest: datetime) -> bool:
    known = row.item_value_cents is not None and row.value_source != HOUSE_ISSUED
    return known and (row.valued_at is None or row.valued_at < oldest)


# --- letting go -------------------------------------------------------------------------------------------


def release(connection: Connection, call: Call) -> Answer:
    """Free what is still under this lock. Again: the same answer. A ref that was never seen can hold nothing from now on.

    Raises:
        Conflict: ``ref_of_another_client``.
    """
    row = _locked(connection, call.client_id, call.ref)
    if row is None:
        if _is_anothers(connection, call):
            raise Conflict("This ref is another client's.", code="ref_of_another_client")
        new = {**call.key, "state": LockState.RELEASED_UNSEEN.value, "created_at": call.now}
        if _write_new(connection, new):
            event = _tell_unlocked(connection, call, [], "", None)
            _end(connection, call.client_id, call.ref, LockState.RELEASED_UNSEEN, call.who, call.now, event)
            return _release_view(connection, call)
        row = _locked(connection, call.client_id, call.ref)  # it came at this very moment
    if row is not None and row.state not in RELEASED:
        freed = free(connection, call.client_id, [call.ref], call.now)
        event = _tell_unlocked(connection, call, freed, row.note, row.user_id)
        _end(connection, call.client_id, call.ref, LockState.RELEASED, call.who, call.now, event)
        return _release_view(connection, call)
    return replace(_release_view(connection, call), first=False)


def _locked(connection: Connection, client_id: str, ref: str) -> Row[Any] | None:
    query = select(locks).where(locks.c.client_id == client_id, locks.c.ref == ref)
    return connection.execute(query.with_for_update()).first()


def _is_anothers(connection: Connection, call: Call) -> bool:
    others = select(clients.c.client_id).where(clients.c.client_id != call.client_id)
    query = select(locks.c.ref).where(locks.c.client_id.in_(others), locks.c.ref == call.ref)
    return connection.execute(query).first() is not None


def free(connection: Connection, client_id: str, which: Sequence[str], now: datetime) -> list[str]:
    """Take what is still under these locks from under them; the ids, in their order. Whoever calls has locked the locks."""
    held = (lock_rows.c.client_id == client_id, lock_rows.c.ref.in_(which), lock_rows.c.state == LockRowState.HELD.value)
    mine = select(lock_rows.c.deposit_id).where(*held)
    query = select(deposits.c.deposit_id).where(deposits.c.deposit_id.in_(mine)).order_by(deposits.c.deposit_id)
    ids = list(connection.scalars(query.with_for_update()))
    tags = [tag(client_id, ref) for ref in which]
    connection.execute(
        update(deposits)
        .where(deposits.c.deposit_id.in_(ids), deposits.c.locked_by.in_(tags))
        .values(locked_by=None, touched=now)
    )
    connection.execute(update(lock_rows).where(*held).values(state=LockRowState.RELEASED.value))
    return ids


def _end(connection: Connection, client_id: str, ref: str, state: LockState, who: str, now: datetime, event: int) -> None:
    values = {"state": state.value, "ended_at": now, "ended_by": who, "ended_event": event}
    connection.execute(update(locks).where(locks.c.client_id == client_id, locks.c.ref == ref).values(values))


def settle(connection: Connection, client_id: str, which: Sequence[str], who: str, now: datetime, event: int) -> None:
    """Say of these locks how they stand, now that some of their rows were handed over or freed."""
    query = select(lock_rows.c.ref, lock_rows.c.state).distinct()
    found = connection.execute(query.where(lock_rows.c.client_id == client_id, lock_rows.c.ref.in_(which)))
    states: dict[str, set[str]] = {}
    for ref, state in found:
        states.setdefault(ref, set()).add(state)
    for ref, has in sorted(states.items()):
        state = _stands(has)
        if state in (LockState.USED, LockState.RELEASED):
            _end(connection, client_id, ref, state, who, now, event)
        else:
            of_lock = (locks.c.client_id == client_id, locks.c.ref == ref)
            connection.execute(update(locks).where(*of_lock).values(state=state.value))


def _stands(has: set[str]) -> LockState:
    """How a lock stands whose rows have these states."""
    if LockRowState.HELD.value in has:
        return LockState.PART_MOVED if LockRowState.MOVED.value in has else LockState.HELD
    return LockState.USED if LockRowState.MOVED.value in has else LockState.RELEASED


def _tell_unlocked(connection: Connection, call: Call, freed: list[str], note: str, user_id: str | None) -> int:
    data = {**call.key, "deposit_ids": freed, "note": note}
    return refs.tell(connection, "items_unlocked", data, call.who, call.now, user_id)


def _release_view(connection: Connection, call: Call) -> Answer:
    row = connection.execute(select(locks).where(refs.of(locks, call))).one()
    states = _states(connection, call.client_id, [call.ref]).get(call.ref, {})
    by_state = {
        state: sorted(each for each, one in states.items() if one == state)
        for state in (LockRowState.RELEASED.value, LockRowState.MOVED.value)
    }
    view = Release(
        call.ref,
        LockState.RELEASED,
        by_state[LockRowState.RELEASED.value],
        by_state[LockRowState.MOVED.value],
        row.ended_event,
    )
    return Answer(fields.to_json(view).decode())


# --- showing ----------------------------------------------------------------------------------------------


def show(connection: Connection, client_id: str, ref: str) -> Lock:
    """One lock of this client as it stands now.

    Raises:
        NotFound: it has none of this ref.
    """
    row = connection.execute(select(locks).where(locks.c.client_id == client_id, locks.c.ref == ref)).first()
    if row is None:
        raise NotFound("There is no such lock.")
    return views(connection, [row])[0]


def find(
    connection: Connection,
    client_id: str,
    states: Sequence[str] = (),
    user_id: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[Lock]:
    """Locks of this client in the order of their refs, from the one behind ``after`` on."""
    query = select(locks).where(locks.c.client_id == client_id)
    if states:
        query = query.where(locks.c.state.in_(states))
    if user_id is not None:
        query = query.where(locks.c.user_id == user_id)
    if after is not None:
        query = query.where(locks.c.ref > after)
    return views(connection, list(connection.execute(query.order_by(locks.c.ref).limit(limit))))


def views(connection: Connection, rows: Sequence[Row[Any]]) -> list[Lock]:
    """Locks as they were answered, with how they and their rows stand now."""
    by_client: dict[str, list[str]] = {}
    for row in rows:
        by_client.setdefault(row.client_id, []).append(row.ref)
    states = {
        (client_id, ref): found
        for client_id, which in by_client.items()
        for ref, found in _states(connection, client_id, which).items()
    }
    named = [each for found in states.values() for each in found]
    query = select(deposits.c.deposit_id, deposits.c.status, deposits.c.settled_at)
    now: dict[str, Any] = {row.deposit_id: row for row in connection.execute(query.where(deposits.c.deposit_id.in_(named)))}
    return [_view(row, states.get((row.client_id, row.ref), {}), now) for row in rows]


def _states(connection: Connection, client_id: str, which: Sequence[str]) -> dict[str, dict[str, str]]:
    """By ref, how each row of these locks stands."""
    query = select(lock_rows.c.ref, lock_rows.c.deposit_id, lock_rows.c.state)
    query = query.where(lock_rows.c.client_id == client_id, lock_rows.c.ref.in_(which))
    found: dict[str, dict[str, str]] = {}
    for row in connection.execute(query.order_by(lock_rows.c.ref, lock_rows.c.deposit_id)):
        found.setdefault(row.ref, {})[row.deposit_id] = row.state
    return found


def _view(row: Row[Any], states: Mapping[str, str], now: Mapping[str, Row[Any]]) -> Lock:
    given = {"rows": [], "event": row.ended_event} if row.answer is None else json.loads(row.answer)
    rows = [_as_now(each, states[each["deposit_id"]], now.get(each["deposit_id"])) for each in given["rows"]]
    return Lock(row.ref, row.user_id, LockState(row.state), row.note, unix(row.created_at), rows, given["event"])


def _as_now(given: dict[str, Any], state: str, now: Row[Any] | None) -> LockRow:
    """One row as it was answered; its status is that of now, unless it was removed from custody long ago."""
    times = {name: None if given[name] is None else unix(datetime.fromisoformat(given[name])) for name in _TIMES}
    values = {**given, **times, "state": LockRowState(state), "status": DepositStatus(given["status"])}
    if now is not None:
        values |= {"status": DepositStatus(now.status), "settled_at": maybe_unix(now.settled_at)}
    return LockRow(**values)


_TIMES = ("valued_at", "settled_at", "settles_at")


# --- an operator's word -----------------------------------------------------------------------------------


def find_open(connection: Connection, older_than: datetime | None = None) -> list[tuple[str, Lock]]:
    """Locks of all clients that still hold something, the oldest first, each with its client's name."""
    query = select(locks, clients.c.name).join(clients, clients.c.client_id == locks.c.client_id)
    query = query.where(locks.c.state.in_(OPEN)).order_by(locks.c.created_at, locks.c.client_id, locks.c.ref)
    if older_than is not None:
        query = query.where(locks.c.created_at < older_than)
    rows = list(connection.execute(query))
    return [(row.name, view) for row, view in zip(rows, views(connection, rows), strict=True)]


def release_by_operator(
    connection: Connection, ref: str, client: str | None, reason: str, who: str, now: datetime
) -> list[str]:
    """Free what is under this lock although its client did not ask for it, with an alarm; the ids of the rows.

    Raises:
        NotFound: no such lock, or several clients have one of this ref and none was named.
        Conflict: ``lock_released``, nothing is under it any more.
    """
    row = _named(connection, ref, client)
    if row.state not in OPEN:
        raise released([ref])
    freed = free(connection, row.client_id, [ref], now)
    told = {"client_id": row.client_id, "ref": ref, "deposit_ids": freed, "note": row.note, "reason": reason}
    event = refs.tell(connection, "items_unlocked", told, who, now, row.user_id)
    _end(connection, row.client_id, ref, LockState.RELEASED, who, now, event)
    alarm = {"alarm": ALARM, "client_id": row.client_id, "ref": ref, "count": len(freed), "reason": reason, "action": ACTION}
    events.append(connection, events.row("alarm", alarm, who, now, None, row.user_id))
    logger.error("alarm", action=ALARM, ref=ref, count=len(freed))
    return freed


def restore(connection: Connection, ref: str, client: str | None, reason: str, who: str, now: datetime) -> list[str]:
    """Bind the rows again that an operator has freed, at the values that were kept; the ids of the rows.

    Raises:
        NotFound: as `release_by_operator`.
        Conflict: ``not_released_by_operator``, what a client has released stays so; ``not_active``, a row is no longer there,
            no longer the same user's, or under another lock. Nothing was changed.
    """
    row = _named(connection, ref, client)
    if row.state != LockState.RELEASED or not row.ended_by.startswith(OPERATOR):
        raise Conflict("Only what an operator has released is locked again.", code="not_released_by_operator")
    mine = (lock_rows.c.client_id == row.client_id, lock_rows.c.ref == ref)
    freed = (*mine, lock_rows.c.state == LockRowState.RELEASED.value)
    ids = list(connection.scalars(select(lock_rows.c.deposit_id).where(*freed).order_by(lock_rows.c.deposit_id)))
    there = rows_of(connection, ids)
    gone = [each for each in ids if each not in there or not _may_return(there[each], row.user_id)]
    if gone:
        raise Conflict("These items are not free any more, or not this user's.", code="not_active", deposit_ids=gone)
    _bind(connection, row.client_id, ref, ids, now)
    connection.execute(update(lock_rows).where(*freed).values(state=LockRowState.HELD.value))
    told = {"client_id": row.client_id, "ref": ref, "deposit_ids": ids, "note": row.note, "reason": reason, "restored": True}
    event = refs.tell(connection, "items_locked", told, who, now, row.user_id)
    values = {"ended_at": None, "ended_by": None, "ended_event": None}
    connection.execute(
        update(locks).where(locks.c.client_id == row.client_id, locks.c.ref == ref).values(state=LockState.HELD.value, **values)
    )
    settle(connection, row.client_id, [ref], who, now, event)
    return ids


def _may_return(row: Row[Any], user_id: str) -> bool:
    return row.user_id == user_id and row.status == DepositStatus.ACTIVE and row.locked_by is None


def _named(connection: Connection, ref: str, client: str | None) -> Row[Any]:
    query = select(locks).join(clients, clients.c.client_id == locks.c.client_id).where(locks.c.ref == ref)
    if client is not None:
        query = query.where(clients.c.name == client)
    rows = list(connection.execute(query.with_for_update(of=locks)))
    if len(rows) != 1:
        raise NotFound("Several clients have a lock of this ref; name one." if rows else "There is no such lock.")
    return rows[0]
