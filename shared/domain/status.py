"""The state machines of trades and deposits, as tables.

A trade moves only by what a bot saw. Every report may be lost, late or doubled, so each thing that can be seen of an offer
may also be the *first* thing heard of it: that is why most rows start from the early statuses. The three outcomes of looking
a pair up are: it moves the trade; it is no news (the trade is there already); or it does not fit, is written down as
``report_ignored`` and leads to a search. Nothing is guessed: a row that is not here does not exist.

    queued ──▶ sending ──▶ confirming ──▶ sent ──▶ accepted ──▶ settled
       │          │ ▲                       │          └──▶ reversed
       └──────────┴─┴── in_doubt            ├──▶ held ──▶ accepted
                                            └──▶ declined, countered, expired, canceled, failed
"""

from __future__ import annotations

from enum import StrEnum


class TradeStatus(StrEnum):
    """Where a trade stands. The comment says who acts next."""

    QUEUED = "queued"  # the bot's worker takes the order
    SENDING = "sending"  # the worker is at it
    IN_DOUBT = "in_doubt"  # a bot must look whether the offer exists; nobody may send again before
    CONFIRMING = "confirming"  # the worker confirms on the bot's phone
    SENT = "sent"  # the partner answers the offer
    HELD = "held"  # Steam ends its hold
    ACCEPTED = "accepted"  # Steam's protection runs; a bot looks afterwards
    SETTLED = "settled"  # nobody
    DECLINED = "declined"  # nobody
    COUNTERED = "countered"  # nobody
    EXPIRED = "expired"  # nobody
    CANCELED = "canceled"  # nobody
    FAILED = "failed"  # nobody
    REVERSED = "reversed"  # an operator, about the partner


class TradeEvent(StrEnum):
    """What a bot (or the sweep, for ``answer_lost``) can tell of a trade."""

    PICKED_UP = "picked_up"
    ORDER_DROPPED = "order_dropped"
    REFUSED = "refused"
    BOT_REFUSED = "bot_refused"
    TRY_LATER = "try_later"
    ANSWER_LOST = "answer_lost"
    OFFER_ABSENT = "offer_absent"
    CONFIRMATION_NEEDED = "confirmation_needed"
    OFFER_ACTIVE = "offer_active"
    OFFER_HELD = "offer_held"
    OFFER_ACCEPTED = "offer_accepted"
    OFFER_DECLINED = "offer_declined"
    OFFER_COUNTERED = "offer_countered"
    OFFER_EXPIRED = "offer_expired"
    OFFER_CANCELED = "offer_canceled"
    ITEMS_MISSING = "items_missing"
    EXCHANGE_FAILED = "exchange_failed"
    EXCHANGE_REVERSED = "exchange_reversed"
    SETTLED = "settled"


S, E = TradeStatus, TradeEvent

EARLY = (S.QUEUED, S.SENDING, S.IN_DOUBT)
# Statuses in which Steam counts a trade's offer, or may: not while it holds the items of an accepted one.
COUNTED = (*EARLY, S.CONFIRMING, S.SENT)
LIVE = (*COUNTED, S.HELD)
FINAL = (S.SETTLED, S.DECLINED, S.COUNTERED, S.EXPIRED, S.CANCELED, S.FAILED, S.REVERSED)
# An offer was seen, so a worker has begun. With several balancers that it began is often heard after what it did.
BEGUN = (S.CONFIRMING, S.SENT, S.HELD, S.ACCEPTED, S.SETTLED)
ENDED_UNMOVED = (S.DECLINED, S.COUNTERED, S.EXPIRED, S.CANCELED, S.FAILED)


def _rows(event: TradeEvent, to: TradeStatus, *sources: TradeStatus) -> dict[tuple[TradeStatus, TradeEvent], TradeStatus]:
    return {(source, event): to for source in sources}


TRADE_TABLE: dict[tuple[TradeStatus, TradeEvent], TradeStatus] = {
    **_rows(E.PICKED_UP, S.SENDING, S.QUEUED),
    # The plain case "ask again"; `after_dropped` decides between this, canceled and failed.
    **_rows(E.ORDER_DROPPED, S.QUEUED, S.QUEUED, S.SENDING, S.IN_DOUBT),
    **_rows(E.REFUSED, S.FAILED, S.QUEUED, S.SENDING),
    # Steam's clear no, but because of the bot: another one is asked, or this one when it may again.
    **_rows(E.BOT_REFUSED, S.QUEUED, S.QUEUED, S.SENDING),
    **_rows(E.TRY_LATER, S.QUEUED, S.QUEUED, S.SENDING),
    **_rows(E.ANSWER_LOST, S.IN_DOUBT, S.QUEUED, S.SENDING),
    **_rows(E.OFFER_ABSENT, S.QUEUED, S.IN_DOUBT),
    **_rows(E.CONFIRMATION_NEEDED, S.CONFIRMING, *EARLY),
    **_rows(E.OFFER_ACTIVE, S.SENT, *EARLY, S.CONFIRMING),
    **_rows(E.OFFER_HELD, S.HELD, *EARLY, S.CONFIRMING, S.SENT),
    **_rows(E.OFFER_ACCEPTED, S.ACCEPTED, *EARLY, S.CONFIRMING, S.SENT, S.HELD),
    **_rows(E.OFFER_DECLINED, S.DECLINED, *EARLY, S.CONFIRMING, S.SENT),
    **_rows(E.OFFER_COUNTERED, S.COUNTERED, *EARLY, S.CONFIRMING, S.SENT),
    **_rows(E.OFFER_EXPIRED, S.EXPIRED, *EARLY, S.CONFIRMING, S.SENT),
    **_rows(E.OFFER_CANCELED, S.CANCELED, *EARLY, S.CONFIRMING, S.SENT, S.HELD),
    **_rows(E.ITEMS_MISSING, S.FAILED, *EARLY, S.CONFIRMING, S.SENT, S.HELD),
    **_rows(E.EXCHANGE_FAILED, S.FAILED, *EARLY, S.CONFIRMING, S.SENT, S.HELD),
    **_rows(E.EXCHANGE_REVERSED, S.REVERSED, *EARLY, S.CONFIRMING, S.SENT, S.HELD, S.ACCEPTED, S.SETTLED),
    **_rows(E.SETTLED, S.SETTLED, S.ACCEPTED),
}

# Where an event leads wherever it is heard; the trade being there already is no news.
_TARGETS: dict[TradeEvent, TradeStatus] = {event: to for (_, event), to in TRADE_TABLE.items()}


def leads_to(event: TradeEvent) -> TradeStatus:
    """The status that a trade has after this event, wherever it stood."""
    return _TARGETS[event]


class Verdict(StrEnum):
    """What the tables say about one (status, event)."""

    MOVES = "moves"
    NO_NEWS = "no_news"
    IGNORED = "ignored"


def decide(
    status: TradeStatus, event: TradeEvent, *, dropped_to: TradeStatus = TradeStatus.QUEUED
) -> tuple[Verdict, TradeStatus]:
    """What one event does to a trade in this status: the verdict, and the status afterwards.

    ``dropped_to`` is what `after_dropped` says; only ``order_dropped`` looks at it. A dropped order that leads back to
    ``queued`` counts as a move even from ``queued``: the order is to be given again.
    """
    to = TRADE_TABLE.get((status, event))
    if to is not None and event is TradeEvent.ORDER_DROPPED:
        return Verdict.MOVES, dropped_to
    if to is not None and to is not status:
        return Verdict.MOVES, to
    if to is status or _TARGETS[event] is status:
        return Verdict.NO_NEWS, status
    if event is TradeEvent.PICKED_UP and status in BEGUN:
        return Verdict.NO_NEWS, status
    return Verdict.IGNORED, status


def after_dropped(*, cancel_requested: bool, attempts_left: bool) -> TradeStatus:
    """Where a trade goes whose order the worker did not carry out: the site's wish first, then the limit of attempts."""
    if cancel_requested:
        return S.CANCELED
    return S.QUEUED if attempts_left else S.FAILED


class WaitsFor(StrEnum):
    """What a queued trade waits for before its order is given. Until then it takes no open offer of its bot."""

    APPROVAL = "approval"  # a second operator's
    SETTLEMENT = "settlement"  # of its items
    OFFER = "offer"  # in line for a free one
    BOT = "bot"  # one that Steam lets do it: another one for a deposit, its own for a withdrawal


class AuditVerdict(StrEnum):
    """What a whole audit of one bot says."""

    CLEAN = "clean"
    DIFFERENCES = "differences"
    INCONCLUSIVE = "inconclusive"


class DepositStatus(StrEnum):
    """Where one item stands. The first six are the seed's own; ``reversed`` came with trade protection in 2025."""

    DEPOSIT_PENDING = "deposit_pending"
    DEPOSIT_FAILURE = "deposit_failure"
    ACTIVE = "active"
    WITHDRAW_PENDING = "withdraw_pending"
    WITHDRAWN = "withdrawn"
    COUNTER = "counter"
    REVERSED = "reversed"


class DepositEvent(StrEnum):
    """What moves a deposit."""

    TRADE_ACCEPTED = "trade_accepted"
    TRADE_FAILED = "trade_failed"
    TRADE_COUNTERED = "trade_countered"
    WITHDRAW_REQUESTED = "withdraw_requested"
    ITEMS_SEEN = "items_seen"
    REVERSAL_SEEN = "reversal_seen"
    WRITTEN_OFF = "written_off"


D, F = DepositStatus, DepositEvent

DEPOSIT_TABLE: dict[tuple[DepositStatus, DepositEvent], DepositStatus] = {
    (D.DEPOSIT_PENDING, F.TRADE_ACCEPTED): D.ACTIVE,
    (D.DEPOSIT_PENDING, F.TRADE_FAILED): D.DEPOSIT_FAILURE,
    (D.DEPOSIT_PENDING, F.TRADE_COUNTERED): D.COUNTER,
    (D.DEPOSIT_PENDING, F.REVERSAL_SEEN): D.REVERSED,
    (D.ACTIVE, F.REVERSAL_SEEN): D.REVERSED,
    (D.ACTIVE, F.WITHDRAW_REQUESTED): D.WITHDRAW_PENDING,
    (D.WITHDRAW_PENDING, F.TRADE_ACCEPTED): D.WITHDRAWN,
    (D.WITHDRAW_PENDING, F.ITEMS_SEEN): D.ACTIVE,
    (D.WITHDRAWN, F.ITEMS_SEEN): D.ACTIVE,  # a reversed withdrawal, frozen by the caller
    (D.ACTIVE, F.WRITTEN_OFF): D.REVERSED,  # it is gone, and two people say so
    (D.WITHDRAW_PENDING, F.WRITTEN_OFF): D.REVERSED,
}

DEPOSIT_FINAL = (D.DEPOSIT_FAILURE, D.WITHDRAWN, D.COUNTER, D.REVERSED)
DEPOSIT_PENDING = (D.DEPOSIT_PENDING, D.WITHDRAW_PENDING)
IN_CUSTODY = (D.DEPOSIT_PENDING, D.ACTIVE, D.WITHDRAW_PENDING)

# What the end of a trade means for the rows of a deposit; a withdrawal's rows wait for `items_seen` instead.
DEPOSIT_END: dict[TradeStatus, DepositEvent] = {
    S.ACCEPTED: F.TRADE_ACCEPTED,
    S.DECLINED: F.TRADE_FAILED,
    S.EXPIRED: F.TRADE_FAILED,
    S.CANCELED: F.TRADE_FAILED,
    S.FAILED: F.TRADE_FAILED,
    S.COUNTERED: F.TRADE_COUNTERED,
}


class Direction(StrEnum):
    """Which way a trade moves its items, seen from custody."""

    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"
    MOVE = "move"


# How a trade begins, and how the rows begin that it moves.
TRADE_BEGINS = S.QUEUED
ROW_BEGINS: dict[Direction, DepositStatus] = {
    Direction.DEPOSIT: D.DEPOSIT_PENDING,
    Direction.WITHDRAW: DEPOSIT_TABLE[D.ACTIVE, F.WITHDRAW_REQUESTED],
}


class Decision(StrEnum):
    """What two people decide about a row that is frozen for good: its item is here after all, or it is gone."""

    RELEASE = "release"
    WRITE_OFF = "write_off"


class BotMode(StrEnum):
    """What the operator wants of a bot: everything; nothing new; only giving back."""

    ACTIVE = "active"
    PAUSED = "paused"
    DRAINING = "draining"
