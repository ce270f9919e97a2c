"""The sandbox over HTTP: Steam's hosts on one port, the control API and pages on another."""

import asyncio
import contextlib
import dataclasses
import datetime
import logging
import ssl
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from sandbox import http, tls
from sandbox.answers import Answer
from sandbox.clock import Clock, MovedFile
from sandbox.control import api
from sandbox.faults import profiles
from sandbox.settings import SandboxSettings
from sandbox.steam import Steam
from sandbox.steam_api import router
from sandbox.steam_api.router import ROUTE_NAMES, STEAM_HOSTS
from sandbox.world import fixed_players, timeline
from sandbox.world.state import World

log = logging.getLogger(__name__)
T = TypeVar("T")

HANG_S = 600


class RunningSandbox:
    """A sandbox that listens; `world` and `clock` may be touched from its own event loop's thread only."""

    def __init__(self, settings: SandboxSettings, clock: Clock | None = None) -> None:
        self.settings = settings
        moved = MovedFile(Path(settings.moved_file)) if settings.moved_file is not None else None
        self.clock = clock or Clock(moved.seconds if moved is not None else 0.0)
        self.world = World(settings, self.clock.now())
        if settings.fixed_players:
            fixed_players.add(self.world, self.clock.now())
        self.steam = Steam(self.world, self.clock, ROUTE_NAMES)
        self.steam.moved = moved
        if settings.faults is not None:
            profiles.apply(self.steam.faults, profiles.find(settings.faults), self.clock.now())
        self.steam_url = ""
        self.control_url = ""
        self.ca_file: Path | None = None
        """What a client must trust, when Steam's port speaks HTTPS."""
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._healed = asyncio.Event()
        self.steam.faults.when_healed.append(self._let_go)
        self._cleanups: list[Callable[[], Awaitable[None]]] = []
        self._timer: asyncio.Handle | None = None
        self._next_at: float | None = None

    async def start(self) -> None:
        """Listen on both ports and let time pass."""
        steam_runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=1.0)
        context = self._tls() if self.settings.tls else None
        self.steam_url = await self._listen(steam_runner, self.settings.port, context)
        application = api.application(self.steam, self.nudge)
        control_runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        self.control_url = await self._listen(control_runner, self.settings.control_port)
        api.set_base(application, self.control_url)
        self.nudge()

    async def stop(self) -> None:
        """Close everything in reverse order; hanging answers are cut."""
        self._stopping.set()
        self._healed.set()
        if self._timer is not None:
            self._timer.cancel()
        while self._cleanups:
            await self._cleanups.pop()()

    def nudge(self) -> None:
        """Something may now be due earlier than was known: the clock moved or an event was added."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._stopping.is_set():
            self._timer = self._loop.call_soon(self._catch_up)

    def _catch_up(self) -> None:
        """Let happen what is due, and come back when the next thing is.

        A timer and not a task: `asyncio.wait_for` of Python 3.11 may lose a cancellation, and stopping would hang.
        """
        timeline.advance(self.world, self.clock.now())
        self._next_at = self.world.agenda.next_at()
        if self._next_at is not None:
            self._timer = self._loop.call_later(max(0.0, self._next_at - self.clock.now()), self._catch_up)

    def on_loop(self, action: Callable[[], T]) -> T:
        """Run something that touches the world in the sandbox's own thread, from another one, and give its result."""

        async def run() -> T:
            result = action()
            self.nudge()
            return result

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=30)

    def _tls(self) -> ssl.SSLContext:
        """Make an authority, lay its certificate down for clients, and give what to listen with."""
        now = datetime.datetime.fromtimestamp(self.clock.real(), datetime.UTC)
        authority = tls.Authority([*STEAM_HOSTS, "localhost", "127.0.0.1", "::1", self.settings.host], now)
        if self.settings.ca_file is not None:
            self.ca_file = Path(self.settings.ca_file).absolute()
            self.ca_file.write_bytes(authority.pem)
            return authority.context()
        with tempfile.NamedTemporaryFile(suffix=".pem", delete=False) as file:
            file.write(authority.pem)
        self.ca_file = Path(file.name)
        self._cleanups.append(self._forget_ca)
        return authority.context()

    async def _forget_ca(self) -> None:
        if self.ca_file is not None:
            self.ca_file.unlink(missing_ok=True)

    async def _listen(self, runner: web.ServerRunner | web.AppRunner, port: int, context: ssl.SSLContext | None = None) -> str:
        await runner.setup()
        self._cleanups.append(runner.cleanup)
        site = web.TCPSite(runner, self.settings.host, port, ssl_context=context)
        await site.start()
        host, bound = runner.addresses[0][:2]
        return f"{'http' if context is None else 'https'}://{host}:{bound}"

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        form, query = await http.form_values(request), http.query_values(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        host = headers.get("host", "").partition(":")[0].lower()
        answer = router.answer(
            router.call(self.steam, request.method, host, request.path, query, form, headers, request.remote or "")
        )
        if self.settings.access_log:
            log.info("%s %s%s %s", request.method, host, request.path, answer.trouble or answer.status)
        first = self.world.agenda.next_at()
        if first is not None and (self._next_at is None or first < self._next_at):
            self.nudge()
        if answer.delay_s:
            await self._keep_back(answer.delay_s)
        if answer.trouble in ("truncate", "cut_middle"):
            return await self._half(request, answer)
        if answer.trouble:
            await self._trouble(request, answer)
        return http.to_response(answer)

    async def _keep_back(self, seconds: float) -> None:
        """Wait, but not beyond the end of all trouble."""
        await self.clock.wait(self._healed, seconds)

    def _let_go(self) -> None:
        """Trouble is over: answers kept back go out, those that would never come are cut off."""
        self._healed.set()
        self._healed = asyncio.Event()

    async def _half(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        """Half of an answer and then the end of the connection, with its whole length promised or none."""
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        response.headers["Content-Type"] = answer.content_type
        if answer.trouble == "truncate":
            response.content_length = len(answer.body)
        else:
            response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(answer.body[: len(answer.body) // 2])
        if request.transport is not None:
            request.transport.close()
        return response

    async def _trouble(self, request: web.BaseRequest, answer: Answer) -> None:
        """An answer that never arrives: kept waiting until the client gives up, or a connection cut at once."""
        if answer.trouble == "hang":
            await self._keep_back(HANG_S)
        if request.transport is not None:
            request.transport.abort()


async def start(settings: SandboxSettings, clock: Clock | None = None) -> RunningSandbox:
    """Start a sandbox in the running event loop; stop it with `await running.stop()`."""
    running = RunningSandbox(settings, clock)
    try:
        await running.start()
    except BaseException:
        await running.stop()
        raise
    return running


@contextlib.contextmanager
def in_thread(settings: SandboxSettings | None = None, clock: Clock | None = None, **changes: Any) -> Iterator[RunningSandbox]:
    """Run a sandbox in a thread with its own event loop, for callers that block, such as steampy.

    Keyword arguments replace fields of the settings.
    """
    settings = dataclasses.replace(settings or SandboxSettings(), **changes)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
    thread.start()
    try:
        running = asyncio.run_coroutine_threadsafe(start(settings, clock), loop).result(timeout=60)
        try:
            yield running
        finally:
            asyncio.run_coroutine_threadsafe(running.stop(), loop).result(timeout=30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=30)
        loop.close()
