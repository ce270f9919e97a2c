"""What concerns the fleet as a whole: pauses, prices, a restored database, targets of webhooks."""

from __future__ import annotations

from balancer.journal.kinds.shapes import A_HOOK, FLAG, HOOK, HOOK_ID, TEXT, TEXTS, UNIX, WHOLE, WHOLES, About, Acts, Kind

FLEET: dict[str, Kind] = {
    "alarm_acknowledged": Kind(
        "An operator has seen the alarms of these events; what they tell of is not mended by it.",
        Acts.NOBODY,
        About.NONE,
        {"numbers": WHOLES, "note": TEXT},
        {"numbers": [5120, 5124], "note": "the account was locked; a ticket at Steam is open"},
    ),
    "operator_enrolled": Kind(
        "An operator of the page got a new secret for one-time codes; the codes and sign-ins of before are over.",
        Acts.NOBODY,
        About.NONE,
        {"name": TEXT, "steam_id": TEXT},
        {"name": "ann", "steam_id": "76561198000000002"},
    ),
    "operator_signed_in": Kind(
        "An operator signed in at the page, through Steam and with a one-time code.",
        Acts.NOBODY,
        About.NONE,
        {"name": TEXT, "role": TEXT},
        {"name": "ann", "role": "act"},
    ),
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
        {"feed": TEXT, "digest": TEXT, "why": TEXT, "names": WHOLE, "reason?": TEXT},
        {
            "feed": "skinport",
            "digest": "9f86d081884c7d65…",
            "why": "it has lost 900 of 1000 names",
            "names": 100,
            "reason": "they removed stickers",
        },
    ),
    "database_restored": Kind(
        "The database was replaced by a backup; `trades` counts the open ones by status.",
        Acts.OPERATOR,
        About.NONE,
        {"trades": {"type": "object", "additionalProperties": WHOLE}},
        {"trades": {"sent": 3, "accepted": 12}},
    ),
    "mode_changed": Kind(
        "An operator said that the database is of a live fleet (`live`), or of one that tests, and was noted wrongly.",
        Acts.NOBODY,
        About.NONE,
        {"live": FLAG},
        {"live": True},
    ),
    "webhook_missed": Kind(
        "Old events were removed that a disabled target of webhooks had not taken; `events` counts them.",
        Acts.SITE,
        About.NONE,
        {**HOOK, "events": WHOLE, "last": WHOLE},
        {**A_HOOK, "events": 12, "last": 5120},
    ),
    "webhook_added": Kind(
        "Events are sent to a new target.", Acts.NOBODY, About.NONE, {**HOOK, "kinds": TEXTS}, {**A_HOOK, "kinds": []}
    ),
    "webhook_rotated": Kind(
        "A target has a new secret; the one before signs too until `old_until`.",
        Acts.SITE,
        About.NONE,
        {**HOOK, "old_until": UNIX},
        {**A_HOOK, "old_until": 1764590000},
    ),
    "webhook_enabled": Kind("A target is sent events again.", Acts.NOBODY, About.NONE, HOOK, A_HOOK),
    "webhook_removed": Kind(
        "A target is forgotten; so many events it was still owed.",
        Acts.NOBODY,
        About.NONE,
        {**HOOK, "owed": WHOLE},
        {**A_HOOK, "owed": 0},
    ),
    "webhook_test": Kind("An operator tries a target out; only that one is sent it.", Acts.NOBODY, About.NONE, HOOK, A_HOOK),
    "webhook_redelivery": Kind(
        "Events are sent to a target again.",
        Acts.NOBODY,
        About.NONE,
        {"target_id": TEXT, "first": WHOLE, "last": WHOLE, "events": WHOLE},
        {"target_id": HOOK_ID, "first": 88124, "last": 88130, "events": 7},
    ),
}
