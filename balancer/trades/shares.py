"""Pure: what one player may have of the fleet at a time, so that nobody blocks it for others.

Bots have few open offers and slots, and a player who never answers keeps what their offers take. So there are limits over all
bots together; a withdrawal beyond them waits in line (`balancer.trades.line`), a deposit is refused. The last open offers of a
bot are for players who have no other one open with it, the very last for their withdrawals. Players who leave offers
unanswered get less time for the next ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from balancer.trades.players import Holdings
from shared.errors import ANSWER_FIRST, TOO_MANY_OFFERS, PlayerMustAct
from shared.sections import LimitSettings, TradeSettings

STEAM_PER_BOT = "offers_with_bot"
SECOND_OFFERS = "second_offers"
OPEN_OFFERS = "open_offers"
PENDING_DEPOSITS = "pending_deposits"
PENDING_ITEMS = "pending_items"
WAITING_WITHDRAWALS = "waiting_withdrawals"

_SENTENCES = {
    STEAM_PER_BOT: (
        "Steam allows {limit} open offers between a bot and one player, and every bot with room has {have} with this one",
        TOO_MANY_OFFERS,
    ),
    SECOND_OFFERS: (
        "this player has {have} open offers, and every bot with room keeps its last {limit} for those who have none with it",
        f"Our bots are busy, and you have {{have}} open trade offers. {ANSWER_FIRST}",
    ),
    OPEN_OFFERS: (
        "one player may have {limit} open offers here, over all bots; this one has {have}",
        f"You have {{have}} open trade offers with us, and {{limit}} are allowed. {ANSWER_FIRST}",
    ),
    PENDING_DEPOSITS: (
        "one player may have {limit} unanswered deposits here, over all bots; this one has {have}",
        f"You have {{have}} deposits under way, and {{limit}} are allowed. {ANSWER_FIRST}",
    ),
    PENDING_ITEMS: (
        "one player may have {limit} items in unanswered deposits here, over all bots; this one has {have}",
        f"You have {{have}} items in deposits under way, and {{limit}} are allowed. {ANSWER_FIRST}",
    ),
    WAITING_WITHDRAWALS: (
        "one player may have {limit} waiting withdrawals here; this one has {have}",
        "You have {have} withdrawals that wait, and {limit} are allowed. Wait until some have gone out, or cancel them.",
    ),
}


def too_many(reason: str, limit: int, have: int) -> PlayerMustAct:
    """The refusal: ``reason`` says what there is too much of, ``whose_limit`` whether Steam set it or this service."""
    detail, player_message = (text.format(limit=limit, have=have) for text in _SENTENCES[reason])
    whose = "steam" if reason == STEAM_PER_BOT else "service"
    return PlayerMustAct(
        detail,
        code="too_many_offers",
        reason=reason,
        player_message=player_message,
        limit=limit,
        have=have,
        whose_limit=whose,
    )


def deposit_excess(limits: LimitSettings, held: Holdings, n_items: int, n_trades: int) -> PlayerMustAct | None:
    """Why this player may not ask for another deposit of so many items in so many trades; ``None`` if nothing is against it."""
    if held.pending_items + n_items > limits.pending_items_per_player_max:
        return too_many(PENDING_ITEMS, limits.pending_items_per_player_max, held.pending_items)
    if held.pending_deposits + n_trades > limits.pending_deposits_per_player_max:
        return too_many(PENDING_DEPOSITS, limits.pending_deposits_per_player_max, held.pending_deposits)
    if held.open_offers + n_trades > limits.offers_per_player_max:
        return too_many(OPEN_OFFERS, limits.offers_per_player_max, held.open_offers)
    return None


def waiting_excess(limits: LimitSettings, held: Holdings, n_new: int) -> PlayerMustAct | None:
    """Why this player may not have ``n_new`` more withdrawals that wait; ``None`` if nothing is against it."""
    most = limits.waiting_withdrawals_per_player_max
    return too_many(WAITING_WITHDRAWALS, most, held.waiting) if n_new and held.waiting + n_new > most else None


def full_towards(limits: LimitSettings, held: Holdings, bot: str, n_new: int) -> bool:
    """Whether Steam refuses so many more open offers between this bot and this player."""
    return held.offers.get(bot, 0) + n_new > limits.offers_per_partner_max


def barred_everywhere(limits: LimitSettings, held: Holdings, barred: Iterable[str], n_new: int) -> PlayerMustAct:
    """Why no bot with room takes a deposit of this player, who has open offers with all of them."""
    if all(full_towards(limits, held, bot, n_new) for bot in barred):
        return too_many(STEAM_PER_BOT, limits.offers_per_partner_max, max(held.offers.values()))
    return too_many(SECOND_OFFERS, kept_from_second_offers(limits), held.open_offers)


def may_open(limits: LimitSettings, held: Holdings, bot: str) -> bool:
    """Whether this player may have one more open offer now, with this bot, if that bot has one free for them."""
    return held.open_offers < limits.offers_per_player_max and not full_towards(limits, held, bot, 1)


def kept_from_second_offers(limits: LimitSettings) -> int:
    """How many open offers a bot leaves free when a player who has one there gets another: some for deposits, some more for
    withdrawals, of players who have none."""
    return 2 * limits.offers_kept_for_withdrawals


def offers_of_bot(limits: LimitSettings, held: Holdings, bot: str) -> int:
    """How many open offers the bot may have in all when this player gets one more."""
    return limits.offers_per_bot_max - (kept_from_second_offers(limits) if held.offers.get(bot) else 0)


def offer_timeout_s(times: TradeSettings, unanswered: int) -> float:
    """How long an offer may stand for a player whose last ``unanswered`` offers came to nothing."""
    shortest_s = min(times.offer_timeout_min_s, times.offer_timeout_s)
    return max(shortest_s, times.offer_timeout_s * times.offer_timeout_factor ** min(unanswered, 64))
