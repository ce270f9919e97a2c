"""A sandbox for all tests of the bot's side; every test has accounts of its own in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bot_lab import Lab, SteamAccount, SteamWorld, bot_settings

from sandbox import server
from sandbox.settings import SandboxSettings


@pytest.fixture(scope="session")
def sandbox_world() -> Iterator[SteamWorld]:
    with server.in_thread(SandboxSettings(bots=(), players=0, bound_share=0)) as running:
        yield SteamWorld(running.steam_url, running.control_url)


@pytest.fixture
def world(sandbox_world: SteamWorld) -> Iterator[SteamWorld]:
    yield sandbox_world
    sandbox_world.clear_faults()
    sandbox_world.put_clock_back()


@pytest.fixture
def player(world: SteamWorld) -> SteamAccount:
    return world.account("player", items=6)


@pytest.fixture
def make_lab(world: SteamWorld, redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Makes a bot with three items; keyword arguments change sections of its settings."""
    made: list[Lab] = []

    def make(**sections: dict[str, Any]) -> Lab:
        settings = bot_settings(redis_url, world.steam, tmp_path, **sections)
        made.append(Lab(world, settings, world.account("bot", items=3)))
        return made[-1]

    yield make
    for lab in made:
        lab.close()


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab()
