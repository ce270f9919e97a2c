"""What may stand in a label. Words that a bot's host or a caller could make up are told only if we know them.

So the number of series is decided by this code, the colors of the fleet and the sources of prices, by nothing else. No label
ever holds a user, a Steam id, a trade, an address or a secret.
"""

from __future__ import annotations

from collections.abc import Collection

from balancer.journal.kinds.alarms import ALARMS
from shared.domain.health import RESTRICTIONS

OTHER = "other"

STATES = frozenset({"starting", "waiting", "signing_in", "online", "restricted", "unhealthy", "stopping", "offline"})
WHY_NOT = frozenset({*RESTRICTIONS, *STATES, "frozen", "paused", "draining", "steam_maintenance", "vault", "internal_error"})
PAUSES = frozenset({"steam_throttled", "sign_in_throttled"})
ALARM_NAMES = frozenset(ALARMS)
# Why a trade ended without moving its items, as `GET /trade/{id}` says it.
ENDS = frozenset(
    {
        *("bot_restricted", "canceled", "countered", "declined", "exchange_failed", "expired", "failed", "foreign_trade_url"),
        *("inventory_full", "inventory_private", "items_missing", "not_signed_in", "order_expired", "partner_banned"),
        *("partner_hold", "rejected", "reversed", "steam_maintenance", "steam_refused", "steam_throttled"),
        *("steam_unavailable", "too_many_offers", "trade_url_wrong", "unknown_player"),
    }
)


def known(word: str | None, words: Collection[str]) -> str:
    """The word if it is one of these, ``other`` if it is not; empty if there is none."""
    if not word:
        return ""
    return word if word in words else OTHER
