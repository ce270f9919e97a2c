"""How often somebody may do something: buckets that all balancers share in Redis, and in memory while Redis does not answer.

A bucket is one number, the time at which it will be full again (GCRA, the generic cell rate algorithm): each use moves it by
the time in which one comes back, and none is given that would move it further ahead than the whole bucket takes to fill. That
is decided by one Lua script in Redis' own time. Requests that come while an answer is awaited share the next call.

Redis is trusted with nothing here: what is no number, or lies where no bucket can be, counts as a full bucket; an answer of
another shape, or none within `[rates] redis_wait_s`, and this process counts by itself until Redis answers again. Then each
balancer grants as much as all of them together do otherwise; nobody is locked out and nothing is unlimited.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from balancer.batching import Batch
from shared import log, wire
from shared.clock import Clock
from shared.errors import RateLimited
from shared.settings import Settings

SECOND_US = 1_000_000
AT_ONCE = 200
REMEMBERED_MAX = 50_000
# How long this process counts by itself before it asks Redis again.
AWAY_S = 1.0
FIELDS = 4

# KEYS: buckets. ARGV, for each of them: the number of its group, µs in which one comes back, how many it holds, how many are
# taken (given back if negative). A group is taken whole or not at all. Answers for each: whether it has as many, how many are
# left, µs until so many can be taken, µs until it is full.
_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local answer = {}

local function take(first, last)
  local buckets, denied = {}, false
  for i = first, last do
    local every, burst, cost = tonumber(ARGV[4*i-2]), tonumber(ARGV[4*i-1]), tonumber(ARGV[4*i])
    local most = now + every * burst
    local stored = redis.pcall('GET', KEYS[i])
    local full = type(stored) == 'string' and tonumber(stored) or now
    if not (full >= now and full <= most) then full = now end
    local after = math.max(now, full + cost * every)
    denied = denied or after > most
    buckets[i] = {every = every, most = most, full = full, after = after}
  end
  for i = first, last do
    local b = buckets[i]
    if not denied then
      b.full = b.after
      if b.full > now then redis.call('SET', KEYS[i], string.format('%.0f', b.full), 'PX', math.ceil((b.full - now) / 1000))
      else redis.call('DEL', KEYS[i]) end
    end
    answer[#answer + 1] = b.after <= b.most and 1 or 0
    answer[#answer + 1] = math.floor((b.most - b.full) / b.every)
    answer[#answer + 1] = math.max(0, math.ceil(b.after - b.most))
    answer[#answer + 1] = math.ceil(b.full - now)
  end
end

local first = 1
for i = 1, #KEYS do
  if i == #KEYS or ARGV[4*i+1] ~= ARGV[4*i-3] then
    take(first, i)
    first = i + 1
  end
end
return answer
"""

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Bucket:
    """``burst`` at once, then one every ``every_us`` microseconds. ``name`` stands in answers."""

    name: str
    burst: int
    every_us: int

    @classmethod
    def of(cls, name: str, burst: int, per_minute: float) -> Bucket | None:
        """``None`` when ``per_minute`` is 0: no limit."""
        return cls(name, burst, max(1, round(60 * SECOND_US / per_minute))) if per_minute else None

    @property
    def window_s(self) -> int:
        """Seconds in which an empty one fills."""
        return math.ceil(self.burst * self.every_us / SECOND_US)


@dataclass(frozen=True, slots=True)
class Take:
    """``cost`` from somebody's bucket; a negative one is given back."""

    bucket: Bucket
    who: str
    cost: int = 1

    @property
    def key(self) -> str:
        """Where it lies; the name of whom it concerns is hashed, as it may be of any length and is nobody's business there."""
        return wire.rate_key(self.bucket.name, hashlib.blake2b(self.who.encode(), digest_size=12).hexdigest())


@dataclass(frozen=True, slots=True)
class State:
    """A bucket after a try. ``wait_s``: until as much can be taken; ``full_s``: until it is full."""

    bucket: Bucket
    allowed: bool
    left: int
    wait_s: float
    full_s: float


def spend(takes: Sequence[Take], full_us: Sequence[float], now_us: float) -> tuple[list[float], list[State]]:
    """What the script does with one group: when its buckets, full at ``full_us``, are full after it, and how they stand."""
    most = [now_us + take.bucket.every_us * take.bucket.burst for take in takes]
    before = [full if now_us <= full <= limit else now_us for full, limit in zip(full_us, most, strict=True)]
    wanted = [max(now_us, full + take.cost * take.bucket.every_us) for take, full in zip(takes, before, strict=True)]
    denied = any(full > limit for full, limit in zip(wanted, most, strict=True))
    after = before if denied else wanted
    states = [
        State(
            take.bucket,
            want <= limit,
            int((limit - full) // take.bucket.every_us),
            max(0.0, want - limit) / SECOND_US,
            (full - now_us) / SECOND_US,
        )
        for take, want, limit, full in zip(takes, wanted, most, after, strict=True)
    ]
    return after, states


class Rates:
    """Takes from buckets; used in the event loop's thread. `close` when nothing is asked any more."""

    def __init__(self, settings: Settings, clock: Clock, away_s: float = AWAY_S) -> None:
        rates = settings.rates
        self.key = Bucket.of("key", rates.key_burst, rates.key_per_minute)
        self.player = Bucket.of("player", rates.player_burst, rates.player_per_minute)
        self.reads = Bucket.of("player-reads", rates.player_reads_burst, rates.player_reads_per_minute)
        self.address = Bucket.of("address", rates.address_burst, rates.address_per_minute)
        balancer = settings.balancer
        every_s = balancer.bad_keys_forget_s / balancer.bad_keys_max
        self.wrong_keys = Bucket("wrong-keys", balancer.bad_keys_max, max(1, round(every_s * SECOND_US)))
        self._clock = clock
        self._away_s = away_s
        client = wire.connect(settings.redis.url, timeout_s=rates.redis_wait_s)
        self._client = client
        self._script = client.register_script(_TAKE)
        # Its own thread: what the database keeps busy must not keep anybody waiting here.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rates")
        self._batch: Batch[Sequence[Take], list[State]] = Batch(self._taken, most=AT_ONCE)
        self._looking: asyncio.Future[list[State]] | None = None  # whether Redis is there again
        self._memory: OrderedDict[str, float] = OrderedDict()
        self._away_until: float | None = None

    async def take(self, *takes: Take) -> list[State]:
        """Take from all of these buckets, or from none if one of them has not enough: then its state is not ``allowed``.

        Never fails: without Redis it is decided here.
        """
        if self._away_until is not None:
            self._look_again()
            return self._here(takes)
        return await self._batch.ask(takes)

    @property
    def alone(self) -> bool:
        """Whether this process counts by itself at the moment."""
        return self._away_until is not None

    async def close(self) -> None:
        """Answer what is still asked, then let go of Redis."""
        await self._batch.drain()
        self._thread.shutdown()
        self._client.close()

    def _look_again(self) -> None:
        """Ask Redis something, for nobody in particular, when it has been away for long enough."""
        over = self._away_until is not None and self._clock.monotonic() >= self._away_until
        if over and (self._looking is None or self._looking.done()):
            self._looking = self._batch.put(())

    async def _taken(self, groups: list[Sequence[Take]]) -> list[list[State]]:
        states = await self._asked(groups)
        return [self._here(takes) for takes in groups] if states is None else states

    async def _asked(self, groups: list[Sequence[Take]]) -> list[list[State]] | None:
        """Redis' answers; ``None`` when it gives none that makes sense."""
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._thread, functools.partial(self._call, groups))
            states = _understood(groups, answer)
        except Exception as error:  # whatever an answer that is none does to the client
            self._away(error)
            self._client.connection_pool.disconnect()
            return None
        if self._away_until is not None:
            _log.warning("redis counts rates again", action="rates")
            self._away_until = None
            self._memory.clear()
        return states

    def _call(self, groups: list[Sequence[Take]]) -> Any:
        takes = [(number, take) for number, group in enumerate(groups) for take in group]
        if not takes:
            self._client.ping()
            return []
        parts = [(number, take.bucket.every_us, take.bucket.burst, take.cost) for number, take in takes]
        return self._script(keys=[take.key for _, take in takes], args=[value for part in parts for value in part])

    def _away(self, error: Exception) -> None:
        if self._away_until is None:
            _log.warning("rates are counted in this process", action="rates", reason=type(error).__name__)
        self._away_until = self._clock.monotonic() + self._away_s

    def _here(self, takes: Sequence[Take]) -> list[State]:
        """The same from this process' own buckets, which are full when it begins to count."""
        now_us = self._clock.monotonic() * SECOND_US
        keys = [take.key for take in takes]
        after, states = spend(takes, [self._memory.get(key, now_us) for key in keys], now_us)
        for key, full_us in zip(keys, after, strict=True):
            self._memory[key] = full_us
            self._memory.move_to_end(key)
        while len(self._memory) > REMEMBERED_MAX:
            self._memory.popitem(last=False)
        return states


def _understood(groups: list[Sequence[Take]], answer: Any) -> list[list[State]]:
    """The script's answer as states.

    Raises:
        ValueError: it is none.
    """
    takes = [take for group in groups for take in group]
    if not isinstance(answer, list) or len(answer) != FIELDS * len(takes) or not all(type(one) is int for one in answer):
        raise ValueError("not what the script answers")
    states = iter(
        State(take.bucket, answer[at] == 1, answer[at + 1], answer[at + 2] / SECOND_US, answer[at + 3] / SECOND_US)
        for at, take in zip(range(0, len(answer), FIELDS), takes, strict=True)
    )
    return [[next(states) for _ in group] for group in groups]


_DETAIL = {
    "key": "This API key makes more requests than allowed.",
    "player": "There are more requests about this player than allowed.",
    "player-reads": "This player's inventory was read too often. What was read before is still available.",
    "stranger-reads": "This API key made bots read the inventories of too many players who have never traded here.",
    "address": "More requests come from this address than allowed.",
}


def refuse(states: Sequence[State]) -> None:
    """Raise `RateLimited` for the bucket that takes longest to have enough, if one has not."""
    denied = [state for state in states if not state.allowed]
    if denied:
        longest = max(denied, key=lambda state: state.wait_s)
        name = longest.bucket.name
        raise RateLimited(_DETAIL[name], reason=name, retry_after_s=math.ceil(longest.wait_s))
