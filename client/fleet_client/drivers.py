"""The two clients: each carries out steps, the one in its thread, the other in an event loop. Nothing is decided here."""

from __future__ import annotations

import asyncio
import copy
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Self, TypedDict, TypeVar, Unpack

import httpx

from fleet_client.asking import Line, Patience
from fleet_client.calls import Calls
from fleet_client.named import Awaiting, Blocking
from fleet_client.secret import Secret
from fleet_client.steps import Answer, Chunk, Give, Lost, Open, Opened, Outcome, Plan, Read, Send, Stream, Wait

T = TypeVar("T")
CONNECT_S = 5.0
_LANGUAGES = re.compile(r"[A-Za-z0-9*,;=. -]{1,200}")
# As many calls at once as the program makes: they wait for offers, not for work of ours.
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100)
OPEN = 200  # the status of an answer that is read as it comes
# What fails before a byte of the request has left.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)
USER_AGENT = "fleet-client/1"


class Options(TypedDict, total=False):
    """What both clients may be made with. ``timeout_s``: how long to wait for an answer, by default 65; keep it above the
    balancer's `[balancer] request_max_s`. ``chance`` and ``clock`` are for tests."""

    patience: Patience
    timeout_s: float
    chance: Callable[[], float]
    clock: Callable[[], float]


class _Client(Calls):
    """What both have in common."""

    line: Line
    _own: bool  # whether `close` ends the connections

    def __init__(self, addresses: str | Sequence[str], api_key: str, **options: Unpack[Options]) -> None:
        """``addresses``: one balancer's or several; the next is asked when one does not answer.

        Raises:
            ValueError: an address that is none or has a password in it, or no key.
        """
        several = [addresses] if isinstance(addresses, str) else list(addresses)
        if not api_key.isascii() or not api_key.isprintable() or not api_key or " " in api_key:
            raise ValueError("the API key is empty, or has signs in it that no key has")
        self.line = Line(several, **options)
        self._key = Secret(api_key)
        self._language: str | None = None

    def speaking(self, language: str) -> Self:
        """The same client, whose calls ask for sentences in the player's language: pass on the browser's Accept-Language.

        It shares everything with this one, which is the one to close. A header that is none is left out.
        """
        made = copy.copy(self)
        made._own = False
        made._language = language if _LANGUAGES.fullmatch(language) else None
        return made

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(self.line.addresses)}>"

    def _request(self, send: Send | Open) -> dict[str, Any]:
        request, read_s = send.request, send.silent_max_s if isinstance(send, Open) else send.request.timeout_s
        headers = {**request.headers, "Authorization": f"Bearer {self._key.reveal()}", "User-Agent": USER_AGENT}
        if self._language:
            headers["Accept-Language"] = self._language
        return {
            "method": request.method,
            "url": send.address + request.target,
            "content": request.body,
            "headers": headers,
            "timeout": httpx.Timeout(read_s, connect=min(CONNECT_S, read_s)),
        }


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, _headers(response), response.content)


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _lost(error: Exception) -> Lost:
    """Only the kind of error is kept: its request holds the API key."""
    return Lost(not isinstance(error, NOT_SENT), f"{type(error).__name__}: {error}"[:200])


class _Opening:
    """The answer that an iterator has open, if it has one."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())

    def open(self, request: dict[str, Any]) -> Outcome:
        self.close()
        try:
            self._response = self._http.send(self._http.build_request(**request), stream=True, follow_redirects=False)
            if self._response.status_code == OPEN:
                self._chunks = self._response.iter_bytes()
                return Opened(_headers(self._response))
            self._response.read()
            return _answer(self._response)
        except httpx.RequestError as error:
            return _lost(error)

    def read(self) -> Outcome:
        try:
            return Chunk(next(self._chunks, b""))
        except (httpx.RequestError, httpx.StreamError) as error:
            return _lost(error)

    def close(self) -> None:
        if self._response is not None:
            self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _AsyncOpening:
    """As `_Opening`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes]

    async def open(self, request: dict[str, Any]) -> Outcome:
        await self.close()
        try:
            self._response = await self._http.send(self._http.build_request(**request), stream=True, follow_redirects=False)
            if self._response.status_code == OPEN:
                self._chunks = self._response.aiter_bytes()
                return Opened(_headers(self._response))
            await self._response.aread()
            return _answer(self._response)
        except httpx.RequestError as error:
            return _lost(error)

    async def read(self) -> Outcome:
        try:
            return Chunk(await anext(self._chunks, b""))
        except (httpx.RequestError, httpx.StreamError) as error:
            return _lost(error)

    async def close(self) -> None:
        if self._response is not None:
            await self._response.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Client(_Client, Blocking):
    """For threads. One client may be used by many of them; close it, or use it in a ``with``."""

    def __init__(
        self, addresses: str | Sequence[str], api_key: str, *, http: httpx.Client | None = None, **options: Unpack[Options]
    ) -> None:
        """``http`` is a client of your own, with your proxies or certificates; the rest is as in `Options`."""
        super().__init__(addresses, api_key, **options)
        self._own = http is None
        self._http = httpx.Client(trust_env=False, limits=LIMITS) if http is None else http

    def run(self, plan: Plan[T]) -> T:
        outcome: Outcome = None
        try:
            while True:
                outcome = self._carry_out(plan.send(outcome))
        except StopIteration as end:
            result: T = end.value
            return result

    def go_through(self, stream: Stream[T]) -> Iterator[T]:
        outcome: Outcome = None
        with _Opening(self._http) as opening:
            while True:
                try:
                    step = stream.send(outcome)
                except StopIteration:
                    return
                if isinstance(step, Give):
                    outcome = None
                    yield step.value
                elif isinstance(step, Open):
                    outcome = opening.open(self._request(step))
                elif isinstance(step, Read):
                    outcome = opening.read()
                else:
                    outcome = self._carry_out(step)

    def _carry_out(self, step: Send | Wait) -> Outcome:
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None
        try:
            return _answer(self._http.request(**self._request(step), follow_redirects=False))
        except httpx.RequestError as error:
            return _lost(error)

    def close(self) -> None:
        if self._own:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(_Client, Awaiting):
    """For an event loop; close it, or use it in an ``async with``."""

    def __init__(
        self, addresses: str | Sequence[str], api_key: str, *, http: httpx.AsyncClient | None = None, **options: Unpack[Options]
    ) -> None:
        """As `Client`."""
        super().__init__(addresses, api_key, **options)
        self._own = http is None
        self._http = httpx.AsyncClient(trust_env=False, limits=LIMITS) if http is None else http

    async def run(self, plan: Plan[T]) -> T:
        outcome: Outcome = None
        try:
            while True:
                outcome = await self._carry_out(plan.send(outcome))
        except StopIteration as end:
            result: T = end.value
            return result

    async def go_through(self, stream: Stream[T]) -> AsyncIterator[T]:
        outcome: Outcome = None
        async with _AsyncOpening(self._http) as opening:
            while True:
                try:
                    step = stream.send(outcome)
                except StopIteration:
                    return
                if isinstance(step, Give):
                    outcome = None
                    yield step.value
                elif isinstance(step, Open):
                    outcome = await opening.open(self._request(step))
                elif isinstance(step, Read):
                    outcome = await opening.read()
                else:
                    outcome = await self._carry_out(step)

    async def _carry_out(self, step: Send | Wait) -> Outcome:
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return _answer(await self._http.request(**self._request(step), follow_redirects=False))
        except httpx.RequestError as error:
            return _lost(error)

    async def close(self) -> None:
        if self._own:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
