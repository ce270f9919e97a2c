"""What the sent offers and exchanges say about a trade. Pure: values in, one conclusion out.

Offers are recognised by id, or by token, partner and assets together: an offer whose answer was lost has no id here yet. A
trade may have several offers (a lost answer, a repeated attempt); at most one can be accepted, as all name the same assets. So
an accepted one counts before a live one, and a live one before one that has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot_worker.steam import answers
from bot_worker.steam.answers import ExchangeMeans
from bot_worker.steam.shapes import Exchange, Offer
from shared.domain.items import Asset
from shared.domain.status import TradeEvent, TradeStatus
from shared.orders import WatchedTrade

E, S = TradeEvent, TradeStatus

# Which of several offers of one trade counts: accepted or reversed, held, active, unconfirmed, ended.
_RANK = {answers.ACCEPTED: 0, answers.REVERTED: 0, answers.HELD: 1, answers.ACTIVE: 2, answers.NEEDS_CONFIRMATION: 3}
_ENDED = 4

# What the balancer knows already when a trade has this status and this offer.
_KNOWN = {S.CONFIRMING: E.CONFIRMATION_NEEDED, S.SENT: E.OFFER_ACTIVE, S.HELD: E.OFFER_HELD}


@dataclass(frozen=True, slots=True)
class Seen:
    """One trade after a look. ``event`` is ``None`` when there is nothing to say yet; ``spare`` are live offers too many."""

    offer: Offer | None
    event: TradeEvent | None
    data: dict[str, Any] = field(default_factory=dict)
    spare: tuple[Offer, ...] = ()


def same_assets(trade: WatchedTrade, offer: Offer) -> bool:
    """Whether the offer moves exactly what the trade shall move."""
    return _as_set(offer.give) == _as_set(trade.give) and _as_set(offer.take) == _as_set(trade.take)


def _as_set(assets: Sequence[Asset]) -> frozenset[tuple[int, str]]:
    # Without the context: Steam moves items between 16 and 2, ids are unique within the app.
    return frozenset((each.app_id, each.asset_id) for each in assets)


def recognise(trade: WatchedTrade, offers: Sequence[Offer]) -> list[Offer]:
    """The trade's offers among all that Steam showed; half-filled ones prove nothing and are left out."""
    return [offer for offer in offers if offer.whole and _belongs(trade, offer)]


def _belongs(trade: WatchedTrade, offer: Offer) -> bool:
    if offer.partner != trade.partner or not same_assets(trade, offer):
        return False
    return offer.offer_id == trade.offer_id or (bool(trade.token) and trade.token in offer.message)


def exchange_needed(trade: WatchedTrade, mine: Sequence[Offer]) -> str | None:
    """The exchange that has to be read to know what became of the trade."""
    counts = _first(trade, mine)
    if counts is None or counts.state not in (answers.ACCEPTED, answers.REVERTED):
        return None
    return counts.exchange_id


def what_happened(trade: WatchedTrade, mine: Sequence[Offer], exchanges: Mapping[str, Exchange]) -> Seen:
    """What the trade's offers, and the exchange of an accepted one, say. News only: not what its status says already."""
    offer = _first(trade, mine)
    if offer is None:
        return Seen(None, None)
    spare = tuple(each for each in mine if each is not offer and each.state in answers.LIVE_STATES)
    event, data = _event(offer, exchanges)
    known = event is not None and _KNOWN.get(_status(trade)) is event and trade.offer_id == offer.offer_id
    return Seen(offer, None if known else event, data, spare)


def of_another_attempt(trade: WatchedTrade, seen: Seen) -> bool:
    """Whether it may be the end of an earlier attempt's offer, while nobody knows of this attempt's own.

    Steam's list may not show that one yet, so it must not be taken for the end of the trade at once.
    """
    if seen.offer is None or seen.event is None or seen.offer.state in _RANK:
        return False
    return trade.attempt > 1 and seen.offer.offer_id != trade.offer_id


def _status(trade: WatchedTrade) -> TradeStatus:
    # An order that is not about the status has none here: everything is news then.
    return S(trade.status) if trade.status else S.QUEUED


def _first(trade: WatchedTrade, mine: Sequence[Offer]) -> Offer | None:
    def order(offer: Offer) -> tuple[int, bool, int, str]:
        rank = _RANK.get(offer.state, _ENDED)
        # Among ended ones the last counts; among live ones the one that the balancer knows, then the oldest.
        age = -offer.created if rank == _ENDED else offer.created
        return rank, offer.offer_id != trade.offer_id, age, offer.offer_id

    return min(mine, key=order, default=None)


def _event(offer: Offer, exchanges: Mapping[str, Exchange]) -> tuple[TradeEvent | None, dict[str, Any]]:
    data: dict[str, Any] = {"offer_id": offer.offer_id, "state": offer.state}
    if offer.state == answers.DECLINED:
        data |= {"made_at": offer.created or None, "changed_at": offer.updated or None}
    if offer.state != answers.ACCEPTED:
        return answers.OFFER_EVENTS.get(offer.state), data
    exchange = exchanges.get(offer.exchange_id or "")
    if exchange is None:
        return None, data
    data["exchange_id"] = exchange.exchange_id
    data["exchange_status"] = exchange.status
    match answers.exchange_means(exchange.status, complete=exchange.complete):
        case ExchangeMeans.DONE:
            return E.OFFER_ACCEPTED, {**data, "settles_at": exchange.settles_at, "moved": exchange.moved_json()}
        case ExchangeMeans.FAILED:
            return E.EXCHANGE_FAILED, data
        case ExchangeMeans.HELD:
            return E.OFFER_HELD, data
        case ExchangeMeans.REVERSED:
            return E.EXCHANGE_REVERSED, data
    return None, data
