"""Offers that belong to no trade: they are reported, and canceled when they are old; and items that left by one. Somebody else
may be using this account.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot_worker.bot import Bot
from bot_worker.reporting import Tell
from bot_worker.steam import answers
from bot_worker.steam.shapes import Offer
from shared import log
from shared.domain.items import CS2_APP_ID

# A stranger is told when it is still there after this: the balancer may not know yet of an offer that was just made.
STRANGE_AFTER_S = 120.0

_log = log.get(__name__)


def tell_and_cancel(bot: Bot, shown: Sequence[Offer], known: set[str], tell: Tell) -> None:
    """Look through all sent offers; ``known`` are ids of offers that belong to a watched trade. Each is told once.

    One that is held stays: calling off a hold locks the bot's trading for a week.
    """
    now = bot.clock.monotonic()
    for offer in shown:
        if offer.state not in answers.LIVE_STATES or not offer.whole or offer.offer_id in known:
            continue
        if max(now - bot.memory.strange.add(offer.offer_id, now), _age_s(bot, offer)) < STRANGE_AFTER_S:
            continue
        if offer.offer_id not in bot.memory.offers:
            bot.memory.offers.add(offer.offer_id)
            _tell(tell, "offer_unknown", offer)
        if offer.state != answers.HELD and _is_old(bot, offer):
            _cancel(bot, offer, tell)


def tell_departures(bot: Bot, sent: Sequence[Offer], received: Sequence[Offer], known: set[str], tell: Tell) -> None:
    """Report accepted offers that gave items away and that this run did not make. No received offer that asks for items is ever
    accepted by us; of a sent one the balancer knows whether it is a trade's. Each is told once in this run.
    """
    strange = [(offer, True) for offer in sent if offer.offer_id not in known] + [(offer, False) for offer in received]
    left = []
    for offer, ours in strange:
        asset_ids = [each.asset_id for each in offer.give if each.app_id == CS2_APP_ID]
        if offer.state != answers.ACCEPTED or not offer.whole or not asset_ids or offer.offer_id in bot.memory.offers:
            continue
        bot.memory.offers.add(offer.offer_id)
        left.append({"offer_id": offer.offer_id, "sent": ours, "partner": offer.partner, "asset_ids": asset_ids})
    if left:
        _log.warning("items_left", offers=[each["offer_id"] for each in left])
        tell.reporter.append([tell.about(None, 0, "items_left", {"offers": left})])


def _age_s(bot: Bot, offer: Offer) -> float:
    return bot.clock.now_ms() / 1000 - offer.created if offer.created else 0.0


def _is_old(bot: Bot, offer: Offer) -> bool:
    return _age_s(bot, offer) >= bot.settings.trades.unknown_offer_cancel_s


def _cancel(bot: Bot, offer: Offer, tell: Tell) -> None:
    """What Steam shows afterwards counts; an offer that is still there is canceled again by the next look."""
    _log.warning("unknown_offer_canceled", offer_id=offer.offer_id)
    bot.session.cancel(offer.offer_id)
    after = bot.session.offer(offer.offer_id)
    if after is not None and after.state == answers.CANCELED:
        _tell(tell, "offer_unknown_canceled", after)


def _tell(tell: Tell, kind: str, offer: Offer) -> None:
    data = {"offer_id": offer.offer_id, "state": offer.state, "partner": offer.partner}
    tell.reporter.append([tell.about(None, 0, kind, data)])
