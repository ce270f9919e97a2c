"""Composition root: settings in, aiohttp application out. Everything is built once, in order, and closed in reverse."""

from __future__ import annotations

import asyncio
import errno
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

import redis
from aiohttp import ClientSession, web
from prometheus_client import CollectorRegistry, ProcessCollector

from balancer import context, loops, rates
from balancer.context import Context
from balancer.items import price_refresh
from balancer.items.feeds import sources
from balancer.journal.tail import Tail
from balancer.metrics.requests import REQUESTS, Requests
from balancer.metrics.watch import WATCH, Watch
from balancer.outward import Outward
from balancer.trades.deposit import Deposits
from balancer.web import addresses, api, auth, openapi, pages, problems
from balancer.web.handlers import deposit, events, health, metrics, webhooks
from balancer.web.handlers.verify import people, sign_in
from balancer.web.listen import Listener
from balancer.web.ops import gate as ops_gate
from balancer.web.ops.routes import ROUTES as OPS_ROUTES
from balancer.web.rates import RATES
from balancer.web.routes import PAGES, ROUTES
from balancer.web.server import Runner
from balancer.web.tries import TRIES, Tries
from shared import log
from shared.clock import Clock
from shared.errors import SettingsError
from shared.sealing import MasterKey
from shared.settings import Settings

# On SIGTERM every wait ends at once; what still takes time then is a bot's read of an inventory (`inventory_wait_s`).
SHUTDOWN_S = 22.0
PRICES_AGAIN_S = 1.0  # while the database is away
# How often it is looked whether the last connection is gone.
LOOK_S = 0.02
# Files of a balancer that are no connection of a caller's: database, Redis, Steam, logs.
FILES_BESIDE = 200
STEAM_HEADERS = {"Origin": "https://steamcommunity.com", "Referer": "https://steamcommunity.com/"}

REGISTRY: web.AppKey[CollectorRegistry] = web.AppKey("registry", CollectorRegistry)

_log = log.get(__name__)


def build(settings: Settings) -> web.Application:
    """The application; nothing is opened before it starts up. The database must be migrated.

    Raises:
        SettingsError: the master key cannot be read, a feed of prices cannot be what is written, or offers would outlive
            their tokens.
    """
    _check(settings)
    master = MasterKey.read(settings.balancer.master_key_file)
    app = web.Application(
        middlewares=[people.for_people, ops_gate.for_operators, problems.middleware, api.in_time],
        client_max_size=settings.balancer.body_max_bytes,
    )
    app.add_routes([*ROUTES, *PAGES, *OPS_ROUTES])
    app[problems.STOPPING] = problems.Stopping()
    app[openapi.DOCUMENT] = _description()
    app[api.NETWORKS] = addresses.Networks(settings.balancer.trusted_proxies)
    app[auth.KEYS] = auth.Keys()
    app[metrics.READERS] = addresses.Networks(settings.metrics.allow)
    app[REGISTRY] = registry = CollectorRegistry()
    app[REQUESTS] = Requests(registry)
    app[RATES] = limits = rates.Rates(settings, Clock())
    app[events.STREAMS] = events.Streams()
    app[webhooks.OUTWARD] = Outward(private=settings.webhooks.private_targets)
    app[TRIES] = Tries()
    app[people.LOGO] = _logo(settings)
    app[sign_in.CHECKS] = asyncio.Semaphore(settings.openid.checks_max)
    app[api.CONTEXT] = ctx = context.build(settings, master, Clock.of(settings.clock), limits)
    app[events.TAIL] = Tail(ctx.db, ctx.changes, settings.balancer.livemode)
    app[deposit.DEPOSITS] = Deposits(ctx)
    app.cleanup_ctx.extend([_storage, _browser, _prices, _loops])
    return app


@cache
def _description() -> bytes:
    """What the API says of itself. The same for every application of this process, and slow to make."""
    return openapi.dumps(ROUTES)


def _logo(settings: Settings) -> str:
    try:
        return pages.logo(settings.balancer.site_logo_file)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _check(settings: Settings) -> None:
    """What would be unsafe and is not seen in one setting alone; `fleet config check` says more."""
    sources.feeds(settings)
    times = settings.trades
    if times.offer_timeout_s > times.token_lifetime_s:
        raise SettingsError(
            f"[trades] offer_timeout_s ({times.offer_timeout_s:g}) is more than token_lifetime_s ({times.token_lifetime_s:g}): "
            "offers would stay open that no player can check any more; make it at most token_lifetime_s"
        )


async def _storage(app: web.Application) -> AsyncIterator[None]:
    """Redis' time is measured first, as orders expire by it; without Redis the loops go on trying."""
    ctx = app[api.CONTEXT]
    try:
        await asyncio.to_thread(loops.measure, ctx, starting=True)
    except redis.RedisError as error:
        ctx.redis_away.noticed(error, "start")
    yield
    await app[RATES].close()
    await context.close(ctx)


async def _browser(app: web.Application) -> AsyncIterator[None]:
    """The client for asking Steam about sign-ins; it has been turned away without headers like a browser's."""
    settings = app[api.CONTEXT].settings
    headers = {**STEAM_HEADERS, "User-Agent": settings.steam.user_agent}
    async with ClientSession(headers=headers) as session:
        app[sign_in.HTTP] = session
        yield


async def _prices(app: web.Application) -> AsyncIterator[None]:
    ctx = app[api.CONTEXT]
    await price_refresh.refresh(ctx.db, ctx.prices, ctx.clock)
    task = asyncio.create_task(_keep_prices(ctx))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _keep_prices(ctx: Context) -> None:
    went_well = True
    while True:
        await asyncio.sleep(ctx.settings.balancer.prices_check_s if went_well else PRICES_AGAIN_S)
        went_well = await price_refresh.refresh(ctx.db, ctx.prices, ctx.clock)


async def _loops(app: web.Application) -> AsyncIterator[None]:
    """The core's loops: what the bots report, watching, the sweep, the snapshot of the fleet."""
    running = loops.Loops(app[api.CONTEXT], app[webhooks.OUTWARD])
    app[health.LOOPS] = running
    app[WATCH] = Watch(app[api.CONTEXT], running, app[REGISTRY])
    ProcessCollector(namespace="fleet", registry=app[REGISTRY])
    running.start()
    yield
    await running.stop()


def _where_to_listen(error: OSError) -> str:
    """What a person does about an address that could not be had."""
    if error.errno == errno.EADDRINUSE:
        return "choose another port, or stop what listens there (`ss -ltnp` names it)"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "choose a port above 1023; the TLS proxy in front has 443"
    return "host is an address of this machine, 127.0.0.1 behind a proxy on it"


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """Serve until the block ends; gives the address. In-flight requests are answered before this returns.

    Raises:
        SettingsError: the address cannot be listened on, or the master key not be read.
    """
    app = build(settings)
    runner = Runner(app, settings, shutdown_timeout=SHUTDOWN_S)
    wanted = settings.balancer
    try:
        listener = await Listener.open(wanted.host, wanted.port, share=wanted.share_port)
    except OSError as error:
        message = f"[balancer] cannot listen on {wanted.host}, port {wanted.port}: {error.strerror}"
        raise SettingsError(f"{message}; {_where_to_listen(error)}") from error
    _allow_files(settings.http.connections_max + FILES_BESIDE)
    try:
        await runner.setup()
        server = runner.server
        if server is None:
            raise RuntimeError("the runner was set up and has no server")
        listener.serve(server)
        yield listener.url()
        await _leave(app, server, listener)
    finally:
        listener.close()
        await runner.cleanup()


def _allow_files(wanted: int) -> None:
    """Let this process have as many files as it may have connections, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _leave(app: web.Application, server: web.Server, listener: Listener) -> None:
    """Take nothing new, end every wait, and let those who kept a connection learn by its next answer that it ends."""
    ctx = app[api.CONTEXT]
    app[problems.STOPPING].begun = True
    ctx.changes.end()
    loop = asyncio.get_running_loop()
    until = loop.time() + ctx.settings.balancer.stop_idle_s
    await listener.leave()
    while server.connections and loop.time() < until:
        await asyncio.sleep(LOOK_S)
