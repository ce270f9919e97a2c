"""How often somebody may ask for something, by player and by address, so that no one person starves the others (W31).

A bucket is one number, the moment at which it is full again (GCRA, the generic cell rate algorithm). All processes share them
in Redis, decided by one script in Redis' own time. While Redis is away, or there is none, each process counts by itself: nobody
is locked out, and nothing is unlimited.
"""

from __future__ import annotations

import functools
import ipaddress
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from website.accounts.middleware import player_of
from website.live import hints
from website.pages import errors

REDIS_WAIT_S = 0.25
AWAY_S = 5.0
BUCKETS_MAX = 50_000
SECOND_US = 1_000_000

# KEYS: buckets. ARGV, for each: µs in which one use comes back, and how many it holds. All are taken, or none. The answer: µs
# until all can be taken, 0 if they were. A value that no bucket can have counts as a full one.
_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local wait, after = 0, {}
for i = 1, #KEYS do
  local every, most = tonumber(ARGV[2*i-1]), tonumber(ARGV[2*i-1]) * tonumber(ARGV[2*i])
  local stored = redis.pcall('GET', KEYS[i])
  local full = type(stored) == 'string' and tonumber(stored) or now
  if not (full >= now and full <= now + most) then full = now end
  after[i] = full + every
  wait = math.max(wait, after[i] - now - most)
end
if wait > 0 then return math.ceil(wait) end
for i = 1, #KEYS do
  redis.call('SET', KEYS[i], string.format('%.0f', after[i]), 'PX', math.ceil((after[i] - now) / 1000))
end
return 0
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limit:
    """A player may do it `count` times at once, and so often in `per_s` seconds; an address `count * shared` times: many
    players may sit behind one."""

    name: str
    count: int
    per_s: float
    shared: int = 4


SIGN_INS = Limit("sign-in", 10, 60, shared=1)
BETS = Limit("bets", 5, 1)
REFRESHES = Limit("refresh", 1, 10)
EXCHANGES = Limit("exchanges", 1, 1)
ODDS = Limit("odds", 5, 10)
"""Odds that are drawn ten thousand times: almost half a second of work each."""
PICTURES = Limit("pictures", 240, 60, shared=1)
"""Pictures that have to be fetched, in a minute by one address; what is kept already is not counted."""
EXPORTS = Limit("exports", 1, 10)
CHANGES = Limit("changes", 10, 10)
"""Changes of a player's own page: forms that nobody sends faster."""


class LimitReachedError(Exception):
    """Too often. It works again in `retry_after_s` seconds, at least 1."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too often; again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Bucket:
    key: str
    every_us: int
    count: int


def take(limit: Limit, player_id: int | None, address: str) -> None:
    """Counts one use. Raises LimitReachedError, and counts nothing then."""
    every_us = int(limit.per_s * SECOND_US / limit.count)
    wanted = [Bucket(f"{limit.name}:a:{network(address)}", every_us // limit.shared, limit.count * limit.shared)]
    if player_id is not None:
        wanted.append(Bucket(f"{limit.name}:p:{player_id}", every_us, limit.count))
    wait_us = _buckets.take(wanted)
    if wait_us > 0:
        raise LimitReachedError(max(1, math.ceil(wait_us / SECOND_US)))


def network(address: str) -> str:
    """What counts as one address: of IPv6 the /64, as one connection has all of it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "?"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def limited(limit: Limit) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A view that answers 429 with Retry-After and a sentence when it is asked too often. Reading (GET) is not counted."""

    def around(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
            refusal = _refusal(request, limit)
            answer: HttpResponseBase = refusal or view(request, *arguments, **named)
            return answer

        @functools.wraps(view)
        async def waiting(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
            refusal = await sync_to_async(_refusal)(request, limit)
            answer: HttpResponseBase = refusal or await view(request, *arguments, **named)
            return answer

        return waiting if iscoroutinefunction(view) else guarded

    return around


def _refusal(request: HttpRequest, limit: Limit) -> HttpResponseBase | None:
    if request.method in ("GET", "HEAD"):
        return None
    player = player_of(request)
    try:
        take(limit, None if player is None else player.id, request.META.get("REMOTE_ADDR", ""))
    except LimitReachedError as reached:
        return too_often(request, reached)
    return None


def too_often(request: HttpRequest, reached: LimitReachedError) -> HttpResponseBase:
    """429, in words."""
    answer = errors.too_often(request, reached.retry_after_s)
    answer.headers["Retry-After"] = str(reached.retry_after_s)
    return answer


class _Buckets:
    """In Redis where there is one, else here."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._full_us: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()
        self._redis: tuple[str, Any] = ("", None)
        self._away_until_us = 0

    def take(self, wanted: Sequence[Bucket]) -> int:
        if settings.SITE_REDIS_URL and self._now_us() >= self._away_until_us:
            try:
                return self._shared(wanted)
            except (redis.RedisError, OSError, ValueError, TypeError) as error:
                _log.warning("limits are counted by this process alone: %s", type(error).__name__)
                self._away_until_us = self._now_us() + int(AWAY_S * SECOND_US)
        return self._alone(wanted)

    def _shared(self, wanted: Sequence[Bucket]) -> int:
        url, script = self._redis
        if url != settings.SITE_REDIS_URL:
            url, script = settings.SITE_REDIS_URL, hints.connect(REDIS_WAIT_S).register_script(_TAKE)
            self._redis = (url, script)
        keys = [f"{settings.SITE_REDIS_PREFIX}limit:{bucket.key}" for bucket in wanted]
        return int(script(keys=keys, args=[each for bucket in wanted for each in (bucket.every_us, bucket.count)]))

    def _alone(self, wanted: Sequence[Bucket]) -> int:
        with self._lock:
            now = self._now_us()
            after = {bucket.key: max(now, self._full_us.get(bucket.key, 0)) + bucket.every_us for bucket in wanted}
            wait = max(after[bucket.key] - now - bucket.every_us * bucket.count for bucket in wanted)
            if wait > 0:
                return wait
            for key, full_us in after.items():
                self._full_us[key] = full_us
                self._full_us.move_to_end(key)
            while len(self._full_us) > BUCKETS_MAX:
                self._full_us.popitem(last=False)
            return 0

    def forget(self) -> None:
        """For tests, which share a process."""
        self._full_us.clear()
        self._away_until_us = 0


def _steady_us() -> int:
    return time.monotonic_ns() // 1_000


_buckets = _Buckets(_steady_us)
