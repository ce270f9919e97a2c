"""Every kind of event and every alarm: what it says, who has to act, what its data are, and an example.

Only kinds that stand here are written: `balancer.journal.events.row` refuses any other. The document at `/openapi.json` and the
tables in docs/events.md are made from this. A field's name with ``?`` behind it may be missing. No field holds a token, a trade
URL or an address of the verify page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.domain.status import TradeEvent

Schema = dict[str, Any]
E = TradeEvent


class Acts(StrEnum):
    """Who has to do something because of an event."""

    NOBODY = "nobody"
    BOT = "bot"
    STEAM = "steam"
    PLAYER = "player"
    SITE = "site"
    OPERATOR = "operator"


class About(StrEnum):
    """Which of an event's own fields are set."""

    TRADE = "trade_id, user_id, bot"
    REPORTED = "bot, and trade_id if it is about a trade"
    BOT = "bot"
    USER = "user_id"
    HOUSE = "user_id, and bot if one has it"
    ANY = "what it is about"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event, or one alarm. ``example`` are its data, without what is the same in all alarms."""

    text: str
    acts: Acts
    about: About
    data: Mapping[str, Schema]
    example: Mapping[str, Any]


TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": TEXT}
ANYTHING: Schema = {"type": "object"}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def rows(**fields: Schema) -> Schema:
    """A list of objects with these fields; a name that ends in ``_`` may be missing."""
    return {"type": "array", "items": thing({f"{name[:-1]}?" if name.endswith("_") else name: f for name, f in fields.items()})}


def thing(fields: Mapping[str, Schema], *, exact: bool = False) -> Schema:
    """An object with these fields; ``exact``: and no others."""
    named = {name.rstrip("?"): schema for name, schema in fields.items()}
    made: Schema = {"type": "object", "properties": named}
    if needed := [name for name in fields if not name.endswith("?")]:
        made["required"] = needed
    return {**made, "additionalProperties": False} if exact else made


# In unix seconds, as a bot or Steam told it.
UNIX = {**WHOLE, "description": "Unix seconds"}
CENTS = {**WHOLE, "description": "Cents"}
DEPOSITS: Schema = {
    "type": "array",
    "items": thing({"deposit_id": TEXT, "from?": TEXT, "to": TEXT, "frozen_by?": TEXT, "owner?": TEXT}),
}
CREDITS = rows(user_id=TEXT, cents=CENTS, kind=TEXT, reason_=TEXT)
STEAMS: dict[str, Schema] = {
    "offer_id?": TEXT,
    "exchange_id?": TEXT,
    "state?": {**WHOLE, "description": "Steam's number of the offer's or the exchange's state"},
    "code?": TEXT,
    "reason?": TEXT,
    "result?": {**WHOLE, "description": "Steam's result code"},
    "settles_at?": UNIX,
    "retry_after_s?": {"type": "number"},
    "calls?": {**TEXT, "description": "The bot's calls to Steam, with the answers' codes"},
}
MOVED: dict[str, Schema] = {"from": TEXT, "to": TEXT, "attempt": WHOLE, **STEAMS, "deposits?": DEPOSITS}
REF = {"client_id": TEXT, "ref": TEXT}
HOOK = {"target_id": TEXT, "host": TEXT}
DEP, TRD, HOOK_ID = "dep_06bq4e0w9k2n8d3v7h1r", "trd_06bq4e0w9k2n8d3v7h1r", "whk_06bq4e0w9k2n8d3v7h1r"
_HOOK = {"target_id": HOOK_ID, "host": "mysite.example"}
DECIDED: dict[str, Schema] = {"deposit_id": TEXT, "decision": TEXT, "asset_id": maybe(TEXT), "reason": TEXT}
CARRIED: dict[str, Schema] = {"deposit_id": TEXT, "frozen_by": maybe(TEXT), "reason": TEXT, "deposits": DEPOSITS}
_DECIDED = {"deposit_id": DEP, "decision": "release", "asset_id": "27348562001", "reason": "seen in the bot's inventory"}
_REF = {"client_id": "cli_4f1c", "ref": "bet_01jdv"}
_DEPS = [{"deposit_id": DEP, "from": "deposit_pending", "to": "active"}]


def moved(text: str, acts: Acts, before: str, after: str, **more: Any) -> Kind:
    """A change of a trade's status."""
    return Kind(text, acts, About.TRADE, MOVED, {"from": before, "to": after, "attempt": 1, **more})


_KINDS: dict[str, Kind] = {
    "trade_created": Kind(
        "A trade was asked for, and its bot chosen (`choice` says why).",
        Acts.BOT,
        About.TRADE,
        {"to": TEXT, "direction": TEXT, "deposits": DEPOSITS, "choice?": ANYTHING, "waits_for?": TEXT},
        {
            "to": "queued",
            "direction": "deposit",
            "deposits": [{"deposit_id": DEP, "to": "deposit_pending"}],
            "choice": {"why": "fewest_offers", "items": 1, "bots": 3, "holds": 0, "offers_to_player": 0},
        },
    ),
    # --- what happens to a trade
    E.PICKED_UP: moved("The bot has begun with the order.", Acts.BOT, "queued", "sending"),
    E.ORDER_DROPPED: moved("The bot did not send: the order was recalled or had expired.", Acts.NOBODY, "queued", "canceled"),
    E.REFUSED: moved(
        "Steam refused the offer clearly; the trade has failed.", Acts.SITE, "sending", "failed", code="partner_hold", result=16
    ),
    E.BOT_REFUSED: moved(
        "Steam does not let this bot do it; the trade goes on with another, or waits.",
        Acts.OPERATOR,
        "sending",
        "queued",
        code="bot_restricted",
        reason="bot_locked",
    ),
    E.TRY_LATER: moved(
        "Steam cannot do it at the moment; it is tried again.",
        Acts.BOT,
        "sending",
        "queued",
        code="steam_unavailable",
        retry_after_s=10,
    ),
    E.ANSWER_LOST: moved(
        "Nobody knows whether Steam made the offer; a bot searches for it.", Acts.BOT, "sending", "in_doubt", reason="timeout"
    ),
    E.OFFER_ABSENT: moved("It is certain that there is no offer; it is sent anew.", Acts.BOT, "in_doubt", "queued"),
    E.CONFIRMATION_NEEDED: moved(
        "The offer is made; the bot confirms it.", Acts.BOT, "sending", "confirming", offer_id="7012345678", state=9
    ),
    E.OFFER_ACTIVE: moved("The player can accept the offer.", Acts.PLAYER, "sending", "sent", offer_id="7012345678", state=2),
    E.OFFER_HELD: moved(
        "The player has accepted; Steam keeps the items first.", Acts.STEAM, "sent", "held", offer_id="7012345678", state=11
    ),
    E.OFFER_ACCEPTED: moved(
        "The items have moved. Steam can reverse it until it has settled.",
        Acts.NOBODY,
        "sent",
        "accepted",
        offer_id="7012345678",
        state=3,
        exchange_id="5001",
        deposits=_DEPS,
    ),
    E.OFFER_DECLINED: moved("The player has declined.", Acts.SITE, "sent", "declined", offer_id="7012345678", state=7),
    E.OFFER_COUNTERED: moved("The player answered with another offer, which bots decline.", Acts.SITE, "sent", "countered"),
    E.OFFER_EXPIRED: moved("The offer's time is over.", Acts.SITE, "sent", "expired", offer_id="7012345678", state=5),
    E.OFFER_CANCELED: moved("The offer is canceled at Steam.", Acts.SITE, "sent", "canceled", offer_id="7012345678", state=6),
    E.ITEMS_MISSING: moved("An item of the offer is gone; the trade has failed.", Acts.SITE, "sent", "failed", state=8),
    E.EXCHANGE_FAILED: moved("Steam could not move the items; the trade has failed.", Acts.SITE, "sent", "failed", state=11),
    E.EXCHANGE_REVERSED: moved("The exchange was reversed.", Acts.SITE, "accepted", "reversed", exchange_id="5001"),
    E.SETTLED: moved(
        "Steam can no longer reverse it: the items may be used.", Acts.NOBODY, "accepted", "settled", exchange_id="5001"
    ),
    "report_ignored": Kind(
        "A bot reported something that does not fit; nothing changed.",
        Acts.NOBODY,
        About.REPORTED,
        {"report": TEXT, "attempt": WHOLE, "status?": TEXT, "why?": TEXT, "trade_id?": TEXT, **STEAMS},
        {"status": "canceled", "report": "offer_active", "attempt": 1, "offer_id": "7012345678", "state": 2},
    ),
    "offer_adopted": Kind(
        "The trade's live offer has another number than was known.",
        Acts.NOBODY,
        About.TRADE,
        {"status": TEXT, **STEAMS},
        {"status": "sent", "offer_id": "7012345679", "state": 2},
    ),
    "exchange_known": Kind(
        "The exchange of an accepted trade became known later.",
        Acts.NOBODY,
        About.TRADE,
        {"status": TEXT, **STEAMS},
        {"status": "accepted", "exchange_id": "5001"},
    ),
    "declined_at_once": Kind(
        "The offer was declined within seconds: somebody else may use the player's account. Warn the player.",
        Acts.SITE,
        About.TRADE,
        {"offer_id": maybe(TEXT), "after_s": WHOLE},
        {"offer_id": "7012345678", "after_s": 2},
    ),
    "items_seen": Kind(
        "A bot has seen items that a trade left in doubt.",
        Acts.NOBODY,
        About.TRADE,
        {"status": TEXT, "deposits?": DEPOSITS},
        {"status": "canceled", "deposits": [{"deposit_id": DEP, "from": "withdraw_pending", "to": "active"}]},
    ),
    "items_gone": Kind(
        "A bot has seen that items are not there.",
        Acts.OPERATOR,
        About.TRADE,
        {"status": TEXT, "deposits?": DEPOSITS},
        {"status": "reversed", "deposits": [{"deposit_id": DEP, "from": "active", "to": "reversed"}]},
    ),
    "offer_verified": Kind(
        "The player was told that this offer is ours.",
        Acts.NOBODY,
        About.TRADE,
        {"offer_id": maybe(TEXT)},
        {"offer_id": "7012345678"},
    ),
    "cancel_requested": Kind(
        "Somebody asked to cancel the trade.",
        Acts.BOT,
        About.TRADE,
        {"status": TEXT, "reason?": TEXT},
        {"status": "sent"},
    ),
    "bot_able": Kind(
        "Steam lets the trade's bot do it again, or another bot of its place.",
        Acts.BOT,
        About.TRADE,
        {"attempt": WHOLE, "bot_before?": TEXT},
        {"attempt": 2},
    ),
    "bot_changed": Kind(
        "The deposit goes on with another bot.",
        Acts.BOT,
        About.TRADE,
        {"attempt": WHOLE, "bot_before": TEXT},
        {"attempt": 2, "bot_before": "red-2"},
    ),
    "withdrawal_approved": Kind(
        "A second person approved it.", Acts.BOT, About.TRADE, {"settles_at": maybe(UNIX)}, {"settles_at": None}
    ),
    "withdrawal_rejected": Kind("A second person rejected it.", Acts.SITE, About.TRADE, {}, {}),
    "withdrawal_released": Kind(
        "A withdrawal that waited is given to its bot.", Acts.BOT, About.TRADE, {"in_line_s": WHOLE}, {"in_line_s": 12}
    ),
    "withdrawal_held": Kind(
        "Withdrawals are paused: this one is held back.", Acts.OPERATOR, About.TRADE, {"attempt": WHOLE}, {"attempt": 1}
    ),
    "reversal": Kind(
        "Who has which item of a reversed trade, as far as bots have seen it.",
        Acts.SITE,
        About.TRADE,
        {
            "direction": TEXT,
            "steam_id": TEXT,
            "complete": FLAG,
            "items": {
                "type": "array",
                "items": thing(
                    {
                        "deposit_id": TEXT,
                        "market_hash_name": TEXT,
                        "value_cents": CENTS,
                        "status": maybe(TEXT),
                        "user_id": maybe(TEXT),
                        "frozen_by": maybe(TEXT),
                        "with": TEXT,
                    }
                ),
            },
        },
        {
            "direction": "deposit",
            "steam_id": "76561198000000002",
            "complete": True,
            "items": [
                {
                    "deposit_id": DEP,
                    "market_hash_name": "AK-47 | Redline (Field-Tested)",
                    "value_cents": 1200,
                    "status": "reversed",
                    "user_id": "player-17",
                    "frozen_by": None,
                    "with": "player",
                }
            ],
        },
    ),
    "partner_blocked": Kind(
        "No new trades with this player until an operator says so.",
        Acts.OPERATOR,
        About.TRADE,
        {"steam_id": TEXT, "reason": TEXT},
        {"steam_id": "76561198000000002", "reason": "reversal"},
    ),
    "partner_unblocked": Kind(
        "The player may trade again.",
        Acts.NOBODY,
        About.USER,
        {"steam_id": TEXT, "blocked_by": TEXT},
        {"steam_id": "76561198000000002", "blocked_by": TRD},
    ),
    "offer_named": Kind(
        "An operator named the offer of a trade in doubt; its bot looks it up.",
        Acts.BOT,
        About.TRADE,
        {"offer_id": TEXT, "reason": TEXT},
        {"offer_id": "7123456789", "reason": "seen in the bot's sent offers"},
    ),
    "doubt_decided": Kind(
        "An operator decided that there is no offer.",
        Acts.BOT,
        About.TRADE,
        {"reason": TEXT, "searches": WHOLE, "last_search": TEXT},
        {"reason": "both inventories looked at", "searches": 9, "last_search": "partner_inventory"},
    ),
    "restored": Kind(
        "The database is a backup: what became of this trade is searched for.",
        Acts.BOT,
        About.TRADE,
        {"status": TEXT},
        {"status": "accepted"},
    ),
    # --- what bots tell beside
    "order_refused": Kind(
        "There was something in a bot's queue that is no order of ours.",
        Acts.OPERATOR,
        About.REPORTED,
        {"reason?": TEXT, "calls?": TEXT},
        {"reason": "seal"},
    ),
    "order_failed": Kind(
        "A bot could not carry out an order; it is given again if it has to be.",
        Acts.NOBODY,
        About.REPORTED,
        {"kind?": TEXT, "reason?": TEXT, "retryable?": FLAG, "error?": TEXT, "calls?": TEXT},
        {"kind": "watch", "reason": "steam_unavailable", "retryable": True},
    ),
    "offer_unknown": Kind(
        "A bot's account has a sent offer that belongs to no trade.",
        Acts.OPERATOR,
        About.BOT,
        {"offer_id?": TEXT, "state?": WHOLE, "partner?": TEXT, "calls?": TEXT},
        {"offer_id": "7012345678", "state": 2, "partner": "76561198000000009"},
    ),
    "offer_unknown_canceled": Kind(
        "The bot canceled such an offer.",
        Acts.OPERATOR,
        About.BOT,
        {"offer_id?": TEXT, "state?": WHOLE, "partner?": TEXT, "calls?": TEXT},
        {"offer_id": "7012345678", "state": 6, "partner": "76561198000000009"},
    ),
    "offer_declined_by_us": Kind(
        "A bot declined an offer that somebody sent to it.",
        Acts.NOBODY,
        About.BOT,
        {"offer_id?": TEXT, "partner?": TEXT, "counter_of?": maybe(TEXT), "calls?": TEXT},
        {"offer_id": "7012345680", "partner": "76561198000000009", "counter_of": None},
    ),
    "find_inconclusive": Kind(
        "A search neither found the offer nor showed that there is none.",
        Acts.BOT,
        About.REPORTED,
        {"reason?": TEXT, "offer_id?": TEXT, "exchange_id?": TEXT, "state?": WHOLE, "calls?": TEXT},
        {"reason": "partner_inventory"},
    ),
    "report_unusable": Kind(
        "A bot's report has data that nobody understands; it was left out.",
        Acts.OPERATOR,
        About.BOT,
        {"report": TEXT, "attempt": WHOLE},
        {"report": "offer_accepted", "attempt": 1},
    ),
    # --- custody
    "gift_accepted": Kind(
        "A bot accepted a gift; its items are the house's.",
        Acts.NOBODY,
        About.HOUSE,
        {"offer_id": maybe(TEXT), "exchange_id": TEXT, "partner": maybe(TEXT), "deposits": TEXTS},
        {"offer_id": "7012345681", "exchange_id": "5002", "partner": "76561198000000009", "deposits": [DEP]},
    ),
    "gifts_seen": Kind(
        "An audit has seen these gifts: an operator may give them away.",
        Acts.NOBODY,
        About.HOUSE,
        {"deposits": TEXTS},
        {"deposits": [DEP]},
    ),
    "house_items_given": Kind(
        "An operator asked to send items of the house.",
        Acts.OPERATOR,
        About.HOUSE,
        {"steam_id": TEXT, "deposits": TEXTS, "trades": TEXTS, "reason": TEXT},
        {"steam_id": "76561198000000009", "deposits": [DEP], "trades": [TRD], "reason": "gifts, to our store"},
    ),
    "deposit_thawed": Kind(
        "An operator lets a frozen item be used again.",
        Acts.NOBODY,
        About.HOUSE,
        {"deposit_id": TEXT, "frozen_by": TEXT, "reason": TEXT},
        {"deposit_id": DEP, "frozen_by": "reversal", "reason": "seen in the bot's inventory"},
    ),
    "deposit_decision_proposed": Kind(
        "An operator proposes what becomes of a row that is frozen for good; a second person has to agree.",
        Acts.OPERATOR,
        About.HOUSE,
        DECIDED,
        _DECIDED,
    ),
    "deposit_decision_agreed": Kind(
        "A second person agrees; the bot looks whether it is so.", Acts.BOT, About.HOUSE, DECIDED, _DECIDED
    ),
    "deposit_decision_dropped": Kind(
        "What the bot read contradicts the decision: nothing is done, the row stays as it is.",
        Acts.OPERATOR,
        About.HOUSE,
        {"deposit_id": TEXT, "decision": TEXT, "why": TEXT},
        {"deposit_id": DEP, "decision": "release", "why": "item_not_here"},
    ),
    "deposit_released": Kind(
        "A frozen row may be used again, as two people decided and its bot has seen.",
        Acts.NOBODY,
        About.HOUSE,
        {**CARRIED, "asset_id": TEXT},
        {
            "deposit_id": DEP,
            "frozen_by": "audit",
            "reason": "seen in the bot's inventory",
            "asset_id": "27348562001",
            "deposits": [{"deposit_id": DEP, "from": "active", "to": "active"}],
        },
    ),
    "deposit_written_off": Kind(
        "A frozen row is closed, as its item is gone: two people decided so, and its bot has not seen it.",
        Acts.SITE,
        About.HOUSE,
        CARRIED,
        {
            "deposit_id": DEP,
            "frozen_by": "audit",
            "reason": "gone since the theft",
            "deposits": [{"deposit_id": DEP, "from": "active", "to": "lost"}],
        },
    ),
    "deposits_purged": Kind(
        "Rows of items that left long ago were removed.", Acts.NOBODY, About.NONE, {"deposits": TEXTS}, {"deposits": [DEP]}
    ),
    "rows_purged": Kind(
        "Old rows were removed.",
        Acts.NOBODY,
        About.NONE,
        {"trades": WHOLE, "events": WHOLE, "users": WHOLE},
        {"trades": 12, "events": 230, "users": 1},
    ),
    "user_forgotten": Kind(
        "A person's data were removed; `user_id` is what stands in their place.",
        Acts.NOBODY,
        About.USER,
        {"trades": WHOLE, "items": WHOLE, "events": WHOLE},
        {"trades": 3, "items": 4, "events": 19},
    ),
    "pending_too_long": Kind(
        "A deposit has been pending for as long as others take to be removed.",
        Acts.OPERATOR,
        About.HOUSE,
        {"deposit_id": TEXT, "status": TEXT, "touched": UNIX},
        {"deposit_id": DEP, "status": "withdraw_pending", "touched": 1764500000},
    ),
    "audit_difference": Kind(
        "A bot's inventory differs from its rows; the bot is frozen.",
        Acts.OPERATOR,
        About.BOT,
        {
            "audit_id": TEXT,
            "count": WHOLE,
            "differences": rows(
                key=TEXT,
                kind=TEXT,
                bot=TEXT,
                deposit_id=maybe(TEXT),
                asset_id=maybe(TEXT),
                name=maybe(TEXT),
                text=TEXT,
            ),
            "action": TEXT,
        },
        {
            "audit_id": "aud_06bq4e0w9k2n8d3v7h1r",
            "count": 1,
            "differences": [
                {
                    "key": "missing:27348562001",
                    "kind": "missing",
                    "bot": "red-7",
                    "deposit_id": DEP,
                    "asset_id": "27348562001",
                    "name": "AK-47 | Redline (Field-Tested)",
                    "text": "the item is not in the bot's inventory",
                }
            ],
            "action": "the bot is frozen: compare its inventory on Steam with these rows, then `fleet bots unfreeze`",
        },
    ),
    "audit_inconclusive": Kind(
        "A bot's inventory could not be compared; it is audited again.",
        Acts.NOBODY,
        About.BOT,
        {"audit_id": TEXT, "reason": maybe(TEXT)},
        {"audit_id": "aud_06bq4e0w9k2n8d3v7h1r", "reason": "steam_unavailable"},
    ),
    "bot_unfrozen": Kind(
        "An operator lets a frozen bot give items again; `known` are differences that are no news any more.",
        Acts.NOBODY,
        About.BOT,
        {"frozen_by": TEXT, "known": TEXTS},
        {"frozen_by": "audit", "known": []},
    ),
    "bot_health": Kind(
        "What Steam lets a bot do has changed.",
        Acts.OPERATOR,
        About.BOT,
        {
            "may": thing({"look": FLAG, "take": FLAG, "give": FLAG}),
            "why_not": rows(reason=TEXT, since=UNIX, forbids=TEXTS, action=maybe(TEXT)),
            "over": TEXTS,
        },
        {
            "may": {"look": True, "take": False, "give": False},
            "why_not": [{"reason": "bot_locked", "since": 1764500000, "forbids": ["take", "give"], "action": "unlock it"}],
            "over": [],
        },
    ),
    # --- games
    "items_locked": Kind(
        "Items are bound to a game.",
        Acts.NOBODY,
        About.USER,
        {**REF, "deposit_ids": TEXTS, "note": TEXT, "reason?": TEXT, "restored?": FLAG},
        {**_REF, "deposit_ids": [DEP], "note": "classic-a/812"},
    ),
    "items_unlocked": Kind(
        "Items are free again.",
        Acts.NOBODY,
        About.USER,
        {**REF, "deposit_ids": TEXTS, "note": TEXT, "reason?": TEXT},
        {**_REF, "deposit_ids": [DEP], "note": "classic-a/812"},
    ),
    "items_transferred": Kind(
        "Items changed hands inside custody.",
        Acts.NOBODY,
        About.NONE,
        {
            **REF,
            "moves": {"type": "array", "items": thing({"deposit_id": TEXT, "from": TEXT, "to": TEXT})},
            "released": TEXTS,
            "lost": rows(deposit_id=TEXT, status=TEXT, reason=maybe(TEXT)),
            "credits?": CREDITS,
        },
        {
            "client_id": "cli_4f1c",
            "ref": "round:classic-a:812",
            "moves": [{"deposit_id": DEP, "from": "player-17", "to": "player-23"}],
            "released": [],
            "lost": [],
            "credits": [{"user_id": "player-23", "cents": 31, "kind": "rest"}],
        },
    ),
    "credits_posted": Kind(
        "Cents were booked for users.",
        Acts.NOBODY,
        About.USER,
        {**REF, "lines": CREDITS},
        {**_REF, "lines": [{"user_id": "player-12", "cents": 1320, "kind": "referral"}]},
    ),
    "items_issued": Kind(
        "The house made items of its own.",
        Acts.NOBODY,
        About.USER,
        {**REF, "market_hash_name": TEXT, "value_cents": CENTS, "deposit_ids": TEXTS, "reason?": TEXT},
        {**_REF, "market_hash_name": "Ticket 10", "value_cents": 10, "deposit_ids": [DEP]},
    ),
    "items_exchanged": Kind(
        "A user exchanged items for others of the house.",
        Acts.NOBODY,
        About.USER,
        {
            **REF,
            "gave": TEXTS,
            "took": TEXTS,
            "value_in_cents": CENTS,
            "value_out_cents": CENTS,
            "fee_cents": CENTS,
            "rest_cents": CENTS,
            "market_hash_name?": TEXT,
            "issued?": WHOLE,
            "credits?": CREDITS,
        },
        {
            **_REF,
            "gave": [DEP],
            "took": ["dep_06bq4e0w9k2n8d3v7h1s"],
            "value_in_cents": 1200,
            "value_out_cents": 1150,
            "fee_cents": 36,
            "rest_cents": 14,
        },
    ),
    # --- the fleet as a whole
    "paused": Kind(
        "Something was paused.",
        Acts.OPERATOR,
        About.NONE,
        {"switch": TEXT, "reason": TEXT},
        {"switch": "deposits", "reason": "Steam updates its servers"},
    ),
    "resumed": Kind(
        "It goes on.", Acts.NOBODY, About.NONE, {"switch": TEXT, "reason": TEXT}, {"switch": "deposits", "reason": ""}
    ),
    "prices_accepted": Kind(
        "An operator accepted a price list that was held back.",
        Acts.NOBODY,
        About.NONE,
        {"feed": TEXT, "digest": TEXT, "why": TEXT, "names": WHOLE},
        {"feed": "file", "digest": "9f86d081884c7d65…", "why": "it has lost 900 of 1000 names", "names": 100},
    ),
    "database_restored": Kind(
        "The database was replaced by a backup; `trades` counts the open ones by status.",
        Acts.OPERATOR,
        About.NONE,
        {"trades": {"type": "object", "additionalProperties": WHOLE}},
        {"trades": {"sent": 3, "accepted": 12}},
    ),
    "webhook_added": Kind(
        "Events are sent to a new target.", Acts.NOBODY, About.NONE, {**HOOK, "kinds": TEXTS}, {**_HOOK, "kinds": []}
    ),
    "webhook_rotated": Kind(
        "A target has a new secret; the one before signs too until `old_until`.",
        Acts.SITE,
        About.NONE,
        {**HOOK, "old_until": UNIX},
        {**_HOOK, "old_until": 1764590000},
    ),
    "webhook_enabled": Kind("A target is sent events again.", Acts.NOBODY, About.NONE, HOOK, _HOOK),
    "webhook_removed": Kind(
        "A target is forgotten; so many events it was still owed.",
        Acts.NOBODY,
        About.NONE,
        {**HOOK, "owed": WHOLE},
        {**_HOOK, "owed": 0},
    ),
    "webhook_test": Kind("An operator tries a target out; only that one is sent it.", Acts.NOBODY, About.NONE, HOOK, _HOOK),
    "webhook_redelivery": Kind(
        "Events are sent to a target again.",
        Acts.NOBODY,
        About.NONE,
        {"target_id": TEXT, "first": WHOLE, "last": WHOLE, "events": WHOLE},
        {"target_id": HOOK_ID, "first": 88124, "last": 88130, "events": 7},
    ),
}
KINDS: dict[str, Kind] = {str(name): kind for name, kind in _KINDS.items()}

ALARM = "alarm"
TEXT_MAX = 500
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


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
    "prices": _alarm(
        "The price list was not taken; the earlier prices stay in use.",
        About.NONE,
        {"reason": TEXT},
        {"reason": "held back: it has lost 900 of 1000 names"},
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
        {**_REF, "count": 1, "reason": "the game is gone"},
    ),
    "webhook_disabled": _alarm(
        "A target of webhooks took nothing for days, or said that it is gone: it is sent nothing more.",
        About.NONE,
        {**HOOK, "why": TEXT, "last": {**TEXT, "description": "Its last status, or why there was none"}, "since": UNIX},
        {**_HOOK, "why": "gave_up", "last": "500", "since": 1764300000},
    ),
}


class UnknownKind(ValueError):
    """Nobody has said what an event of this kind, or an alarm of this name, means."""


def check(kind: str, data: Mapping[str, Any]) -> None:
    """
    Raises:
        UnknownKind: it does not stand here.
    """
    known = data.get("alarm") in ALARMS if kind == ALARM else kind in KINDS
    if not known:
        raise UnknownKind(f"{kind} {data.get('alarm', '')}".strip())


def told(data: Mapping[str, Any], fields: Mapping[str, Schema]) -> dict[str, Any]:
    """Of what a bot tells, the values that have one of these names and the type that goes with it; long texts are cut."""
    named = {name.rstrip("?"): schema for name, schema in fields.items()}
    kept = {name: value for name, value in data.items() if name in named and _fits(value, named[name])}
    return {name: value[:TEXT_MAX] if isinstance(value, str) else value for name, value in kept.items()}


def _fits(value: Any, schema: Schema) -> bool:
    """For values that are no lists and no objects."""
    if "anyOf" in schema:
        return any(_fits(value, one) for one in schema["anyOf"])
    return type(value) in _TYPES.get(schema.get("type", ""), ())


def data_schema(kind: Kind, alarm: str | None = None, *, exact: bool = False) -> Schema:
    """The form of an event's data. ``exact``: nothing else may be in it."""
    if alarm is None:
        return thing(kind.data, exact=exact)
    return thing({"alarm": {"const": alarm}, "action": TEXT, **kind.data}, exact=exact)


def example(kind: Kind, alarm: str | None = None) -> dict[str, Any]:
    """Its data, as in an event."""
    same = {} if alarm is None else {"alarm": alarm, "action": "what to do, in a sentence"}
    return {**same, **kind.example}
