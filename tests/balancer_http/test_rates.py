"""How often somebody may ask: the same in Redis, by every balancer, and in memory; whatever Redis is up to."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from balancer_http.harness import ONE_DATABASE, OTHER, PLAYER, Service
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from balancer import rates
from balancer.rates import Bucket, Rates, Take, spend
from scripts.lab.gate import Gate
from scripts.lab.redis_server import EmbeddedRedis
from shared import settings as settings_module
from shared import wire
from shared.clock import Clock
from shared.settings import Settings

HOUR_US = 3600 * rates.SECOND_US
SLOW = Bucket("slow", 5, HOUR_US)
PATIENCE_S = 120


def rate_settings(url: str, **values: Any) -> Settings:
    return settings_module.load(None, {"redis": {"url": url}, "rates": {"redis_wait_s": 5.0, **values}})


@pytest.fixture
async def counting(redis_url: str) -> AsyncIterator[Rates]:
    made = Rates(rate_settings(redis_url), Clock())
    yield made
    await made.close()


async def taken(counting: Rates, n: int, who: str = "somebody", bucket: Bucket = SLOW) -> list[bool]:
    return [(await counting.take(Take(bucket, who)))[0].allowed for _ in range(n)]


async def test_so_many_at_once_and_each_has_their_own(counting: Rates) -> None:
    assert await taken(counting, 7) == [True] * 5 + [False] * 2
    assert await taken(counting, 1, "somebody else") == [True]
    [state] = await counting.take(Take(SLOW, "somebody"))
    assert (state.allowed, state.left) == (False, 0)
    assert 3590 < state.wait_s <= 3600
    assert state.full_s <= 5 * 3600


async def test_what_is_given_back_can_be_taken_again(counting: Rates) -> None:
    assert await taken(counting, 6) == [True] * 5 + [False]
    await counting.take(Take(SLOW, "somebody", -1))
    assert await taken(counting, 2) == [True, False]
    # No more than the bucket holds.
    for _ in range(10):
        await counting.take(Take(SLOW, "nobody", -1))
    assert await taken(counting, 6, "nobody") == [True] * 5 + [False]


async def test_several_buckets_are_taken_from_together_or_not_at_all(counting: Rates) -> None:
    wide = Bucket("wide", 100, HOUR_US)
    for _ in range(8):
        narrow, other = await counting.take(Take(SLOW, "a"), Take(wide, "a"))
    assert (narrow.allowed, other.allowed, other.left) == (False, True, 95)


async def test_it_comes_back_with_time(counting: Rates) -> None:
    quick = Bucket("quick", 2, rates.SECOND_US // 20)
    assert (await taken(counting, 2, bucket=quick))[0]
    async with asyncio.timeout(PATIENCE_S):
        while not (await taken(counting, 1, bucket=quick))[0]:
            await asyncio.sleep(0.01)


async def test_balancers_share_what_there_is_and_ask_together(redis_url: str, counting: Rates) -> None:
    async def all_of(one: Rates) -> list[bool]:
        found = await asyncio.gather(*(one.take(Take(SLOW, "shared")) for _ in range(200)))
        return [states[0].allowed for states in found]

    client = redis.Redis.from_url(redis_url)
    before = client.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
    other = Rates(rate_settings(redis_url), Clock())
    one, two = await asyncio.gather(all_of(counting), all_of(other))
    assert sum(one) + sum(two) == 5
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] - before < 20
    await other.close()


@pytest.mark.parametrize("junk", ["junk", "-5", "nan", "inf", "99999999999999999999", "1e999", "", "0", b"\xff\xfe"])
async def test_junk_in_redis_counts_as_a_full_bucket(redis_url: str, counting: Rates, junk: Any) -> None:
    redis.Redis.from_url(redis_url).set(Take(SLOW, "somebody").key, junk)
    assert await taken(counting, 6) == [True] * 5 + [False]


async def test_something_else_under_the_name_counts_as_a_full_bucket(redis_url: str, counting: Rates) -> None:
    client = redis.Redis.from_url(redis_url)
    client.hset(Take(SLOW, "somebody").key, "a", "b")
    assert await taken(counting, 6) == [True] * 5 + [False]
    assert client.ttl(Take(SLOW, "somebody").key) > 0


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(-2, 3)), min_size=1, max_size=25))
@hypothesis_settings(max_examples=40)
def test_memory_decides_as_redis_does(rates_redis: redis.Redis, tries: list[tuple[str, int]]) -> None:
    """Within one hour, so that no time passes for either."""
    rates_redis.flushdb()
    script = rates_redis.register_script(rates._TAKE)
    memory: dict[str, float] = {}
    now_us = 10.0**15
    for who, cost in tries:
        takes = [Take(SLOW, who, cost), Take(Bucket("both", 8, HOUR_US), "all", cost)]
        keys = [take.key for take in takes]
        after, states = spend(takes, [memory.get(key, now_us) for key in keys], now_us)
        memory.update(zip(keys, after, strict=True))
        args = [value for take in takes for value in (0, take.bucket.every_us, take.bucket.burst, take.cost)]
        told: Any = script(keys=keys, args=args)
        assert [told[at] for at in (0, 4)] == [int(state.allowed) for state in states]
        # The moment between two tries gives back less than one.
        assert [told[at] for at in (1, 5)] == [state.left for state in states]


@pytest.fixture(scope="module")
def rates_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    with EmbeddedRedis(tmp_path_factory.mktemp("rates")) as server:
        yield wire.connect(server.url, timeout_s=60.0)


# --- Redis away, slow, or something else ------------------------------------------------------------------------


class Liar:
    """A server that answers whatever comes with the same bytes, or not at all."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._socket.getsockname()[1]}/0"
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            while connection.recv(65536):
                if self._answer:
                    connection.sendall(self._answer)

    def close(self) -> None:
        self._socket.close()


LIES = {
    "nothing": b"",
    "always OK": b"+OK\r\n",
    "a number": b":1\r\n",
    "an empty list": b"*0\r\n",
    "too short a list": b"*2\r\n:1\r\n:1\r\n",
    "texts": b"*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n",
    "an error": b"-OOM command not allowed\r\n",
    "no Redis": b"HTTP/1.1 200 OK\r\n\r\n",
    "two answers": b"+OK\r\n+OK\r\n",
    "half an answer": b"*4\r\n:1\r\n",
}


@pytest.mark.parametrize("lie", LIES)
async def test_each_balancer_counts_by_itself_while_redis_makes_no_sense(lie: str) -> None:
    liar = Liar(LIES[lie])
    counting = Rates(rate_settings(liar.url, redis_wait_s=0.2), Clock())
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert await taken(counting, 7) == [True] * 5 + [False] * 2
            assert await taken(counting, 6, "another") == [True] * 5 + [False]
    finally:
        await counting.close()
        liar.close()


async def test_a_slow_redis_keeps_nobody_waiting_after_the_first(redis_url: str) -> None:
    liar = Liar(b"")
    counting = Rates(rate_settings(liar.url, redis_wait_s=0.5), Clock())
    try:
        await counting.take(Take(SLOW, "first"))
        began = time.monotonic()
        states = await asyncio.gather(*(counting.take(Take(Bucket("wide", 1000, 1000), "a")) for _ in range(500)))
        assert all(one.allowed for [one] in states)
        # Two thousand times the wait would be the alternative; even one would show.
        assert time.monotonic() - began < 100 * 0.5
    finally:
        await counting.close()
        liar.close()


async def test_redis_counts_again_when_it_is_back(redis_url: str) -> None:
    at = urlsplit(redis_url)
    with Gate(at.path if at.scheme == "unix" else (at.hostname or "", at.port or 0)) as gate:
        number = at.path if at.scheme == "redis" else ""
        counting = Rates(rate_settings(f"redis://127.0.0.1:{gate.port}{number}"), Clock(), away_s=0.01)
        assert await taken(counting, 3) == [True] * 3
        gate.cut()
        assert await taken(counting, 6) == [True] * 5 + [False]  # full again: another count
        gate.mend()
        async with asyncio.timeout(PATIENCE_S):
            while counting.alone:
                await counting.take(Take(SLOW, "nobody"))
                await asyncio.sleep(0.02)
        assert await taken(counting, 3) == [True] * 2 + [False]
        await counting.close()


# --- over HTTP -----------------------------------------------------------------------------------------------------


@pytest.fixture
def limits() -> dict[str, Any]:
    return {}


@pytest.fixture
def settings(settings: Settings, limits: dict[str, Any]) -> Settings:
    return settings.model_copy(update={"rates": settings.rates.model_copy(update=limits)})


def only(**values: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("limits", [values])


HEADER = re.compile(r'"[a-z-]+";[qr]=\d+;[wt]=\d+(, "[a-z-]+";[qr]=\d+;[wt]=\d+)*')


@ONE_DATABASE
@only(key_burst=4, key_per_minute=0.1)
async def test_a_key_has_so_many_calls(service: Service) -> None:
    await service.add_client("other", "read")
    answers = [await service.call("GET", "/bots") for _ in range(5)]
    assert [answer.status for answer in answers] == [200] * 4 + [429]
    assert answers[0].headers["RateLimit-Policy"] == '"key";q=4;w=2400'
    assert [answer.headers["RateLimit"].partition(";t=")[0] for answer in answers] == [f'"key";r={n}' for n in (3, 2, 1, 0, 0)]
    assert all(HEADER.fullmatch(answer.headers[name]) for answer in answers for name in ("RateLimit", "RateLimit-Policy"))
    problem = await answers[-1].json()
    assert (problem["code"], problem["reason"], problem["actor"], problem["retryable"]) == ("rate_limited", "key", "site", True)
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 600
    assert (await service.call("GET", "/bots", client="other")).status == 200


@ONE_DATABASE
@only(player_burst=3, player_per_minute=0.1)
async def test_a_player_has_so_many_calls_whatever_they_are(service: Service) -> None:
    calls: list[tuple[str, Any]] = [
        ("/inventory", {"steam_id": PLAYER}),
        ("/deposit", service.deposit_body("1")),
        ("/verify", {"steam_id": PLAYER, "token": "x" * 22}),
        ("/withdraw", {"user_id": "u", "steam_id": PLAYER, "trade_url": "https://x.example", "deposit_ids": ["dep_1"]}),
    ]
    before = await service.rows()
    answers = [await service.call("POST", path, body) for path, body in calls]
    assert [answer.status == 429 for answer in answers] == [False, False, False, True]
    problem = await answers[-1].json()
    assert (problem["code"], problem["reason"], problem["actor"]) == ("rate_limited", "player", "player")
    assert '"player";r=0' in answers[-1].headers["RateLimit"]
    assert (await service.call("POST", "/inventory", {"steam_id": OTHER})).status == 200
    assert (await service.rows())["trades"] == before["trades"] + 1


@ONE_DATABASE
@only(address_burst=3, address_per_minute=0.1)
async def test_an_address_has_so_many_pages(service: Service) -> None:
    async def get(path: str, address: str = "2001:db8::1") -> Any:
        return await service.client.get(path, headers={"X-Forwarded-For": address}, allow_redirects=False)

    assert [(await get(path)).status for path in ("/docs", "/openapi.json", "/verify/x")] == [200] * 3
    page = await get("/verify/x/sign-in", "2001:db8::2")  # the same /64
    assert (page.status, page.content_type) == (429, "text/html")
    assert "Try again in" in await page.text()
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": "2001:db8::3"}
    assert (await service.client.post("/verify", data=b"token=a", headers=form)).status == 429
    data = await get("/openapi.json")
    assert (data.status, (await data.json())["code"]) == (429, "rate_limited")
    assert int(page.headers["Retry-After"]) >= 1
    assert (await get("/docs", "2001:db8:0:1::1")).status == 200
    # What machines look at is not counted.
    assert {(await get("/healthz")).status for _ in range(5)} == {200}
    assert 429 not in {(await get("/readyz")).status for _ in range(5)}


@ONE_DATABASE
@only(key_per_minute=0)
async def test_zero_is_no_limit(service: Service) -> None:
    answer = await service.call("GET", "/bots")
    assert "RateLimit" not in answer.headers
