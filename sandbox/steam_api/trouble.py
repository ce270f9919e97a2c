"""One call under trouble: which open orders strike it, and what becomes of its answer."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.answers import API, COMMUNITY, Answer, html, null
from sandbox.faults.kinds import BEFORE, GATE, INSTEAD, KINDS, SHAPES
from sandbox.faults.orders import Fault
from sandbox.steam_api import maintenance, relay
from sandbox.steam_api.bad_answers import ANSWERS
from sandbox.steam_api.call import Call
from sandbox.tokens import Claims
from sandbox.world import phone

TOO_MANY = "<html><head><title>Too Many Requests</title></head><body><h1>Too Many Requests</h1></body></html>"
ACCEPTED, ACTIVE, COMPLETE, COMMITTED = 3, 2, 3, 2


@dataclass
class _Struck:
    """The orders that strike one call; at most one of them answers in Steam's place."""

    instead: Fault | None = None
    refusal: Answer | None = None
    before: list[Fault] = field(default_factory=list)
    afterwards: list[Fault] = field(default_factory=list)


def answer(call: Call, handler: Callable[[Call], Answer]) -> Answer:
    """Steam's answer, or what trouble makes of it; the deed is done unless an order answers before it."""
    struck = _strike(call)
    if struck.instead is not None and not struck.instead.after:
        return _told(call, struck.instead, struck.refusal or ANSWERS[struck.instead.kind](struck.instead, call))
    for fault in struck.before:
        if BEFOREHAND[fault.kind](fault, call):
            _count(call, fault)
    made = handler(call)
    if struck.instead is not None:
        return _told(call, struck.instead, ANSWERS[struck.instead.kind](struck.instead, call))
    for fault in struck.afterwards:
        if CHANGES[fault.kind](fault, call, made):
            _told(call, fault, made)
    return made


def _strike(call: Call) -> _Struck:
    """Throw the dice for every order that fits; the first one that answers instead of Steam is the only such one."""
    struck = _Struck()
    who = call.known_as.steam_id if call.known_as else ""
    for fault in call.steam.faults.fitting(call.known_as, call.route, call.method, call.now, call.args.get("relay")):
        kind = KINDS[fault.kind]
        if kind.does in (INSTEAD, GATE) and struck.instead is not None:
            continue
        if not kind.by_share and not fault.strikes(who, call.route):
            continue
        if kind.does == GATE:
            struck.refusal = GATES[fault.kind](fault, call)
            struck.instead = fault if struck.refusal is not None else None
        elif kind.does == INSTEAD:
            struck.instead = fault
        else:
            (struck.before if kind.does == BEFORE else struck.afterwards).append(fault)
    return struck


def _count(call: Call, fault: Fault) -> None:
    """For the order and for the record of requests."""
    call.steam.faults.hit(fault)
    call.struck.append(fault.kind)


def _told(call: Call, fault: Fault, made: Answer) -> Answer:
    """The answer with what every kind may add to it: a wait, and when to come again."""
    _count(call, fault)
    if fault.retry_after_s is not None:
        made.headers["Retry-After"] = str(fault.retry_after_s)
    if fault.delay_s or fault.jitter_s:
        made.delay_s += fault.delay_s + fault.jitter_s * fault.throw("delay", call.route)
    return made


# --- gates: some calls are turned away -----------------------------------------------------------


def _rate_limit(fault: Fault, call: Call) -> Answer | None:
    """At most `calls` in `per_s` seconds of the real clock, per route and remote address; 429 for the rest."""
    address = call.address
    if fault.forwarded:
        address = call.headers.get("x-forwarded-for", "").partition(",")[0].strip() or address
    times: deque[float] = fault.seen.setdefault((address, call.route), deque())
    while times and times[0] <= call.real_now - fault.per_s:
        times.popleft()
    if len(times) >= fault.calls:
        return _too_many(call)
    times.append(call.real_now)
    return None


def _edge_filter(_: Fault, call: Call) -> Answer | None:
    """steamcommunity.com turns away what does not look like a browser (node-steamcommunity#371, since 2026-07-09)."""
    if call.host != COMMUNITY:
        return None
    encodings = {part.partition(";")[0].strip() for part in call.headers.get("accept-encoding", "").split(",")}
    agent = call.headers.get("user-agent", "")
    if agent.startswith("okhttp/"):
        return None  # Steam's own app (node-steam-tradeoffer-manager PR #370: okhttp/4.9.2 gets through by itself)
    browser = agent.startswith("Mozilla/5.0 ") and "bot" not in agent.lower()
    return None if call.headers.get("accept-language") and "br" in encodings and browser else _too_many(call)


def _too_many(call: Call) -> Answer:
    return html(TOO_MANY, 429) if call.host == API else null(429)


GATES: dict[str, Callable[[Fault, Call], Answer | None]] = {
    "edge_filter": _edge_filter,
    "maintenance": maintenance.answer,
    "rate_limit": _rate_limit,
}


# --- before: Steam itself sees something else ----------------------------------------------------


def _presented(call: Call, wants_refresh: bool) -> Claims | None:
    """The token that this call brings along, if it still holds."""
    cookie = call.cookie("steamRefresh_steam" if wants_refresh else "steamLoginSecure").partition("||")[2]
    parameter = (call.value("nonce") or call.value("refresh_token")) if wants_refresh else call.value("access_token")
    claims = call.steam.tokens.read(parameter or cookie, call.real_now)
    return claims if claims is not None and claims.is_refresh == wants_refresh else None


def _kill(wants_refresh: bool, cookie_only: bool = False) -> Callable[[Fault, Call], bool]:
    def kill(_: Fault, call: Call) -> bool:
        claims = _presented(call, wants_refresh)
        if claims is None or (cookie_only and call.host == API):
            return False
        (call.steam.tokens.dead_cookies if cookie_only else call.steam.tokens.dead).add(claims.token_id)
        return True

    return kill


def _empty_inventory(_: Fault, call: Call) -> bool:
    call.inventory_is_empty = True
    return True


def _stale_inventory(fault: Fault, call: Call) -> bool:
    call.inventory_age_s = fault.age_s
    return True


def _late_beacon(fault: Fault, call: Call) -> bool:
    call.beacon_late_s = fault.late_s
    return True


def _late_confirmation(fault: Fault, call: Call) -> bool:
    """Hide what is younger than `late_s` from the phone."""
    waiting = phone.waiting(call.world, call.known_as.steam_id, call.now) if call.known_as else []
    young = [c for c in waiting if call.now < c.visible_at + fault.late_s and fault.has_struck(c.confirmation_id)]
    call.hidden_confirmations.update(c.confirmation_id for c in young)
    return bool(young)


BEFOREHAND: dict[str, Callable[[Fault, Call], bool]] = {
    "dead_cookie": _kill(wants_refresh=False, cookie_only=True),
    "dead_refresh": _kill(wants_refresh=True),
    "dead_token": _kill(wants_refresh=False),
    "empty_inventory": _empty_inventory,
    "late_beacon": _late_beacon,
    "late_confirmation": _late_confirmation,
    "stale_inventory": _stale_inventory,
}


# --- afterwards: the true answer is changed ------------------------------------------------------

Entry = dict[str, Any]


def _each(pick: Callable[[Entry], list[Entry]], change: Callable[[Fault, Call, Entry], bool]) -> Callable[..., bool]:
    """Change every entry of a JSON answer; False when nothing was changed."""

    def apply(fault: Fault, call: Call, made: Answer) -> bool:
        if not made.content_type.startswith("application/json"):
            return False
        content = json.loads(made.body)
        changed = [change(fault, call, entry) for entry in pick(content["response"])]
        if any(changed):
            made.body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return any(changed)

    return apply


def _offers(content: Entry) -> list[Entry]:
    single = [content["offer"]] if "offer" in content else []
    return [*content.get("trade_offers_sent", []), *content.get("trade_offers_received", []), *single]


def _trades(content: Entry) -> list[Entry]:
    return list(content.get("trades", []))


def _flap(fault: Fault, _: Call, offer: Entry) -> bool:
    """An accepted offer is seen as 3, the next time as 2, and from then on as 3 again."""
    number = int(offer["tradeofferid"])
    if offer["trade_offer_state"] != ACCEPTED or not fault.has_struck(number) or fault.seen.get(number) == "over":
        return False
    if number not in fault.seen:
        fault.seen[number] = "accepted"
        return False
    fault.seen[number] = "over"
    offer["trade_offer_state"] = ACTIVE
    offer.pop("tradeid", None)
    return True


def _glitch(fault: Fault, _: Call, offer: Entry) -> bool:
    """Half-filled, as when Steam's item servers are slow: no items, no partner, or assets without ids."""
    number = int(offer["tradeofferid"])
    if fault.subject not in (None, number):
        return False
    shapes = SHAPES["glitched"]
    shape = fault.shape or shapes[int(fault.throw("shape", number) * len(shapes))]
    if shape == "no_partner":
        offer.pop("accountid_other", None)
        return True
    for name in ("items_to_give", "items_to_receive"):
        if shape == "no_items":
            offer.pop(name, None)
        for asset in offer.get(name, []):
            asset.pop("appid", None)
            asset.pop("assetid", None)
    return True


def _odd_state(fault: Fault, _: Call, offer: Entry) -> bool:
    if fault.subject not in (None, int(offer["tradeofferid"])):
        return False
    offer["trade_offer_state"] = fault.state
    return True


def _stuck_status(fault: Fault, _: Call, trade: Entry) -> bool:
    """The exchange stays at 2 although it is complete and its new ids are there (csfloat/extension PR #409)."""
    if trade["status"] != COMPLETE or not fault.has_struck(int(trade["tradeid"])):
        return False
    trade["status"] = COMMITTED
    return True


def _late_ids(fault: Fault, call: Call, trade: Entry) -> bool:
    """The exchange is at 2 and tells no new ids until it is `late_s` old."""
    young = call.now < trade["time_mod"] + fault.late_s
    if trade["status"] != COMPLETE or not young or not fault.has_struck(int(trade["tradeid"])):
        return False
    trade["status"] = COMMITTED
    for asset in (*trade.get("assets_given", []), *trade.get("assets_received", [])):
        asset.pop("new_assetid", None)
        asset.pop("new_contextid", None)
    return True


def _broken_off(how: str) -> Callable[[Fault, Call, Answer], bool]:
    def break_off(_: Fault, __: Call, made: Answer) -> bool:
        made.trouble = how if len(made.body) > 1 else "cut"
        return True

    return break_off


CHANGES: dict[str, Callable[[Fault, Call, Answer], bool]] = {
    "bad_beacon": relay.lie,
    "cut_middle": _broken_off("cut_middle"),
    "flap": _each(_offers, _flap),
    "glitched": _each(_offers, _glitch),
    "late_ids": _each(_trades, _late_ids),
    "odd_state": _each(_offers, _odd_state),
    "slow": lambda *_: True,
    "stuck_status": _each(_trades, _stuck_status),
    "truncated": _broken_off("truncate"),
}
