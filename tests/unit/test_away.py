"""What is said of a Redis that is away."""

from __future__ import annotations

import pytest
import structlog
from hand_clock import HandClock
from redis.exceptions import ConnectionError as RedisGone

from shared.away import AGAIN_S, RedisAway, address_of


def test_a_redis_that_is_away_is_told_once_a_minute_and_when_it_is_back() -> None:
    clock = HandClock()
    away = RedisAway("redis://fleet:hunter2@redis.example:6380/3", clock)
    with structlog.testing.capture_logs() as lines:
        for _ in range(int(2.5 * AGAIN_S)):
            clock.pass_time(1.0)
            for loop in ("reports", "fleet", "sweep", "changes"):
                away.noticed(RedisGone("Error 111 connecting to redis.example:6380. Connection refused."), loop)
        away.back()
        away.back()
    assert [line["event"] for line in lines] == ["redis cannot be used"] * 3 + ["redis can be used again"]
    assert {line["address"] for line in lines} == {"redis://redis.example:6380/3"}
    assert lines[-1]["failures"] == 4 * int(2.5 * AGAIN_S)
    assert "hunter2" not in str(lines)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("rediss://:secret@host", "rediss://host:6379"),
        ("redis://user:p%40ss@[2001:db8::1]:7000/1", "redis://[2001:db8::1]:7000/1"),
        ("unix:///run/redis.sock?db=2&password=secret", "unix:///run/redis.sock"),
        ("redis://host:6379/0?password=secret", "redis://host:6379/0"),
    ],
)
def test_an_address_holds_no_secret(url: str, address: str) -> None:
    assert address_of(url) == address
