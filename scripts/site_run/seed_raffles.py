"""Raffles of the demo: two with keys of games, one with something that is sent by hand. Each comes again when it is drawn."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from lottery.sources import BeaconTerms

KEYS = 200
"""In stock for each template with keys: more than people of a demo have coins for."""
RAFFLES: tuple[Mapping[str, Any], ...] = (
    {"prize": "Portal 2", "genre": "Puzzle", "tier": "gold", "tickets": 40, "price_cents": 1_900, "commission_cents": 100},
    {
        "prize": "Hollow Knight",
        "genre": "Adventure",
        "tier": "silver",
        "tickets": 20,
        "price_cents": 950,
        "commission_cents": 50,
    },
    {
        "prize": "A mouse pad with the site's mark",
        "genre": "Hardware",
        "tier": "bronze",
        "tickets": 10,
        "price_cents": 480,
        "commission_cents": 20,
        "prize_kind": "hand",
    },
)


def terms(beacon: BeaconTerms) -> list[dict[str, Any]]:
    """Each as a file of terms has it (`website.raffles.services.Terms`), drawn by the sandbox's own beacon."""
    where = {"entropy": f"drand:{beacon.chain_hash}", "beacon": json.dumps(beacon.plain())}
    return [{"prize_kind": "key", **each, **where} for each in RAFFLES]


def keys() -> str:
    """Made-up keys, one a line."""
    return "\n".join("-".join(secrets.token_hex(3)[:5].upper() for _ in range(3)) for _ in range(KEYS)) + "\n"
