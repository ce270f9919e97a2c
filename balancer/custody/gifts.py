"""What strangers give to a bot: booked as the house's own, so that every item a bot holds belongs to a row.

A bot's ``decline`` order tells of each gift again after a restart. The rows' ids are made of bot, exchange and asset, so that
booking twice changes nothing. Steam's receipt does not name the item, and the house's rows have no value to anybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from balancer.context import Context
from balancer.custody.compare import Seen
from balancer.db import pipeline
from balancer.db.tables import HOUSE, bots, deposits, items, trades
from balancer.journal import events, opening
from balancer.journal.by import By
from shared.domain.ids import BotName, bot_name
from shared.domain.items import CONTEXT_NORMAL, CS2_APP_ID, item_id_of
from shared.domain.status import LIVE, DepositStatus, TradeStatus
from shared.orders import DeclineOrder

GIFT = "Gift that nobody has named"
FROZEN = "gift"
WHO = "audit"


async def decline_offers(ctx: Context) -> int:
    """Ask every bot that is online to decline what others offer it. Returns how many were asked.

    Gifts are kept if that is wished, and only by bots with a free slot, so that nobody fills one over its limit with them.
    """
    if ctx.fleet.maintenance:
        return 0
    times, most = ctx.settings.trades, ctx.settings.limits.bot_items_max
    busy = await ctx.db.read(_with_live_trades)
    given = [
        ctx.orders.build(
            "decline",
            bot.name,
            DeclineOrder(times.keep_gifts and bot.used < most, idle=bot.name not in busy),
            lifetime_s=times.decline_s,
        )
        for bot in ctx.fleet.online()
    ]
    if given and not await ctx.outbox.give(given):
        return 0
    return len(given)


def _with_live_trades(connection: Connection) -> set[str]:
    """Bots whose sent offers are watched, or may be in a moment."""
    out = or_(trades.c.waits_for.is_(None), trades.c.status != TradeStatus.QUEUED.value)
    live = trades.c.status.in_([status.value for status in LIVE])
    rows = connection.execute(select(trades.c.color, trades.c.bot_id).where(live, out).distinct())
    return {bot_name(row) for row in rows}


def book(connection: Connection, bot: str, data: Mapping[str, Any], by: By) -> int:
    """Rows of the house for the assets of a gift. How many are new.

    Raises:
        KeyError, ValueError: the report's data are not what its kind says.
    """
    name, exchange_id = BotName.parse(bot), str(data["exchange_id"])
    rows = [_row(name, exchange_id, moved, by.now) for moved in data["moved"]]
    if not rows:
        return 0
    _know_gift(connection)
    new = [row["deposit_id"] for row in rows if opening.take_gift(connection, row)]
    if new:
        _hold(connection, name, len(new), by.now)
        event_data = {
            "offer_id": data.get("offer_id"),
            "exchange_id": exchange_id,
            "partner": data.get("partner"),
            "deposits": new,
        }
        events.append(connection, events.row("gift_accepted", event_data, by, None, HOUSE, bot))
    return len(new)


def _row(bot: BotName, exchange_id: str, moved: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    asset_id = str(moved["new_asset_id"])
    digest = hashlib.sha256(f"{bot}\n{exchange_id}\n{asset_id}".encode()).hexdigest()
    return {
        "deposit_id": f"dep_gift{digest[:20]}",
        "item_id": item_id_of(GIFT),
        "user_id": HOUSE,
        "color": bot.color,
        "bot_id": bot.bot_id,
        "app_id": CS2_APP_ID,
        "context_id": str(moved["new_context_id"]),
        "asset_id": int(asset_id),
        "value_cents": 0,
        "frozen_by": FROZEN,
        "created_at": now,
        "touched": now,
    }


def seen(
    connection: Connection,
    bot: BotName,
    assets: Mapping[str, Seen],
    claimed: Collection[str],
    now: datetime,
    *,
    at_rest: bool,
) -> list[str]:
    """Name the gifts that this audit has seen, and where they lie: an operator may give away what is in the normal context.

    ``assets`` are those of the bot by their ids, ``claimed`` the ids of all its rows. When Steam's protection ends an asset may
    get another id; as many assets that no row claims as gifts that are not there are these gifts, whichever is which: all are
    the house's. That is said only while the bot is ``at_rest``, with nothing on its way in or out. Returns the rows that
    changed; a second time none.
    """
    here = (deposits.c.color == bot.color, deposits.c.bot_id == bot.bot_id, deposits.c.frozen_by == FROZEN)
    query = select(deposits).where(*here, deposits.c.status == DepositStatus.ACTIVE.value, deposits.c.user_id == HOUSE)
    rows = list(connection.execute(query.order_by(deposits.c.deposit_id).with_for_update()))
    lost = [row for row in rows if str(row.asset_id) not in assets]
    free = sorted((each for asset_id, each in assets.items() if asset_id not in claimed), key=lambda each: int(each.asset_id))
    by_deposit = {row.deposit_id: assets[str(row.asset_id)] for row in rows if str(row.asset_id) in assets}
    if at_rest and len(lost) == len(free):
        by_deposit |= {row.deposit_id: each for row, each in zip(lost, free, strict=True)}
    ready = {deposit_id: each for deposit_id, each in by_deposit.items() if each.context_id == CONTEXT_NORMAL and each.name}
    for deposit_id, each in ready.items():
        _place(connection, deposit_id, each, now)
    if ready:
        events.append(connection, events.row("gifts_seen", {"deposits": list(ready)}, By(WHO, now), None, HOUSE, str(bot)))
    return list(ready)


def _place(connection: Connection, deposit_id: str, asset: Seen, now: datetime) -> None:
    item_id = item_id_of(asset.name)
    row = {"item_id": item_id, "market_hash_name": asset.name}
    connection.execute(pipeline.insert(connection, items).values(row).on_conflict_do_nothing())
    values: dict[str, Any] = {
        "item_id": item_id,
        "asset_id": int(asset.asset_id),
        "context_id": asset.context_id,
        "class_id": asset.class_id or None,
        "named_class": asset.class_id or None,
        "fingerprint": asset.fingerprint,
        "settled_at": now,
        "frozen_by": None,
        "touched": now,
    }
    connection.execute(update(deposits).where(deposits.c.deposit_id == deposit_id).values(values))


def _know_gift(connection: Connection) -> None:
    row = {"item_id": item_id_of(GIFT), "market_hash_name": GIFT}
    connection.execute(pipeline.insert(connection, items).values(row).on_conflict_do_nothing())


def _hold(connection: Connection, bot: BotName, n_items: int, now: datetime) -> None:
    connection.execute(
        update(bots)
        .where(bots.c.color == bot.color, bots.c.bot_id == bot.bot_id)
        .values(slots_held=bots.c.slots_held + n_items, touched=now)
    )
