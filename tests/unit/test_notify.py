"""Words to systemd: told where somebody listens, never in the way of what they are about."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hand_clock import HandClock

from shared import notify
from shared.clock import Clock
from website import life as of_the_website


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield ear


def words(ear: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(ear.recv(100))
        except BlockingIOError:
            return found


def test_a_word_arrives(heard: socket.socket) -> None:
    notify.tell("READY=1")
    assert words(heard) == [b"READY=1"]


def test_a_socket_of_the_abstract_kind_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"fleet-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify.tell("READY=1")
        assert ear.recv(100) == b"READY=1"


def test_nobody_listening_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify.tell("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify.tell("READY=1")


def test_a_socket_that_is_full_holds_nobody_up(heard: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, contextlib.suppress(BlockingIOError):
        other.setblocking(False)
        while True:
            other.sendto(b"x", heard.getsockname())
    notify.tell("WATCHDOG=1")
    assert set(words(heard)) == {b"x"}


@pytest.mark.parametrize(
    ("environment", "every_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 20.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "{me}"}, 20.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),  # it waits for another process
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_how_often_a_sign_is_due(environment: dict[str, str], every_s: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(me=os.getpid()))
    assert notify.every_s() == every_s


def test_signs_come_three_times_as_often_as_they_are_missed(heard: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    clock = HandClock()
    life = notify.Life(clock)
    for _ in range(30):
        life.sign()
        clock.pass_time(1.0)
    assert words(heard) == [b"WATCHDOG=1"] * 3


@pytest.mark.parametrize("signs", [lambda: notify.signs(Clock()), of_the_website.signs], ids=["balancer", "website"])
async def test_a_loop_that_stands_still_gives_no_sign(
    signs: Callable[[], Awaitable[None]], heard: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else systemd would believe for ever that it serves. Once it comes round again, signs go on."""
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    giving = asyncio.ensure_future(signs())
    while not words(heard):
        await asyncio.sleep(0.01)
    words(heard)
    time.sleep(0.2)
    assert words(heard) == []
    while not words(heard):
        await asyncio.sleep(0.01)
    giving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await giving


@pytest.mark.parametrize("signs", [lambda: notify.signs(Clock()), of_the_website.signs], ids=["balancer", "website"])
async def test_where_nobody_waits_for_signs_none_are_given(
    signs: Callable[[], Awaitable[None]], heard: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    await asyncio.wait_for(signs(), 60)
    assert words(heard) == []


def test_the_website_speaks_as_the_fleet_does(heard: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has these few lines of its own; they must not drift apart."""
    of_the_website.tell("READY=1")
    assert words(heard) == [b"READY=1"]
    for waits in ("60000000", "0", "soon", ""):
        monkeypatch.setenv("WATCHDOG_USEC", waits)
        assert of_the_website.every_s() == notify.every_s()
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert of_the_website.every_s() is None
