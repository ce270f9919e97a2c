"""`/healthz` and `/readyz`: for machines. The first says that the process answers, the second that it can do its work."""

from __future__ import annotations

import asyncio
from typing import Any

import redis
from aiohttp import web
from sqlalchemy import Connection, text

from balancer.context import Context
from balancer.loops import Loops
from balancer.web import api
from balancer.web.schemas import answers
from shared.domain.health import May
from shared.errors import DatabaseUnavailable

CHECK_S = 2.0
_OK = b'{"status":"ok"}'
_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}

LOOPS: web.AppKey[Loops] = web.AppKey("loops", Loops)


@api.page("application/json", answers={200: answers.Health}, counted=False)
async def alive(_request: web.Request) -> web.Response:
    """The process answers."""
    return web.Response(body=_OK, headers=_HEADERS)


@api.page("application/json", answers={200: answers.Readiness, 503: answers.Readiness}, counted=False)
async def ready(request: web.Request) -> web.Response:
    """Whether this balancer can take trades.

    It checks the database (that it can be read and written), Redis, the loops, the clock, and that at least one bot is online;
    it is 503 while one of them is missing or wrong. In `loops`, `last_ran_s` says how long ago each loop's last round succeeded
    (of `watching`, `sweep` and `audits` at any balancer); a loop that is `late` has stopped. Prices are shown too, but
    withdrawals work without them.
    """
    ctx = request.app[api.CONTEXT]
    loops_of = request.app[LOOPS]
    database, carrier, loops = await asyncio.gather(_database(ctx, loops_of), _redis(ctx), loops_of.standing())
    fleet = ctx.fleet
    looking, taking, giving = (fleet.able(what) for what in (May.LOOK, May.TAKE, May.GIVE))
    checks: dict[str, dict[str, Any]] = {
        "database": database,
        "redis": carrier,
        "clock": _clock(ctx),
        "loops": loops,
        "bots": {"ok": looking > 0, "online": looking, "take": taking, "give": giving, "known": fleet.count},
        "prices": ctx.prices.standing(ctx.clock.now()),
    }
    good = all(check["ok"] for name, check in checks.items() if name != "prices")
    return api.answer(answers.Readiness(good, checks), 200 if good else 503)


def _clock(ctx: Context) -> dict[str, Any]:
    """``off_s``: how far ahead of Redis' clock it is, if too far; ``corrected_s``: what was added to this machine's."""
    clock = ctx.server_clock
    return {"ok": not clock.off_s, "off_s": clock.off_s, "corrected_s": clock.corrected_s}


def _select_one(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))


async def _database(ctx: Context, loops: Loops) -> dict[str, Any]:
    """Read now; written a moment ago, as `reason` ``disk`` says when nothing can be."""
    try:
        async with asyncio.timeout(CHECK_S):
            await ctx.db.read(_select_one)
    except (DatabaseUnavailable, TimeoutError) as error:
        return {"ok": False, "error": type(error).__name__}
    return loops.probe.standing()


async def _redis(ctx: Context) -> dict[str, Any]:
    """``error`` is Redis' own word where it has one: ``MISCONF`` when its disk is full, ``READONLY`` of a replica."""
    try:
        async with asyncio.timeout(CHECK_S):
            await asyncio.to_thread(ctx.redis.ping)
    except redis.ResponseError as error:
        return {"ok": False, "error": str(error).partition(" ")[0]}
    except (redis.RedisError, TimeoutError) as error:
        return {"ok": False, "error": type(error).__name__}
    return {"ok": True}
