"""How one definition of a call serves both clients.

A method of `fleet_client.calls.Calls` only says what is asked. Looked up at a client that blocks it is a function that gives
the answer; at one for an event loop, one that gives an awaitable of it. Both keep the parameters of the definition, for people
and for type checkers (docs/decisions/0013 has why).
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from fleet_client import asking
from fleet_client.asking import Call, Line
from fleet_client.steps import Plan, Stream

P = ParamSpec("P")
T = TypeVar("T")


class Blocking:
    """A client whose calls come back with the answer."""

    line: Line

    def run(self, plan: Plan[T]) -> T:
        raise NotImplementedError

    def go_through(self, stream: Stream[T]) -> Iterator[T]:
        raise NotImplementedError


class Awaiting:
    """A client whose calls are awaited."""

    line: Line

    async def run(self, plan: Plan[T]) -> T:
        raise NotImplementedError

    def go_through(self, stream: Stream[T]) -> AsyncIterator[T]:
        raise NotImplementedError


class named(Generic[P, T]):  # a decorator
    """One call: ``client.deposit(…)``, or ``await client.deposit(…)``."""

    course: Callable[[Call[Any], Line], Plan[Any]] = staticmethod(asking.ask)

    def __init__(self, what: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self.what = what
        self.__doc__ = what.__doc__

    @overload
    def __get__(self, client: Blocking, kind: type | None = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: Awaiting, kind: type | None = None) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, client: None, kind: type | None = None) -> Self: ...
    def __get__(self, client: Blocking | Awaiting | None, kind: type | None = None) -> Any:
        if client is None:
            return self

        @functools.wraps(self.what)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.run(self.course(self.what(client, *args, **kwargs), client.line))

        return call


class tried(named[P, T]):  # a decorator
    """One try of a call, whose answer is given as it came."""

    course = staticmethod(asking.once)


class listed(Generic[P, T]):  # a decorator
    """One iterator: ``for trade in client.each_trade(…)``, or ``async for``."""

    def __init__(self, what: Callable[Concatenate[Any, P], Callable[[Line], Stream[T]]]) -> None:
        self.what = what
        self.__doc__ = what.__doc__

    @overload
    def __get__(self, client: Blocking, kind: type | None = None) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: Awaiting, kind: type | None = None) -> Callable[P, AsyncIterator[T]]: ...
    @overload
    def __get__(self, client: None, kind: type | None = None) -> Self: ...
    def __get__(self, client: Blocking | Awaiting | None, kind: type | None = None) -> Any:
        if client is None:
            return self

        @functools.wraps(self.what)
        def go_through(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.go_through(self.what(client, *args, **kwargs)(client.line))

        return go_through
