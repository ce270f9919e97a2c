"""Which card of docs/cards.md says what to do about an alarm, by its heading. A test holds both to each other."""

from __future__ import annotations

PAGE = "docs/cards.md"

CARDS = {
    "accepted_without_exchange": "an-item-is-frozen-or-a-trade-makes-no-sense",
    "bot_restricted": "a-bot-is-banned-locked-or-restricted",
    "bot_reversed": "a-bots-account-is-used-by-somebody-else",
    "canceled_elsewhere": "a-bots-account-is-used-by-somebody-else",
    "doubt_stays": "a-doubt-stays",
    "exchange_failed_after_acceptance": "an-item-is-frozen-or-a-trade-makes-no-sense",
    "former_bot_has_offer": "an-item-is-frozen-or-a-trade-makes-no-sense",
    "item_renamed": "an-item-has-another-name",
    "item_swapped": "a-host-was-taken-over",
    "items_left": "a-bots-account-is-used-by-somebody-else",
    "limit_reached": "a-sites-api-key-was-stolen-or-a-limit-was-reached",
    "lock_released_by_operator": "a-lock-of-long-ago",
    "notices_not_taken": "nobody-is-told-of-alarms",
    "operator_locked": "an-operators-account-is-in-other-hands",
    "prices": "a-price-list-is-held-back-or-prices-are-old",
    "readings_differ": "a-host-was-taken-over",
    "report_keeps_misfitting": "an-item-is-frozen-or-a-trade-makes-no-sense",
    "webhook_disabled": "a-webhook-is-disabled-or-late",
    "withdrawals_limit": "a-sites-api-key-was-stolen-or-a-limit-was-reached",
}


def card_of(alarm: str) -> str:
    """Where to read on; the page itself for an alarm that only a newer release knows."""
    return f"{PAGE}#{CARDS[alarm]}" if alarm in CARDS else PAGE
