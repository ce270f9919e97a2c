"""Requests that look for single trades at the same moment share looks, and each sees its own trade."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from balancer.journal import views as show_trades

pytestmark = pytest.mark.both_databases


async def test_many_at_once_share_a_few_looks_and_get_their_own(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [trade_id for who in range(12) for trade_id in await world.deposit(1, who=who)]
    looked: list[int] = []
    by_ids = show_trades.by_ids

    def counting(connection: Any, wanted: Any) -> Any:
        looked.append(len(wanted))
        return by_ids(connection, wanted)

    monkeypatch.setattr(show_trades, "by_ids", counting)
    views = await asyncio.gather(*(world.ctx.views.of([trade_id]) for trade_id in [*ids, *ids, "trd_unknown"]))
    assert [view[0].trade_id for view in views[:-1]] == [*ids, *ids]
    assert [len(view[0].items) for view in views[:-1]] == [1] * 24
    assert views[-1] == []
    assert len(looked) <= 4 and sum(looked) <= 26


async def test_a_look_that_fails_fails_for_those_who_shared_it_only(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    [trade_id] = await world.deposit(1)
    look = world.ctx.db.look

    async def away(*_args: Any) -> None:
        raise OperationalError("statement", {}, Exception("gone"))

    monkeypatch.setattr(world.ctx.db, "look", away)
    failed = await asyncio.gather(*(world.ctx.views.of([trade_id]) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [OperationalError] * 3
    monkeypatch.setattr(world.ctx.db, "look", look)
    assert (await world.ctx.views.of([trade_id]))[0].trade_id == trade_id
