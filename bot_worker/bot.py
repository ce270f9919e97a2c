"""What the orders of one bot share: its session, its way to Redis, and what this run of the worker remembers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import redis

from bot_worker.backoff import sign_in_action
from bot_worker.lease import Lease
from bot_worker.reporting import Reporter
from bot_worker.steam.session import SteamSession
from shared import log
from shared.clock import Clock, ServerClock
from shared.domain import health
from shared.domain.health import May
from shared.domain.identity import NOBODY, Identity
from shared.errors import SteamError
from shared.orders import WatchedTrade
from shared.sealing import BotKeys
from shared.settings import Settings

DOUBT_MAX_MS = 5_000
OFF_MAX_MS = 30_000
REMEMBERED_MAX = 20_000

_log = log.get(__name__)


def time_is_sure(server_clock: ServerClock) -> bool:
    """Whether expiry times and Guard codes can be trusted on this host (DOUBT_MAX_MS, OFF_MAX_MS)."""
    offset_ms = server_clock.offset_ms
    return offset_ms is not None and server_clock.doubt_ms <= DOUBT_MAX_MS and abs(offset_ms) <= OFF_MAX_MS


class Health:
    """What the heartbeat says. Written by the worker's thread and, about the clock, by the heartbeat's; read by both.

    ``restrictions``: why the bot may not do everything (`shared.domain.health`), each with the unix ms since when.
    """

    def __init__(self) -> None:
        self.state = "starting"
        self.reason: str | None = None
        self.action: str | None = None
        self.items: int | None = None
        self.offers: int | None = None
        self.orders_done = 0
        self.identity: Identity = NOBODY  # replaced, never changed
        self.restrictions: Mapping[str, int] = {}  # replaced, never changed: whoever reads it needs no lock
        self._lock = threading.Lock()

    def is_now(self, state: str, reason: str | None = None, action: str | None = None) -> None:
        self.state, self.reason, self.action = state, reason, action

    def restrict(self, reason: str, at_ms: int) -> bool:
        """From now on this stands in the bot's way; it stays since when it first did. Whether it is new."""
        with self._lock:
            if reason in self.restrictions:
                return False
            self.restrictions = {**self.restrictions, reason: at_ms}
        _log.warning("restricted", reason=reason)
        return True

    def lift(self, reason: str) -> bool:
        """It stands there no more. Whether it did."""
        with self._lock:
            if reason not in self.restrictions:
                return False
            self.restrictions = {each: since for each, since in self.restrictions.items() if each != reason}
        _log.info("restriction_over", reason=reason)
        return True

    def why_not(self, what: May) -> str | None:
        """The restriction that forbids this; ``None`` if none does."""
        return next((reason for reason in self.restrictions if what in health.rule_of(reason).forbids), None)

    def as_reported(self) -> tuple[str, str | None, str | None]:
        """State, reason and what to do: a bot that is online and may not do everything is restricted."""
        restricted = next(iter(self.restrictions), None)
        if self.state != "online" or restricted is None:
            return self.state, self.reason, self.action
        return health.RESTRICTED, restricted, health.rule_of(restricted).action


class Remembered:
    """A set that forgets its oldest entries, so that a worker that lives for months does not grow."""

    def __init__(self) -> None:
        self._entries: OrderedDict[object, float] = OrderedDict()

    def __contains__(self, entry: object) -> bool:
        return entry in self._entries

    def add(self, entry: object, value: float = 0.0) -> float:
        """Keep an entry; the value that it was first kept with."""
        first = self._entries.setdefault(entry, value)
        while len(self._entries) > REMEMBERED_MAX:
            self._entries.popitem(last=False)
        return first

    def forget(self, entry: object) -> None:
        self._entries.pop(entry, None)


@dataclass(frozen=True, slots=True)
class Partner:
    """An account that this bot was asked to trade with lately."""

    steam_id: str
    trade_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Probe:
    """When Steam is asked next whether a restriction has ended (monotonic s), and how long was waited before."""

    at: float
    wait_s: float


@dataclass(slots=True)
class Memory:
    """What this run did. It is a help only: after a restart everything is still safe, just slower."""

    attempted: Remembered = field(default_factory=Remembered)  # (trade id, attempt) whose send was begun
    offers: Remembered = field(default_factory=Remembered)  # ids of offers that this run made or told of
    absent: Remembered = field(default_factory=Remembered)  # (trade id, attempt) → when it was first not found
    live: dict[str, int] = field(default_factory=dict)  # offers that were live when last seen → when that was, unix s
    strange: Remembered = field(default_factory=Remembered)  # live offers that no watched trade knows → when first seen
    unconfirmed: Remembered = field(default_factory=Remembered)  # offers that wait for the phone → when first seen
    both_looked_s: int = 0  # when both sides of the offers were read last, unix s
    gifts: Remembered = field(default_factory=Remembered)  # accepted gifts that were told
    suspicious: Remembered = field(default_factory=Remembered)  # readings of the own inventory that look too empty
    partner: Partner | None = None  # somebody to look at the own trade page with
    refused: frozenset[str] = frozenset()  # partners whose offers Steam refused in a row without saying why
    not_confirmed: int = 0  # confirmations that Steam refused in a row
    probes: dict[str, Probe] = field(default_factory=dict)  # when to ask whether a restriction has ended
    watched_trades: frozenset[tuple[str, int]] = frozenset()  # those of the last watch, and
    looked_at_s: int = 0  # when that was, unix s, and
    whole_look_at: float = 0.0  # when all changes of their lives were read last, monotonic s
    identity_at: float = 0.0  # when Steam is asked next who this account is, monotonic s
    redis_run: str = ""
    doubt_before_ms: int = 0  # a send issued before may have been begun by a worker whose marker Redis forgot; and
    lease_doubt_before_ms: int = 0  # by one before this run took its lease, unless the order was first given for this run

    def watched(self, trades: Iterable[WatchedTrade], at_s: int, whole_at: float | None) -> None:
        """A look at these trades' offers came off, at this time; ``whole_at`` if all changes of their lives were read."""
        self.watched_trades = frozenset((trade.trade_id, trade.attempt) for trade in trades)
        self.looked_at_s = at_s
        self.whole_look_at = self.whole_look_at if whole_at is None else whole_at


@dataclass(slots=True)
class Bot:
    """Everything that an order needs, built once by the worker."""

    name: str
    settings: Settings
    keys: BotKeys
    session: SteamSession
    redis: redis.Redis
    lease: Lease
    reporter: Reporter
    clock: Clock
    server_clock: ServerClock
    stop: threading.Event
    health: Health = field(default_factory=Health)
    memory: Memory = field(default_factory=Memory)
    needs_sign_in: bool = False

    def restrict(self, reason: str) -> bool:
        """Something stands in this bot's way from now on (`shared.domain.health`). Whether it is new."""
        return self.health.restrict(reason, self.server_clock.now_ms())

    def sleep(self, seconds: float) -> bool:
        """Wait, or until the worker shall stop; true then."""
        return self.stop.wait(seconds)

    def renew_session(self) -> None:
        """Steam says that we are not signed in: sign in again.

        Raises:
            SteamError: it did not work; the worker signs in anew before the next order.
        """
        try:
            self.session.sign_in()
        except SteamError as error:
            _log.warning("session_lost", reason=error.error_code, result=error.result)
            self.session_lost(error)
            raise

    def session_lost(self, error: SteamError) -> None:
        """No more orders until the worker has signed in."""
        self.needs_sign_in = True
        self.health.is_now("unhealthy", error.error_code, sign_in_action(error))
