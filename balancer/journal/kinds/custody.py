"""What happens to items in custody, and what audits of the bots say."""

from __future__ import annotations

from balancer.journal.kinds.shapes import (
    A_DECISION,
    CARRIED,
    DECIDED,
    DEP,
    FLAG,
    TEXT,
    TEXTS,
    TRD,
    UNIX,
    WHOLE,
    About,
    Acts,
    Kind,
    maybe,
    rows,
    thing,
)

CUSTODY: dict[str, Kind] = {
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
        A_DECISION,
    ),
    "deposit_decision_agreed": Kind(
        "A second person agrees; the bot looks whether it is so.", Acts.BOT, About.HOUSE, DECIDED, A_DECISION
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
}
