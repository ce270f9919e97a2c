"""Whose turn it is: players' inventories are read as fast as each address of the fleet may ask Steam, and no faster.

Steam counts these reads by the address that they come from, so hosts space them out (`[pace] inventory_s`), and so all bots
behind one address are one *lane*. A read gets its turn here, from the lane that is free first, before any bot is told: what
waits, waits in the balancer and not in a bot's queue, where orders that move items would stand behind it. All balancers take
turns from the same place in Redis, so they come in the order in which they were asked for.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import redis

from shared import wire
from shared.errors import NoBotAvailable

T = TypeVar("T")

# A request looks at no more lanes or bots than this, so that it costs the same in a fleet of a thousand hosts; the next one
# looks at others.
LOOKED_AT_MAX = 8
BUSY = "inventory_busy"
# How long a read takes once it has begun, on a usual day: for what callers are told.
READ_S = 3.0
FREE_MAX_MS = 3_600_000

# KEYS: lanes, each with the moment at which its next read may begin. ARGV: longest wait in ms, then for each lane the ms
# between two reads. Answers the place of the lane that is free first, ms until then, and whether that turn was taken.
_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local best, at
for i, key in ipairs(KEYS) do
  local stored = redis.pcall('GET', key)
  local free = type(stored) == 'string' and tonumber(stored) or now
  if not (free >= now and free <= now + 3600000) then free = now end
  if not at or free < at then best, at = i, free end
end
local every = tonumber(ARGV[1 + best])
if at - now > tonumber(ARGV[1]) then return {best, at - now, 0} end
if at + every > now then redis.call('SET', KEYS[best], string.format('%.0f', at + every), 'PX', at + every - now) end
return {best, at - now, 1}
"""

# KEYS: a lane. ARGV: ms from now before which it is not free. Never moves that nearer.
_HOLD = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local stored = redis.pcall('GET', KEYS[1])
local free = type(stored) == 'string' and tonumber(stored) or now
if not (free >= now and free <= now + 3600000) then free = now end
local at = math.max(free, now + tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%.0f', at), 'PX', math.max(1, at - now))
return at - now
"""


@dataclass(frozen=True, slots=True)
class Lane:
    """The bots behind one address, and how many seconds apart that address may read; 0: as often as it likes."""

    address: str
    every_s: float
    bots: tuple[str, ...]

    @property
    def per_minute(self) -> float | None:
        """Reads; ``None``: no limit."""
        return 60 / self.every_s if self.every_s else None

    @property
    def key(self) -> str:
        return wire.reads_key(hashlib.blake2b(self.address.encode(), digest_size=12).hexdigest())


@dataclass(frozen=True, slots=True)
class Turn:
    """``lane`` may be read through in ``wait_s`` seconds from when this was taken."""

    lane: Lane
    wait_s: float


class Turns:
    """Takes turns of lanes. ``redis`` is used in threads."""

    def __init__(self, client: redis.Redis) -> None:
        self._take = client.register_script(_TAKE)
        self._hold = client.register_script(_HOLD)
        self._from = 0

    async def take(self, lanes: Sequence[Lane], longest_s: float) -> Turn:
        """The next turn of the lane among these that is free first.

        Raises:
            NoBotAvailable: ``inventory_busy``, it would come later than in ``longest_s``; ``retry_after_s`` says when. Nothing
                was taken.
            redis.RedisError: Redis did not answer, or something that cannot be.
        """
        self._from += 1
        some = window(lanes, self._from)
        args = [int(longest_s * 1000), *(int(lane.every_s * 1000) for lane in some)]
        answer: Any = await asyncio.to_thread(self._take, keys=[lane.key for lane in some], args=args)
        place, wait_ms, taken = _three(answer, len(some))
        if not taken:
            raise busy(wait_ms / 1000)
        return Turn(some[place - 1], wait_ms / 1000)

    async def hold(self, lane: Lane, for_s: float) -> None:
        """No turn of this lane begins within so many seconds: Steam, or its host, wants a pause.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        for_ms = min(FREE_MAX_MS, max(0, int(for_s * 1000)))
        await asyncio.to_thread(self._hold, keys=[lane.key], args=[for_ms])

    def ahead_s(self, lane: Lane) -> float:
        """Seconds until this lane's next turn; in the caller's thread.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        return max(0, int(self._hold(keys=[lane.key], args=[0]))) / 1000


def window(among: Sequence[T], start: int) -> list[T]:
    """Some of these from place ``start`` on, counted round: as many whatever the size of the fleet."""
    return [among[(start + step) % len(among)] for step in range(min(LOOKED_AT_MAX, len(among)))]


def idlest(lane: Lane, start: int, reading: Iterable[str]) -> str:
    """The bot of this lane that reads least, by the names of those that read; of equal ones the first from ``start`` on.

    So no bot has two reads in its queue while another has none: orders that move items stand behind one at most.
    """
    reads = Counter(reading)
    return min(window(lane.bots, start), key=lambda bot: reads[bot])


def busy(wait_s: float) -> NoBotAvailable:
    """What callers are told whose turn does not come soon. It is our own limit, not Steam's answer."""
    after_s = math.ceil(wait_s + READ_S)
    message = (
        f"More inventories are asked for than this fleet may read at once; this one's turn comes in about {after_s} seconds."
    )
    return NoBotAvailable(message, code=BUSY, retry_after_s=after_s)


def _three(answer: Any, lanes: int) -> tuple[int, int, int]:
    if not isinstance(answer, list) or len(answer) != 3 or not all(type(one) is int for one in answer):
        raise redis.ResponseError("not what the script answers")
    place, wait_ms, taken = answer
    if not 1 <= place <= lanes or not 0 <= wait_ms <= FREE_MAX_MS:
        raise redis.ResponseError("not what the script answers")
    return place, wait_ms, taken
