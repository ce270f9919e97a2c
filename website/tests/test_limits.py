"""How often somebody may ask: by player and by address, shared over Redis, and counted alone while it is away."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

from scripts.lab.redis_server import EmbeddedRedis
from website import limits
from website.limits import Limit, LimitReachedError, _Buckets

SECOND_US = 1_000_000
FIVE = Limit("five", 5, 1)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.us = SECOND_US

    def __call__(self) -> int:
        return self.us


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    clock = Hand()
    monkeypatch.setattr(limits, "_buckets", _Buckets(clock))
    return clock


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(Path(tmp_path_factory.mktemp("limits"))) as server:
        yield server


def uses(count: int, player: int | None = 1, address: str = "192.0.2.1", limit: Limit = FIVE) -> int:
    """How many of so many uses are taken."""
    taken = 0
    for _ in range(count):
        try:
            limits.take(limit, player, address)
            taken += 1
        except LimitReachedError as reached:
            assert reached.retry_after_s >= 1
    return taken


def test_w31_a_player_has_so_many_at_once_and_then_one_at_a_time(hand: Hand) -> None:
    assert uses(20) == 5
    hand.us += SECOND_US // 5
    assert uses(20) == 1
    hand.us += 10 * SECOND_US
    assert uses(20) == 5


def test_w31_one_player_does_not_use_up_what_others_have(hand: Hand) -> None:
    assert uses(20, player=1) == 5
    assert uses(5, player=2) == 5
    assert uses(100, player=None, address="192.0.2.2") == 20  # of an address, for all behind it
    assert uses(100, player=3, address="192.0.2.3") == 5


def test_an_ipv6_network_is_one_address_and_nonsense_is_one_too() -> None:
    assert limits.network("2001:db8::1") == limits.network("2001:db8::ffff:1") != limits.network("2001:db8:0:1::1")
    assert limits.network("::ffff:192.0.2.1") == "192.0.2.1"
    assert limits.network("unix:") == limits.network("") == "?"


def test_what_is_remembered_is_bounded(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUCKETS_MAX", 10)
    for number in range(100):
        uses(1, player=number, address=f"192.0.2.{number}")
    assert len(limits._buckets._full_us) == 10


def test_w31_processes_share_what_is_taken_over_redis(redis_server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Limit("slow", 5, 3_600)
    with override_settings(SITE_REDIS_URL=redis_server.url, SITE_REDIS_PREFIX=f"t{time.monotonic_ns()}:"):
        taken: list[int] = []
        for _ in range(2):  # two processes
            monkeypatch.setattr(limits, "_buckets", _Buckets(Hand()))
            threads = [threading.Thread(target=lambda: taken.append(uses(4, limit=slow))) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert sum(taken) == 5
        assert not limits._buckets._full_us


def test_s12_limits_hold_while_redis_is_away(hand: Hand) -> None:
    with override_settings(SITE_REDIS_URL="redis://127.0.0.1:1/0"):
        assert uses(20) == 5


def test_an_asynchronous_view_is_limited_too(hand: Hand) -> None:
    @limits.limited(Limit("one", 1, 60))
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("done")

    def asked(method: str) -> HttpResponse:
        request = RequestFactory().generic(method, "/", headers={"accept": "application/json"})
        request.player_session = None  # type: ignore[attr-defined]
        answer: HttpResponse = asyncio.run(view(request))
        return answer

    answers = [asked("POST") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429] and answers[-1]["Retry-After"] == "15"
    assert asked("GET").status_code == 200
