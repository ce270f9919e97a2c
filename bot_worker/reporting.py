"""Reports to the balancer: numbered, sealed, and kept while Redis does not answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import redis

from shared import log, wire
from shared.clock import ServerClock
from shared.orders import Order
from shared.reports import Report
from shared.sealing import BotKeys, seal

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 2.0
TRIES_WHEN_STOPPING = 5
# Its disk is full; it is a replica since a moment ago; its memory is full; too few replicas; its data is being loaded.
NO_WRITES = ("MISCONF", "READONLY", "OOM", "NOREPLICAS", "MASTERDOWN", "LOADING")

_log = log.get(__name__)


def is_away(error: redis.RedisError) -> bool:
    """Whether Redis can only not do it now: it is not there, or it is, and takes no writes (`NO_WRITES`)."""
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | redis.ReadOnlyError | redis.OutOfMemoryError):
        return True
    # In a pipeline or a script the word stands further behind.
    return isinstance(error, redis.ResponseError) and any(word in str(error) for word in NO_WRITES)


class Reporter:
    """Makes and appends this run's reports. ``sleep`` answers true when the worker shall stop."""

    def __init__(
        self,
        client: redis.Redis,
        keys: BotKeys,
        run: str,
        server_clock: ServerClock,
        sleep: Callable[[float], bool],
    ) -> None:
        self._client = client
        self._keys = keys
        self._run = run
        self._server_clock = server_clock
        self._sleep = sleep
        self._number = 0
        self.was_away = False  # Redis could not be reached; whoever has looked which one it is now clears this

    def make(
        self, kind: str, order_id: str | None, trade_id: str | None, attempt: int, data: dict[str, Any], calls: str = ""
    ) -> Report:
        self._number += 1
        return Report(
            bot=self._keys.bot,
            run=self._run,
            number=self._number,
            kind=kind,
            order_id=order_id,
            trade_id=trade_id,
            attempt=attempt,
            at_ms=self._server_clock.now_ms(),
            data=data,
            calls=calls,
        )

    def seal(self, report: Report) -> str:
        return seal(self._keys.report, report.dumps(), purpose=f"report:{report.bot}")

    def append(self, reports: list[Report], also_get: Sequence[str] = ()) -> list[bytes | None]:
        """Append reports in one round trip, and read keys in the same one. Repeats while Redis is away.

        A repeated append may double a report; the balancer knows it by run and number.
        """
        if not reports:
            return []

        def once() -> list[bytes | None]:
            pipe = self._client.pipeline(transaction=False)
            wire.append_reports(pipe, reports, self._keys)
            for key in also_get:
                pipe.get(key)
            answers: list[bytes | None] = pipe.execute()
            return answers[len(answers) - len(also_get) :]

        values: list[bytes | None] = self.insist(once)
        return values

    def insist(self, action: Callable[[], Any]) -> Any:
        """Do something in Redis, again and again while it is away.

        Raises:
            redis.RedisError: it stayed away while the worker was told to stop, or it refuses this for good.
        """
        wait_s, tries_left = FIRST_WAIT_S, TRIES_WHEN_STOPPING
        while True:
            try:
                return action()
            except redis.RedisError as error:
                if not is_away(error):
                    raise
                if not self.was_away:  # once, not with each of many tries
                    _log.warning("redis_away", error=type(error).__name__)
                self.was_away = True
                if self._sleep(wait_s):
                    tries_left -= 1
                    if not tries_left:
                        raise
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)


class Tell:
    """Reports about one order: ``tell("offer_active", offer_id=…, state=2)``. Each says what it is about by itself."""

    def __init__(self, reporter: Reporter, order: Order, calls: deque[str] | None = None) -> None:
        """``calls`` are those to Steam in this order so far, for the story of the trades that it is about."""
        self.reporter = reporter
        self._order = order
        self._calls = deque() if calls is None else calls

    def __call__(self, kind: str, /, **data: Any) -> None:
        """Report at once about the order's own trade."""
        self.reporter.append([self.make(kind, data)])

    def make(self, kind: str, data: dict[str, Any]) -> Report:
        order = self._order
        report = self.reporter.make(kind, order.order_id, order.trade_id, order.attempt, data, self._call_names())
        self._calls.clear()
        return report

    def about(self, trade_id: str | None, attempt: int, kind: str, data: dict[str, Any]) -> Report:
        """A report about another trade that this order looked at, or about none; not appended yet."""
        return self.reporter.make(kind, self._order.order_id, trade_id, attempt, data, self._call_names())

    def _call_names(self) -> str:
        return "; ".join(self._calls)
