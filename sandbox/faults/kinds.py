"""Orders for trouble as the control API and profiles write them: which kinds there are, and which fields mean what."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sandbox.answers import whole
from sandbox.errors import BadRequest

INSTEAD, GATE, BEFORE, AFTERWARDS, CONDITION = "instead", "gate", "before", "afterwards", "condition"
"""What a kind does: answer instead of Steam, refuse some calls, change what Steam sees, change its answer, or change
what an account may do."""


@dataclass(frozen=True)
class Kind:
    """One kind of trouble: its own fields, the routes it can strike ("" for all), and what its probability is about.

    With `by_share` the probability is the share of accounts, offers, exchanges or confirmations that are struck, each
    of them always or never; without, every call is a new throw of the dice.
    """

    does: str
    fields: tuple[str, ...] = ()
    routes: str = ""
    lasting: bool = False
    by_share: bool = False


OFFER_READS = "GetTradeOffers GetTradeOffer"
TRADE_READS = "GetTradeStatus GetTradeHistory"
INVENTORIES = "inventory legacy_inventory partnerinventory GetInventoryItemsWithDescriptions"
REFRESHES = "finalizelogin refresh GenerateAccessTokenForApp"
BEACONS = "beacon beacon_latest"
BEACONS_V2 = "beacon_v2 beacon_latest_v2"
PHONE = "getlist details detailspage ajaxop multiajaxop"

KINDS: Final[dict[str, Kind]] = {
    "bad_codes": Kind(INSTEAD),
    "cut": Kind(INSTEAD),
    "eresult": Kind(INSTEAD),
    "html": Kind(INSTEAD),
    "needauth": Kind(INSTEAD),
    "no_conf": Kind(INSTEAD),
    "null": Kind(INSTEAD),
    "sign_in_refused": Kind(INSTEAD, routes="BeginAuthSessionViaCredentials"),
    "status": Kind(INSTEAD),
    "str_error": Kind(INSTEAD),
    "success_false": Kind(INSTEAD),
    "timeout": Kind(INSTEAD),
    "edge_filter": Kind(GATE, lasting=True),
    "maintenance": Kind(GATE, ("shape",), lasting=True),
    "rate_limit": Kind(GATE, ("calls", "per_s", "forwarded"), lasting=True),
    "dead_cookie": Kind(BEFORE),
    "dead_refresh": Kind(BEFORE, routes=REFRESHES),
    "dead_token": Kind(BEFORE),
    "empty_inventory": Kind(BEFORE, routes=INVENTORIES),
    "late_beacon": Kind(BEFORE, ("late_s",), f"{BEACONS} {BEACONS_V2}", lasting=True),
    "late_confirmation": Kind(BEFORE, ("late_s",), PHONE, lasting=True, by_share=True),
    "stale_inventory": Kind(BEFORE, ("age_s",), INVENTORIES),
    "bad_beacon": Kind(AFTERWARDS, ("shape",), f"{BEACONS} {BEACONS_V2}"),
    "cut_middle": Kind(AFTERWARDS),
    "flap": Kind(AFTERWARDS, ("subject",), OFFER_READS, lasting=True, by_share=True),
    "glitched": Kind(AFTERWARDS, ("subject", "shape"), OFFER_READS),
    "late_ids": Kind(AFTERWARDS, ("subject", "late_s"), TRADE_READS, lasting=True, by_share=True),
    "odd_state": Kind(AFTERWARDS, ("subject", "state"), OFFER_READS),
    "slow": Kind(AFTERWARDS),
    "stuck_status": Kind(AFTERWARDS, ("subject",), TRADE_READS, lasting=True, by_share=True),
    "truncated": Kind(AFTERWARDS),
    "device_lock": Kind(CONDITION, lasting=True, by_share=True),
    "hold": Kind(CONDITION, ("days",), lasting=True, by_share=True),
    "trade_ban": Kind(CONDITION, lasting=True, by_share=True),
}

SHAPES: Final = {
    "bad_beacon": ("garbage", "forged", "relabelled", "other_round", "randomness", "no_signature", "huge"),
    "glitched": ("no_items", "no_partner", "half_assets"),
    "maintenance": ("502", "503", "20", "empty"),
}
GROUPS: Final = {
    "@beacons": f"{BEACONS} {BEACONS_V2} beacon_info beacon_info_v2 beacon_chains beacon_ids",
    "@phone": PHONE,
    "@inventories": INVENTORIES,
    "@offers": "send accept cancel decline",
    "@econ": f"{OFFER_READS} GetTradeOffersSummary {TRADE_READS} GetTradeHoldDurations GetTradeOfferAccessToken "
    "GetInventoryItemsWithDescriptions",
    "@sign_in": "GetPasswordRSAPublicKey BeginAuthSessionViaCredentials UpdateAuthSessionWithSteamGuardCode "
    "PollAuthSessionStatus finalizelogin settoken refresh",
}
"""Names for several routes at once."""

LATEST = 4_102_444_800
"""The year 2100; later times are taken for a mistake."""
SECONDS_MAX = 10 * 365 * 86400

Check = Callable[[Any], bool]


def _number(low: float, high: float) -> Check:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _integer(low: int, high: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_id(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, str | int) and whole(str(value)) is not None


COMMON: Final[dict[str, tuple[Check, str]]] = {
    "kind": (_is_text, f"one of {', '.join(sorted(KINDS))}"),
    "route": (_is_text, f"names of routes with commas between them, * or one of {', '.join(GROUPS)}"),
    "account": (_or_null(_is_id), "a SteamID64 or null"),
    "who": (_or_null(lambda value: value in ("bot", "player")), "bot, player or null"),
    "relay": (_or_null(_is_text), "the name of one relay of beacons (empty for the one without a name) or null"),
    "method": (_or_null(lambda value: value in ("GET", "POST")), "GET, POST or null"),
    "times": (_or_null(_integer(1, 10**9)), "a whole number from 1, or null for as often as it fits"),
    "probability": (_number(0, 1), "a number from 0 to 1"),
    "seed": (_or_null(_integer(-(2**63), 2**63)), "a whole number or null"),
    "at": (_or_null(_number(0, LATEST)), "unix seconds of the sandbox's clock, or null for at once"),
    "until": (_or_null(_number(0, LATEST)), "unix seconds of the sandbox's clock, or null for no end"),
    "in_s": (_or_null(_number(0, SECONDS_MAX)), "seconds from now until it begins"),
    "for_s": (_or_null(_number(0.001, SECONDS_MAX)), "how many seconds it lasts"),
    "every_s": (_or_null(_number(1, SECONDS_MAX)), "seconds from one beginning to the next; it needs for_s"),
    "delay_s": (_number(0, 600), "seconds, at most 600"),
    "jitter_s": (_number(0, 600), "seconds, at most 600"),
    "retry_after_s": (_or_null(_integer(0, 86400)), "whole seconds or null"),
    "after": (_is_flag, "true or false"),
    "code": (_integer(0, 10**6), "a whole number, Steam's result"),
    "status": (lambda value: value == 0 or _integer(200, 599)(value), "a status of HTTP, or 0 for the kind's own"),
    "text": (_or_null(_is_text), "a sentence or null"),
}
OWN: Final[dict[str, tuple[Check, str]]] = {
    "age_s": (_number(0, SECONDS_MAX), "seconds"),
    "calls": (_integer(0, 10**6), "a whole number"),
    "days": (_integer(1, 365), "whole days, 1 to 365"),
    "forwarded": (_is_flag, "true or false"),
    "late_s": (_number(0, SECONDS_MAX), "seconds"),
    "per_s": (_number(0.001, 86400), "seconds"),
    "shape": (_or_null(_is_text), "; ".join(f"for {kind} {', '.join(names)}" for kind, names in SHAPES.items())),
    "state": (_integer(0, 10**6), "a whole number"),
    "subject": (_or_null(_is_id), "the id of one offer (for the status of an exchange: its tradeid) or null"),
}
FIELDS: Final = COMMON | OWN


def read(order: dict[str, Any], routes: frozenset[str], now: float) -> dict[str, Any]:
    """The fields of a fault from an order; times of profiles may be TOML dates. Raises: BadRequest, saying what is wrong."""
    if unknown := set(order) - set(FIELDS):
        raise BadRequest(f"unknown fields: {', '.join(sorted(unknown))}; there are {', '.join(sorted(FIELDS))}")
    order = {name: _unix(value) for name, value in order.items()}
    for name, value in order.items():
        check, meaning = FIELDS[name]
        if not check(value):
            raise BadRequest(f"{name} is {meaning}")
    kind = KINDS.get(order.get("kind", ""))
    if kind is None:
        raise BadRequest(f"kind is {FIELDS['kind'][1]}")
    _check_fields(order, kind)
    values = _times(order, now) | {"routes": _routes(order, kind, routes)}
    values["times"] = order["times"] if "times" in order else _usual_times(order, kind)
    for name in ("account", "subject"):
        values[name] = None if order.get(name) is None else int(order[name])
    return values


def _unix(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) and value.tzinfo else value


def _check_fields(order: dict[str, Any], kind: Kind) -> None:
    name = order["kind"]
    if alien := set(order) & set(OWN) - set(kind.fields):
        raise BadRequest(f"{', '.join(sorted(alien))} means nothing for {name}")
    if kind.does == CONDITION and (alien := set(order) & {"route", "method", "times", "after", "delay_s", "jitter_s"}):
        raise BadRequest(f"{name} is a condition of an account, not of calls: {', '.join(sorted(alien))} cannot be given")
    if order.get("shape") is not None and order["shape"] not in SHAPES[name]:
        raise BadRequest(f"shape of {name} is one of {', '.join(SHAPES[name])}")
    if order.get("every_s") is not None and order.get("for_s") is None:
        raise BadRequest("every_s needs for_s")
    if order.get("until") is not None and order.get("for_s") is not None:
        raise BadRequest("until and for_s are two words for the same thing: send one of them")
    if order.get("at") is not None and order.get("in_s") is not None:
        raise BadRequest("at and in_s are two words for the same thing: send one of them")


def _times(order: dict[str, Any], now: float) -> dict[str, Any]:
    """The order with `in_s` and `for_s` turned into moments of the sandbox's clock."""
    values = {name: value for name, value in order.items() if name not in ("in_s", "route")}
    if order.get("in_s") is not None:
        values["at"] = now + order["in_s"]
    if order.get("for_s") is not None:
        values["at"] = values.get("at") if values.get("at") is not None else now
        if order.get("every_s") is None:
            values["until"] = values["at"] + order["for_s"]
    return values


def _routes(order: dict[str, Any], kind: Kind, known: frozenset[str]) -> frozenset[str] | None:
    """The routes that are meant, None for all."""
    if kind.does == CONDITION:
        return None
    if "route" not in order and not kind.routes and kind.does != GATE:
        raise BadRequest(f"route is missing: {FIELDS['route'][1]}")
    own = frozenset(kind.routes.split()) or None
    if order.get("route", "*") == "*":
        return own
    names = {name for part in order["route"].split(",") for name in GROUPS.get(part.strip(), part.strip()).split()}
    if not names or (unknown := names - known):
        raise BadRequest(
            f"unknown routes: {', '.join(sorted(unknown)) if names else 'none given'}; there are {', '.join(sorted(known))}"
        )
    if own is not None and (alien := names - own):
        raise BadRequest(f"{order['kind']} cannot strike {', '.join(sorted(alien))}")
    return frozenset(names)


def _usual_times(order: dict[str, Any], kind: Kind) -> int | None:
    """One call, unless the kind lasts or the order says by other means how often it strikes."""
    others = ("probability", "until", "for_s", "every_s")
    return None if kind.lasting or any(order.get(name) is not None for name in others) else 1
