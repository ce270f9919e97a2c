"""What games do with items in custody and with credits."""

from __future__ import annotations

from balancer.journal.kinds.shapes import (
    A_REF,
    CENTS,
    CREDITS,
    DEP,
    FLAG,
    REF,
    TEXT,
    TEXTS,
    WHOLE,
    About,
    Acts,
    Kind,
    maybe,
    rows,
    thing,
)

GAMES: dict[str, Kind] = {
    "items_locked": Kind(
        "Items are bound to a game.",
        Acts.NOBODY,
        About.USER,
        {**REF, "deposit_ids": TEXTS, "note": TEXT, "reason?": TEXT, "restored?": FLAG},
        {**A_REF, "deposit_ids": [DEP], "note": "classic-a/812"},
    ),
    "items_unlocked": Kind(
        "Items are free again.",
        Acts.NOBODY,
        About.USER,
        {**REF, "deposit_ids": TEXTS, "note": TEXT, "reason?": TEXT},
        {**A_REF, "deposit_ids": [DEP], "note": "classic-a/812"},
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
        {**A_REF, "lines": [{"user_id": "player-12", "cents": 1320, "kind": "referral"}]},
    ),
    "items_issued": Kind(
        "The house made items of its own.",
        Acts.NOBODY,
        About.USER,
        {**REF, "market_hash_name": TEXT, "value_cents": CENTS, "deposit_ids": TEXTS, "reason?": TEXT},
        {**A_REF, "market_hash_name": "Ticket 10", "value_cents": 10, "deposit_ids": [DEP]},
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
            **A_REF,
            "gave": [DEP],
            "took": ["dep_06bq4e0w9k2n8d3v7h1s"],
            "value_in_cents": 1200,
            "value_out_cents": 1150,
            "fee_cents": 36,
            "rest_cents": 14,
        },
    ),
}
