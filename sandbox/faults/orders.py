"""Trouble on demand: which orders are open, whom and when they strike, how often they did."""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import NotFound
from sandbox.faults import kinds
from sandbox.faults.kinds import CONDITION, KINDS
from sandbox.world.accounts import Account

USED_MAX = 500
TIMEOUT, THROTTLED = 16, 84


@dataclass
class Fault:
    """One order for trouble: None means everybody, every route, or no limit; `status` 0 is the kind's own."""

    fault_id: int
    kind: str
    account: int | None = None
    who: str | None = None
    routes: frozenset[str] | None = None
    method: str | None = None
    relay: str | None = None
    times: int | None = 1
    probability: float = 1.0
    seed: int | str | None = None
    at: float | None = None
    until: float | None = None
    for_s: float | None = None
    every_s: float | None = None
    delay_s: float = 0.0
    jitter_s: float = 0.0
    retry_after_s: int | None = None
    after: bool = False
    code: int | None = None
    status: int = 0
    text: str | None = None
    age_s: float = 60.0
    calls: int = 60
    days: int = 15
    forwarded: bool = False
    late_s: float = 15.0
    per_s: float = 60.0
    shape: str | None = None
    state: int = 42
    subject: int | None = None
    profile: str | None = None
    hits: int = 0
    seen: dict[Any, Any] = field(default_factory=dict)
    """What the kind remembers: calls counted per address, offers already shown."""
    throws: Counter[Any] = field(default_factory=Counter)

    def is_on(self, now: float) -> bool:
        """Whether the sandbox's clock stands inside its time, which may come again and again."""
        if self.at is not None and now < self.at:
            return False
        if self.every_s is not None and self.at is not None and self.for_s is not None:
            return (now - self.at) % self.every_s < self.for_s
        return self.until is None or now < self.until

    def is_over(self, now: float) -> bool:
        return self.until is not None and now >= self.until

    def concerns(self, account: Account | None) -> bool:
        if self.account is not None and (account is None or account.steam_id != self.account):
            return False
        return self.who is None or (account is not None and account.is_person == (self.who == "player"))

    def fits(self, account: Account | None, route: str, method: str, relay: str | None = None) -> bool:
        """`relay` is the name of the relay that is asked, None where no relay is."""
        meant = (self.routes is None or route in self.routes) and self.method in (None, method)
        return meant and self.relay in (None, relay) and self.concerns(account)

    def chance(self, *key: Any) -> float:
        """A number from 0 to 1 that depends on nothing but the seed and the key."""
        text = "/".join(map(str, (self.seed, *key)))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big") / 2**56

    def throw(self, *key: Any) -> float:
        """The next number of a row that belongs to the key, so that one account's luck is not another one's."""
        self.throws[key] += 1
        return self.chance(*key, self.throws[key])

    def strikes(self, *key: Any) -> bool:
        """One throw of the dice for a call."""
        return self.probability >= 1 or self.throw(*key) < self.probability

    def has_struck(self, subject: int) -> bool:
        """Whether an account, offer, exchange or confirmation is among the share that is struck."""
        meant = self.subject in (None, subject)
        return meant and (self.probability >= 1 or self.chance("share", subject) < self.probability)

    @property
    def result(self) -> int:
        """Steam's number for the refusal, where the kind has one."""
        if self.code is not None:
            return self.code
        return THROTTLED if self.kind == "sign_in_refused" else TIMEOUT

    def view(self) -> dict[str, Any]:
        routes = None if self.routes is None else ",".join(sorted(self.routes))
        shown = {name: getattr(self, name) for name in ("fault_id", "kind", *kinds.FIELDS) if hasattr(self, name)}
        shown |= {"code": self.result, "route": routes or "*"}
        shown |= {name: None if shown[name] is None else str(shown[name]) for name in ("account", "subject")}
        return shown | {"profile": self.profile, "hits": self.hits}


class Faults:
    """The orders still open, oldest first, and the last ones that are over."""

    def __init__(self, seed: int = 1, routes: frozenset[str] = frozenset()) -> None:
        self.open: list[Fault] = []
        self.used: deque[Fault] = deque(maxlen=USED_MAX)
        self.profile: str | None = None
        self.about = ""
        self.when_healed: list[Callable[[], None]] = []
        self._seed = seed
        self._routes = routes
        self._count = 0

    def add(self, order: dict[str, Any], now: float, profile: str | None = None, place: int = 0) -> Fault:
        """Take an order; `place` is its place in a profile, which decides its luck. Raises: BadRequest."""
        fault = self.read(order, now)
        self._count += 1
        fault.fault_id, fault.profile = self._count, profile
        if fault.seed is None:
            fault.seed = f"{self._seed}/{profile}/{place}" if profile else f"{self._seed}/{fault.fault_id}"
        self.open.append(fault)
        return fault

    def read(self, order: dict[str, Any], now: float) -> Fault:
        """A fault that is not open yet. Raises: BadRequest."""
        return Fault(0, **kinds.read(order, self._routes, now))

    def remove(self, fault_id: int) -> None:
        """Raises: NotFound."""
        for fault in self.open:
            if fault.fault_id == fault_id:
                return self._close(fault)
        raise NotFound(f"no open fault {fault_id}")

    def heal(self, profile_only: bool = False) -> None:
        """End all trouble at once, with all it left behind; `profile_only` spares the orders given by hand."""
        self.open = [fault for fault in self.open if profile_only and fault.profile is None]
        self.used.clear()
        self.profile, self.about = None, ""
        for tell in self.when_healed:
            tell()

    def fitting(self, account: Account | None, route: str, method: str, now: float, relay: str | None = None) -> list[Fault]:
        """Open orders about calls that are meant for this one."""
        for fault in [fault for fault in self.open if fault.is_over(now)]:
            self._close(fault)
        fit = (fault for fault in self.open if KINDS[fault.kind].does != CONDITION and fault.is_on(now))
        return [fault for fault in fit if fault.fits(account, route, method, relay)]

    def hit(self, fault: Fault) -> None:
        """It did strike; it is used up after its number of times."""
        fault.hits += 1
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._close(fault)

    def affliction(self, kind: str, account: Account, now: float) -> int:
        """Days of a `hold`, or 1, if an open order puts this account into that condition; else 0."""
        found = list(self._conditions(kind, account, now))
        for fault in found:
            fault.hits += 1
        return max((fault.days if kind == "hold" else 1 for fault in found), default=0)

    def _conditions(self, kind: str, account: Account, now: float) -> Iterator[Fault]:
        for fault in self.open:
            if fault.kind == kind and fault.is_on(now) and fault.concerns(account) and fault.has_struck(account.steam_id):
                yield fault

    def _close(self, fault: Fault) -> None:
        if fault in self.open:
            self.open.remove(fault)
            self.used.append(fault)
