"""What Steam's numbers mean, as tables.

Offer states are ETradeOfferState (node-steam-tradeoffer-manager ``resources/ETradeOfferState.js``, 12 from SteamKit), exchange
statuses ETradeStatus (12 from csfloat/extension). The numbers in ``strError`` are EResults, but offers give them meanings of
their own, whatever their names say: see node-steam-tradeoffer-manager ``lib/helpers.js`` and TF2Autobot
``src/classes/Trades.ts``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

from steam.enums import EResult

from shared.domain.status import TradeEvent
from shared.errors import TOO_MANY_OFFERS, AnswerLost, SteamError, SteamRefused, SteamThrottled, SteamUnavailable

E = TradeEvent
R = EResult

ACTIVE, ACCEPTED, COUNTERED, CANCELED, DECLINED, NEEDS_CONFIRMATION, HELD, REVERTED = 2, 3, 4, 6, 7, 9, 11, 12
LIVE_STATES = frozenset({ACTIVE, NEEDS_CONFIRMATION, HELD})

# 3 is missing: what an accepted offer means is said by its exchange. 1 (Invalid) says nothing.
OFFER_EVENTS: dict[int, TradeEvent] = {
    2: E.OFFER_ACTIVE,
    4: E.OFFER_COUNTERED,
    5: E.OFFER_EXPIRED,
    6: E.OFFER_CANCELED,
    7: E.OFFER_DECLINED,
    8: E.ITEMS_MISSING,
    9: E.CONFIRMATION_NEEDED,
    10: E.OFFER_CANCELED,
    11: E.OFFER_HELD,
    12: E.EXCHANGE_REVERSED,
}


class ExchangeMeans(Enum):
    """What an exchange's status says about the items."""

    WAIT = "wait"
    DONE = "done"
    DONE_IF_COMPLETE = "done if every new id is known"
    FAILED = "failed"
    HELD = "held"
    REVERSED = "reversed"


M = ExchangeMeans

EXCHANGES: dict[int, ExchangeMeans] = {
    0: M.WAIT,
    1: M.WAIT,
    # Some exchanges stay at 2 for good (csfloat/extension PR 409), and are as good as 3.
    2: M.DONE_IF_COMPLETE,
    3: M.DONE,
    4: M.FAILED,
    5: M.REVERSED,
    6: M.REVERSED,
    7: M.REVERSED,
    8: M.REVERSED,
    9: M.REVERSED,
    10: M.HELD,
    11: M.FAILED,
    12: M.REVERSED,
}


def exchange_means(status: int, *, complete: bool) -> ExchangeMeans:
    """One of WAIT, DONE, FAILED, HELD, REVERSED. An exchange is never called done while a new id is unknown."""
    means = EXCHANGES.get(status, M.WAIT)
    if means in (M.DONE, M.DONE_IF_COMPLETE):
        return M.DONE if complete else M.WAIT
    return means


@dataclass(frozen=True, slots=True)
class Failure:
    """What one ``strError`` on send means. ``retry_after_s`` is set where the same offer may be sent later."""

    kind: type[SteamError]
    code: str
    result: int | None = None
    player_message: str | None = None
    retry_after_s: float | None = None


_PARTNER = (
    "Steam does not let you trade with us right now: check your trade URL, your inventory's privacy and your trade status."
)
_BANNED = "Steam says that your account has a trade ban."
_GONE = "One of the items is no longer where it was. Reload your inventory and try again."
_PROFILE = "Steam does not let you trade for some hours after a change of your profile. Try again later."
_URL = "Your trade URL is not valid any more. Copy a new one from Steam and save it."
_PRIVATE = "Your Steam inventory is private. Make it public in Steam's privacy settings, then try again."


def _numbered(rows: dict[EResult, Failure]) -> dict[int, Failure]:
    """By plain numbers, which is how they come and how they are reported; Steam also sends some that have no name here."""
    return {int(result): replace(failure, result=int(result)) for result, failure in rows.items()}


SEND_RESULTS = _numbered(
    {
        R.Fail: Failure(AnswerLost, "answer_lost"),
        R.InvalidParam: Failure(SteamRefused, "steam_refused"),
        R.InvalidState: Failure(AnswerLost, "answer_lost"),
        R.AccessDenied: Failure(SteamRefused, "partner_unavailable", player_message=_PARTNER),
        R.Timeout: Failure(AnswerLost, "answer_lost"),
        R.ServiceUnavailable: Failure(SteamUnavailable, "steam_unavailable", retry_after_s=120),
        R.InsufficientPrivilege: Failure(SteamRefused, "bot_locked"),
        R.LimitExceeded: Failure(SteamRefused, "too_many_offers", player_message=TOO_MANY_OFFERS),
        R.Revoked: Failure(SteamRefused, "item_gone", player_message=_GONE),
        R.AlreadyRedeemed: Failure(SteamRefused, "steam_refused"),
        R.LogonSessionReplaced: Failure(SteamRefused, "partner_unavailable", player_message=_PROFILE),
        R.AlreadyLoggedInElsewhere: Failure(SteamRefused, "too_many_offers", player_message=TOO_MANY_OFFERS),
        R.RemoteCallFailed: Failure(SteamUnavailable, "steam_unavailable", retry_after_s=60),
        R.RateLimitExceeded: Failure(SteamThrottled, "steam_throttled", retry_after_s=600),
    }
)

# What Steam says to an account of ours that may not trade for some days: after a new device, a new password, a new or missing
# authenticator (steampy ``SevenDaysHoldException``; the texts of its trade page).
_OWN_LOCK = (
    "you have logged in from a new device",
    "you will be unable to trade",
    "you must have had steam guard",
    "your account is unable to trade",
)
_LOCKED = Failure(SteamRefused, "bot_locked")
PARTNER_BANNED = Failure(SteamRefused, "partner_banned", player_message=_BANNED)
TOKEN_WRONG = Failure(SteamRefused, "token_wrong", player_message=_URL)

# Sentences without a number, matched on the part that does not change.
SEND_SENTENCES: tuple[tuple[str, Failure], ...] = (
    *((part, _LOCKED) for part in _OWN_LOCK),
    ("sent too many trade offers", SEND_RESULTS[R.LimitExceeded]),
    ("because they have a trade ban", PARTNER_BANNED),
    ("because you have a trade ban", Failure(SteamRefused, "bot_banned")),
    ("is not available to trade", Failure(SteamRefused, "partner_unavailable", None, _PARTNER)),
    ("unable to contact the game's item server", SEND_RESULTS[R.ServiceUnavailable]),
    ("can only be sent to friends", TOKEN_WRONG),
    ("trade url is no longer valid", TOKEN_WRONG),
    ("inventory privacy is set to", Failure(SteamRefused, "inventory_private", None, _PRIVATE)),
    ("maximum number of items allowed in your", Failure(SteamRefused, "bot_full")),
)


def is_own_lock(text: str) -> bool:
    """Whether a sentence of Steam's says that the account which reads it may not trade for now."""
    lowered = text.lower()
    return any(part in lowered for part in _OWN_LOCK)


_NUMBER_AT_END = re.compile(r"\((\d{1,3})\)\s*$")


def send_failure(text: str) -> SteamError:
    """The error that a ``strError`` on send stands for. What is not in the tables may have been done: `AnswerLost`."""
    number = _NUMBER_AT_END.search(text)
    result = int(number[1]) if number else None
    failure = SEND_RESULTS.get(result) if result is not None else None
    if failure is None:
        lowered = text.lower()
        failure = next((each for part, each in SEND_SENTENCES if part in lowered), None)
    if failure is None:
        return AnswerLost("Steam refused in words that we do not know", result=result, reason="unknown_refusal")
    return failure.kind(
        f"Steam refused the offer ({failure.result or failure.code})",
        result=failure.result,
        code=failure.code,
        player_message=failure.player_message,
        retry_after_s=failure.retry_after_s,
    )


# EResults of the Web API (header x-eresult) that pass by themselves.
TRANSIENT_RESULTS = frozenset(
    {
        *(R.Fail, R.Busy, R.Timeout, R.ServiceUnavailable, R.DuplicateRequest, R.TryAnotherCM),
        *(R.Cancelled, R.RemoteCallFailed),
    }
)
THROTTLE_RESULTS = frozenset({R.RateLimitExceeded, R.AccountLoginDeniedThrottle})


def read_failure(result: int) -> SteamError:
    """The error that an ``x-eresult`` other than 1 stands for, on a call that only reads."""
    if result in THROTTLE_RESULTS:
        return SteamThrottled(result=result)
    if result in TRANSIENT_RESULTS:
        return SteamUnavailable(result=result)
    return SteamRefused(result=result)


MUST_AGREE_TO_SSA = 118  # newer than the library

# EResults of a sign-in that no repeating mends, and what the operator should do.
SIGN_IN_REFUSALS: dict[int, tuple[str, str]] = {
    R.InvalidPassword: ("wrong_password", "check the password in the vault"),
    R.AccountDisabled: ("account_disabled", "Steam has disabled this account"),
    R.AccountLogonDenied: ("email_guard", "this account has no mobile authenticator; add one"),
    R.InvalidLoginAuthCode: ("email_guard", "this account has no mobile authenticator; add one"),
    MUST_AGREE_TO_SSA: ("agreement_needed", "sign in by hand and accept Steam's agreement"),
}
WRONG_CODE_RESULTS = frozenset({R.AccountLoginDeniedNeedTwoFactor, R.TwoFactorCodeMismatch})


def sign_in_failure(result: int | None) -> SteamError:
    """The error that an ``x-eresult`` on the way to a sign-in stands for."""
    if result in THROTTLE_RESULTS:
        return SteamThrottled("Steam wants fewer sign-ins", result=result)
    if result is not None and result in SIGN_IN_REFUSALS:
        code, action = SIGN_IN_REFUSALS[result]
        return SteamRefused(f"sign-in refused ({result}): {action}", result=result, code=code, reason=action)
    return SteamUnavailable("the sign-in did not go through", result=result)
