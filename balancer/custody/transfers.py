"""Transfers: rows under a client's locks change hands, all of them or none, in one call.

Only who owns a row changes, and that it is under no lock any more: never where its item lies, nor whether Steam may still take
it back. So the audit of bots does not see a transfer, and what a lock holds can always be transferred; rows that were reversed
or frozen meanwhile are moved as what they are, and told as lost.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Annotated, Any, NamedTuple

from pydantic import Field
from sqlalchemy import Connection, select

from balancer.custody import credits, refs
from balancer.custody.credits import Limits, Line, NewId
from balancer.custody.locks import releases
from balancer.custody.locks.show import RELEASED
from balancer.custody.locks.terms import was_released
from balancer.custody.refs import Answer, Call
from balancer.db import pipeline
from balancer.db.pipeline import Statement, Step
from balancer.db.tables import transfers
from balancer.fields import Time, unix
from balancer.journal import events
from shared.domain.games import CreditCall, LockRowState
from shared.domain.status import DepositStatus
from shared.errors import Conflict, FleetError, Forbidden, NotAccepted, NotFound


@dataclass(frozen=True, slots=True)
class Move:
    """One row from its owner to another, who may be the same: then it is freed only."""

    deposit_id: str
    from_user: str
    to_user: str


@dataclass(frozen=True, slots=True)
class Wish:
    """``release_rest``: what is still under the named locks afterwards is freed in the same transaction."""

    locks: Sequence[str]
    moves: Sequence[Move]
    release_rest: bool = False
    credits: Sequence[Line] = ()


@dataclass(frozen=True, slots=True)
class Lost:
    """A row that changed hands although its item is gone, going, or not what it was: the site makes it good."""

    deposit_id: str
    status: DepositStatus
    reason: Annotated[str | None, Field(description="Why it is frozen; null: it is not")]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Rows that changed hands, and what was freed and credited with them."""

    ref: str
    at: Time
    moved: int
    released: list[str]
    lost: list[Lost]
    credits: list[str]
    event: int


def transfer(connection: Connection, call: Call, wish: Wish, limits: Limits, new_id: NewId) -> Answer:
    """Hand these rows over. The same ref and body again: the same answer.

    Raises:
        NotAccepted (repeated), NotFound, Conflict (not_locked, lock_released, too_little_credit), Forbidden (not_owner),
        RequestReused (ref_reused), credits.LimitReached.
    """
    if repeated := [each for each, n in Counter(move.deposit_id for move in wish.moves).items() if n > 1]:
        return _repeated(connection, call, repeated)
    begun = [refs.beginning(connection, transfers, call), _locks(connection, call.client_id, wish.locks)]
    read = [_rows(connection, call.client_id, wish), _receivers(connection, wish)]
    known: set[str] = set()
    if wish.credits:  # after the locks and before the rows, as withdrawals lock
        answers = pipeline.run(connection, begun)
        known = credits.lock_users(connection, {line.user_id for line in wish.credits})
        answers += pipeline.run(connection, read)
    else:
        answers = pipeline.run(connection, begun + read)
    new, locks, held, receivers = answers
    if not new:
        return refs.before(connection, transfers, call)
    rows = {row.deposit_id: row for row in starmap(Held, held)}
    refusal = why_not(call.client_id, wish, dict(locks), rows, known.union(*receivers))
    if refusal is not None:
        raise refusal
    credit_ids = credits.write(connection, call, CreditCall.TRANSFER, wish.credits, known, limits, new_id)
    return _hand_over(connection, call, wish, rows, credit_ids)


def _repeated(connection: Connection, call: Call, deposit_ids: Sequence[str]) -> Answer:
    """
    Raises:
        NotAccepted (repeated), RequestReused (ref_reused).
    """
    if (before := refs.begin(connection, transfers, call)) is not None:
        return before
    raise NotAccepted("A deposit stands in two moves.", code="repeated", deposit_ids=list(deposit_ids))


class Held(NamedTuple):
    """What a transfer has to know of a row."""

    deposit_id: str
    user_id: str
    locked_by: str | None
    status: str
    frozen_by: str | None


_LOCKS = Statement.of("SELECT ref, state FROM locks WHERE client_id = :client AND ref :refs[] ORDER BY ref", lock="FOR UPDATE")
_HELD = f"SELECT {', '.join(Held._fields)} FROM deposits WHERE deposit_id :ids[]"  # noqa: S608
_ROWS = Statement.of(f"{_HELD} ORDER BY deposit_id", lock="FOR UPDATE")
_ALL_ROWS = Statement.of(
    f"{_HELD} OR deposit_id IN (SELECT deposit_id FROM lock_rows "  # noqa: S608
    f"WHERE client_id = :client AND ref :refs[] AND state = '{LockRowState.HELD.value}') ORDER BY deposit_id",
    lock="FOR UPDATE",
)
_RECEIVERS = Statement.of("SELECT user_id FROM users WHERE user_id :ids[]")


def _locks(connection: Connection, client_id: str, which: Sequence[str]) -> Step:
    """How the named locks of this client stand; they are locked, in the order of their refs."""
    return _LOCKS.step(connection, client=client_id, refs=list(which))


def _rows(connection: Connection, client_id: str, wish: Wish) -> Step:
    """The rows to move, locked in the order of their ids; if the rest is freed, that is locked with them."""
    ids = [move.deposit_id for move in wish.moves]
    if not wish.release_rest:
        return _ROWS.step(connection, ids=ids)
    return _ALL_ROWS.step(connection, ids=ids, client=client_id, refs=list(wish.locks))


def _receivers(connection: Connection, wish: Wish) -> Step:
    return _RECEIVERS.step(connection, ids=sorted({move.to_user for move in wish.moves}))


def why_not(
    client_id: str, wish: Wish, named: Mapping[str, str], rows: Mapping[str, Held], receivers: set[str]
) -> FleetError | None:
    """Why these rows cannot change hands, with all that this is true of; ``None``: they can. Pure.

    That a row is frozen, reversed or unsettled, that a user is blocked, or has too many items then, is no reason.
    """
    if missing := [ref for ref in wish.locks if ref not in named]:
        return NotFound("There are no such locks of this client.", locks=missing)
    if missing := [move.deposit_id for move in wish.moves if move.deposit_id not in rows]:
        return NotFound("There are no such deposits.", deposit_ids=missing)
    if missing := sorted(({move.to_user for move in wish.moves} | {line.user_id for line in wish.credits}) - receivers):
        return NotFound("There are no such users; bind them with PUT /users.", user_ids=missing)
    if gone := [ref for ref in wish.locks if named[ref] in RELEASED]:
        return was_released(gone)
    tags = {refs.tag(client_id, ref) for ref in wish.locks}
    if free := [move.deposit_id for move in wish.moves if rows[move.deposit_id].locked_by not in tags]:
        return Conflict("These rows are under none of the named locks.", code="not_locked", deposit_ids=free)
    if others := [move.deposit_id for move in wish.moves if rows[move.deposit_id].user_id != move.from_user]:
        return Forbidden("These rows belong to others than the moves say.", code="not_owner", deposit_ids=others)
    return None


_HAND_OVER = Statement.of(
    "UPDATE deposits SET user_id = :to, locked_by = NULL, touched = :now "
    "WHERE deposit_id :ids[] AND locked_by :tags[] AND user_id = :from"
)
_END_ROWS = Statement.of(
    f"UPDATE lock_rows SET state = '{LockRowState.MOVED.value}' "  # noqa: S608
    f"WHERE client_id = :client AND ref :refs[] AND deposit_id :ids[] AND state = '{LockRowState.HELD.value}'"
)


def _hand_over(connection: Connection, call: Call, wish: Wish, rows: Mapping[str, Held], credit_ids: list[str]) -> Answer:
    """Whatever was read before: every row is under a named lock and its owner's at this very moment.

    Raises:
        Conflict: ``not_locked``; the transaction is given up.
    """
    tags = [refs.tag(call.client_id, ref) for ref in wish.locks]
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for move in wish.moves:
        groups[move.from_user, move.to_user].append(move.deposit_id)
    ids = [move.deposit_id for move in wish.moves]
    released = sorted(rows.keys() - set(ids)) if wish.release_rest else []
    lost = [_lost(rows[each]) for each in ids if _is_lost(rows[each])]
    steps = [
        *(
            _HAND_OVER.step(connection, **{"from": from_user, "to": to_user, "now": call.now, "ids": theirs, "tags": tags})
            for (from_user, to_user), theirs in sorted(groups.items())
        ),
        _END_ROWS.step(connection, client=call.client_id, refs=list(wish.locks), ids=ids),
        *(releases.freeing(connection, call.client_id, wish.locks, released, call.now) if wish.release_rest else ()),
        releases.standing(connection, call.client_id, wish.locks),
    ]
    event_row = events.row("items_transferred", _answer(call, wish, released, lost), call.by)
    (*changed, standing), event = refs.do_and_tell(connection, steps, event_row)
    moved, ended = changed[: len(groups)], changed[len(groups)]
    if not sum(moved) == ended == len(ids):
        raise Conflict("A row was taken from under its lock at this moment.", code="not_locked", deposit_ids=ids)
    answer = refs.answered(Transfer(call.ref, unix(call.now), len(wish.moves), released, lost, credit_ids, event))
    settled = releases.settling(connection, call.client_id, standing, call.by, event)
    pipeline.run(connection, [*settled, refs.finishing(connection, transfers, call, answer)])
    return answer


def _is_lost(row: Held) -> bool:
    return row.status != DepositStatus.ACTIVE or row.frozen_by is not None


def _lost(row: Held) -> Lost:
    return Lost(row.deposit_id, DepositStatus(row.status), row.frozen_by)


def _answer(call: Call, wish: Wish, released: list[str], lost: Sequence[Lost]) -> dict[str, Any]:
    moves = [{"deposit_id": move.deposit_id, "from": move.from_user, "to": move.to_user} for move in wish.moves]
    gone = [{"deposit_id": each.deposit_id, "status": each.status.value, "reason": each.reason} for each in lost]
    credited = credits.as_data(wish.credits)
    return {**call.key, "moves": moves, "released": released, "lost": gone, **({"credits": credited} if credited else {})}


# --- showing ----------------------------------------------------------------------------------------------


def show(connection: Connection, client_id: str, ref: str) -> Answer:
    """What this transfer was answered.

    Raises:
        NotFound: this client has none of this ref.
    """
    which = (transfers.c.client_id == client_id, transfers.c.ref == ref)
    answer = connection.scalar(select(transfers.c.answer).where(*which))
    if answer is None:
        raise NotFound("There is no such transfer.")
    return Answer(answer, first=False)


def find(connection: Connection, client_id: str, after: str | None = None, limit: int = 100) -> Answer:
    """One page of this client's transfers, in the order of their refs, from the one behind ``after`` on."""
    query = select(transfers.c.ref, transfers.c.answer).where(transfers.c.client_id == client_id)
    if after is not None:
        query = query.where(transfers.c.ref > after)
    rows = list(connection.execute(query.order_by(transfers.c.ref).limit(limit)))
    following = json.dumps(rows[-1].ref if len(rows) == limit else None)
    return Answer(f'{{"transfers":[{",".join(row.answer for row in rows)}],"next":{following}}}', first=False)
