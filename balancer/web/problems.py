"""Errors, translated once: one row per class, one shape (RFC 9457), the only error middleware.

Code anywhere below raises a class of `shared.errors`; here its status, who has to act, and what is shown are decided. What we
did not raise on purpose is answered as 500 ``internal`` and shows nothing of the inside.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web

from balancer import spoken
from balancer.web import rates
from shared import errors, log

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:trade-fleet:problem:"
INTERNAL = "Something went wrong here. It was logged. The same request may be repeated with the same Idempotency-Key."

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """How one class of error is answered. ``retry_after_s`` is used when the error names no time of its own."""

    status: int
    actor: str
    retry_after_s: float | None = None


class Stopping:
    """Whether the service is about to stop. Then every answer is the last one on its connection."""

    begun = False


STOPPING: web.AppKey[Stopping] = web.AppKey("stopping", Stopping)


INTERNAL_ROW = Row(500, "operator")

TABLE: dict[type[errors.FleetError], Row] = {
    errors.FleetError: INTERNAL_ROW,
    errors.InvalidRequest: Row(400, "site"),
    errors.BadKey: Row(401, "site"),
    errors.Forbidden: Row(403, "site"),
    errors.NotFound: Row(404, "site"),
    errors.TooLate: Row(409, "site"),
    errors.Conflict: Row(409, "site"),
    errors.RequestReused: Row(422, "site"),
    errors.NotAccepted: Row(422, "player"),
    errors.PlayerMustAct: Row(422, "player"),
    errors.RateLimited: Row(429, "site", 5),
    errors.NoBotAvailable: Row(503, "operator", 10),
    errors.FleetPaused: Row(503, "operator", 60),
    errors.DatabaseUnavailable: Row(503, "operator", 2),
    errors.SteamError: Row(503, "steam"),
    errors.SteamRefused: Row(422, "steam"),
    errors.SteamUnavailable: Row(503, "steam", 10),
    errors.SteamThrottled: Row(503, "steam", 60),
    errors.NotSignedIn: Row(503, "operator", 30),
    errors.AnswerLost: Row(503, "steam"),
    errors.SettingsError: INTERNAL_ROW,
    errors.VaultError: INTERNAL_ROW,
    errors.OrderRefused: INTERNAL_ROW,
}

# Where the code says better than the class who has to act.
ACTOR_OF_CODE = {
    "unknown_asset": "site",
    "unknown_player": "site",
    "message_too_long": "site",
    "partner_is_bot": "site",
    "item_frozen": "operator",
    "bot_frozen": "operator",
    "partner_blocked": "operator",
    "bot_restricted": "operator",
    "value_stale": "operator",
    "house_row_taken": "player",
    "not_for_exchange": "player",
    "price_changed": "player",
    "uneven": "player",
    "repeated": "site",
    "too_little_credit": "player",
    "too_many_tries": "player",
}

# … and where only the reason does.
ACTOR_OF_REASON = {
    "wrong-keys": "site",
    "player": "player",
    "player-reads": "player",
    "address": "player",
}

PLAYER_MESSAGES = {
    "partner_hold": "Steam would hold this trade for days. Turn on the Steam Guard mobile authenticator, wait until the hold "
    "has passed, and try again.",
    "partner_banned": "Steam does not let your account trade at the moment. Your Steam account page says why.",
    "inventory_private": "Your Steam inventory is private. Set it to public in Steam's privacy settings and try again.",
    "trade_url_wrong": "Your trade URL is no longer valid. Copy the present one from your Steam inventory's trade settings.",
    "foreign_trade_url": "This trade URL belongs to another Steam account. Copy the one of the account you are signed in with.",
    "too_many_offers": errors.TOO_MANY_OFFERS,
    "inventory_full": "You have as many items here as one player may have. Withdraw some first.",
    "item_not_accepted": "At least one of these items is not accepted.",
    "item_locked": "At least one of these items is in a game.",
    "item_unsettled": "Steam may still take back the trade that brought at least one of these items. Use others until then.",
    "item_frozen": "At least one of these items cannot be used until our support has looked at it. Use others meanwhile.",
    "value_stale": "The value of at least one of these items is not known at the moment. Use others meanwhile.",
    "too_little_credit": "Your balance is too low for this.",
    "house_row_taken": "Somebody else has just taken at least one of these items. Choose another.",
    "not_for_exchange": "At least one of these items cannot be exchanged at the moment. Choose another.",
    "price_changed": "Prices have changed in this moment. Look at the new ones before you exchange.",
    "uneven": "What you give and what you would get do not fit together. Choose other items.",
}

# aiohttp's own refusals, in our words.
HTTP_CODES = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    411: "length_required",
    413: "body_too_large",
    414: "uri_too_long",
    415: "json_only",
    417: "expectation_failed",
    504: "request_timeout",
}
HTTP_DETAILS = {
    408: "The body did not arrive in time. Send it at once after the head.",
    404: "There is nothing at this address. /openapi.json lists all addresses.",
    405: "This address does not support this method.",
    413: "The body is larger than this service allows.",
    415: "The body must be JSON, with Content-Type: application/json.",
    504: "This took too long and was ended. The same request may be repeated with the same Idempotency-Key.",
}


class EncodingUnknown(web.HTTPUnsupportedMediaType):
    """The body is compressed in a way that we do not know."""

    code = "encoding_unknown"
    detail = (
        "The body is compressed in a way that this service does not know. Send it uncompressed, or with gzip, deflate or br."
    )

    def __init__(self) -> None:
        super().__init__(headers={"Accept-Encoding": "gzip, deflate, br"})


_OWN_FIELDS = frozenset({"type", "title", "status", "detail", "code", "retryable", "actor"})


def row_of(error: errors.FleetError) -> Row:
    """The row of the error's class, or of the nearest class above it."""
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)


def _body(code: str, status: int, detail: str, actor: str, *, retryable: bool = False) -> dict[str, Any]:
    return {
        "type": TYPE_PREFIX + code,
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "retryable": retryable,
        "actor": actor,
    }


def describe(error: errors.FleetError) -> tuple[int, dict[str, Any]]:
    """Status and problem document of one error. Classes that are our own trouble show as ``internal`` only."""
    row = row_of(error)
    if row is INTERNAL_ROW:
        return 500, internal()
    code = error.error_code
    actor = ACTOR_OF_REASON.get(error.reason or "") if row.status == 429 else None
    body = _body(code, row.status, error.detail, actor or ACTOR_OF_CODE.get(code, row.actor), retryable=error.retryable)
    if error.reason is not None:
        body["reason"] = error.reason
    if player_message := error.player_message or PLAYER_MESSAGES.get(code):
        body["player_message"] = spoken.say(player_message)
    retry_after_s = error.retry_after_s if error.retry_after_s is not None else row.retry_after_s
    if retry_after_s is not None:
        body["retry_after_s"] = retry_after_s
    body.update((f"its_{name}" if name in _OWN_FIELDS else name, _shown(name, value)) for name, value in error.data.items())
    return row.status, body


def _shown(name: str, value: object) -> object:
    """Times are RFC 3339 here as everywhere; the core has them in unix seconds."""
    if name.endswith("_at") and type(value) is int:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def internal() -> dict[str, Any]:
    """The document for everything that nobody raised on purpose."""
    return _body("internal", 500, INTERNAL, "operator", retryable=True)


def respond(error: errors.FleetError) -> web.Response:
    """The error as an HTTP response, with Retry-After where there is a time."""
    status, body = describe(error)
    response = _response(status, body)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="fleet"'
    return response


def _response(status: int, body: dict[str, Any]) -> web.Response:
    headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
    if "player_message" in body:
        headers["Content-Language"] = spoken.current().code
    if "retry_after_s" in body:
        headers["Retry-After"] = str(math.ceil(body["retry_after_s"]))
    return web.Response(status=status, body=json.dumps(body, default=str).encode(), headers=headers)


def respond_http(error: web.HTTPException) -> web.Response:
    """aiohttp's own 404, 405, 413 … in the same shape; headers such as Allow are kept."""
    if isinstance(error, EncodingUnknown):
        response = _response(error.status, _body(error.code, error.status, error.detail, "site"))
    else:
        response = respond_status(error.status)
    for name in ("Allow", "Accept-Encoding"):
        if name in error.headers:
            response.headers[name] = error.headers[name]
    return response


def respond_status(status: int) -> web.Response:
    """What is known of an error by its status alone."""
    if status == 500:
        return _response(status, internal())
    code = HTTP_CODES.get(status, "invalid_request" if status < 500 else "internal")
    detail = HTTP_DETAILS.get(status) or HTTPStatus(status).description or HTTPStatus(status).phrase
    actor = "site" if status < 500 else "operator"
    return _response(status, _body(code, status, detail, actor, retryable=status == 504))


# In a request: the language that its reader has chosen, where that is not left to the browser.
LANGUAGE = web.RequestKey("language", str)


@web.middleware
async def middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn whatever a handler raises into a problem document; players are spoken to in the language of the request."""
    spoken.use(request.get(LANGUAGE, "") or request.headers.get("Accept-Language", ""))
    response = await _answered(request, handler)
    if states := request.get(rates.STATES):
        response.headers.update(rates.headers(states))
    if request.app[STOPPING].begun:
        response.force_close()
    return response


async def _answered(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except errors.FleetError as error:
        if row_of(error) is INTERNAL_ROW:
            _log.error("request failed", action="http", method=request.method, exc_info=True)
        return respond(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return respond_http(error)
    except web.RequestPayloadError:  # the body breaks off, or is not compressed as it says
        return respond_status(400)
    except Exception:
        _log.exception("request failed", action="http", method=request.method)
        return _response(500, internal())
