"""How long to wait before the next try. Pure: chance comes in as a number from 0 to 1."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

FIRST_S = 0.25
MOST_S = 8.0
# As in `"key";q=1200;w=2, "player";q=60;w=60`: draft-ietf-httpapi-ratelimit-headers-10.
_MEMBER = re.compile(r'"([^"\\]{1,64})"((?:;[a-z]{1,8}=[0-9]{1,15})*)')


def pause_s(tries: int, chance: float, retry_after_s: float | None = None) -> float:
    """Before the next try, after ``tries`` of them.

    Without a word of the service it is anything up to a bound that doubles, so that clients do not come back in step ("full
    jitter"). With one it is at least that time.
    """
    bound = min(MOST_S, FIRST_S * 2 ** min(tries - 1, 30))
    return chance * bound if retry_after_s is None else retry_after_s + chance * FIRST_S


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """What ``Retry-After`` says, in seconds from ``now`` (unix seconds); ``None`` if it says nothing that can be read."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def used_up_s(headers: Mapping[str, str], bucket: str = "key") -> float:
    """How long this bucket of calls needs until one more call is left; 0 unless the answer says that none is left."""
    left = _members(headers.get("ratelimit", "")).get(bucket)
    policy = _members(headers.get("ratelimit-policy", "")).get(bucket)
    if left is None or policy is None or left.get("r") != 0:
        return 0.0
    calls, window_s = policy.get("q", 0), policy.get("w", 0)
    return window_s / calls if calls else 0.0


def _members(text: str) -> dict[str, dict[str, int]]:
    found = {}
    for name, parameters in _MEMBER.findall(text):
        pairs = (one.split("=") for one in parameters.split(";") if one)
        found[name] = {key: int(value) for key, value in pairs}
    return found
