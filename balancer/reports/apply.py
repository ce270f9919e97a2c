"""One report, one transaction. A second time it changes nothing: `journal.record` compares and sets."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from balancer.custody import departures, gifts
from balancer.db.tables import trades
from balancer.journal import alarms, events, kinds, record
from balancer.journal.by import By
from balancer.journal.rules import ByRules, Rules
from balancer.trades import reversal
from shared.clock import from_unix
from shared.domain.ids import bot_name
from shared.domain.status import TradeEvent, TradeStatus, Verdict
from shared.reports import Report

_TRADE_EVENTS = frozenset(event.value for event in TradeEvent)
_SIGHTINGS = frozenset({"items_seen", "items_gone"})
_KNOWN_REPORTS = frozenset(
    {
        "order_refused",
        "order_failed",
        "offer_unknown",
        "offer_unknown_canceled",
        "offer_declined_by_us",
        "find_inconclusive",
    }
)


def apply(connection: Connection, report: Report, now: Any, rules: Rules) -> bool:
    """Apply one report; whether a trade changed. A second time it changes nothing.

    Raises:
        KeyError, ValueError, TypeError: its data are not what its kind says.
        IntegrityError: the tables refuse it.
    """
    by = ByRules(f"bot:{report.bot}", now, rules)
    data = {**report.data, "calls": report.calls} if report.calls else report.data
    trade = None
    if report.trade_id is not None:
        trade = connection.execute(select(trades).where(trades.c.trade_id == report.trade_id).with_for_update()).first()
        if trade is not None and bot_name(trade) != report.bot:
            _of_another_bot(connection, trade, report, by)
            return False
    if report.kind in _KNOWN_REPORTS:
        shown = kinds.known_fields(data, kinds.KINDS[report.kind].data)
        row = events.row(report.kind, shown, by, report.trade_id, None, report.bot)
        events.append(connection, row)
        return False
    if report.kind == "items_left":
        departures.apply(connection, report.bot, report.data, by)
        return False
    if report.kind == "gift_accepted":
        gifts.book(connection, report.bot, report.data, by)
        return False
    if trade is None:
        raise ValueError("about a trade that this bot does not have")
    if report.kind in _SIGHTINGS:
        return _sighted(connection, trade, report, by)
    if report.kind == "not_settled":
        return _not_settled(connection, report)
    if report.kind not in _TRADE_EVENTS:
        raise ValueError("not about a trade")
    before = trade.status
    recorded = record.record(connection, trade, TradeEvent(report.kind), data, by, attempt=report.attempt)
    if recorded.verdict is Verdict.MOVES and recorded.after is TradeStatus.REVERSED:
        reversal.begin(connection, trade.trade_id, now, rules, report.data.get("reversed_by"))
    return recorded.after != TradeStatus(before) or report.kind in (TradeEvent.TRY_LATER, TradeEvent.BOT_REFUSED)


def _of_another_bot(connection: Connection, trade: Any, report: Report, by: By) -> None:
    """A bot's word counts for its own trades only, whatever kind of word it is. It is written down and changes nothing.

    A bot that had the trade before, and that Steam is said to have refused, is to be looked at if it has an offer after all.
    """
    data = {"report": report.kind, "why": "other_bot", "trade_id": trade.trade_id, "attempt": report.attempt}
    events.append(connection, events.row(record.REPORT_IGNORED, data, by, None, None, report.bot))
    if report.bot in (trade.refused_by or "").split() and report.kind in record.ADOPTED:
        alarms.of_trade(connection, alarms.FORMER_BOT, trade, {"report": report.kind, "reported_by": report.bot}, by)


def _sighted(connection: Connection, trade: Any, report: Report, by: By) -> bool:
    changed = record.record_deposits(connection, trade, report.kind, report.data, by)
    if changed and trade.status == TradeStatus.REVERSED:
        reversal.tell(connection, trade.trade_id, by.now)
    return changed > 0


def _not_settled(connection: Connection, report: Report) -> bool:
    """Steam may have said when; the sweep asks again."""
    settles_at = report.data.get("settles_at")
    if settles_at is not None:
        connection.execute(
            update(trades)
            .where(trades.c.trade_id == report.trade_id, trades.c.status == TradeStatus.ACCEPTED.value)
            .values(settles_at=from_unix(settles_at))
        )
    return False


def unusable(connection: Connection, report: Report, now: Any) -> None:
    data = {"report": report.kind, "attempt": report.attempt}
    events.append(connection, events.row("report_unusable", data, By(f"bot:{report.bot}", now), None, None, report.bot))
