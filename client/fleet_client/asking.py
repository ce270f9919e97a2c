"""How one call is carried out: tries, pauses, other addresses, and what a lost answer means.

A call that moves something is repeated with the same key (or ref), so it is done once however often it is sent. After a try
without an answer a refusal is no last word: that try may still be at work in a balancer, for as long as the balancer lets a
request take. So the call is sent once more after that time, and only then a refusal is final.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from fleet_client import backoff, errors, reading
from fleet_client.steps import Answer, Chunk, Lost, Opened, Plan, Request, Send, Wait

T = TypeVar("T")

# Answers of something between us and a balancer: the request may have reached one.
OF_A_PROXY = frozenset({500, 502, 503, 504, 520, 521, 522, 523, 524})
# Problems of a request that may have been done, or may still be under way.
MAYBE_DONE = frozenset({"internal", "request_timeout", "database_unavailable"})
# Refusals that say nothing about what an earlier try has done, and that waiting does not change.
OF_THE_FORM = frozenset({400, 401, 403, 405, 411, 413, 414, 415, 417, 431})
KEY_HEADER = "Idempotency-Key"
SPARE_S = 5.0  # beyond the time that a balancer lets a request take


class Repeat(Enum):
    """What sending the same request twice does."""

    READS = "reads"  # nothing is changed by it
    SAME = "same"  # the second changes nothing, but may be refused because of what the first did
    ONCE_PER_KEY = "once per key"  # the second is answered as the first
    NEVER = "never"  # the second is answered in another way: it is not sent again once the first may have arrived


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call goes on by itself before it raises. All times in seconds.

    ``patience_s``: pauses and tries because of "not now" or of balancers that are not there. ``request_max_s``: how long a
    balancer lets a request take (its `[balancer] request_max_s`): so long a lost try may still be at work. 0: do not wait for
    that; a refusal after a lost answer is then an `AnswerLost`.
    """

    patience_s: float = 30.0
    request_max_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call by name: what is sent and how its answer is read. ``path`` has its parameters in braces, as the document."""

    method: str
    path: str
    answer: type[T]
    at: Mapping[str, object] = field(default_factory=dict)
    query: Mapping[str, object] = field(default_factory=dict)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    repeat: Repeat = Repeat.READS
    key: str | None = None
    good: frozenset[int] = frozenset({200, 201, 202})


class Line:
    """What all calls of one client share: the addresses, and until when the API key has no calls left."""

    def __init__(
        self,
        addresses: Sequence[str],
        patience: Patience | None = None,
        chance: Callable[[], float] = random.random,
        timeout_s: float = 65.0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Raises ``ValueError`` for an address that is none, or that holds a name, a password or a query."""
        self.addresses = [_address(one) for one in addresses]
        if not self.addresses:
            raise ValueError("name at least one address of a balancer")
        self.patience = patience or Patience()
        self.chance = chance
        self.timeout_s = timeout_s
        self.clock = clock
        self.wall = wall
        self._at = 0
        self._free_at = 0.0

    @property
    def address(self) -> str:
        return self.addresses[self._at]

    def leave(self, address: str) -> None:
        """Go on with the next address, unless another call has left this one already."""
        if self.address == address:
            self._at = (self._at + 1) % len(self.addresses)

    def until_free_s(self) -> float:
        """How long until the API key has a call left."""
        return max(0.0, self._free_at - self.clock())

    def note(self, headers: Mapping[str, str]) -> None:
        """Keep what an answer says about the calls that are left."""
        if used_up_s := backoff.used_up_s(headers):
            self._free_at = self.clock() + used_up_s


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address of a balancer begins with http:// or https:// and a host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an address of a balancer has no name, password, query or fragment in it")
    return text.rstrip("/")


def ask(call: Call[T], line: Line) -> Plan[T]:
    """Carry a call out; its answer.

    Raises:
        Problem: the last word of a balancer.
        Unreachable, AnswerLost, UnexpectedAnswer: there is none.
    """
    course, request = _Course(call, line), request_of(call, line.timeout_s)
    while True:
        if wait_s := line.until_free_s():
            yield Wait(wait_s)
        address = line.address
        got = yield Send(request, address)
        assert not isinstance(got, (Opened, Chunk))  # those come of other steps
        if isinstance(got, Answer):
            line.note(got.headers)
            if got.status in call.good:
                return _read(call, got)
        pause_s = course.after(got, address)
        if pause_s:
            yield Wait(pause_s)


def once(call: Call[Answer], line: Line) -> Plan[Answer]:
    """One try at one address: its answer, good or not.

    Raises:
        Unreachable: the request did not arrive, or was one that only reads.
        AnswerLost: it may have arrived.
    """
    address = line.address
    got = yield Send(request_of(call, line.timeout_s), address)
    assert not isinstance(got, (Opened, Chunk))
    if isinstance(got, Answer):
        line.note(got.headers)
        return got
    line.leave(address)
    why = "There is no answer." if got is None else got.why
    if got is not None and got.sent and call.method != "GET":
        raise errors.AnswerLost(why, call.key)
    raise errors.Unreachable(why)


def request_of(call: Call[Any], timeout_s: float) -> Request:
    """What goes out for a call."""
    path = re.sub(r"{(\w+)}", lambda name: quote(str(call.at[name[1]]), safe=""), call.path) if call.at else call.path
    pairs = [(name, _text(one)) for name, value in call.query.items() for one in _each(value)]
    headers = {} if call.key is None else {KEY_HEADER: call.key}
    body = None
    if call.body is not None:
        body = json.dumps(call.body).encode()
        headers["Content-Type"] = "application/json"
    return Request(call.method, path + (f"?{urlencode(pairs)}" if pairs else ""), body, headers, timeout_s)


def _each(value: object) -> Iterable[object]:
    if value is None:
        return ()
    return value if isinstance(value, (list, tuple)) else (value,)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return str(value)


def _read(call: Call[T], got: Answer) -> T:
    try:
        return reading.parse(call.answer, got.body)
    except errors.UnexpectedAnswer as error:
        error.status = got.status
        if call.repeat is Repeat.READS:
            raise
        raise errors.AnswerLost(str(error), call.key) from error


class _Course(Generic[T]):
    """One call under way: what has happened to its tries, and what is done next."""

    def __init__(self, call: Call[T], line: Line) -> None:
        self._call = call
        self._line = line
        self._tries = 0
        self._unreached = 0
        self._lost_at: float | None = None  # the last try that may be at work still
        self._deadline = line.clock() + line.patience.patience_s
        self._extended = False

    def after(self, got: Answer | Lost | None, address: str) -> float:
        """The pause before the next try. Raises what the call ends in, when there is none."""
        self._tries += 1
        if isinstance(got, Lost):
            return self._no_answer(got, address)
        assert got is not None
        problem = errors.problem_of(got.status, got.body, got.headers.get("content-type", ""), self._lost_at is not None)
        if problem is None:
            return self._foreign(got, address)
        if problem.error_code in MAYBE_DONE:
            self._may_be_done()
            self._line.leave(address)
            if self._call.repeat is Repeat.NEVER:
                problem.unsure = True
                raise problem
        if problem.retryable:
            return self._not_now(problem, got)
        return self._refused(problem)

    def _no_answer(self, lost: Lost, address: str) -> float:
        self._line.leave(address)
        if not lost.sent:
            self._unreached += 1
            # The next address is tried at once; when all were, there is a pause.
            pause_s = 0.0 if self._unreached % len(self._line.addresses) else self._pause_s()
            return self._go_on(pause_s, self._ended(lost.why))
        self._may_be_done()
        if self._call.repeat is Repeat.NEVER:
            raise self._ended(lost.why)
        return self._go_on(self._pause_s(), self._ended(lost.why))

    def _foreign(self, got: Answer, address: str) -> float:
        """An answer that is no problem document: a proxy's, or of something that is no balancer."""
        if got.status not in OF_A_PROXY and got.status != 429:
            raise errors.UnexpectedAnswer(f"{got.status} without a problem document: is this a balancer?", got.status)
        why = f"Something in front of the balancer answered {got.status}."
        if got.status == 429:
            return self._go_on(self._pause_s(self._retry_after_s(got)), self._ended(why, got.status))
        return self._no_answer(Lost(True, why), address)

    def _not_now(self, problem: errors.Problem, got: Answer) -> float:
        retry_after_s = problem.retry_after_s if problem.retry_after_s is not None else self._retry_after_s(got)
        problem.retry_after_s = retry_after_s
        return self._go_on(self._pause_s(retry_after_s), self._last(problem))

    def _refused(self, problem: errors.Problem) -> float:
        if self._lost_at is None or self._call.repeat is not Repeat.ONCE_PER_KEY or problem.status in OF_THE_FORM:
            raise problem
        if not self._line.patience.request_max_s:
            raise self._ended("An earlier try had no answer, and may still be at work.")
        # The try that was lost may be at work until then. Once more after that, and its word is final.
        pause_s = max(0.0, self._lost_at + self._line.patience.request_max_s - self._line.clock())
        pause_s = self._go_on(pause_s, self._ended("An earlier try had no answer."))
        self._lost_at = None
        return pause_s

    def _may_be_done(self) -> None:
        self._lost_at = self._line.clock()
        request_max_s = self._line.patience.request_max_s
        if request_max_s and not self._extended and self._call.repeat is Repeat.ONCE_PER_KEY:
            self._extended = True
            self._deadline = max(self._deadline, self._lost_at + request_max_s + SPARE_S)

    def _go_on(self, pause_s: float, otherwise: errors.FleetError) -> float:
        """The pause, if there is time for it; what may have been done is asked about once more in any case."""
        again = self._lost_at is not None and self._tries == 1
        if self._line.clock() + pause_s > self._deadline and not again:
            raise otherwise
        return pause_s

    def _last(self, problem: errors.Problem) -> errors.FleetError:
        if self._lost_at is not None and self._call.repeat is Repeat.ONCE_PER_KEY:
            return self._ended(f"The last answer was {problem}.")
        return problem

    def _ended(self, why: str, status: int | None = None) -> errors.FleetError:
        if self._lost_at is None:
            return errors.Unreachable(why) if status is None else errors.UnexpectedAnswer(why, status)
        if self._call.repeat is Repeat.READS:
            return errors.Unreachable(why)
        return errors.AnswerLost(why, self._call.key)

    def _pause_s(self, retry_after_s: float | None = None) -> float:
        return backoff.pause_s(self._tries, self._line.chance(), retry_after_s)

    def _retry_after_s(self, got: Answer) -> float | None:
        return backoff.retry_after_s(got.headers, self._line.wall())
