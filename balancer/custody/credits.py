"""Credits: cents that the house owes its users. An append-only list of lines, and each user's balance beside it.

Every line has its opposite on the house in the same insert, so the list sums to zero. A balance changes by a guarded update in
the transaction that writes its lines: it is always their sum, and what would take it below its floor is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, Row, func, select, update

from balancer.custody import refs
from balancer.custody.refs import Answer, Call
from balancer.db import pipeline
from balancer.db.tables import HOUSE, credit_calls, credits, users
from balancer.fields import Time, unix
from balancer.journal import alarms, events
from balancer.journal.by import By
from shared import log
from shared.domain.games import CreditCall, CreditKind
from shared.errors import Conflict, FleetPaused, NotFound

logger = log.get(__name__)

NewId = Callable[[str], str]
DAY = timedelta(days=1)
LIMIT_ALARM = "limit_reached"
LIMIT_ACTION = (
    "see what this client has credited and exchanged in the last day: a stolen key shows like this. If it is as it should be, "
    "raise the limit in `[games]`; the same ref may be repeated then"
)


@dataclass(frozen=True, slots=True)
class Line:
    """So many cents for this user; fewer than none take from the balance."""

    user_id: str
    cents: int
    kind: CreditKind
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Most cents that may be credited within a day; 0: no limit."""

    user_day_cents: int = 0
    client_day_cents: int = 0


@dataclass(frozen=True, slots=True)
class Balance:
    """What the house owes a user."""

    user_id: str
    cents: int


@dataclass(frozen=True, slots=True)
class Posted:
    """Lines that were written, in the order in which they were sent, and the balances of their users after them."""

    ref: str
    credits: list[str]
    balances: list[Balance]
    event: int


@dataclass(frozen=True, slots=True)
class CreditLine:
    """One line of a user's credits. `ref` is that of the call which wrote it."""

    credit_id: str
    call: CreditCall
    ref: str
    cents: int
    kind: CreditKind
    reason: str
    at: Time


@dataclass(frozen=True, slots=True)
class Credits:
    """What the house owes a user, and one page of how it came about."""

    user_id: str
    balance_cents: int
    lines: list[CreditLine]
    next: Annotated[str | None, Field(description="Goes into `after`; null: this was the last page")]


class LimitReached(FleetPaused):
    """More would be credited or exchanged in a day than may be; nothing was written. The ref may be repeated when it may."""

    def __init__(self, limit: str, who: str, most: int, would_be: int, done: str = "credited") -> None:
        super().__init__(
            f"More than {most} cents would be {done} within a day.", code="limit_reached", reason=limit, limit_cents=most
        )
        self.limit, self.who, self.most, self.would_be = limit, who, most, would_be


def post(connection: Connection, call: Call, lines: Sequence[Line], floor_cents: int, limits: Limits, new_id: NewId) -> Answer:
    """Write these lines, all or none. The same ref and body again: the same answer.

    Raises:
        NotFound: an unknown user. Conflict: ``too_little_credit``. RequestReused: ``ref_reused``. LimitReached.
    """
    if (before := refs.begin(connection, credit_calls, call)) is not None:
        return before
    known = lock_users(connection, {line.user_id for line in lines})
    ids = write(connection, call, CreditCall.CREDIT, lines, known, limits, new_id, floor_cents)
    event_data = {**call.key, "lines": [_as_data(line) for line in lines]}
    event = refs.tell(connection, "credits_posted", event_data, call.by, _only(lines))
    balances = [Balance(*row) for row in _balances(connection, {line.user_id for line in lines})]
    return refs.finish(connection, credit_calls, call, Posted(call.ref, ids, balances, event))


def _only(lines: Sequence[Line]) -> str | None:
    """The user, if it is one alone."""
    return lines[0].user_id if len({line.user_id for line in lines}) == 1 else None


def _as_data(line: Line) -> dict[str, Any]:
    data = {"user_id": line.user_id, "cents": line.cents, "kind": line.kind.value}
    return {**data, "reason": line.reason} if line.reason else data


def as_data(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """These lines as events have them."""
    return [_as_data(line) for line in lines]


def lock_users(connection: Connection, user_ids: set[str]) -> set[str]:
    """Those of these users who are known, and the house: their rows are locked, before those of any deposit.

    That is the order of withdrawals; and the balances are read by nobody in between. Of none, nothing is locked.
    """
    if not user_ids:
        return set()
    wanted = {HOUSE, *user_ids}
    query = select(users.c.user_id).where(users.c.user_id.in_(wanted)).order_by(users.c.user_id)
    return set(connection.scalars(query.with_for_update(key_share=True)))


def write(
    connection: Connection,
    call: Call,
    how: CreditCall,
    lines: Sequence[Line],
    known: set[str],
    limits: Limits,
    new_id: NewId,
    floor_cents: int = 0,
) -> list[str]:
    """Write these lines with their opposites, and change the balances; the ids of the lines. `lock_users` was called before.

    Raises:
        NotFound, Conflict (too_little_credit), LimitReached: nothing may be committed.
    """
    if not lines:
        return []
    if missing := sorted({line.user_id for line in lines} - known):
        raise NotFound("There are no such users; bind them with PUT /users.", user_ids=missing)
    if how is not CreditCall.EXCHANGE:
        _check_limits(connection, call, lines, limits)
    ids = [new_id("crd") for _ in lines]
    rows = [
        row
        for number, (line, credit_id) in enumerate(zip(lines, ids, strict=True), 1)
        for row in (
            _row(call, how, number, line.user_id, line.cents, line, credit_id),
            _row(call, how, -number, HOUSE, -line.cents, line, new_id("crd")),
        )
    ]
    pipeline.insert_rows(connection, [(credits, rows)])
    sums: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        sums[row["user_id"]] += row["cents"]
    for user_id, cents in sorted(sums.items()):
        _change(connection, user_id, cents, floor_cents)
    return ids


def _row(call: Call, how: CreditCall, number: int, user_id: str, cents: int, line: Line, credit_id: str) -> dict[str, Any]:
    return {
        "credit_id": credit_id,
        **call.key,
        "call": how.value,
        "line": number,
        "user_id": user_id,
        "cents": cents,
        "kind": line.kind.value,
        "reason": line.reason,
        "at": call.now,
    }


def _change(connection: Connection, user_id: str, cents: int, floor_cents: int) -> None:
    """Add to a balance. What takes from a user leaves the floor at least; the house may owe as much as it likes."""
    if not cents:
        return
    changed = update(users).where(users.c.user_id == user_id).values(credit_cents=users.c.credit_cents + cents)
    if cents < 0 and user_id != HOUSE:
        changed = changed.where(users.c.credit_cents + cents >= floor_cents)
    if not connection.execute(changed).rowcount:
        balance = connection.scalar(select(users.c.credit_cents).where(users.c.user_id == user_id))
        raise Conflict("The balance is too low.", code="too_little_credit", user_id=user_id, balance_cents=balance, cents=cents)


def _balances(connection: Connection, user_ids: set[str]) -> list[tuple[str, int]]:
    query = select(users.c.user_id, users.c.credit_cents).where(users.c.user_id.in_(user_ids))
    return [(row.user_id, row.credit_cents) for row in connection.execute(query.order_by(users.c.user_id))]


# --- limits -----------------------------------------------------------------------------------------------


def _check_limits(connection: Connection, call: Call, lines: Sequence[Line], limits: Limits) -> None:
    """What is credited within a day, of this user and by this client; what exchanges give back does not count here.

    Raises:
        LimitReached.
    """
    given: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        given[line.user_id] += max(0, line.cents)
    if limits.client_day_cents:
        would_be = sum(given.values()) + _of_day(connection, call.now, credits.c.client_id == call.client_id)
        if would_be > limits.client_day_cents:
            raise LimitReached("client_credits_day_cents", call.client_id, limits.client_day_cents, would_be)
    for user_id, cents in sorted(given.items()) if limits.user_day_cents else ():
        would_be = cents + _of_day(connection, call.now, credits.c.user_id == user_id)
        if cents and would_be > limits.user_day_cents:
            raise LimitReached("user_credits_day_cents", user_id, limits.user_day_cents, would_be)


def _of_day(connection: Connection, now: datetime, whose: Any) -> int:
    given = (credits.c.cents > 0, credits.c.line > 0, credits.c.call != CreditCall.EXCHANGE.value)
    query = select(func.sum(credits.c.cents)).where(whose, credits.c.at > now - DAY, *given)
    return int(connection.scalar(query) or 0)


def raise_alarm(connection: Connection, reached: LimitReached, by: By) -> None:
    """Tell an operator, once a day for each limit and whom it is about."""
    if not alarms.first(connection, f"{LIMIT_ALARM}:{reached.limit}:{reached.who}:{by.now:%Y-%m-%d}", by.now):
        return
    data = {
        "alarm": LIMIT_ALARM,
        "limit": reached.limit,
        "of": reached.who,
        "at_most": reached.most,
        "would_be": reached.would_be,
        "action": LIMIT_ACTION,
    }
    events.append(connection, events.row("alarm", data, by))
    logger.error("alarm", action=LIMIT_ALARM, limit=reached.limit, of=reached.who)


# --- showing ----------------------------------------------------------------------------------------------


def find(connection: Connection, user_id: str, after: str | None = None, limit: int = 100) -> Credits:
    """A user's balance and lines, ordered by id, from the one behind ``after`` on.

    Raises:
        NotFound: nobody knows this user.
    """
    balance = connection.scalar(select(users.c.credit_cents).where(users.c.user_id == user_id))
    if balance is None:
        raise NotFound("There is no such user.")
    query = select(credits).where(credits.c.user_id == user_id)
    if after is not None:
        query = query.where(credits.c.credit_id > after)
    lines = [_view(row) for row in connection.execute(query.order_by(credits.c.credit_id).limit(limit))]
    return Credits(user_id, balance, lines, lines[-1].credit_id if len(lines) == limit else None)


def _view(row: Row[Any]) -> CreditLine:
    return CreditLine(row.credit_id, CreditCall(row.call), row.ref, row.cents, CreditKind(row.kind), row.reason, unix(row.at))
