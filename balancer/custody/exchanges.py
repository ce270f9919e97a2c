"""Exchanges: a user gives items or credit and takes tickets or items of the house, in one transaction.

Nobody gets more than they give: what is taken, and the house's part of it, are worth no more than what is given, and the rest
is a credit to the cent. Values are those of this moment, the same for everybody. Tickets come from the house's free ones first;
what is missing is issued.

Rows are locked in this order: users, rows that are named by the order of their ids, free tickets, for which nobody waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Row, func, select, update

from balancer.custody import credits, refs, tickets
from balancer.custody.credits import DAY, LimitReached, Line, NewId
from balancer.custody.locks import bind, terms
from balancer.custody.locks.terms import Terms
from balancer.custody.refs import Answer, Call
from balancer.db.tables import HOUSE, deposits, exchanges, users
from shared.domain.games import CreditCall, CreditKind
from shared.domain.status import DepositStatus
from shared.errors import Conflict, FleetError, FleetPaused, NotFound

BASIS = 10_000
LIMITED = "exchanged"


@dataclass(frozen=True, slots=True)
class Wish:
    """Who gives which rows and how much credit for which rows of the house, or for how many tickets of which kind.

    ``seen_cents`` is what the player was told that everything given is worth; another sum now is refused.
    """

    user_id: str
    give: Sequence[str] = ()
    take: Sequence[str] = ()
    ticket: str | None = None
    tickets: int = 0
    give_credit_cents: int = 0
    credit_rest: bool = True  # false: without a rest or not at all
    seen_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows must be like, the house's part of real items in 1/10 000, and the most cents within a day; 0: no limit."""

    terms: Terms
    fee_bp: int
    user_day_cents: int = 0
    client_day_cents: int = 0


@dataclass(frozen=True, slots=True)
class Sums:
    """What is given, taken, and kept by the house; the rest is the difference, below zero if too little is given."""

    value_in_cents: int
    value_out_cents: int
    fee_cents: int

    @property
    def rest_cents(self) -> int:
        return self.value_in_cents - self.value_out_cents - self.fee_cents


@dataclass(frozen=True, slots=True)
class Exchange:
    """Rows given and taken. `rest_cents` is `value_in_cents` without `value_out_cents` and `fee_cents`, to the cent."""

    ref: str
    gave: list[str]
    took: list[str]
    value_in_cents: int
    value_out_cents: int
    fee_bp: Annotated[int, Field(description="0 unless a real item is taken")]
    fee_cents: int
    rest_cents: int
    credit_id: Annotated[str | None, Field(description="The line of the rest; null: there is none")]
    event: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Everything about one exchange that was read under locks. ``kind``: of the tickets that are taken by name."""

    given: Mapping[str, Row[Any]]
    taken: Mapping[str, Row[Any]]
    kind: Row[Any] | None
    blocked_by: str | None
    balance_cents: int
    known: set[str]


def exchange(connection: Connection, call: Call, wish: Wish, rules: Rules, new_id: NewId) -> Answer:
    """Give and take, all or nothing. The same ref and body again: the same answer.

    Raises:
        NotFound, Forbidden, Conflict as a lock of what is given (`balancer.custody.locks.terms`); Conflict (house_row_taken,
        not_for_exchange, price_changed, uneven, too_little_credit), RequestReused, FleetPaused, credits.LimitReached.
    """
    if (before := refs.begin(connection, exchanges, call)) is not None:
        return before
    if rules.terms.paused is not None:
        raise FleetPaused("Exchanges are paused with locks.", reason=rules.terms.paused or None, paused="locks")
    rows = _read(connection, wish)
    if (refusal := why_not(wish, rows, call, rules.terms)) is not None:
        raise refusal
    fee_bp = rules.fee_bp if any(row.bot_id is not None for row in rows.taken.values()) else 0
    sums = reckon(wish, rows, fee_bp)
    if (refusal := _why_not_even(wish, sums, rows.balance_cents)) is not None:
        raise refusal
    _check_limits(connection, call, wish.user_id, sums.value_in_cents, rules)
    return _do(connection, call, wish, rows, sums, fee_bp, new_id)


def _do(connection: Connection, call: Call, wish: Wish, rows: Rows, sums: Sums, fee_bp: int, new_id: NewId) -> Answer:
    took, issued = _move(connection, call, wish, rows, new_id)
    lines = _lines(wish, sums)
    ids = credits.write(connection, call, CreditCall.EXCHANGE, lines, rows.known, credits.Limits(), new_id)
    event = refs.tell(connection, "items_exchanged", _answer(call, wish, took, issued, sums, lines), call.by, wish.user_id)
    view = Exchange(
        ref=call.ref,
        gave=list(wish.give),
        took=took,
        value_in_cents=sums.value_in_cents,
        value_out_cents=sums.value_out_cents,
        fee_bp=fee_bp,
        fee_cents=sums.fee_cents,
        rest_cents=sums.rest_cents,
        credit_id=ids[-1] if sums.rest_cents else None,
        event=event,
    )
    kept = {"user_id": wish.user_id, "value_in_cents": sums.value_in_cents, "issued": issued}
    item_id = None if rows.kind is None else rows.kind.item_id
    return refs.finish(connection, exchanges, call, view, item_id=item_id, **kept)


def _read(connection: Connection, wish: Wish) -> Rows:
    known = credits.lock_users(connection, {wish.user_id})
    rows = bind.rows_of(connection, [*wish.give, *wish.take])
    user = connection.execute(select(users).where(users.c.user_id == wish.user_id)).first()
    return Rows(
        given={each: rows[each] for each in sorted(wish.give) if each in rows},
        taken={each: rows[each] for each in sorted(wish.take) if each in rows},
        kind=None if wish.ticket is None else tickets.find_kind(connection, wish.ticket),
        blocked_by=None if user is None else user.blocked_by,
        balance_cents=0 if user is None else user.credit_cents,
        known=known,
    )


# --- why not ----------------------------------------------------------------------------------------------


def why_not(wish: Wish, rows: Rows, call: Call, house: Terms) -> FleetError | None:
    """Why these rows cannot be exchanged, with all that the first reason is true of; ``None``: they can. Pure."""
    if wish.user_id not in rows.known:
        return NotFound("There is no such user; bind them with PUT /users.", user_ids=[wish.user_id])
    if missing := [each for each in wish.take if each not in rows.taken]:
        return NotFound("There are no such deposits.", deposit_ids=missing)
    given = terms.Wish(wish.user_id, wish.give)
    if (refusal := terms.why_not(given, rows.given, rows.blocked_by, call, house)) is not None:
        return refusal
    return next(_refusals(wish, rows, call, house), None)


def _refusals(wish: Wish, rows: Rows, call: Call, house: Terms) -> Iterator[FleetError]:
    if unpriced := [each for each, row in rows.given.items() if row.item_value_cents is None]:
        yield _not_for_exchange("Nobody knows what these items are worth.", [(each, "unpriced") for each in unpriced])
    gone = [
        each
        for each, row in rows.taken.items()
        if row.user_id != HOUSE or row.status != DepositStatus.ACTIVE or row.locked_by is not None
    ]
    if gone:
        yield _gone(gone)
    kept = [(each, reason) for each, row in rows.taken.items() if (reason := _kept_for(row, call.now, house)) is not None]
    if kept:
        yield _not_for_exchange("The house does not give these items now.", kept)
    if wish.ticket is not None and rows.kind is None:
        yield Conflict(
            "The house issues no tickets of this name.", code="not_for_exchange", market_hash_name=wish.ticket, deposits=[]
        )


def _kept_for(row: Row[Any], now: datetime, house: Terms) -> str | None:
    """Why the house does not give this row of its own now; ``None``: it does."""
    if row.settled_at is None:
        return "unsettled"
    if row.frozen_by is not None:
        return "frozen"
    if row.item_value_cents is None:
        return "unpriced"
    return terms.cannot_give(row, house) or ("value_stale" if terms.is_stale(row, now, house) else None)


def _gone(which: Sequence[str]) -> Conflict:
    return Conflict("The house no longer has these items free.", code="house_row_taken", deposit_ids=list(which))


def _not_for_exchange(detail: str, which: Sequence[tuple[str, str]]) -> Conflict:
    refused = [{"deposit_id": each, "reason": reason} for each, reason in which]
    return Conflict(detail, code="not_for_exchange", deposits=refused)


def reckon(wish: Wish, rows: Rows, fee_bp: int) -> Sums:
    """What both sides are worth now. Pure. A part of a cent of the fee is a whole one."""
    given = sum(row.item_value_cents for row in rows.given.values()) + wish.give_credit_cents
    taken = sum(row.item_value_cents for row in rows.taken.values())
    if rows.kind is not None:
        taken += rows.kind.value_cents * wish.tickets
    real = sum(row.item_value_cents for row in rows.taken.values() if row.bot_id is not None)
    return Sums(given, taken, -(-real * fee_bp // BASIS))


def _why_not_even(wish: Wish, sums: Sums, balance_cents: int) -> FleetError | None:
    details: dict[str, Any] = {
        "value_in_cents": sums.value_in_cents,
        "value_out_cents": sums.value_out_cents,
        "fee_cents": sums.fee_cents,
        "rest_cents": sums.rest_cents,
    }
    if wish.seen_cents not in (None, sums.value_in_cents):
        return Conflict(
            "What is given is worth something else now.", code="price_changed", seen_cents=wish.seen_cents, **details
        )
    if sums.rest_cents < 0:
        return Conflict("What is given is worth less than what is taken and the fee.", code="uneven", **details)
    if sums.rest_cents and not wish.credit_rest:
        return Conflict("There would be a rest.", code="uneven", **details)
    if wish.give_credit_cents > balance_cents:
        return Conflict(
            "The balance is too low.",
            code="too_little_credit",
            user_id=wish.user_id,
            balance_cents=balance_cents,
            cents=-wish.give_credit_cents,
        )
    return None


def _check_limits(connection: Connection, call: Call, user_id: str, cents: int, rules: Rules) -> None:
    """What is given within a day, by this user and through this client.

    Raises:
        LimitReached.
    """
    for limit, whose, who, most in (
        ("client_exchanges_day_cents", exchanges.c.client_id == call.client_id, call.client_id, rules.client_day_cents),
        ("user_exchanges_day_cents", exchanges.c.user_id == user_id, user_id, rules.user_day_cents),
    ):
        would_be = cents + _of_day(connection, call, whose) if most else 0
        if would_be > most:
            raise LimitReached(limit, who, most, would_be, LIMITED)


def _of_day(connection: Connection, call: Call, whose: ColumnElement[bool]) -> int:
    query = select(func.sum(exchanges.c.value_in_cents)).where(whose, exchanges.c.at > call.now - DAY)
    return int(connection.scalar(query) or 0)


# --- moving -----------------------------------------------------------------------------------------------


def _move(connection: Connection, call: Call, wish: Wish, rows: Rows, new_id: NewId) -> tuple[list[str], int]:
    """Hand everything over; the ids of what was taken, and how many tickets are new."""
    old = [] if rows.kind is None else tickets.free(connection, rows.kind.item_id, wish.tickets)
    if not _hand_over(connection, call, wish.give, wish.user_id, HOUSE):
        raise Conflict("An item was taken by another call at this moment.", code="item_locked", deposit_ids=list(wish.give))
    took = [*wish.take, *old]
    if not _hand_over(connection, call, took, HOUSE, wish.user_id):
        raise _gone(took)
    missing = wish.tickets - len(old)
    new = [] if rows.kind is None else tickets.make(connection, rows.kind, wish.user_id, missing, call.now, new_id)
    return [*took, *new], len(new)


def _hand_over(connection: Connection, call: Call, ids: Sequence[str], from_user: str, to_user: str) -> bool:
    """Whatever was read before: whether every one of these rows is free and its owner's now, and changes hands."""
    free = (deposits.c.status == DepositStatus.ACTIVE.value, deposits.c.locked_by.is_(None), deposits.c.frozen_by.is_(None))
    theirs = (deposits.c.deposit_id.in_(ids), deposits.c.user_id == from_user, deposits.c.settled_at.is_not(None))
    if not ids:
        return True
    moved = connection.execute(update(deposits).where(*theirs, *free).values(user_id=to_user, touched=call.now))
    return moved.rowcount == len(ids)


def _lines(wish: Wish, sums: Sums) -> list[Line]:
    """What is taken from the balance, and then the rest."""
    paid = [-wish.give_credit_cents] if wish.give_credit_cents else []
    rest = [sums.rest_cents] if sums.rest_cents else []
    return [Line(wish.user_id, cents, CreditKind.EXCHANGE) for cents in (*paid, *rest)]


def _answer(call: Call, wish: Wish, took: Sequence[str], issued: int, sums: Sums, lines: Sequence[Line]) -> dict[str, Any]:
    answer: dict[str, Any] = {
        **call.key,
        "gave": list(wish.give),
        "took": list(took),
        "value_in_cents": sums.value_in_cents,
        "value_out_cents": sums.value_out_cents,
        "fee_cents": sums.fee_cents,
        "rest_cents": sums.rest_cents,
    }
    if wish.ticket is not None:
        answer |= {"market_hash_name": wish.ticket, "issued": issued}
    return {**answer, **({"credits": credits.as_data(lines)} if lines else {})}
