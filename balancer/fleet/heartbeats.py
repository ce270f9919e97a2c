"""Reading the bots' heartbeats in pieces of known size: data in Redis may come from an intruder and be enormous."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import redis

from shared import wire
from shared.domain.ids import BotName, SteamId
from shared.reports import Heartbeat

SEALED_MAX = 8192  # a heartbeat has a few hundred bytes
NAME_MAX = 40
READS_MAX = 100
EGRESS_MAX = 300
READ_EVERY_MAX_S = 3600.0
AT_ONCE = 1000
PAGE = 10_000
COUNT_MAX = 2**53
TIME_MAX_MS = 4_102_444_800_000  # the year 2100; what is later cannot be shown as a date
RESTRICTIONS_MAX = 20

# KEYS: heartbeats. ARGV: longest that is read. Answers each, or an empty text for one that is not there or is none.
_READ = """
local found = {}
for number, key in ipairs(KEYS) do
  local length = redis.pcall('STRLEN', key)
  local good = type(length) == 'number' and length <= tonumber(ARGV[1])
  found[number] = good and redis.call('GET', key) or ''
end
return found
"""

# KEYS: the set of bots. ARGV: cursor, names at once, longest name. Answers the next cursor and short names.
_NAMES = """
local page = redis.pcall('SSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
if page.err then return {'0', {}} end
local names = {}
for _, name in ipairs(page[2]) do
  if #name <= tonumber(ARGV[3]) then names[#names + 1] = name end
end
return {page[1], names}
"""


class Beats:
    """What the workers last said of themselves, sealed. Bots that are known are always read; new ones are looked for in a set
    that anybody may have filled with junk, one page of it at a time."""

    def __init__(self, client: redis.Redis) -> None:
        self._read = client.register_script(_READ)
        self._names = client.register_script(_NAMES)
        self._cursor: bytes | int = 0

    def read(self, known: Collection[str]) -> dict[str, str]:
        """The sealed heartbeats of known and newly named bots.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        names = sorted({*known, *self._new_names()})
        texts: dict[str, str] = {}
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            answers: Any = self._read(keys=[wire.heartbeat_key(name) for name in some], args=[SEALED_MAX])
            texts.update({name: text.decode("ascii", "replace") for name, text in zip(some, answers, strict=True) if text})
        return texts

    def _new_names(self) -> list[str]:
        answer: Any = self._names(keys=[wire.BOTS], args=[self._cursor, PAGE, NAME_MAX])
        self._cursor = answer[0]
        return [name for raw in answer[1] if _is_name(name := raw.decode("utf-8", "replace"))]


def _is_name(text: str) -> bool:
    try:
        BotName.parse(text)
    except ValueError:
        return False
    return True


def is_sane(beat: Heartbeat) -> bool:
    """Whether it can be true: its seal says whose it is, but that host may have been taken over."""
    texts = (beat.run, beat.host, beat.state)
    maybe_texts = (beat.reason, beat.action)
    counts = (beat.pid, beat.at_ms, beat.orders_done, beat.steam_calls, beat.look_calls, beat.second_calls, beat.throttled)
    maybe_counts = (beat.items, beat.offers)
    latency = beat.latency_ms
    return (
        all(isinstance(text, str) for text in texts)
        and all(text is None or isinstance(text, str) for text in maybe_texts)
        and all(_is_count(count) for count in counts)
        and all(count is None or _is_count(count) for count in maybe_counts)
        and (latency is None or isinstance(latency, int | float))
        and all(_is_amount(amount) for amount in (beat.deposit_calls, beat.withdraw_calls))
        and isinstance(beat.restrictions, list)
        and len(beat.restrictions) <= RESTRICTIONS_MAX
        and all(_is_restriction(each) for each in beat.restrictions)
        and _is_steam_id(beat.steam_id)
        and isinstance(beat.egress, str)
        and len(beat.egress) <= EGRESS_MAX
        and isinstance(beat.read_every_s, int | float)
        and 0 <= beat.read_every_s <= READ_EVERY_MAX_S
        and (beat.paused is None or _is_pause(beat.paused))
        and isinstance(beat.reads, list)
        and len(beat.reads) <= READS_MAX
        and all(isinstance(name, str) for name in beat.reads)
        and (beat.identity is None or isinstance(beat.identity, dict))  # each of its values is cleaned by who reads it
    )


def _is_amount(value: object) -> bool:
    """A count in parts: calls that several trades share."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= COUNT_MAX


def _is_restriction(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    reason = value.get("reason")
    return isinstance(reason, str) and 0 < len(reason) <= NAME_MAX and _is_time(value.get("since_ms"))


def _is_pause(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    reason, asked = value.get("reason"), value.get("asked_s")
    return (
        isinstance(reason, str)
        and 0 < len(reason) <= NAME_MAX
        and _is_time(value.get("since_ms"))
        and _is_time(value.get("until_ms"))
        and (asked is None or _is_count(asked))
    )


def _is_time(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= TIME_MAX_MS


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < COUNT_MAX


def _is_steam_id(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        SteamId(value)
    except ValueError:
        return False
    return True
