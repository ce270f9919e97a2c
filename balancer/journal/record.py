"""The only place where the status of a trade or of a deposit changes.

`record` takes one fact about one trade, looks it up in the tables of `shared.domain.status`, and in the caller's transaction
compares and sets the status, moves the deposits, gives back what the trade reserved of its bot, and writes the event beside
it. Heard twice, a fact changes things once: the second time the status has moved on. That a deposit, a slot or an open offer is
let go exactly once follows from the same comparison, as only the transaction that ends a live trade does so.

What an older attempt says counts only if it is good news about an offer: an offer that is live or accepted is so whichever
attempt made it. Its bad news is about an offer that no longer matters; so is the end of another offer than the trade's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from balancer.db.tables import deposits, events, trade_items, trades, users
from balancer.journal import alarms, apply_effects, effects, kinds, swaps, values
from balancer.journal import events as feed
from balancer.journal.by import By
from balancer.journal.effects import Effects
from balancer.journal.kinds import shapes
from balancer.journal.rules import ByRules, Rules
from shared.clock import from_unix
from shared.domain.ids import bot_name
from shared.domain.status import (
    ENDED_UNMOVED,
    LIVE,
    DepositStatus,
    Direction,
    TradeEvent,
    TradeStatus,
    Verdict,
    after_dropped,
    decide,
)

D, E, S = DepositStatus, TradeEvent, TradeStatus

COMPARED_MAX = 5

# News about an offer that counts whichever attempt it belongs to.
ADOPTED = frozenset({E.OFFER_ACCEPTED, E.OFFER_ACTIVE, E.OFFER_HELD, E.CONFIRMATION_NEEDED, E.EXCHANGE_REVERSED, E.SETTLED})
# The end of one offer; of which one counts when the trade's offer is known.
_ENDS = frozenset({E.OFFER_DECLINED, E.OFFER_COUNTERED, E.OFFER_EXPIRED, E.OFFER_CANCELED, E.ITEMS_MISSING, E.EXCHANGE_FAILED})

# A misfit on a trade that is not in doubt is searched for so often; then it is an operator's.
MISFITS_MAX = 3

REPORT_IGNORED = "report_ignored"
OFFER_ADOPTED = "offer_adopted"
DECLINED_AT_ONCE = "declined_at_once"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a fact: the verdict, the status before and after."""

    trade_id: str
    verdict: Verdict
    before: TradeStatus
    after: TradeStatus


class LostRace(Exception):
    """The trade kept changing under the comparison; the transaction is to be tried again."""


# --- one fact about one trade ------------------------------------------------------------------------


def record(
    connection: Connection,
    trade: Row[Any],
    event: TradeEvent,
    data: Mapping[str, Any],
    by: ByRules,
    attempt: int | None = None,
) -> Recorded:
    """Apply one fact to a trade; see the module's text. ``attempt`` is whose fact it is, the present one's if not given.

    Raises:
        LostRace: the row changed under us again and again.
    """
    event = _second_opinion(trade, event, data)
    for _ in range(COMPARED_MAX):
        before = S(trade.status)
        verdict, to = _decide(trade, event, attempt, data, by.rules)
        if verdict is not Verdict.MOVES:
            _note(connection, trade, event, verdict, data, by)
            if verdict is Verdict.IGNORED and attempt in (None, trade.attempt):
                _misfit(connection, trade, event, by)
            return Recorded(trade.trade_id, verdict, before, before)
        if _move(connection, trade, event, to, data, by):
            if to is S.QUEUED and event in values.ASKED_AGAIN:
                to = _end_if_not_asked_again(connection, trade.trade_id, to, by.now, by.rules)
            return Recorded(trade.trade_id, verdict, before, to)
        trade = read_trade(connection, trade.trade_id)
    raise LostRace(trade.trade_id)


def read_trade(connection: Connection, trade_id: str) -> Row[Any]:
    """The row of a trade.

    Raises:
        sqlalchemy.exc.NoResultFound: there is none.
    """
    return connection.execute(select(trades).where(trades.c.trade_id == trade_id)).one()


def _second_opinion(trade: Row[Any], event: TradeEvent, data: Mapping[str, Any]) -> TradeEvent:
    """A refusal that may be because of the bot does not end a deposit before another bot was refused too."""
    asked = event is E.REFUSED and data.get("unclear") is True and trade.direction == Direction.DEPOSIT
    return E.BOT_REFUSED if asked and trade.refused_by is None else event


def _decide(
    trade: Row[Any], event: TradeEvent, attempt: int | None, data: Mapping[str, Any], rules: Rules
) -> tuple[Verdict, TradeStatus]:
    status = S(trade.status)
    if event in _ENDS and status in LIVE and _of_another(trade, data.get("offer_id")):
        return Verdict.IGNORED, status
    if attempt is not None and attempt != trade.attempt and (attempt > trade.attempt or event not in ADOPTED):
        return Verdict.IGNORED, status
    attempts_left = trade.held_at is not None or trade.attempt - trade.spared < rules.attempts_max
    dropped_to = after_dropped(cancel_requested=trade.cancel_requested_at is not None, attempts_left=attempts_left)
    verdict, to = decide(status, event, dropped_to=dropped_to)
    if status is S.QUEUED and event in (E.TRY_LATER, E.BOT_REFUSED):
        # picked_up was lost: the status stays the same, but this order is spent and another is to be given.
        return Verdict.MOVES, to
    return verdict, to


def _of_another(trade: Row[Any], offer_id: Any) -> bool:
    """Whether this is the id of another offer than the one that the trade is known to have."""
    return offer_id is not None and trade.offer_id is not None and str(offer_id) != trade.offer_id


def _move(
    connection: Connection,
    trade: Row[Any],
    event: TradeEvent,
    to: TradeStatus,
    data: Mapping[str, Any],
    by: ByRules,
) -> bool:
    """Compare and set the status, and do all that follows from it. Whether the comparison held."""
    new = values.of_move(trade, event, to, data, by.now, by.rules)
    compared = connection.execute(
        update(trades)
        .where(trades.c.trade_id == trade.trade_id, trades.c.status == trade.status, trades.c.attempt == trade.attempt)
        .values(status=to.value, touched=by.now, **new)
    )
    if not compared.rowcount:
        return False
    _note_answer(connection, trade, to, by.now, by.rules)
    after = Effects()
    if to not in LIVE:
        held, given = apply_effects.held(connection, trade.trade_id), trade.status != S.QUEUED or trade.waits_for is None
        after = effects.of_move(Direction(trade.direction), to, held, data, by.now, given=given)
        after.owners = apply_effects.owners(trade, held)
    after.offers = effects.offers_taken(S(trade.status), trade.waits_for, to, new.get("waits_for", trade.waits_for))
    if to not in LIVE or after.offers:
        apply_effects.carry_out(connection, trade, after, by.now)
    event_data = {"from": trade.status, "to": to.value, "attempt": trade.attempt, **_shown(data)}
    _tell(connection, event.value, trade, event_data, after, by)
    if to is S.DECLINED:
        _tell_if_at_once(connection, trade, data, by)
    if event is E.OFFER_CANCELED and not _canceled_by_us(trade, data):
        event_data = {"offer_id": data.get("offer_id") or trade.offer_id}
        alarms.of_trade(connection, alarms.CANCELED_ELSEWHERE, trade, event_data, by)
    if trade.direction == Direction.DEPOSIT and to in (S.ACCEPTED, S.SETTLED):
        swaps.compare(connection, _named(connection, trade.trade_id, data), by.rules.value_of, by, trade.trade_id)
    return True


def _canceled_by_us(trade: Row[Any], data: Mapping[str, Any]) -> bool:
    """Whether the site, the trade's time or the bot itself asked for it; of what Steam holds, it or the partner may have."""
    return trade.cancel_requested_at is not None or data.get("reason") == values.NOT_CONFIRMED or trade.status == S.HELD


def _named(connection: Connection, trade_id: str, data: Mapping[str, Any]) -> dict[str, swaps.Named]:
    """Deposit id to what the bot that received the item says it is; by the asset ids of before, or by the rows' own ids."""
    moved = {str(row.get("asset_id")): swaps.Named.of(row) for row in data.get("moved") or ()}
    seen = {str(row.get("deposit_id")): swaps.Named.of(row) for row in data.get("assets") or ()}
    query = select(trade_items.c.deposit_id, trade_items.c.asset_id).where(trade_items.c.trade_id == trade_id)
    names = {row.deposit_id: moved.get(str(row.asset_id)) or seen.get(row.deposit_id) for row in connection.execute(query)}
    return {deposit_id: named for deposit_id, named in names.items() if named is not None}


def _note_answer(connection: Connection, trade: Row[Any], to: TradeStatus, now: datetime, rules: Rules) -> None:
    """What the player did with the offer, for the time that the next one gets. The user's row is locked before any bot's."""
    if to is S.ACCEPTED:
        _answered(connection, trade.user_id, accepted=True)
    stood_s = (now - (trade.begun_at or trade.created_at)).total_seconds()
    if trade.status == S.SENT and to in ENDED_UNMOVED and stood_s >= rules.unanswered_s:
        _answered(connection, trade.user_id, accepted=False)


def _answered(connection: Connection, user_id: str, *, accepted: bool) -> None:
    """An offer of this user was accepted, which forgives those before, or came to nothing after it had stood for long."""
    changed = update(users).where(users.c.user_id == user_id)
    if accepted:
        connection.execute(changed.where(users.c.unanswered != 0).values(unanswered=0))
    else:
        connection.execute(changed.values(unanswered=users.c.unanswered + 1))


def _tell_if_at_once(connection: Connection, trade: Row[Any], data: Mapping[str, Any], by: ByRules) -> None:
    """Whoever has a player's web session declines our offer within seconds and sends a copy: the site can warn the player.

    Steam's own times are exact; since when the offer is active here says so too when it had to be confirmed first.
    """
    active = select(events.c.at).where(events.c.trade_id == trade.trade_id, events.c.kind == E.OFFER_ACTIVE.value)
    since = connection.scalar(active.order_by(events.c.number).limit(1))
    made_at, changed_at = data.get("made_at"), data.get("changed_at")
    after_s = [] if since is None else [(by.now - since).total_seconds()]
    if type(made_at) is int and type(changed_at) is int and made_at <= changed_at:
        after_s.append(changed_at - made_at)
    if after_s and min(after_s) <= by.rules.declined_at_once_s:
        event_data = {"offer_id": data.get("offer_id") or trade.offer_id, "after_s": max(0, round(min(after_s)))}
        _tell(connection, DECLINED_AT_ONCE, trade, event_data, Effects(), by)


def _end_if_not_asked_again(connection: Connection, trade_id: str, to: TradeStatus, now: datetime, rules: Rules) -> TradeStatus:
    """A trade that waits for another order, but the site wants none or the attempts are used up, ends at once.

    Nothing is guessed: a bot has said that nothing is out, and the order of the new attempt was never given.
    """
    trade = read_trade(connection, trade_id)
    if trade.cancel_requested_at is None and trade.attempt - trade.spared <= rules.attempts_max:
        return to
    reason = "recalled" if trade.cancel_requested_at is not None else "attempts used up"
    return record(connection, trade, E.ORDER_DROPPED, {"reason": reason}, ByRules("balancer", now, rules)).after


def _note(
    connection: Connection,
    trade: Row[Any],
    event: TradeEvent,
    verdict: Verdict,
    data: Mapping[str, Any],
    by: By,
) -> None:
    """Nothing moves: what does not fit is written down; a live offer under another id than we know is adopted."""
    if verdict is Verdict.IGNORED:
        event_data = {"status": trade.status, "report": event.value, "attempt": trade.attempt, **_shown(data)}
        _tell(connection, REPORT_IGNORED, trade, event_data, Effects(), by)
    elif event in ADOPTED and trade.status in LIVE and data.get("offer_id") not in (None, trade.offer_id):
        connection.execute(
            update(trades).where(trades.c.trade_id == trade.trade_id).values(offer_id=str(data["offer_id"]), touched=by.now)
        )
        _tell(connection, OFFER_ADOPTED, trade, {"status": trade.status, **_shown(data)}, Effects(), by)
    elif event is E.OFFER_ACCEPTED and trade.exchange_id is None and data.get("exchange_id"):
        _learn_exchange(connection, trade, data, by)


def _learn_exchange(connection: Connection, trade: Row[Any], data: Mapping[str, Any], by: By) -> None:
    """The exchange of an accepted trade becomes known after the fact; without it nothing would ever settle."""
    known: dict[str, Any] = {"exchange_id": str(data["exchange_id"]), "touched": by.now}
    if data.get("settles_at") is not None:
        known["settles_at"] = from_unix(data["settles_at"])
    connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(known))
    _tell(connection, "exchange_known", trade, {"status": trade.status, **_shown(data)}, Effects(), by)


def _misfit(connection: Connection, trade: Row[Any], event: TradeEvent, by: ByRules) -> None:
    """What does not fit leads to a search; if it goes on not fitting, or an exchange failed after it was good, to an operator.

    A trade in doubt is searched for as it is; that an offer is absent is what the end of most trades looks like.
    """
    if event is E.EXCHANGE_FAILED and trade.status in (S.ACCEPTED, S.SETTLED):
        _freeze(connection, trade, effects.FROZEN_EXCHANGE, by.now)
        alarms.of_trade(connection, alarms.EXCHANGE_FAILED, trade, {"exchange_id": trade.exchange_id}, by)
    elif trade.status != S.IN_DOUBT and event is not E.OFFER_ABSENT:
        if trade.find_tries >= MISFITS_MAX:
            alarms.of_trade(connection, alarms.MISFIT, trade, {"report": event.value}, by)
        elif trade.find_at is None:
            find_at = by.now + timedelta(seconds=by.rules.find_s if trade.find_tries else 0)
            connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(find_at=find_at))


def _freeze(connection: Connection, trade: Row[Any], why: str, now: datetime) -> None:
    """Nothing more is done with what this deposit brought until an operator has looked."""
    ids = select(trade_items.c.deposit_id).where(trade_items.c.trade_id == trade.trade_id)
    active = deposits.c.status.in_([D.ACTIVE.value, D.WITHDRAW_PENDING.value])
    connection.execute(
        update(deposits)
        .where(deposits.c.deposit_id.in_(ids), active, deposits.c.frozen_by.is_(None))
        .values(frozen_by=why, touched=now)
    )


# --- what a look for the items found -------------------------------------------------------------------


def record_deposits(connection: Connection, trade: Row[Any], kind: str, data: Mapping[str, Any], by: By) -> int:
    """Apply ``items_seen`` or ``items_gone`` to the deposits of a trade that is over. How many changed; a second call: none.

    A report may come late, twice, or from somebody who kept it: rows that a later withdrawal has taken are left to that one.
    """
    held = apply_effects.held(connection, trade.trade_id)
    direction, status = Direction(trade.direction), S(trade.status)
    if direction is Direction.WITHDRAW:
        taken = apply_effects.taken_since(connection, trade.trade_id)
        held = [row for row in held if row.deposit_id not in taken]
    if kind == "items_seen":
        after = effects.of_seen(direction, status, trade.items_awaited, held, data.get("assets") or ())
    else:
        after = effects.of_gone(direction, status, trade.items_awaited, held, data.get("deposit_ids") or ())
    after.owners = apply_effects.owners(trade, held)
    fewer = after.awaited is not None and after.awaited != trade.items_awaited
    if after.moves or fewer:
        apply_effects.carry_out(connection, trade, after, by.now)
        _tell(connection, kind, trade, {"status": trade.status}, after, by)
    return max(len(after.moves), int(fewer))


def record_decision(
    connection: Connection,
    kind: str,
    deposit: Row[Any],
    after: Effects,
    data: Mapping[str, Any],
    by: By,
) -> None:
    """Carry out what operators decided about one row, which is locked; ``kind`` is the event's."""
    apply_effects.carry_out_at(connection, deposit.color, deposit.bot_id, after, by.now)
    event_data = {**data, "deposits": after.as_data()}
    feed.append(connection, feed.row(kind, event_data, by, None, deposit.user_id, bot_name(deposit)))


# --- telling ----------------------------------------------------------------------------------------


def _tell(
    connection: Connection,
    kind: str,
    trade: Row[Any],
    data: Mapping[str, Any],
    after: Effects,
    by: By,
) -> None:
    moved = {"deposits": after.as_data()} if after.moves else {}
    feed.of_trade(connection, kind, trade, {**data, **moved}, by)


def _shown(data: Mapping[str, Any]) -> dict[str, Any]:
    return kinds.known_fields(data, shapes.STEAMS)
