"""Alarms: problems that only an operator can solve, each reported once, in the feed and in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete

from balancer.db import pipeline
from balancer.db.tables import alarms
from balancer.journal import events
from balancer.journal.by import By
from shared import log
from shared.domain.ids import bot_name

logger = log.get(__name__)

EXCHANGE_FAILED = "exchange_failed_after_acceptance"
NO_EXCHANGE = "accepted_without_exchange"
MISFIT = "report_keeps_misfitting"
DOUBT = "doubt_stays"
RESTRICTED = "bot_restricted"
SWAPPED = "item_swapped"
READINGS = "readings_differ"
FORMER_BOT = "former_bot_has_offer"
OWN_REVERSAL = "bot_reversed"
CANCELED_ELSEWHERE = "canceled_elsewhere"

# What an operator should do, in the words of the event.
ACTION = {
    EXCHANGE_FAILED: "Steam says that this exchange failed, but it was good before; its items are frozen. Compare inventories",
    NO_EXCHANGE: "the offer was accepted, but Steam never named the exchange; the items stay unsettled. Check it on Steam",
    SWAPPED: "the bot that received this item says that it is not the item that was read before; its row is frozen, with the "
    "real name and value. Somebody may have taken over the host of the bot that read the player's inventory",
    OWN_REVERSAL: "this bot's own account reversed exchanges, which no bot does: somebody else uses the account. The bot is "
    "frozen. Change its password, then check every trade of its last seven days",
    CANCELED_ELSEWHERE: "this offer was canceled at its bot's account, but not by the site, by its time limit or by the bot. "
    "If no operator did it, somebody else uses the account: sign it out everywhere, change its password, revoke its API "
    "key, then `fleet audit`",
    FORMER_BOT: "Steam refused this trade's offer to a bot, the trade went on with another, and now the first one reports an "
    "offer of it: look at that bot's sent offers",
    MISFIT: "a bot reports something that does not fit this trade's status. Look at its story and at the offer on Steam",
    DOUBT: "searches neither find the offer nor show that there is none; the trade's story says why. Look at the bot's sent "
    "offers and "
    "at both inventories, then say what you found with `fleet trades doubt`",
}


PRICES_ACTION = (
    "the earlier prices stay in use. Look at `[balancer] prices_file` and at `fleet prices status`. If a list is held back "
    "although it is right, run `fleet prices accept file`"
)
FEED_ACTION = (
    "the earlier prices of this feed stay in use. `fleet prices status` says more, and `fleet prices try {source}` shows what "
    "it gives now. If it cannot be fetched, look at its address and key; if a list is held back although it is right, run "
    "`fleet prices accept {source}`"
)


WEBHOOK_DISABLED = "webhook_disabled"
WEBHOOK_ACTION = (
    "nothing is sent to this target any more. Mend the receiver, then `fleet webhooks enable`: everything that it is still "
    "owed is sent in order. `fleet webhooks deliveries` shows what it answered"
)
NOTICES = "notices_not_taken"
NOTICES_ACTION = (
    "one of the addresses in `[alarms] notify` takes no notices. `fleet alarms test` shows which; mend it. What it was not "
    "told is sent to it then"
)
OPERATOR_LOCKED = "operator_locked"
OPERATOR_ACTION = (
    "somebody came through Steam's sign-in as this operator and did not know the codes. Ask the operator; if it was not they, "
    "their Steam account is in other hands: take them out of `[ops] operators`, and let them change its password"
)
RENAMED = "item_renamed"
RENAMED_ACTION = "Steam has given this item a new name. Check that the price list has it; nothing is frozen"
READINGS_ACTION = (
    "one of these two bots' hosts reported a player's items wrongly, and the deposit was refused. Read that inventory "
    "yourself, then pause the bots of the host that was wrong and check who else uses it. An item that was traded in the "
    "seconds between the two readings looks the same"
)


def first(connection: Connection, alarm: str, now: datetime) -> bool:
    """Whether this alarm was never raised before; it has been now."""
    row = pipeline.insert(connection, alarms).values(alarm=alarm, raised_at=now).on_conflict_do_nothing()
    return connection.execute(row.returning(alarms.c.alarm)).first() is not None


def over(connection: Connection, alarm: str) -> None:
    """What this alarm was about is well again: the next time it is raised anew."""
    connection.execute(delete(alarms).where(alarms.c.alarm == alarm))


def of_trade(connection: Connection, alarm: str, trade: Row[Any], data: Mapping[str, Any], by: By) -> bool:
    """Raise this alarm about a trade, once. Whether it was new."""
    if not first(connection, f"{alarm}:{trade.trade_id}", by.now):
        return False
    of_row(connection, alarm, trade, trade.trade_id, {"status": trade.status, **data}, by)
    return True


def of_row(connection: Connection, alarm: str, row: Row[Any], trade_id: str | None, data: Mapping[str, Any], by: By) -> None:
    """Raise this alarm about a trade or a deposit, of which ``row`` names the bot and the user."""
    bot = bot_name(row)
    event_data = {"alarm": alarm, "action": ACTION[alarm], **data}
    events.append(connection, events.row("alarm", event_data, by, trade_id, row.user_id, bot))
    logger.error("alarm", action=alarm, trade_id=trade_id, bot=bot)


def of_rename(connection: Connection, bot: str, class_id: str, old: str, new: str, by: By) -> bool:
    """Valve calls a class otherwise: an alarm, once, as prices go by names. Whether it was new."""
    if not first(connection, f"renamed:{class_id}:{new}"[:300], by.now):
        return False
    data = {"alarm": RENAMED, "class_id": class_id, "old": old, "new": new, "action": RENAMED_ACTION}
    events.append(connection, events.row("alarm", data, by, None, None, bot))
    logger.error("alarm", action=RENAMED, bot=bot, old=old, new=new)
    return True


def of_readings(connection: Connection, bots: Sequence[str], user_id: str, data: Mapping[str, Any], now: datetime) -> bool:
    """Bots of two hosts say different things about a player's items: an alarm, once a day for these. Whether it was new."""
    if not first(connection, f"{READINGS}:{now:%Y-%m-%d}:{':'.join(bots)}:{user_id}"[:255], now):
        return False
    event_data = {"alarm": READINGS, "action": READINGS_ACTION, "bots": list(bots), **data}
    events.append(connection, events.row("alarm", event_data, By("balancer", now), None, user_id, bots[0]))
    logger.error("alarm", action=READINGS, bots=list(bots))
    return True


def of_webhook(connection: Connection, target_id: str, host: str, why: str, last: str, since: int, now: datetime) -> None:
    """Nothing is sent to a target of webhooks any more. ``last``: what it answered, ``since``: unix seconds of the trouble."""
    data = {"alarm": WEBHOOK_DISABLED, "target_id": target_id, "host": host, "why": why, "last": last, "since": since}
    events.append(connection, events.row("alarm", {**data, "action": WEBHOOK_ACTION}, By("balancer", now)))
    logger.error("alarm", action=WEBHOOK_DISABLED, target=target_id, host=host, reason=why)


def of_operator(connection: Connection, name: str, until: int, by: By) -> None:
    """An operator gave too many wrong one-time codes and may not sign in before ``until`` (unix seconds)."""
    data = {"alarm": OPERATOR_LOCKED, "name": name, "until": until, "action": OPERATOR_ACTION}
    events.append(connection, events.row("alarm", data, by))
    logger.error("alarm", action=OPERATOR_LOCKED, operator=name)


def of_feed(connection: Connection, source: str, reason: str, kind: str, now: datetime) -> bool:
    """A feed's list was not taken: an alarm, once a day for each ``kind`` of reason. Whether it was new."""
    if not first(connection, f"prices:{source}:{now:%Y-%m-%d}:{kind[:200]}", now):
        return False
    data = {"alarm": "prices", "feed": source, "reason": reason[:500], "action": FEED_ACTION.format(source=source)}
    events.append(connection, events.row("alarm", data, By("balancer", now)))
    logger.error("alarm", action="prices", feed=source, reason=reason)
    return True


def of_prices(connection: Connection, error: str, now: datetime) -> bool:
    """The price list was not taken: an alarm, once a day for each reason. Whether it was new."""
    if not first(connection, f"prices:{now:%Y-%m-%d}:{error[:200]}", now):
        return False
    data = {"alarm": "prices", "feed": "file", "reason": error[:500], "action": PRICES_ACTION}
    events.append(connection, events.row("alarm", data, By("balancer", now)))
    logger.error("alarm", action="prices", reason=error)
    return True
