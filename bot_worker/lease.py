"""The right to be the only worker of a bot, and the last check before an offer is made. Both are scripts in Redis.

A worker that is paused longer than its lease and wakes again must not send. So the check of the lease stands in the same script
that marks a trade as attempted; no time passes between them.
"""

from __future__ import annotations

from enum import StrEnum

import redis

from shared import turns, wire
from shared.orders import Order

# What nobody of ours wrote (another type, no number) must not stop a bot: a mark that is no number counts as set, since it is
# safe to look for an offer that is not there.
_MARK = """
local function mark(key)
  local value = redis.pcall('GET', key)
  if not value then return -1 end
  return type(value) == 'string' and tonumber(value) or math.huge
end
"""

# KEYS: lease, recall, attempted. ARGV: run, attempt, expiry in ms, time to live in s, bot, sealed report, run id of the
# Redis that the worker knows, the stream of reports (no key, as a host may append to it and nothing else).
_CLAIM = f"""{_MARK}
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 'lease' end
if string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') ~= ARGV[7] then return 'changed' end
local attempt = tonumber(ARGV[2])
if mark(KEYS[3]) >= attempt then return 'attempted' end
if mark(KEYS[2]) >= attempt then return 'recalled' end
local t = redis.call('TIME')
if t[1] * 1000 + math.floor(t[2] / 1000) >= tonumber(ARGV[3]) then return 'expired' end
redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[4])
redis.call('XADD', ARGV[8], '*', 'bot', ARGV[5], 'sealed', ARGV[6])
return 'go'
"""

# KEYS: attempted. ARGV: attempt, run id of the Redis that the worker knows.
_BEGUN = f"""{_MARK}
if string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') ~= ARGV[2] then return 1 end
if mark(KEYS[1]) >= tonumber(ARGV[1]) then return 1 end
return 0
"""

# KEYS: which Redis the bot's last worker worked under, and until when (ms) orders may have been begun under one before it.
# ARGV: margin in ms. Answers both for the Redis of now; they are kept, so that the next worker knows it too.
_REMEMBER_SERVER = """
local now = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local t = redis.call('TIME')
local now_ms = t[1] * 1000 + math.floor(t[2] / 1000)
local kept = redis.pcall('GET', KEYS[1])
kept = type(kept) == 'string' and string.sub(kept, 1, 80) or ''
local run, doubt_ms = string.match(kept, '^(%x+) (%d+)$')
if run == now then return {now, math.min(tonumber(doubt_ms), now_ms + 600000)} end
local doubt = now_ms + (kept == '' and 0 or tonumber(ARGV[1]))
redis.call('SET', KEYS[1], now .. ' ' .. string.format('%.0f', doubt))
return {now, doubt}
"""


# No lease of ours is longer, unless it is set so.
LONGEST_MS = 3_600_000


class Claim(StrEnum):
    """What the last check before a send said."""

    GO = "go"
    LEASE = "lease"  # another worker has this bot
    CHANGED = "changed"  # another Redis server, or a restarted one: it may have forgotten something
    ATTEMPTED = "attempted"
    RECALLED = "recalled"
    EXPIRED = "expired"


class LeaseLost(Exception):
    """Another worker has this bot now."""


class Lease:
    """One run's claim on one bot."""

    def __init__(self, client: redis.Redis, bot: str, run: str, lease_s: float) -> None:
        self.bot = bot
        self.run = run
        self._key = wire.lease_key(bot)
        self._ms = int(lease_s * 1000)
        self._take = client.register_script(turns.TAKE)
        self._release = client.register_script(turns.RELEASE)
        self._claim = client.register_script(_CLAIM)
        self._begun = client.register_script(_BEGUN)
        self._remember = client.register_script(_REMEMBER_SERVER)

    def take(self) -> bool:
        """Take the lease or prolong it. False: another run has it. After a lapse in which nobody took it, it is ours again."""
        return bool(self._take(keys=[self._key], args=[self.run, self._ms, max(self._ms, LONGEST_MS)]))

    def release(self) -> bool:
        """Let go of it, if it is ours."""
        return bool(self._release(keys=[self._key], args=[self.run]))

    def claim(self, order: Order, redis_run: str, picked_up: str, moved_ms: int) -> Claim:
        """Mark a trade's attempt as begun and report ``picked_up`` (sealed), if nothing speaks against sending it now.

        ``moved_ms`` is by how much the fleet's time, in which the order expires, is ahead of Redis' (`Clock.moved_ms`).
        """
        trade_id = order.trade_id or ""
        answer = self._claim(
            keys=[self._key, wire.recall_key(self.bot, trade_id), wire.attempted_key(self.bot, trade_id)],
            args=[
                self.run,
                order.attempt,
                order.expires_at_ms - moved_ms,
                wire.RECALL_TTL_S,
                self.bot,
                picked_up,
                redis_run,
                wire.REPORTS,
            ],
        )
        return Claim(answer.decode())

    def may_be_begun(self, order: Order, redis_run: str) -> bool:
        """Whether anybody may have begun to send this attempt. Asked before we say that nothing was done."""
        return bool(self._begun(keys=[wire.attempted_key(self.bot, order.trade_id or "")], args=[order.attempt, redis_run]))

    def remember_server(self, margin_ms: int, moved_ms: int) -> tuple[str, int]:
        """Which Redis this is, and before when (its time, ms) an order may have been begun of which it knows nothing.

        ``margin_ms`` is added when the bot's last worker worked under another one, whose clock may have differed. The time is
        one of the fleet, which is ahead of Redis by ``moved_ms`` (`Clock.moved_ms`); had it been less ahead when Redis kept the
        time, the answer is later than it has to be, so that more is looked for.
        """
        run, doubt_before_ms = self._remember(keys=[wire.memory_key(self.bot)], args=[margin_ms])
        return run.decode(), int(doubt_before_ms) + moved_ms
