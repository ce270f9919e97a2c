"""Every alarm: what only an operator can solve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from balancer.journal.kinds.shapes import (
    A_HOOK,
    A_REF,
    ANYTHING,
    CENTS,
    DEP,
    FLAG,
    HOOK,
    REF,
    TEXT,
    TEXTS,
    UNIX,
    WHOLE,
    About,
    Acts,
    Kind,
    Schema,
    maybe,
)


def _alarm(text: str, about: About, data: Mapping[str, Schema], example: Mapping[str, Any]) -> Kind:
    return Kind(text, Acts.OPERATOR, about, data, example)


# By `data.alarm`. Each also has `action`: what an operator should do, in a sentence.
ALARMS: dict[str, Kind] = {
    "exchange_failed_after_acceptance": _alarm(
        "Steam says that an exchange failed that was good before; its items are frozen.",
        About.TRADE,
        {"status": TEXT, "exchange_id": maybe(TEXT)},
        {"status": "accepted", "exchange_id": "5001"},
    ),
    "accepted_without_exchange": _alarm(
        "An offer was accepted, but Steam never named the exchange.",
        About.TRADE,
        {"status": TEXT, "offer_id": maybe(TEXT)},
        {"status": "accepted", "offer_id": "7012345678"},
    ),
    "report_keeps_misfitting": _alarm(
        "A bot keeps reporting something that does not fit the trade's status.",
        About.TRADE,
        {"status": TEXT, "report": TEXT},
        {"status": "sent", "report": "exchange_failed"},
    ),
    "doubt_stays": _alarm(
        "Searches neither find the offer nor show that there is none.",
        About.TRADE,
        {"status": TEXT, "searches": WHOLE},
        {"status": "in_doubt", "searches": 8},
    ),
    "bot_restricted": _alarm(
        "Steam restricts a bot.",
        About.BOT,
        {"reason": TEXT, "forbids": TEXTS},
        {"reason": "bot_locked", "forbids": ["take", "give"]},
    ),
    "item_swapped": _alarm(
        "The bot that received an item says that it is another item than was reported before; the row is frozen.",
        About.TRADE,
        {"deposit_id": TEXT, "said": TEXT, "is": TEXT, "value_cents_said": CENTS, "value_cents": CENTS},
        {
            "deposit_id": DEP,
            "said": "AWP | Dragon Lore (Factory New)",
            "is": "Sticker | Cheap",
            "value_cents_said": 900000,
            "value_cents": 3,
        },
    ),
    "readings_differ": _alarm(
        "Bots of two hosts read different things in a player's inventory; the deposit was refused.",
        About.ANY,
        {"bots": TEXTS, "readings": {"type": "array", "items": ANYTHING}},
        {"bots": ["red-1", "red-11"], "readings": [{"second": "inventory_private"}]},
    ),
    "former_bot_has_offer": _alarm(
        "Steam refused the offer to a bot, the trade went on with another, and the first one has an offer after all.",
        About.TRADE,
        {"status": TEXT, "report": TEXT, "reported_by": TEXT},
        {"status": "sent", "report": "offer_active", "reported_by": "red-2"},
    ),
    "bot_reversed": _alarm(
        "A bot's own account reversed an exchange: somebody else uses the account. The bot is frozen.",
        About.TRADE,
        {"status": TEXT, "exchange_id": maybe(TEXT)},
        {"status": "reversed", "exchange_id": "5001"},
    ),
    "canceled_elsewhere": _alarm(
        "An offer was canceled at its bot's account, but not by the site, by its time limit or by the bot.",
        About.TRADE,
        {"status": TEXT, "offer_id": maybe(TEXT)},
        {"status": "sent", "offer_id": "7012345678"},
    ),
    "items_left": _alarm(
        "Items left a bot by an offer that belongs to no trade; the bot and their rows are frozen.",
        About.BOT,
        {"offer_id": TEXT, "partner": TEXT, "sent": FLAG, "asset_ids": TEXTS, "deposits": TEXTS},
        {
            "offer_id": "7012345678",
            "partner": "76561198000000009",
            "sent": True,
            "asset_ids": ["27348562001"],
            "deposits": [DEP],
        },
    ),
    "item_renamed": _alarm(
        "Valve calls a class of items otherwise.",
        About.BOT,
        {"class_id": TEXT, "old": TEXT, "new": TEXT},
        {"class_id": "310776668", "old": "Old Name", "new": "New Name"},
    ),
    "notices_not_taken": _alarm(
        "An address to which alarms are sent takes none; `service` is its kind, as in `mailto`.",
        About.NONE,
        {"service": TEXT, "tries": WHOLE},
        {"service": "mailto", "tries": 7},
    ),
    "prices": _alarm(
        "A list of prices was not taken; the earlier prices of its `feed` (`file`: the price file) stay in use.",
        About.NONE,
        {"reason": TEXT, "feed?": TEXT},
        {"reason": "held back: it has lost 900 of 1000 names", "feed": "file"},
    ),
    "withdrawals_limit": _alarm(
        "More would have gone out than a limit allows; withdrawals are paused.",
        About.NONE,
        {"limit": TEXT, "client": maybe(TEXT), "at_most": WHOLE, "would_be": WHOLE, "window_s": {"type": "number"}},
        {"limit": "fleet_withdrawals_max", "client": None, "at_most": 100, "would_be": 101, "window_s": 3600},
    ),
    "limit_reached": _alarm(
        "A limit of what a game may book was reached, and the call refused.",
        About.NONE,
        {"limit": TEXT, "of": TEXT, "at_most": WHOLE, "would_be": WHOLE},
        {"limit": "client_credits_day_cents", "of": "cli_4f1c", "at_most": 100000, "would_be": 100031},
    ),
    "lock_released_by_operator": _alarm(
        "An operator freed items that a game may count on.",
        About.USER,
        {**REF, "count": WHOLE, "reason": TEXT},
        {**A_REF, "count": 1, "reason": "the game is gone"},
    ),
    "webhook_disabled": _alarm(
        "A target of webhooks took nothing for days, or said that it is gone: it is sent nothing more.",
        About.NONE,
        {**HOOK, "why": TEXT, "last": {**TEXT, "description": "Its last status, or why there was none"}, "since": UNIX},
        {**A_HOOK, "why": "gave_up", "last": "500", "since": 1764300000},
    ),
    "operator_locked": _alarm(
        "Somebody signed in through Steam as an operator of the page and gave wrong one-time codes.",
        About.NONE,
        {"name": TEXT, "until": UNIX},
        {"name": "ann", "until": 1764590000},
    ),
}
