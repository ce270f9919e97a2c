"""What bots tell beside what they tell of trades, and what operators want of them."""

from __future__ import annotations

from balancer.journal.kinds.shapes import FLAG, TEXT, WHOLE, About, Acts, Kind, maybe

BOTS: dict[str, Kind] = {
    "bot_mode": Kind(
        "An operator paused a bot, lets it only give items back (`draining`), or lets it do everything again (`active`).",
        Acts.NOBODY,
        About.BOT,
        {"from": TEXT, "to": TEXT},
        {"from": "active", "to": "paused"},
    ),
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
}
