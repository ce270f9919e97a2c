"""Every error that we raise on purpose. The class is the meaning; its docstring is the default sentence.

FleetError
├── InvalidRequest ─ BadKey ─ Forbidden ─ NotFound ─ TooLate ─ RequestReused ─ Conflict ─ NotAccepted ─ PlayerMustAct
├── NoBotAvailable ─ RateLimited ─ FleetPaused ─ DatabaseUnavailable
├── SteamError
│   ├── SteamRefused       a clear no
│   ├── SteamUnavailable   a clear "not now"; nothing was done
│   ├── SteamThrottled     too many calls; retry_after_s
│   ├── NotSignedIn        the session is dead; nothing was done
│   └── AnswerLost         nobody knows whether it was done: never repeat blindly
├── SettingsError, VaultError
└── OrderRefused           a bot will not take this order
"""

from __future__ import annotations

from typing import ClassVar


class FleetError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        reason: str | None = None,
        retry_after_s: float | None = None,
        player_message: str | None = None,
        **data: object,
    ) -> None:
        """``code`` narrows the class's own code; ``reason`` narrows it further; ``data`` are plain values to show."""
        self.detail = detail or (type(self).__doc__ or "").split("\n")[0]
        self.error_code = code or type(self).code
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.player_message = player_message
        self.data = data
        super().__init__(self.detail)


class InvalidRequest(FleetError):
    """The request does not have the form that this call needs."""

    code = "invalid_request"


class BadKey(FleetError):
    """The API key is missing, unknown or revoked."""

    code = "bad_key"


class Forbidden(FleetError):
    """The API key may not do this."""

    code = "scope_missing"


class NotFound(FleetError):
    """It does not exist."""

    code = "not_found"


class TooLate(FleetError):
    """It has already ended."""

    code = "too_late"


class RequestReused(FleetError):
    """This Idempotency-Key was used with another body."""

    code = "idempotency_mismatch"


class Conflict(FleetError):
    """Something else is using it."""

    code = "conflict"


class NotAccepted(FleetError):
    """We do not take this."""

    code = "item_not_accepted"


# What a player reads who is to answer offers first, whoever refused them another one: Steam, or the limits of this service.
ANSWER_FIRST = "Accept or decline them in Steam first, or wait until they have ended."
TOO_MANY_OFFERS = f"You have too many open trade offers with us. {ANSWER_FIRST}"


class PlayerMustAct(FleetError):
    """The player has to change something at Steam first."""

    code = "partner_hold"


class NoBotAvailable(FleetError):
    """No bot can take this now."""

    code = "no_bot_available"
    retryable = True


class RateLimited(FleetError):
    """Too many requests."""

    code = "rate_limited"
    retryable = True


class FleetPaused(FleetError):
    """The operator has paused this."""

    code = "fleet_paused"
    retryable = True


class DatabaseUnavailable(FleetError):
    """The database cannot be used now; the same request may be repeated with the same Idempotency-Key."""

    code = "database_unavailable"
    retryable = True


class SteamError(FleetError):
    """Steam did not do what it was asked."""

    code = "steam_refused"

    def __init__(self, detail: str | None = None, *, result: int | None = None, **more: object) -> None:
        """``result`` is Steam's EResult, if it told one."""
        super().__init__(detail, **more)  # type: ignore[arg-type]
        self.result = result


class SteamRefused(SteamError):
    """Steam said a clear no."""


class SteamUnavailable(SteamError):
    """Steam cannot do this now; nothing was done."""

    code = "steam_unavailable"
    retryable = True


class SteamThrottled(SteamError):
    """Steam wants fewer calls."""

    code = "steam_throttled"
    retryable = True


class NotSignedIn(SteamError):
    """The session is not signed in any more; nothing was done."""

    code = "not_signed_in"
    retryable = True


class AnswerLost(SteamError):
    """The answer was lost: it may have been done."""

    code = "answer_lost"


class SettingsError(FleetError):
    """A setting is wrong."""

    code = "settings"


class VaultError(FleetError):
    """The vault cannot be opened or does not hold this."""

    code = "vault"


class OrderRefused(FleetError):
    """This order is not carried out."""

    code = "order_refused"
