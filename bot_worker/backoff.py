"""How long to wait after a sign-in that failed, by its cause, and what an operator should do about it. Pure, as tables.

Wrong passwords are tried three times, as Steam says 5 wrongly at times (ArchiSteamFarm believes it after the third), and then
hourly; a throttle holds all sign-ins of the address for the time that the pace has set.
"""

from __future__ import annotations

from shared.errors import SteamError, SteamRefused, SteamThrottled
from shared.trouble import place_of

# Seconds before the second try, the third, …; the last one repeats. Times PaceSettings.retry_s.
THROTTLED = (1500.0,)
REFUSED = (3600.0,)
UNAVAILABLE = (30.0, 60.0, 120.0, 300.0, 600.0)
BY_CODE: dict[str, tuple[float, ...]] = {
    "wrong_password": (30.0, 60.0, 3600.0),
    # One code is good for one sign-in, and the next one was tried at once.
    "wrong_code": (35.0, 120.0, 600.0, 3600.0),
}

ACTIONS: dict[str, str] = {
    "wrong_code": "check this host's clock and the shared secret in the vault; it is tried again",
    "steam_throttled": "wait; Steam wants fewer sign-ins, all of this address pause and then go on",
    "steam_maintenance": "wait; Steam is in maintenance, it is tried again",
}
_WAIT = "wait; it is tried again"
# The longest that Steam's own word holds a sign-in; a throttle lasts about half an hour.
STEAMS_WORD_MAX_S = 1800.0
# What nobody expected: seconds before the second try, the third, …; the last one repeats.
UNEXPECTED = (1.0, 2.0, 5.0, 15.0, 60.0, 300.0)
INTERNAL = "internal_error"


def sign_in_pause(error: SteamError, failures: int, retry_s: float) -> float:
    """Seconds to wait after the ``failures``-th failure in a row (from 1 on); Steam's own word counts first."""
    if error.retry_after_s is not None:
        return min(error.retry_after_s, STEAMS_WORD_MAX_S)
    waits = BY_CODE.get(error.error_code)
    if waits is None:
        waits = THROTTLED if isinstance(error, SteamThrottled) else REFUSED if isinstance(error, SteamRefused) else UNAVAILABLE
    return waits[min(failures, len(waits)) - 1] * retry_s


def sign_in_action(error: SteamError) -> str:
    """What an operator should do about a bot that cannot sign in."""
    if isinstance(error, SteamRefused) and error.reason:
        return error.reason
    if error.reason:
        return f"{error.reason}; it is tried again"
    return ACTIONS.get(error.error_code, _WAIT)


def unexpected_pause(failures: int, retry_s: float) -> float:
    """Seconds to wait after the ``failures``-th exception in a row (from 1 on) that nobody expected."""
    return UNEXPECTED[min(failures, len(UNEXPECTED)) - 1] * retry_s


def unexpected_action(error: BaseException) -> str:
    """What to say of it: its type and place."""
    return f"{place_of(error)}: this is a mistake of ours; it is tried again, this host's log has it in full"
