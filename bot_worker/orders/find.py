"""Finding out what became of offers in doubt: adopt what there is, or prove that there is nothing.

A trade is sent again only after ``offer_absent``, so absence is proven, never assumed: two full looks at the sent offers
``absent_after_s`` apart in which nothing was half-filled and no offer left out that is known to be live, no exchange that moved
the assets, and every asset still in the inventory it would have left. An asset that went with another offer of ours, which
stands there with its exchange, is where it should be: a request made from an inventory of minutes ago may name such a one. So
is one that the balancer knows with another bot, by Steam's receipt.
Nothing that Steam shows during maintenance counts, when lists may be empty; so the offers are looked at once more after the
inventories, which then were not. Whatever is not certain is told as ``find_inconclusive``, and the balancer asks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot_worker.bot import Bot
from bot_worker.orders import conclude, offer_steps
from bot_worker.orders.conclude import Seen
from bot_worker.orders.watch import BACK_DATED_S, finish, look_through
from bot_worker.reporting import Tell
from bot_worker.steam import answers, maintenance
from bot_worker.steam.shapes import Offer
from shared import log
from shared.domain.items import Asset
from shared.domain.status import TradeEvent
from shared.errors import SteamRefused, SteamThrottled, SteamUnavailable
from shared.orders import Order, WatchedTrade, WatchOrder
from shared.reports import Report

E = TradeEvent
INCONCLUSIVE = "find_inconclusive"

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Proof:
    """What speaks for or against the absence of one trade's offer. ``None``: not known yet."""

    looks: int
    apart: bool
    moved: bool | None = None
    ours_there: bool | None = None
    theirs_there: bool | None = None
    trouble: str | None = None


def judge(proof: Proof) -> str | None:
    """Why an offer's absence is not proven; ``None`` when it is."""
    if proof.looks < 2 or not proof.apart:
        return "first_look"
    if proof.trouble is not None:
        return proof.trouble
    if proof.moved is not False:
        return "items_moved"
    if proof.ours_there is not True or proof.theirs_there is not True:
        return "items_not_in_place"
    return None


def find(bot: Bot, order: Order, tell: Tell) -> None:
    """One report per trade: its offer as it is now, ``offer_absent``, or ``find_inconclusive``. Called twice, it looks twice.

    Raises:
        SteamError: the offers could not be read; nothing was reported.
    """
    payload = order.payload
    if not isinstance(payload, WatchOrder):
        return
    if bot.session.maintenance.on:
        for trade in payload.trades:
            bot.memory.absent.forget((trade.trade_id, trade.attempt))  # what was not seen shortly before counts as little
        bot.reporter.append([_unclear(tell, trade, maintenance.CODE) for trade in payload.trades])
        return
    since = payload.since - BACK_DATED_S
    shown = _full_look(bot, since)
    shown += _by_id(bot, payload.trades, shown)
    seen = look_through(bot, [as_news(trade) for trade in payload.trades], shown)
    lost = [trade for trade, one in zip(payload.trades, seen, strict=True) if one[1].offer is None]
    early = _early(bot, seen, shown, since)
    bot.reporter.append([_as_it_is(tell, trade, one, early) for trade, one in seen if one.offer is not None])
    bot.reporter.append(_lost(bot, lost, shown, since, tell))
    finish(bot, [(trade, one[1]) for trade, one in zip(payload.trades, seen, strict=True)], tell)


def as_news(trade: WatchedTrade) -> WatchedTrade:
    """The trade as one of which nothing is known but its offer's id, so that any state is worth telling."""
    return WatchedTrade(trade.trade_id, trade.attempt, trade.token, trade.partner, trade.offer_id, "", trade.give, trade.take)


def _full_look(bot: Bot, since: int) -> list[Offer]:
    """Every sent offer that may be a trade's, from both of Steam's lists; of two sights of one offer the later state."""
    offers: dict[str, Offer] = {}
    for offer in (*bot.session.sent_offers(since), *bot.session.ended_sent_offers(since)):
        before = offers.get(offer.offer_id)
        if before is None or not before.whole or (offer.whole and offer.updated >= before.updated):
            offers[offer.offer_id] = offer
    shown = list(offers.values())
    offer_steps.remember_live(bot, shown, bot.clock.now_ms() // 1000)
    return shown


def _by_id(bot: Bot, trades: Sequence[WatchedTrade], shown: Sequence[Offer]) -> list[Offer]:
    """Offers that the balancer, or an operator, knows by their ids and that Steam's lists leave out."""
    there = {offer.offer_id for offer in shown}
    offers = []
    for offer_id in dict.fromkeys(trade.offer_id for trade in trades if trade.offer_id and trade.offer_id not in there):
        try:
            offer = bot.session.offer(offer_id)
        except SteamRefused as error:
            _log.info("no_such_offer", offer_id=offer_id, result=error.result)
            continue
        if offer is not None and offer.whole:
            offers.append(offer)
    return offers


def _early(bot: Bot, seen: Sequence[tuple[WatchedTrade, Seen]], shown: Sequence[Offer], since: int) -> dict[str, str]:
    """Why it is too early to tell the ends of offers that may be an earlier attempt's: two looks must not show another one."""
    ends = [trade for trade, one in seen if conclude.of_another_attempt(trade, one)]
    trouble = _trouble(bot, shown, since) if ends else None
    if trouble is not None:
        return {trade.trade_id: trouble for trade in ends}
    return {trade.trade_id: "first_look" for trade in ends if not _count_look(bot, trade).apart}


def _as_it_is(tell: Tell, trade: WatchedTrade, one: Seen, early: dict[str, str]) -> Report:
    if trade.trade_id in early:
        return _unclear(tell, trade, early[trade.trade_id])
    if one.event is not None:
        return tell.about(trade.trade_id, trade.attempt, one.event, one.data)
    accepted = one.offer is not None and one.offer.state == answers.ACCEPTED
    return _unclear(tell, trade, "exchange_not_done" if accepted else "offer_unclear")


def _unclear(tell: Tell, trade: WatchedTrade, reason: str, **more: Any) -> Report:
    return tell.about(trade.trade_id, trade.attempt, INCONCLUSIVE, {"reason": reason, **more})


# --- nothing found ----------------------------------------------------------------------------------------


def _lost(bot: Bot, lost: Sequence[WatchedTrade], shown: Sequence[Offer], since: int, tell: Tell) -> list[Report]:
    """Reports about trades of which Steam showed no offer."""
    if not lost:
        return []
    trouble = _trouble(bot, shown, since)
    if trouble is not None:
        return [_unclear(tell, trade, trouble) for trade in lost]  # this look does not count
    if bot.session.maintenance.on:
        return [_unclear(tell, trade, maintenance.CODE) for trade in lost]
    looked = {trade.trade_id: _count_look(bot, trade) for trade in lost}
    due = [trade for trade in lost if looked[trade.trade_id].apart]
    proven = {**looked, **_confirmed(bot, _gather(bot, due, shown, since), due, since)} if due else looked
    reports = []
    for trade in lost:
        reason = maintenance.CODE if bot.session.maintenance.on else judge(proven[trade.trade_id])
        if reason is None:
            reports.append(tell.about(trade.trade_id, trade.attempt, E.OFFER_ABSENT, {"reason": "not found twice"}))
        else:
            _log.warning("absence_not_proven", trade_id=trade.trade_id, reason=reason)
            reports.append(_unclear(tell, trade, reason))
    return reports


def _trouble(bot: Bot, shown: Sequence[Offer], since: int) -> str | None:
    """Why what Steam showed proves no absence: an offer is half-filled, or one that is known to be live is left out."""
    if not all(offer.whole for offer in shown):
        return "half_filled"
    return "list_incomplete" if offer_steps.leaves_out(bot, shown, since) else None


def _count_look(bot: Bot, trade: WatchedTrade) -> Proof:
    """One more full look without a sight of this attempt's offer; the first one begins the wait, however short it is set."""
    now, key = bot.clock.monotonic(), (trade.trade_id, trade.attempt)
    if key not in bot.memory.absent:
        bot.memory.absent.add(key, now)
        return Proof(looks=1, apart=False)
    waited_s = now - bot.memory.absent.add(key, now)
    return Proof(looks=2, apart=waited_s >= bot.settings.trades.absent_after_s)


def _gather(bot: Bot, due: Sequence[WatchedTrade], shown: Sequence[Offer], since: int) -> dict[str, Proof]:
    """Where the assets of these trades are: one look at the exchanges, one at our inventory, one per partner at theirs."""
    moved, elsewhere, whole = _moved(bot, shown, since)
    ours = (
        {held.asset.asset_id for held in bot.session.inventories.own_inventory().held}
        if any(trade.give for trade in due)
        else set()
    )
    theirs: dict[str, set[str] | str] = {}
    proofs = {}
    for trade in due:
        gone = elsewhere.union(trade.elsewhere)
        if trade.take and trade.partner not in theirs:
            theirs[trade.partner] = _theirs(bot, trade)
        read = theirs.get(trade.partner, set()) if trade.take else set()
        proofs[trade.trade_id] = Proof(
            looks=2,
            apart=True,
            moved=not whole or not moved.isdisjoint(_ids((*trade.give, *trade.take))),
            ours_there=_ids(trade.give) <= ours | gone,
            theirs_there=isinstance(read, set) and _ids(trade.take) <= read | gone,
            trouble=read if isinstance(read, str) else None,
        )
    return proofs


def _moved(bot: Bot, shown: Sequence[Offer], since: int) -> tuple[set[str], set[str], bool]:
    """Ids of assets that exchanges moved of which we do not know by which offer, of those that other offers moved, and
    whether every exchange could be read: one that could not may have moved anything."""
    others = {offer.exchange_id for offer in shown if offer.exchange_id is not None and offer.whole and offer.message}
    moved: set[str] = set()
    elsewhere: set[str] = set()
    whole = True
    for exchange in bot.session.exchanges(since):
        whole = whole and exchange.whole
        (elsewhere if exchange.exchange_id in others else moved).update(each.asset_id for each in exchange.moved)
    return moved, elsewhere, whole


def _confirmed(bot: Bot, proofs: dict[str, Proof], due: Sequence[WatchedTrade], since: int) -> dict[str, Proof]:
    """The proofs after one more look at the offers."""
    shown = _full_look(bot, since)
    trouble = _trouble(bot, shown, since)
    if trouble is not None:
        return {trade_id: replace(proof, trouble=trouble) for trade_id, proof in proofs.items()}
    seen = {trade.trade_id for trade in due if conclude.recognise(trade, shown)}
    return {key: replace(proof, trouble="offer_unclear") if key in seen else proof for key, proof in proofs.items()}


def _ids(assets: Iterable[Asset]) -> set[str]:
    return {asset.asset_id for asset in assets}


def _theirs(bot: Bot, trade: WatchedTrade) -> set[str] | str:
    """Ids of what the partner could trade, or the code of why nobody knows."""
    try:
        held = bot.session.inventories.partner_inventory(trade.partner, trade.trade_token)
    except (SteamRefused, SteamUnavailable, SteamThrottled) as error:
        return error.error_code
    return {each.asset.asset_id for each in held}
