"""Offers that others make to a bot: none is ever accepted but a gift, which asks nothing of us.

A counter offer to one of ours is such an offer too, and never a gift: who keeps one item of a deposit back asks nothing of us
either. Steam does not say what it answers, so it is told from the partner and the moment at which our offer was countered.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot_worker.bot import Bot
from bot_worker.orders import offer_steps, unknown_offers
from bot_worker.reporting import Tell
from bot_worker.steam import answers
from bot_worker.steam.answers import ExchangeMeans
from bot_worker.steam.shapes import Offer
from shared import log
from shared.orders import DeclineOrder, Order

# Steam writes both changes of a counter within a moment of each other.
COUNTERED_WITHIN_S = 60
# What happened before this run's first look is told again, as nobody knows whether it came to telling it.
LOOK_BACK_S = 24 * 3600
BACK_DATED_S = 1800

_log = log.get(__name__)


def decline(bot: Bot, order: Order, tell: Tell) -> None:
    """Look at both sides of the offers in one call: decline what others offer, accept gifts if they are wanted, tell what
    strangers sent from this account and what left it by their offers. Called twice, there is nothing left to do.

    Raises:
        SteamError: not all of it was done; what was done is reported.
    """
    payload = order.payload
    if not isinstance(payload, DeclineOrder):
        return
    now_s = bot.clock.now_ms() // 1000
    sent, received = bot.session.both_offers((bot.memory.both_looked_s or now_s - LOOK_BACK_S) - BACK_DATED_S)
    unknown_offers.tell_departures(bot, sent if payload.idle else (), received, set(), tell)
    bot.memory.both_looked_s = now_s
    if payload.idle:
        unknown_offers.tell_and_cancel(bot, sent, set(), tell)
    live = [offer for offer in received if offer.state == answers.ACTIVE and offer.whole]
    countered, sure = _countered(bot, live)
    gifts = []
    for offer in live:
        answered = counter_of(offer, countered)
        if payload.keep_gifts and not offer.give and answered is None:
            gifts += [offer] if sure else []
        elif answered is not None or bot.settings.group.decline_strangers:
            _decline(bot, offer, answered, tell)
    for offer in gifts:
        bot.session.accept_gift(offer)
    if payload.keep_gifts:
        accepted = [offer for offer in received if offer.state == answers.ACCEPTED]
        _tell_gifts(bot, [*accepted, *(gift_offer for each in gifts if (gift_offer := bot.session.offer(each.offer_id)))], tell)


def _countered(bot: Bot, offers: Sequence[Offer]) -> tuple[list[Offer], bool]:
    """Our offers that were countered lately, and whether none can be missing; asked only when somebody offers something."""
    if not offers:
        return [], True
    since = min(offer.created for offer in offers) - BACK_DATED_S
    shown = bot.session.sent_offers(since)
    sure = all(offer.whole for offer in shown) and not offer_steps.leaves_out(bot, shown, since)
    return [offer for offer in shown if offer.state == answers.COUNTERED], sure


def counter_of(offer: Offer, countered: Sequence[Offer]) -> str | None:
    """The id of our offer that this one answers: the same partner, countered at the moment at which this one was made."""
    apart = {
        each.offer_id: abs(each.updated - offer.created)
        for each in countered
        if each.partner == offer.partner and abs(each.updated - offer.created) <= COUNTERED_WITHIN_S
    }
    return min(apart, key=lambda offer_id: (apart[offer_id], offer_id), default=None)


def _decline(bot: Bot, offer: Offer, answered: str | None, tell: Tell) -> None:
    """What Steam shows afterwards counts; an offer that is still there is declined again by the next look."""
    bot.session.decline(offer.offer_id)
    after = bot.session.offer(offer.offer_id)
    if after is not None and after.state == answers.DECLINED:
        _log.info("offer_declined", offer_id=offer.offer_id, counter_of=answered)
        data = {"offer_id": offer.offer_id, "partner": offer.partner, "counter_of": answered}
        bot.reporter.append([tell.about(None, 0, "offer_declined_by_us", data)])


def _tell_gifts(bot: Bot, accepted: Sequence[Offer], tell: Tell) -> None:
    """Report gifts that were accepted, each once in this run, when Steam knows the new ids."""
    for offer in accepted:
        if offer.give or not offer.exchange_id or offer.exchange_id in bot.memory.gifts:
            continue
        exchange = bot.session.exchange(offer.exchange_id)
        if exchange is None:
            continue
        if answers.exchange_means(exchange.status, complete=exchange.complete) is not ExchangeMeans.DONE:
            continue
        data = {
            "offer_id": offer.offer_id,
            "exchange_id": exchange.exchange_id,
            "partner": offer.partner,
            "moved": exchange.moved_json(),
        }
        bot.reporter.append([tell.about(None, 0, "gift_accepted", data)])
        bot.memory.gifts.add(offer.exchange_id)
