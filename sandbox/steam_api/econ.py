"""IEconService: reading offers and trades. Counter-Strike offers are only visible with `access_token`."""

from collections.abc import Callable, Iterable
from typing import Any

from sandbox.answers import Answer, key_page, response
from sandbox.steam_api import inventory, session, views
from sandbox.steam_api.call import Call
from sandbox.world.accounts import Account
from sandbox.world.exchanges import Exchange, Status
from sandbox.world.items import CS2
from sandbox.world.offers import LIVE, AssetRef, Offer, State
from sandbox.world.trading import ACCESS_DENIED, INVALID_PARAM

HISTORY_MAX_BY_KEY, HISTORY_MAX_BY_TOKEN = 500, 100
"""What `max_trades` amounts to at most (aiosteampy `webapi/services/econ.py`)."""
NO_MATCH = 42
"""What an offer or an exchange that is not there is (aiosteampy `trade.get` and `get_receipt` take 42 for None)."""


def _reader(call: Call) -> tuple[Account | None, bool] | Answer:
    """Whose data may be read, and whether Counter-Strike offers are visible; else the page that refuses."""
    if call.value("access_token"):
        account = session.token_account(call)
        return key_page(401) if account is None else (account, True)
    if not session.has_key(call):
        return key_page(403)
    return session.key_account(call), False


def _visible(offer: Offer, with_cs2: bool) -> bool:
    return with_cs2 or all(ref.kind.app_id != CS2 for ref in (*offer.give, *offer.receive))


def get_offers(call: Call) -> Answer:
    """GetTradeOffers: with `key` no Counter-Strike offers since 2024-04-03 (steampy#382); lists are absent when empty.

    `active_only` gives live offers and those changed since `time_historical_cutoff`; without a cutoff only live ones.
    `historical_only` gives all that are over: it does not know the cutoff (Valve's own description binds it to
    `active_only`, and aiosteampy refuses the pair), unless `historical_obeys_cutoff` is set.
    """
    reader = _reader(call)
    if isinstance(reader, Answer):
        return reader
    account, with_cs2 = reader
    if account is None:
        return response({"next_cursor": 0})
    sides = (call.flag("get_sent_offers"), call.flag("get_received_offers"))
    viewer = account.steam_id
    found = [o for o in _sorted(call, account) if _wanted_side(o, viewer, *sides) and _visible(o, with_cs2)]
    start, size = max(0, call.number("cursor")), call.world.settings.offers_page_size
    page = found[start : start + size]
    content: dict[str, Any] = {}
    sent = [views.offer(call.world, offer, viewer) for offer in page if offer.sender == viewer]
    received = [views.offer(call.world, offer, viewer) for offer in page if offer.sender != viewer]
    if sent:
        content["trade_offers_sent"] = sent
    if received:
        content["trade_offers_received"] = received
    if call.flag("get_descriptions") and page:
        content["descriptions"] = _descriptions(call, page)
    content["next_cursor"] = start + size if len(found) > start + size else 0
    return response(content)


def _wanted_side(offer: Offer, viewer: int, sent: bool, received: bool) -> bool:
    if offer.sender == viewer:
        return sent
    return received and offer.seen_by_recipient


def _sorted(call: Call, account: Account) -> Iterable[Offer]:
    chosen = _selected(call, account)
    by_change = call.world.settings.offers_sorted_by == "updated"
    return chosen if by_change else sorted(chosen, key=lambda offer: (-offer.created, -offer.offer_id))


def _selected(call: Call, account: Account) -> Iterable[Offer]:
    """Newest change first."""
    book, viewer = call.world.offers, account.steam_id
    cutoff = call.number("time_historical_cutoff")
    if call.flag("active_only"):
        found = {offer.offer_id: offer for offer in book.live(viewer)}
        if cutoff:
            found |= {offer.offer_id: offer for offer in book.changed_since(viewer, cutoff)}
        return sorted(found.values(), key=lambda o: (-o.updated, -o.offer_id))
    everything = book.changed_since(viewer, 0)
    if call.flag("historical_only"):
        since = cutoff if call.world.settings.historical_obeys_cutoff else 0
        return [offer for offer in everything if offer.state not in LIVE and offer.updated >= since]
    return list(everything)


def _descriptions(call: Call, offers: Iterable[Offer]) -> list[Any]:
    refs: list[AssetRef] = [ref for offer in offers for ref in (*offer.give, *offer.receive)]
    return views.descriptions(call.world, refs)


def get_offer(call: Call) -> Answer:
    """GetTradeOffer: one that is not there, other people's, or a Counter-Strike one asked for by key, is result 42."""
    reader = _reader(call)
    if isinstance(reader, Answer):
        return reader
    account, with_cs2 = reader
    offer = call.world.offers.by_id.get(call.number("tradeofferid"))
    if account is None or offer is None or not offer.concerns(account.steam_id) or not _visible(offer, with_cs2):
        return response({}, NO_MATCH)
    content: dict[str, Any] = {"offer": views.offer(call.world, offer, account.steam_id)}
    if call.flag("get_descriptions"):
        content["descriptions"] = _descriptions(call, [offer])
    return response(content)


def get_summary(call: Call) -> Answer:
    """GetTradeOffersSummary: counters, the `new` and `updated` ones since `time_last_visit`."""
    reader = _reader(call)
    if isinstance(reader, Answer):
        return reader
    account, with_cs2 = reader
    viewer = account.steam_id if account else 0
    offers = [o for o in call.world.offers.changed_since(viewer, 0) if o.concerns(viewer) and _visible(o, with_cs2)]
    since = call.number("time_last_visit")
    sent = [offer for offer in offers if offer.sender == viewer]
    received = [offer for offer in offers if offer.sender != viewer]
    return response(
        {
            "pending_received_count": sum(o.state == State.ACTIVE for o in received),
            "new_received_count": sum(o.state == State.ACTIVE and o.created > since for o in received),
            "updated_received_count": sum(o.updated > since for o in received),
            "historical_received_count": sum(o.state not in LIVE for o in received),
            "pending_sent_count": sum(o.state in LIVE for o in sent),
            "newly_accepted_sent_count": sum(o.state == State.ACCEPTED and o.updated > since for o in sent),
            "updated_sent_count": sum(o.updated > since for o in sent),
            "historical_sent_count": sum(o.state not in LIVE for o in sent),
            "escrow_received_count": sum(o.state == State.IN_ESCROW for o in received),
            "escrow_sent_count": sum(o.state == State.IN_ESCROW for o in sent),
        }
    )


def get_status(call: Call) -> Answer:
    """GetTradeStatus: one exchange; old ids beside the new ones, which are missing while they are not known. Else 42."""
    reader = _reader(call)
    if isinstance(reader, Answer):
        return reader
    exchange = call.world.exchanges.get(call.number("tradeid"))
    if reader[0] is None or exchange is None or not exchange.concerns(reader[0].steam_id):
        return response({}, NO_MATCH)
    viewer, rules = reader[0].steam_id, call.world.settings
    content: dict[str, Any] = {"trades": [views.exchange(exchange, viewer, call.now, rules)]}
    if call.flag("get_descriptions"):
        content["descriptions"] = views.descriptions(call.world, [move.ref for move in exchange.moves])
    return response(content)


def get_history(call: Call) -> Answer:
    """GetTradeHistory: newest first, below `start_after_time` / `start_after_tradeid`; failed ones on request."""
    reader = _reader(call)
    if isinstance(reader, Answer):
        return reader
    viewer = reader[0].steam_id if reader[0] else 0
    everything = [e for e in call.world.exchanges_of.get(viewer, []) if call.flag("include_failed") or _good(e)]
    started = call.number("start_after_time") or call.number("start_after_tradeid")
    back = bool(started) and call.flag("navigating_back")
    wanted = sorted((e for e in everything if _after(call, e, back)), key=lambda e: (e.time_init, e.tradeid))
    if not back:
        wanted.reverse()
    most = HISTORY_MAX_BY_TOKEN if call.value("access_token") else HISTORY_MAX_BY_KEY
    size = min(max(1, call.number("max_trades", 100)), most)
    page = wanted[:size]
    if back:
        page.reverse()
    content: dict[str, Any] = {"more": len(wanted) > size}
    if page:
        content["trades"] = [views.exchange(exchange, viewer, call.now, call.world.settings) for exchange in page]
    if call.flag("include_total"):
        content["total_trades"] = len(everything)
    if call.flag("get_descriptions") and page:
        content["descriptions"] = views.descriptions(call.world, [m.ref for e in page for m in e.moves])
    return response(content)


def _good(exchange: Exchange) -> bool:
    return exchange.status not in (Status.FAILED, Status.ESCROW_ROLLBACK)


def _after(call: Call, exchange: Exchange, back: bool) -> bool:
    """Whether an exchange lies beyond the one the page before ended with; navigating back looks at newer ones."""
    start = call.number("start_after_time"), call.number("start_after_tradeid")
    if start == (0, 0):
        return True
    here = exchange.time_init, exchange.tradeid if start[1] else 0
    if not start[0]:
        here, start = (0, exchange.tradeid), (0, start[1])
    return here > start if back else here < start


def get_holds(call: Call) -> Answer:
    """GetTradeHoldDurations; without friendship the target's trade token must be right, else result 15."""
    reader = _reader(call)
    if isinstance(reader, Answer):
        return reader
    account, target = reader[0], call.world.accounts.by_id.get(call.number("steamid_target"))
    if not call.number("steamid_target"):
        return response({}, INVALID_PARAM)
    if account is None or target is None:
        return response({}, ACCESS_DENIED)
    friends = target.steam_id in account.friends
    if not friends and call.value("trade_offer_access_token") != target.trade_token:
        return response({}, ACCESS_DENIED)
    mine, theirs = call.world.hold_days(account, call.now), call.world.hold_days(target, call.now)
    holds = {"my_escrow": mine, "their_escrow": theirs, "both_escrow": max(mine, theirs)}
    return response({name: _hold(call, days) for name, days in holds.items()})


def _hold(call: Call, days: int) -> dict[str, int]:
    content = {"escrow_end_duration_seconds": days * 86400}
    if days:
        content["escrow_end_date"] = int(call.now) + days * 86400
    return content


def get_own_token(call: Call) -> Answer:
    """GetTradeOfferAccessToken: the own trade token, a new one on request."""
    account = session.token_account(call)
    if account is None:
        return key_page(401)
    if call.flag("generate_new_token"):
        call.world.accounts.renew_trade_token(account)
    return response({"trade_offer_access_token": account.trade_token})


API_METHODS: dict[tuple[str, str, str], Callable[[Call], Answer]] = {
    ("GET", "IEconService", "GetTradeOffers"): get_offers,
    ("GET", "IEconService", "GetTradeOffer"): get_offer,
    ("GET", "IEconService", "GetTradeOffersSummary"): get_summary,
    ("GET", "IEconService", "GetTradeStatus"): get_status,
    ("GET", "IEconService", "GetTradeHistory"): get_history,
    ("GET", "IEconService", "GetTradeHoldDurations"): get_holds,
    ("GET", "IEconService", "GetTradeOfferAccessToken"): get_own_token,
    ("POST", "IEconService", "GetTradeOfferAccessToken"): get_own_token,
    ("GET", "IEconService", "GetInventoryItemsWithDescriptions"): inventory.own,
}
