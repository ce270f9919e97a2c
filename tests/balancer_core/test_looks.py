"""Requests that look for single trades at the same moment share looks, and each sees its own trade."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from balancer_core.core_world import MASTER, World, between
from sqlalchemy.exc import OperationalError

from balancer.journal.views import Views

pytestmark = pytest.mark.both_databases


def views_of(world: World, way: Callable[..., Awaitable[Any]]) -> Views:
    ctx = world.ctx
    return Views(between(ctx.db, way), MASTER, ctx.settings, ctx.clock)


async def test_many_at_once_share_a_few_looks_and_get_their_own(world: World) -> None:
    ids = [trade_id for who in range(12) for trade_id in await world.deposit(1, who=who)]
    looked: list[int] = []

    async def counted(do: Any, work: Any, wanted: Any) -> Any:
        looked.append(len(wanted))
        return await do(work, wanted)

    shared = views_of(world, counted)
    views = await asyncio.gather(*(shared.of([trade_id]) for trade_id in [*ids, *ids, "trd_unknown"]))
    assert [view[0].trade_id for view in views[:-1]] == [*ids, *ids]
    assert [len(view[0].items) for view in views[:-1]] == [1] * 24
    assert views[-1] == []
    assert len(looked) <= 4 and sum(looked) <= 26


async def test_a_look_that_fails_fails_for_those_who_shared_it_only(world: World) -> None:
    [trade_id] = await world.deposit(1)
    away = True

    async def way(do: Any, work: Any, *args: Any) -> Any:
        if away:
            raise OperationalError("statement", {}, Exception("gone"))
        return await do(work, *args)

    shared = views_of(world, way)
    failed = await asyncio.gather(*(shared.of([trade_id]) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [OperationalError] * 3
    away = False
    assert (await shared.of([trade_id]))[0].trade_id == trade_id
