"""What happens to a trade, and to the player of one."""

from __future__ import annotations

from balancer.journal.kinds.shapes import (
    A_CHANGE,
    ANYTHING,
    CENTS,
    DEP,
    DEPOSITS,
    FLAG,
    STEAMS,
    TEXT,
    TRD,
    UNIX,
    WHOLE,
    About,
    Acts,
    Kind,
    maybe,
    moved,
    thing,
)
from shared.domain.status import TradeEvent as E

TRADES: dict[str, Kind] = {
    "trade_created": Kind(
        "A trade was asked for, and its bot chosen (`choice` says why).",
        Acts.BOT,
        About.TRADE,
        {"to": TEXT, "direction": TEXT, "deposits": DEPOSITS, "choice?": ANYTHING, "waits_for?": TEXT, "request_id?": TEXT},
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
        deposits=A_CHANGE,
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
}
