"""Everything that a call can end in beside its answer.

FleetError
├── Unreachable        no balancer could be reached; nothing was done
├── AnswerLost         nobody knows whether it was done: ask again with the same `key`
├── UnexpectedAnswer   an answer that is none of this API
└── Problem            a balancer's problem document; one class for each `code`, below one for its kind:
    ├── WrongRequest   the program that calls has a mistake
    ├── NotAllowed     the API key
    ├── Conflict       the state of things
    ├── NotAccepted    what was sent; mostly the player can do something: `player_message`
    └── NotNow         later it may go; this package has tried again already

A code that this package does not know is a `Problem` of its kind. No error holds what was sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

NOT_NOW = "This is not possible right now."


class FleetError(Exception):
    """A call did not end well."""

    def for_player(self) -> tuple[int, dict[str, str]]:
        """What a site may answer to its player's browser: a status, and a ``code`` and a ``message``, nothing of the inside."""
        return 503, {"code": "not_now", "message": NOT_NOW}


class Unreachable(FleetError):
    """No balancer could be reached; nothing was done."""


class AnswerLost(FleetError):
    """Nobody knows whether it was done. The same call with the same ``key`` (or ref) finds out, now or in a day."""

    def __init__(self, detail: str, key: str | None = None) -> None:
        super().__init__(f"{detail} Nobody knows whether it was done; ask again with the same key or ref.")
        self.key = key


class UnexpectedAnswer(FleetError):
    """What answered does not speak this API, or another version of it. ``status`` is that of HTTP, if there is one."""

    def __init__(self, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.status = status


class Problem(FleetError):
    """A problem document (RFC 9457).

    ``actor`` says who can do something: ``site``, ``player``, ``operator``, ``steam``. ``player_message`` may be shown to the
    player as it is. ``livemode``: whether the balancer is live, false if it tests. ``request_id``: what to name
    to the balancer's operator, who finds the request in the logs by it. ``more`` has all other fields (``assets``,
    ``settles_at``, ``limit`` …). ``unsure``: an earlier try of this call had no answer, and it may have been that one which did
    what is refused now.
    """

    code: ClassVar[str] = ""

    def __init__(self, document: Mapping[str, Any], status: int, unsure: bool = False) -> None:
        self.error_code = str(document.get("code", ""))
        self.status = status
        self.detail = str(document.get("detail", ""))
        self.retryable = document.get("retryable") is True
        self.actor = str(document.get("actor", ""))
        self.reason = _text(document.get("reason"))
        self.player_message = _text(document.get("player_message"))
        self.retry_after_s = _seconds(document.get("retry_after_s"))
        livemode = document.get("livemode")
        self.livemode = livemode if isinstance(livemode, bool) else None
        self.request_id = _text(document.get("request_id"))
        listed = document.get("errors")
        self.errors: list[dict[str, Any]] = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        self.more = {name: value for name, value in document.items() if name not in _KNOWN}
        self.unsure = unsure
        super().__init__(self._sentence())

    def for_player(self) -> tuple[int, dict[str, str]]:
        """As it was refused, in the sentence for the player; that your API key may not do it is no business of the player's."""
        if isinstance(self, NotAllowed) and not self.player_message:
            return super().for_player()
        return self.status, {"code": self.error_code, "message": self.player_message or NOT_NOW}

    def _sentence(self) -> str:
        fields = "".join(f" {one.get('field')}: {one.get('message')}" for one in self.errors)
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.status} {self.error_code}{reason}: {self.detail}{fields}"

    def __reduce__(self) -> tuple[Any, ...]:
        document = self.more | {"code": self.error_code, "detail": self.detail, "retryable": self.retryable}
        document |= {"actor": self.actor, "reason": self.reason, "player_message": self.player_message}
        document |= {
            "retry_after_s": self.retry_after_s,
            "errors": self.errors,
            "livemode": self.livemode,
            "request_id": self.request_id,
        }
        return type(self), (document, self.status, self.unsure)


SECONDS_MAX = 10**9
_KNOWN = frozenset({*("type", "title", "status", "detail", "code", "retryable", "actor"), "reason", "player_message"}) | {
    *("retry_after_s", "errors", "livemode", "request_id")
}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        return None
    return float(min(value, SECONDS_MAX))


class WrongRequest(Problem):
    """The program that calls has a mistake, or names something that is not there."""


class NotAllowed(Problem):
    """The API key is wrong, or may not do this."""


class Conflict(Problem):
    """Things are in another state than this call needs."""


class NotAccepted(Problem):
    """What was sent is not taken."""


class NotNow(Problem):
    """It may go later."""


# --- one class for each code -------------------------------------------------------------------------------------------


class InvalidRequest(WrongRequest):
    code = "invalid_request"


class IdempotencyKeyMissing(WrongRequest):
    code = "idempotency_key_missing"


class IdempotencyMismatch(WrongRequest):
    """This key was used with another body."""

    code = "idempotency_mismatch"


class RefReused(WrongRequest):
    """This ref was used with another body."""

    code = "ref_reused"


class Repeated(WrongRequest):
    code = "repeated"


class NotFound(WrongRequest):
    code = "not_found"


class MethodNotAllowed(WrongRequest):
    code = "method_not_allowed"


class LengthRequired(WrongRequest):
    code = "length_required"


class BodyTooLarge(WrongRequest):
    code = "body_too_large"


class UriTooLong(WrongRequest):
    code = "uri_too_long"


class JsonOnly(WrongRequest):
    code = "json_only"


class EncodingUnknown(WrongRequest):
    code = "encoding_unknown"


class ExpectationFailed(WrongRequest):
    code = "expectation_failed"


class BadKey(NotAllowed):
    code = "bad_key"


class WrongMode(NotAllowed):
    """A test key at a live balancer, or a live key at one that tests."""

    code = "wrong_mode"


class ScopeMissing(NotAllowed):
    code = "scope_missing"


class NotOwner(NotAllowed):
    code = "not_owner"


class OwnRequest(NotAllowed):
    """Another person has to approve it."""

    code = "own_request"


class TooLate(Conflict):
    code = "too_late"


class TradeHeld(Conflict):
    code = "trade_held"


class AssetInTrade(Conflict):
    code = "asset_in_trade"


class NotInCustody(Conflict):
    code = "not_in_custody"


class NotActive(Conflict):
    code = "not_active"


class ItemLocked(Conflict):
    code = "item_locked"


class ItemUnsettled(Conflict):
    code = "item_unsettled"


class ItemFrozen(Conflict):
    code = "item_frozen"


class ItemNotHere(Conflict):
    code = "item_not_here"


class NotFrozen(Conflict):
    code = "not_frozen"


class NotLocked(Conflict):
    code = "not_locked"


class LockReleased(Conflict):
    code = "lock_released"


class RefOfAnotherClient(Conflict):
    code = "ref_of_another_client"


class ValueStale(Conflict):
    code = "value_stale"


class TooLittleCredit(Conflict):
    code = "too_little_credit"


class KindDiffers(Conflict):
    code = "kind_differs"


class HouseRowTaken(Conflict):
    code = "house_row_taken"


class NotForExchange(Conflict):
    code = "not_for_exchange"


class PriceChanged(Conflict):
    code = "price_changed"


class Uneven(Conflict):
    code = "uneven"


class BotFrozen(Conflict):
    code = "bot_frozen"


class BotRestricted(Conflict):
    code = "bot_restricted"


class UserMismatch(Conflict):
    code = "user_mismatch"


class PartnerBlocked(Conflict):
    code = "partner_blocked"


class DoubtTooYoung(Conflict):
    code = "doubt_too_young"


class OfferSeen(Conflict):
    code = "offer_seen"


class OfferOfAnotherTrade(Conflict):
    code = "offer_of_another_trade"


class WebhookExists(Conflict):
    code = "webhook_exists"


class TooManyWebhooks(Conflict):
    code = "too_many_webhooks"


class UnknownPlayer(NotAccepted):
    code = "unknown_player"


class ForeignTradeUrl(NotAccepted):
    code = "foreign_trade_url"


class TradeUrlWrong(NotAccepted):
    code = "trade_url_wrong"


class UnknownAsset(NotAccepted):
    code = "unknown_asset"


class ItemNotAccepted(NotAccepted):
    code = "item_not_accepted"


class InventoryFull(NotAccepted):
    code = "inventory_full"


class InventoryPrivate(NotAccepted):
    code = "inventory_private"


class MessageTooLong(NotAccepted):
    code = "message_too_long"


class PartnerIsBot(NotAccepted):
    code = "partner_is_bot"


class PartnerHold(NotAccepted):
    code = "partner_hold"


class PartnerBanned(NotAccepted):
    code = "partner_banned"


class TooManyOffers(NotAccepted):
    code = "too_many_offers"


class RateLimited(NotNow):
    code = "rate_limited"


class TooManyTries(NotNow):
    code = "too_many_tries"


class TooManyStreams(NotNow):
    code = "too_many_streams"


class Internal(NotNow):
    code = "internal"


class NoBotAvailable(NotNow):
    code = "no_bot_available"


class FleetPaused(NotNow):
    code = "fleet_paused"


class LimitReached(NotNow):
    code = "limit_reached"


class InventoryBusy(NotNow):
    code = "inventory_busy"


class InventoryUnavailable(NotNow):
    code = "inventory_unavailable"


class ReadingsDiffer(NotNow):
    code = "readings_differ"


class NoSecondReader(NotNow):
    code = "no_second_reader"


class SteamMaintenance(NotNow):
    code = "steam_maintenance"


class SteamThrottled(NotNow):
    code = "steam_throttled"


class DatabaseUnavailable(NotNow):
    code = "database_unavailable"


class RequestTimeout(NotNow):
    code = "request_timeout"


def _below(kind: type[Problem]) -> list[type[Problem]]:
    return [one for child in kind.__subclasses__() for one in (child, *_below(child))]


BY_CODE: Mapping[str, type[Problem]] = {kind.code: kind for kind in _below(Problem) if kind.code}
_BY_STATUS: Mapping[int, type[Problem]] = {401: NotAllowed, 403: NotAllowed, 409: Conflict, 422: NotAccepted, 429: NotNow}


def problem_of(status: int, body: bytes, content_type: str, unsure: bool = False) -> Problem | None:
    """The problem in an answer; ``None`` if it holds none, as a proxy's own page of an error."""
    if content_type.partition(";")[0].strip().lower() != "application/problem+json":
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("code"), str):
        return None
    kind = BY_CODE.get(document["code"]) or _BY_STATUS.get(status) or (WrongRequest if status < 500 else NotNow)
    return kind(document, status, unsure)
