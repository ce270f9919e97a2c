"""How fast a bot may call Steam.

Kinds that Steam counts per account (``send``, ``confirm``) are spaced within the worker. Kinds that it counts per address are
spaced for all workers of a host together, through one small script in Redis: a call reserves the next free moment and waits
for it. After a 429 the whole address pauses; after a sign-in throttle all its sign-ins do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import redis
import tenacity

from shared import log, wire
from shared.clock import Clock
from shared.errors import SteamThrottled, SteamUnavailable
from shared.sections import PaceSettings

T = TypeVar("T")

PER_BOT = frozenset({"send", "confirm"})
EVERYTHING = "everything"
OWN_PACE = "own_pace"
SIGN_IN_THROTTLED = "sign_in_throttled"
WAIT_MAX_MS = 30_000  # rather tell the balancer "later" than block a bot's queue for longer
LOOK_WAIT_MAX_MS = 1_000  # whoever asks whether an offer is real waits five seconds at most; orders that move items wait behind
SIGN_IN_WAIT_MAX_MS = 300_000  # ten workers take their turns within it; a longer hold is shown as what it is
_WAIT_MAX_MS = {"sign_in": SIGN_IN_WAIT_MAX_MS, "look": LOOK_WAIT_MAX_MS}
READ_TRIES = 3
RETRY_AFTER_MAX_S = 30.0  # a read whose repetition Steam wants later than this is given up
# Times PaceSettings.retry_s: after one 429 Steam is often wrong (ASF repeats), after several it means it.
PAUSES_AFTER_429 = (5.0, 60.0, 300.0, 900.0)
# However long Steam asks for: an answer that says a day, by mistake or by somebody's hand, must not stop an address for one.
PAUSE_MAX_S = 900.0
CALM_AFTER_S = 300.0
SIGN_IN_PAUSE_S = 1500.0  # 84 and 87 last about half an hour (node-steam-user#383)

# KEYS: next moment of this kind, next moment of everything. ARGV: ms between calls, longest wait in ms.
# Returns ms to wait, and whether Steam's own word is the reason; when that is too long, nothing is reserved.
_RESERVE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local own, all = tonumber(redis.call('GET', KEYS[1]) or now), tonumber(redis.call('GET', KEYS[2]) or now)
local at = math.max(now, own, all)
local wait, steams = at - now, all > own and 1 or 0
if wait > tonumber(ARGV[2]) then return {wait, steams} end
local free = at + tonumber(ARGV[1])
if free > now then redis.call('SET', KEYS[1], free, 'PX', free - now) end
return {wait, steams}
"""

# KEYS: the moment to move. ARGV: ms from now. Never moves it nearer.
_PAUSE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local at = math.max(now + tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or now))
if at > now then redis.call('SET', KEYS[1], at, 'PX', at - now) end
return at - now
"""

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Pause:
    """Steam wants no calls from this address: why (an error's code), and from when to when by the monotonic clock.

    ``asked_s`` is what Steam asked for, if it did and it was cut to ours.
    """

    reason: str
    since_s: float
    until_s: float
    asked_s: float | None = None


class Pace:
    """Spacing of one bot's calls. ``sleep`` waits that many seconds or until the worker is told to stop."""

    def __init__(
        self,
        client: redis.Redis | None,
        address: str,
        settings: PaceSettings,
        clock: Clock,
        sleep: Callable[[float], Any],
    ) -> None:
        self._address = address
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._next: dict[str, float] = {}
        self._throttled: list[float] = []
        self._pauses: dict[str, Pause] = {}
        self._client = client
        self._reserve = client.register_script(_RESERVE) if client else None
        self._pause = client.register_script(_PAUSE) if client else None

    def wait(self, kind: str) -> None:
        """Wait until a call of this kind may start.

        Raises:
            SteamThrottled: that would take too long; ``retry_after_s`` says how long. ``code`` own_pace: it is not Steam who
                wants that, but our own spacing.
            SteamUnavailable: told to stop while waiting for a sign-in.
        """
        wait_s = self._wait_per_bot(kind) if kind in PER_BOT else self._wait_per_address(kind)
        # Other calls belong to an order in hand, which is finished; a sign-in out of turn could lock the address out.
        if wait_s > 0 and self._sleep(wait_s) and kind == "sign_in":
            raise SteamUnavailable("told to stop")

    def pause(self) -> Pause | None:
        """The longest pause of this address that this worker knows of and that is not over; from any thread."""
        now = self._clock.monotonic()
        return max((each for each in list(self._pauses.values()) if each.until_s > now), key=_ends, default=None)

    def _wait_per_bot(self, kind: str) -> float:
        now = self._clock.monotonic()
        at = max(now, self._next.get(kind, now))
        self._next[kind] = at + self._spacing(kind)
        return at - now

    def _wait_per_address(self, kind: str) -> float:
        spacing_ms = int(self._spacing(kind) * 1000)
        if self._reserve is None or spacing_ms == 0:
            return 0.0
        longest = _WAIT_MAX_MS.get(kind, WAIT_MAX_MS)
        keys = [wire.pace_key(self._address, kind), wire.pace_key(self._address, EVERYTHING)]
        wait_ms, steams = (int(value) for value in self._reserve(keys=keys, args=[spacing_ms, longest]))
        if steams or (kind == "sign_in" and wait_ms > longest):  # another worker of this address was told
            self._note(EVERYTHING if steams else kind, wait_ms / 1000)
        if wait_ms > longest:
            # A long hold of sign-ins is Steam's too: our own spacing of them is far shorter.
            ours = not steams and kind != "sign_in"
            why = f"calls of kind {kind} are as many as this host may make" if ours else f"Steam wants no calls of kind {kind}"
            raise SteamThrottled(why, code=OWN_PACE if ours else None, retry_after_s=wait_ms / 1000)
        return wait_ms / 1000

    def _spacing(self, kind: str) -> float:
        spacing: float = getattr(self._settings, f"{kind}_s")
        return spacing

    def throttled(self, retry_after_s: float | None = None) -> float:
        """Steam answered 429: pause the address, longer each time it happens again soon. Returns the pause in s."""
        now = self._clock.monotonic()
        self._throttled = [at for at in self._throttled if now - at < CALM_AFTER_S][-3:]
        if retry_after_s is not None and retry_after_s > PAUSE_MAX_S:
            _log.warning("steam_asks_for_more", asked_s=retry_after_s, pause_s=PAUSE_MAX_S)
        pause_s = min(retry_after_s or PAUSES_AFTER_429[len(self._throttled)] * self._settings.retry_s, PAUSE_MAX_S)
        self._throttled.append(now)
        self._hold(EVERYTHING, pause_s, retry_after_s)
        return pause_s

    def sign_in_throttled(self) -> float:
        """Steam wants no sign-ins from this address for a while: all workers of the host wait. Returns the pause in s."""
        pause_s = SIGN_IN_PAUSE_S * self._settings.retry_s
        self._hold("sign_in", pause_s)
        return pause_s

    def _note(self, kind: str, pause_s: float, asked_s: float | None = None) -> None:
        """Remember a pause, to be told; what only goes on began when it was first known."""
        now = self._clock.monotonic()
        known = self._pauses.get(kind)
        since_s, asked = (known.since_s, asked_s or known.asked_s) if known and known.until_s > now else (now, asked_s)
        reason = SIGN_IN_THROTTLED if kind == "sign_in" else SteamThrottled.code
        until_s = max(now + pause_s, known.until_s if known else 0.0)
        self._pauses[kind] = Pause(reason, since_s, until_s, asked)

    def _hold(self, kind: str, pause_s: float, asked_s: float | None = None) -> None:
        _log.warning("steam_throttled", kind=kind, pause_s=pause_s)
        self._note(kind, pause_s, asked_s)
        if self._pause is not None:
            self._pause(keys=[wire.pace_key(self._address, kind)], args=[int(pause_s * 1000)])

    def repeat_reads(self, read: Callable[[], T]) -> T:
        """Call something that only reads; while Steam cannot answer, again after a growing wait or the one it asks for."""
        retry_s = self._settings.retry_s
        growing = tenacity.wait_exponential(multiplier=retry_s, max=60 * retry_s) + tenacity.wait_random(0, retry_s / 4)
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(READ_TRIES),
            wait=lambda state: max(growing(state), _asked_s(state.outcome.exception() if state.outcome else None)),
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, SteamUnavailable) and _asked_s(error) <= RETRY_AFTER_MAX_S
            ),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(read)


def _ends(pause: Pause) -> float:
    return pause.until_s


def _asked_s(error: BaseException | None) -> float:
    """The wait that Steam asked for with this failure."""
    return (error.retry_after_s or 0.0) if isinstance(error, SteamUnavailable) else 0.0
