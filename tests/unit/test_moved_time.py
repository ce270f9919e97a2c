"""A fleet that is moved on while it runs, and everybody else, who is not."""

from __future__ import annotations

import struct
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared import settings, wire
from shared.clock import Clock, ServerClock
from shared.errors import SettingsError

WEEK_S = 7 * 86400


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "moved-time"
    path.write_bytes(bytes(8))
    return path


def move(file: Path, seconds: float) -> None:
    """As the sandbox does it: in place, as all have mapped this file."""
    with file.open("r+b") as opened:
        opened.write(struct.pack("<d", seconds))


def clock_of(file: Path, offset_s: float = 0.0) -> Clock:
    return Clock.of(settings.load(overrides={"clock": {"moved_file": str(file), "offset_s": offset_s}}).clock)


def test_all_who_map_the_file_are_moved_on_at_once(file: Path) -> None:
    one, other = clock_of(file), clock_of(file, offset_s=-3600.0)
    before = one.now(), one.now_ms(), other.now()
    move(file, WEEK_S)
    assert one.now() - before[0] >= timedelta(seconds=WEEK_S)
    assert one.now_ms() - before[1] >= WEEK_S * 1000
    assert other.now() - before[2] >= timedelta(seconds=WEEK_S)
    assert one.moved_ms == other.moved_ms == WEEK_S * 1000
    # What others go by is not.
    assert Clock().now() - one.unmoved() < timedelta(hours=1)
    assert Clock().now_ms() - one.unmoved_ms() < 3_600_000


class Server:
    """A Redis that is ``ahead_s`` of this machine, and of which a fleet is moved on just while it is asked."""

    def __init__(self, ahead_s: float, during: Any) -> None:
        self.ahead_s = ahead_s
        self.during = during

    def time(self) -> tuple[int, int]:
        self.during()
        return int(Clock(self.ahead_s).now_ms() // 1000), 0


def test_a_fleet_that_is_moved_on_is_not_off(file: Path) -> None:
    """Redis says the true time: a clock that is ahead of it for that reason is right, and is not put back."""
    clock = clock_of(file)
    server_clock = ServerClock(clock)
    redis: Any = Server(5.0, lambda: move(file, WEEK_S))
    wire.measure_time(redis, clock, server_clock)
    assert server_clock.off_s == 0.0 and server_clock.doubt_ms < 600_000
    assert server_clock.now_ms() - Clock().now_ms() == pytest.approx((WEEK_S + 5) * 1000, abs=600_000)
    move(file, 2 * WEEK_S)
    assert server_clock.now_ms() - Clock().now_ms() == pytest.approx((2 * WEEK_S + 5) * 1000, abs=600_000)


def test_a_clock_that_is_off_is_told_in_a_fleet_that_was_moved_on_too(file: Path) -> None:
    move(file, WEEK_S)
    clock = clock_of(file, offset_s=900.0)
    server_clock = ServerClock(clock)
    redis: Any = Server(0.0, lambda: None)
    wire.measure_time(redis, clock, server_clock)
    assert server_clock.off_s == pytest.approx(900, abs=100)
    server_clock.correct()
    wire.measure_time(redis, clock, server_clock)
    assert server_clock.off_s == 0.0 and clock.moved_ms == WEEK_S * 1000


@pytest.mark.parametrize(
    "held", [None, b"", b"7", struct.pack("<d", -1.0), struct.pack("<d", float("nan")), struct.pack("<d", float("inf"))]
)
def test_a_file_that_holds_no_seconds_is_refused_at_the_start(file: Path, held: bytes | None) -> None:
    file.unlink() if held is None else file.write_bytes(held)
    with pytest.raises(SettingsError, match="moved_file"):
        clock_of(file)


def test_without_a_file_nothing_is_moved() -> None:
    clock = Clock.of(settings.load().clock)
    assert clock.moved_ms == 0
