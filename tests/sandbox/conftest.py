"""A sandbox of its own for each test that asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from sandbox_lab import SMALL, Bench, Play
from steampy.client import SteamClient

from sandbox import guard, server


@pytest.fixture
def make_bench() -> Iterator[Callable[..., Bench]]:
    with ExitStack() as stack:

        def make(**changes: Any) -> Bench:
            """``clock`` in place of the sandbox's own, and fields of its settings."""
            running = stack.enter_context(server.in_thread(SMALL, **changes))
            return Bench(running, stack)

        yield make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


@pytest.fixture
def bot(bench: Bench) -> SteamClient:
    return bench.client("red-1")


@pytest.fixture
def player(bench: Bench) -> dict[str, Any]:
    return bench.accounts("player")[0]


@pytest.fixture
def play() -> Play:
    return Play()


@pytest.fixture
def make_play() -> type[Play]:
    return Play


@pytest.fixture
def phone_key() -> Callable[[dict[str, str], int, str], dict[str, str]]:
    """The query of a mobileconf request for credentials, a time and a tag."""

    def make(known: dict[str, str], unix: int, tag: str) -> dict[str, str]:
        key = guard.confirmation_key(known["identity_secret"], unix, tag)
        common = {"p": known["device_id"], "a": known["steam_id"], "m": "react"}
        return {**common, "k": key, "t": str(unix), "tag": tag}

    return make
