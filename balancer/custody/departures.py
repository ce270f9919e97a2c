"""Items that left a bot by an offer that is not ours: somebody else uses its account.

A bot reports accepted offers that gave CS2 items away and that it does not know. Here they are compared with the trades. An
offer of no trade freezes the bot and the rows of those items at once, in the transaction that records it, and raises an alarm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from balancer.db.tables import bots, deposits, trade_items, trades
from balancer.journal import alarms, events
from balancer.journal.by import By
from shared import log, strict
from shared.domain.ids import BotName

FROZEN = "items_left"
ACTION = (
    "items left this bot by an offer that no order of ours made: sign its account out everywhere, change the password, revoke "
    "its API key, compare its inventory with its rows (`fleet audit`), then `fleet bots unfreeze`"
)

logger = log.get(__name__)


def apply(connection: Connection, bot: str, data: Mapping[str, Any], by: By) -> int:
    """Freeze the bot for every such offer that is no trade's. How many were new; a second time it changes nothing.

    Raises:
        ValueError: the report's data are not what its kind says.
    """
    name, new = BotName.parse(bot), 0
    for row in strict.rows(data.get("offers"), "offers"):
        offer = strict.mapping(row, "offer")
        offer_id = strict.number_id(offer.get("offer_id"), "offer_id")
        asset_ids = [int(strict.number_id(each, "asset_id")) for each in strict.rows(offer.get("asset_ids"), "asset_ids")]
        partner = strict.maybe_text(offer.get("partner"))
        if offer.get("sent") is True and _is_ours(connection, name, offer_id, partner, asset_ids):
            continue
        if alarms.first(connection, f"{FROZEN}:{bot}:{offer_id}", by.now):
            new += 1
            event_data = {"offer_id": offer_id, "partner": partner, "sent": bool(offer.get("sent"))}
            _freeze(connection, name, asset_ids, event_data, by)
    return new


def _is_ours(connection: Connection, bot: BotName, offer_id: str, partner: str, asset_ids: list[int]) -> bool:
    """Whether a trade of this bot has this offer; or gave these very items to this partner, if its offer's id is not known."""
    here = (trades.c.color == bot.color, trades.c.bot_id == bot.bot_id)
    if connection.execute(select(trades.c.trade_id).where(*here, trades.c.offer_id == offer_id)).first() is not None:
        return True
    if not partner.isdecimal():
        return False
    joined = select(trade_items.c.trade_id, trade_items.c.asset_id).join(trades, trades.c.trade_id == trade_items.c.trade_id)
    held: dict[str, set[int]] = {}
    for row in connection.execute(joined.where(*here, trades.c.partner == int(partner), trade_items.c.asset_id.in_(asset_ids))):
        held.setdefault(row.trade_id, set()).add(row.asset_id)
    return any(ids == set(asset_ids) for ids in held.values())


def _freeze(connection: Connection, bot: BotName, asset_ids: list[int], event_data: dict[str, Any], by: By) -> None:
    connection.execute(
        update(bots)
        .where(bots.c.color == bot.color, bots.c.bot_id == bot.bot_id, bots.c.frozen_by.is_(None))
        .values(frozen_by=FROZEN, touched=by.now)
    )
    here = (deposits.c.color == bot.color, deposits.c.bot_id == bot.bot_id, deposits.c.asset_id.in_(asset_ids))
    changed = update(deposits).where(*here, deposits.c.frozen_by.is_(None)).values(frozen_by=FROZEN, touched=by.now)
    rows = sorted(connection.scalars(changed.returning(deposits.c.deposit_id)))
    data = {"alarm": FROZEN, **event_data, "asset_ids": [str(each) for each in asset_ids], "deposits": rows, "action": ACTION}
    events.append(connection, events.row("alarm", data, by, None, None, str(bot)))
    logger.error("alarm", action=FROZEN, bot=str(bot), offer_id=event_data["offer_id"], items=len(asset_ids))
