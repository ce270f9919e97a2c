"""Words to systemd: told where somebody listens, never in the way of what they are about."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hand_clock import HandClock

from shared import notify


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
