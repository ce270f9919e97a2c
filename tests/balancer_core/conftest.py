"""A balancer's context on a real database and a real Redis, with bots that are online because they said so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from balancer_core.core_world import World, make_world


@pytest.fixture
async def world(database_url: str, redis_url: str) -> AsyncIterator[World]:
    """Two bots, online and active, on an empty database."""
    made = await make_world(database_url, redis_url)
    yield made
    await made.close()


@pytest.fixture
async def make(database_url: str, redis_url: str) -> AsyncIterator[Callable[..., object]]:
    """A world with other bots or settings; closed after the test."""
    worlds: list[World] = []

    async def build(**more: Any) -> World:
        worlds.append(await make_world(database_url, redis_url, **more))
        return worlds[-1]

    yield build
    for each in worlds:
        await each.close()
