"""What an operator says of a trade that stays in doubt: there is no such offer, or its offer is this one.

Neither is taken for more than it is. An offer that is named is looked up by the trade's bot, and counts only if it goes to this
partner with these items; so naming a wrong one does no harm. That there is none cannot be looked up: it is believed only after
bots have searched in vain until the alarm was raised, and not while the last search saw something that speaks against it. Then
the trade goes on as after a bot's own ``offer_absent``: it is sent again, or ends if it is to be canceled or its attempts are
used up. While it goes on, an offer that was overlooked is still found, and adopted or canceled.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from balancer.db.tables import events, trades
from balancer.journal import events as feed
from balancer.journal import record
from balancer.journal.by import By
from balancer.journal.rules import ByRules
from balancer.upkeep import search
from shared.domain.status import TradeEvent, TradeStatus
from shared.errors import Conflict, NotFound, TooLate

ABSENT = "doubt_decided"
OPERATOR = "operator"

# What a search says that was none, as Steam's lists were not whole or it was the first of two looks.
_NO_LOOK = frozenset({"first_look", "half_filled", "list_incomplete", "steam_maintenance"})
# What a search says that has seen an offer, or an exchange of these very items.
_SAW = frozenset({"exchange_not_done", "offer_unclear", "items_moved"})


def decide(connection: Connection, trade_id: str, offer_id: str | None, reason: str, by: ByRules) -> None:
    """Take an operator's word: this is the trade's offer, or (``None``) it has none. The sweep does the rest.

    Raises:
        NotFound: no such trade.
        TooLate: it is not in doubt (any more).
        Conflict: ``doubt_too_young``, bots have not searched for long enough; ``offer_seen``, the last search speaks against
            it; ``offer_of_another_trade``.
    """
    trade = connection.execute(select(trades).where(trades.c.trade_id == trade_id).with_for_update()).first()
    if trade is None:
        raise NotFound("there is no such trade")
    if trade.status != TradeStatus.IN_DOUBT:
        raise TooLate(f"the trade is {trade.status}", status=trade.status)
    if offer_id is None:
        _absent(connection, trade, reason, by)
    else:
        _name(connection, trade, offer_id, reason, by)


def _absent(connection: Connection, trade: Row[Any], reason: str, by: ByRules) -> None:
    seen = _last_search(connection, trade.trade_id)
    if trade.find_tries <= search.ALARM_TRIES or seen is None or seen in _NO_LOOK:
        raise Conflict(
            "bots have not searched long enough for an operator to decide",
            code="doubt_too_young",
            searches=trade.find_tries,
            searches_needed=search.ALARM_TRIES + 1,
            last_search=seen,
        )
    if seen in _SAW:
        raise Conflict("the last search saw an offer or an exchange of these items", code="offer_seen", last_search=seen)
    data = {"reason": reason, "searches": trade.find_tries, "last_search": seen}
    feed.of_trade(connection, ABSENT, trade, data, by)
    record.record(connection, trade, TradeEvent.OFFER_ABSENT, {"reason": OPERATOR}, by)


def _last_search(connection: Connection, trade_id: str) -> str | None:
    """What the last search in this doubt said; ``None`` if none has said anything."""
    mine = (events.c.trade_id == trade_id,)
    begun = select(func.max(events.c.number)).where(*mine, events.c.kind == TradeEvent.ANSWER_LOST.value).scalar_subquery()
    query = select(events.c.data).where(*mine, events.c.kind == "find_inconclusive", events.c.number > begun)
    data = connection.scalar(query.order_by(events.c.number.desc()).limit(1))
    return None if data is None else str(json.loads(data).get("reason"))


def _name(connection: Connection, trade: Row[Any], offer_id: str, reason: str, by: By) -> None:
    other = connection.scalar(
        select(trades.c.trade_id).where(trades.c.offer_id == offer_id, trades.c.trade_id != trade.trade_id).limit(1)
    )
    if other is not None:
        raise Conflict(f"this offer belongs to {other}", code="offer_of_another_trade", trade_id=other)
    feed.of_trade(connection, search.NAMED, trade, {"offer_id": offer_id, "reason": reason}, by)
    connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(find_at=by.now))
