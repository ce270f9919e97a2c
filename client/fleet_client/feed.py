"""Lists in pages, and the feed of events that goes on for ever."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol, TypeVar

from fleet_client import asking, errors, reading, sse
from fleet_client.answers import Event, Events
from fleet_client.asking import Call, Line
from fleet_client.steps import Answer, Chunk, Give, Lost, Open, Opened, Outcome, Read, Stream, Wait

T = TypeVar("T")
AWAY_S = 30.0  # the longest pause while no balancer answers
RETRY_AFTER_MAX_S = 300.0
SILENT_MAX_S = 40.0  # a balancer says something every 15 seconds

_log = logging.getLogger("fleet_client")


M = TypeVar("M", covariant=True)


class Page(Protocol[M]):
    """One page of a list; ``next`` is where the next one begins."""

    @property
    def next(self) -> M | None: ...


P = TypeVar("P", bound=Page[Any])


def pages(call_of: Callable[[Any], Call[P]], items_of: Callable[[P], Sequence[T]], after: Any) -> _Stream[T]:
    """All items of a list, page by page. What is added meanwhile may or may not be among them; nothing comes twice."""

    def stream(line: Line) -> Stream[T]:
        mark = after
        while True:
            page = yield from asking.ask(call_of(mark), line)
            for item in items_of(page):
                yield Give(item)
            mark = page.next
            if mark is None:
                return

    return stream


def events(call_of: Callable[[int], Call[Events]], after: int) -> _Stream[Event]:
    """Each event behind ``after``, for ever, read in pages. While no balancer answers it tries on.

    Raises:
        Problem: one that is not "later": the key is wrong, or may not read.
    """

    def stream(line: Line) -> Stream[Event]:
        mark, failures = after, 0
        while True:
            try:
                page = yield from asking.ask(call_of(mark), line)
            except (errors.Unreachable, errors.NotNow) as error:
                failures += 1
                yield _pause(error, failures, line)
                continue
            failures = 0
            for event in page.events:
                yield Give(event)
                mark = event.number
            mark = max(mark, page.next)

    return stream


def streamed(call_of: Callable[[int], Call[Event]], after: int) -> _Stream[Event]:
    """The same as they happen, as server-sent events. A stream that ends or is silent is opened again, at any balancer.

    Raises:
        Problem, UnexpectedAnswer: as `events`; or what answers does not speak of events.
    """

    def stream(line: Line) -> Stream[Event]:
        mark, failures = after, 0
        while True:
            begun, address = mark, line.address
            try:
                mark = yield from _one_stream(call_of, mark, address, line)
                failures = 0 if mark > begun else failures
                error: errors.FleetError = errors.Unreachable("The stream of events has ended.")
            except (errors.Unreachable, errors.NotNow, _Broken) as gone:
                error = gone
                mark, failures = (gone.mark, 0) if isinstance(gone, _Broken) and gone.mark > begun else (mark, failures)
                line.leave(address)
            failures += 1
            yield _pause(error, failures, line)

    return stream


class _Broken(errors.FleetError):
    """A stream that broke off; ``mark`` is how far it had come."""

    def __init__(self, why: str, mark: int) -> None:
        super().__init__(why)
        self.mark = mark


def _one_stream(
    call_of: Callable[[int], Call[Event]], mark: int, address: str, line: Line
) -> Generator[Open | Read | Give[Event], Outcome, int]:
    """One stream from its beginning to its end; how far it came."""
    call = call_of(mark)
    got = yield Open(asking.request_of(call, line.timeout_s), address, SILENT_MAX_S)
    if not isinstance(got, Opened):
        raise _not_opened(got)
    reader = sse.Reader()
    while True:
        got = yield Read()
        if not isinstance(got, Chunk):
            raise _Broken(got.why if isinstance(got, Lost) else "The stream broke off.", mark)
        if not got.data:
            return mark
        try:
            for message in reader.take(got.data):
                if message.data:
                    yield Give(reading.parse(call.answer, message.data))
                mark = max(mark, int(message.id)) if message.id.isascii() and message.id.isdigit() else mark
        except sse.TooLong:
            raise _Broken("An event was too long.", mark) from None


def _not_opened(got: Outcome) -> errors.FleetError:
    if isinstance(got, Lost):
        return errors.Unreachable(got.why)
    assert isinstance(got, Answer)
    if problem := errors.problem_of(got.status, got.body, got.headers.get("content-type", "")):
        return problem
    if got.status in asking.OF_A_PROXY or got.status == 429:
        return errors.Unreachable(f"Something in front of the balancer answered {got.status}.")
    return errors.UnexpectedAnswer(f"{got.status} without a problem document: is this a balancer?", got.status)


def _pause(error: errors.FleetError, failures: int, line: Line) -> Wait:
    """Half a second at first, then more and more; never less than what the balancer asks for."""
    pause_s = min(AWAY_S, 2.0 ** min(failures - 2, 10)) * (0.5 + line.chance() / 2)
    if isinstance(error, errors.NotNow) and error.retry_after_s is not None:
        pause_s = max(pause_s, min(error.retry_after_s, RETRY_AFTER_MAX_S))
    (_log.info if failures == 1 else _log.warning)("no events for now: %s; the next try is in %.1f s", error, pause_s)
    return Wait(pause_s)


_Stream = Callable[[Line], Stream[T]]
