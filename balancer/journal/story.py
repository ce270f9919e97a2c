"""One trade's whole story, from the events that were written when they happened: in words for people, with the data beside."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from balancer.db.tables import events
from balancer.fields import Time, unix

_WHY = {
    "holds_most": "it already holds most of this user's items",
    "most_room": "it has the fewest open offers and the most room",
    "split": "no single bot had room for all items",
    "holds_items": "it holds these items",
}

_WORDS = {
    "picked_up": "The worker has begun the order to send.",
    "order_dropped": "The order was not carried out.",
    "refused": "Steam said no.",
    "try_later": "Steam said not now.",
    "bot_refused": "Steam does not let this bot do it; no offer was made.",
    "bot_changed": "The trade goes on with another bot.",
    "bot_able": "Its bot may go on.",
    "answer_lost": "Nobody knows whether the offer was made.",
    "doubt_decided": "An operator has checked: there is no such offer.",
    "offer_named": "An operator has named its offer; a bot looks it up.",
    "offer_absent": "A bot has read all offers twice: there is no such offer, and all items are still in their places.",
    "find_inconclusive": "A bot searched and found no clear answer.",
    "confirmation_needed": "The offer exists and waits for the bot's own confirmation.",
    "offer_active": "The offer waits for the partner.",
    "offer_held": "The partner accepted; Steam holds the items for some days.",
    "offer_accepted": "The offer was accepted.",
    "offer_declined": "The partner declined.",
    "offer_countered": "The partner answered with another offer.",
    "offer_expired": "The offer expired.",
    "offer_canceled": "The offer was canceled.",
    "offer_adopted": "A live offer of this trade with another id was found; the trade goes on with it.",
    "declined_at_once": "It was declined within seconds. Perhaps somebody else uses the partner's account.",
    "offer_verified": "The partner checked the offer: it was open, and is ours.",
    "items_missing": "Steam says that items of the offer are gone.",
    "exchange_failed": "Steam's exchange of the items failed.",
    "exchange_reversed": "The exchange was reversed.",
    "exchange_known": "Steam's id of the exchange became known.",
    "settled": "Steam's protection is over and the items are where they should be.",
    "items_seen": "A bot saw the items.",
    "items_gone": "A bot did not find the items.",
    "reversal": "Who has what after the reversal.",
    "partner_blocked": "The partner gets no new trades until an operator allows it.",
    "cancel_requested": "It is to be canceled.",
    "report_ignored": "A report did not fit and changed nothing; a bot was asked to search.",
    "withdrawal_approved": "A second operator approved it.",
    "withdrawal_rejected": "A second operator rejected it.",
    "withdrawal_held": "Withdrawals were paused before a bot began this one: it goes back in line.",
    "withdrawal_released": "It no longer waits; its order is due.",
    "order_failed": "A bot could not carry out an order.",
    "order_refused": "A bot refused an order.",
    "alarm": "An operator has to look.",
    "alarm_acknowledged": "An operator has seen these alarms.",
    "bot_mode": "An operator wants something else of this bot.",
    "bot_health": "What this bot may do is another than before.",
    "restored": "The database was restored from a backup; a bot has to search.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a trade, in words and as data."""

    number: int
    at: Time
    who: str
    kind: str
    text: str
    data: dict[str, Any]


def of_trade(connection: Connection, trade_id: str) -> list[Step]:
    """Everything that was written down about this trade, in order."""
    query = select(events).where(events.c.trade_id == trade_id).order_by(events.c.number)
    entries = []
    for row in connection.execute(query):
        data = json.loads(row.data)
        entries.append(Step(row.number, unix(row.at), row.who, row.kind, sentence(row.kind, row.bot, data), data))
    return entries


def sentence(kind: str, bot: str | None, data: dict[str, Any]) -> str:
    """One event as a line of text."""
    if kind == "offer_absent" and data.get("reason") == "operator":
        text = "The trade goes on as if a bot had shown that there is no offer."
    else:
        text = _created(bot, data) if kind == "trade_created" else _WORDS.get(kind, kind.replace("_", " ").capitalize() + ".")
    return " ".join([text, *_details(kind, data)])


def _created(bot: str | None, data: dict[str, Any]) -> str:
    choice = data.get("choice") or {}
    why = _WHY.get(str(choice.get("why")), "the reason was not kept")
    text = f"Asked for: a {data.get('direction')} of {len(data.get('deposits') or ())} items with {bot}, because {why}."
    waits = data.get("waits_for")
    return f"{text} No order yet: it waits for its {waits}." if waits else f"{text} Order to send, attempt 1."


def _details(kind: str, data: dict[str, Any]) -> list[str]:
    """What of the data a reader wants to see at once: the move, the attempt, Steam's words."""
    parts = []
    if data.get("from") and data.get("to") and data["from"] != data["to"]:
        parts.append(f"{data['from']} → {data['to']}.")
    if kind != "trade_created" and data.get("attempt"):
        parts.append(f"Attempt {data['attempt']}.")
    if data.get("to") == "queued" and data.get("from"):
        parts.append(f"Order to send, attempt {int(data.get('attempt', 0)) + 1}.")
    names = ("report", "offer_id", "exchange_id", "state", "result", "code", "reason", "alarm", "action", "in_line_s", "calls")
    facts = [f"{name} {data[name]}" for name in names if data.get(name) is not None]
    return [*parts, f"({', '.join(facts)})"] if facts else parts
