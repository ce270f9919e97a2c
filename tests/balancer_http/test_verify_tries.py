"""Tries of tokens: wrong ones slow down an address or a player, never the token."""

from __future__ import annotations

import asyncio

import pytest
from balancer_http.harness import OTHER, PLAYER, Service
from balancer_http.verifying import check, never_back, press, sign_in

from balancer.web import tries


async def test_wrong_tries_slow_down_the_address_and_not_the_token(service: Service) -> None:
    trade = await service.deposit("1")
    never_back(service)
    await sign_in(service, OTHER)
    for _ in range(tries.TRIES_MAX):
        status, _ = await press(service, trade["token"])
        assert status == 200
    status, text = await press(service, trade["token"])
    assert status == 429 and "Too many tries" in text
    assert (await check(service, trade["token"]))["ok"]


async def test_many_wrong_tries_at_once_are_no_more_than_the_bucket_holds(service: Service) -> None:
    never_back(service)
    body = {"token": "x" * 22, "steam_id": PLAYER}
    with service.selects("tokens") as looked:
        answers = await asyncio.gather(*(service.call("POST", "/verify", body) for _ in range(60)))
    assert sorted(answer.status for answer in answers) == [200] * tries.TRIES_MAX + [429] * (60 - tries.TRIES_MAX)
    assert len(looked) == tries.TRIES_MAX


async def test_right_tries_are_never_too_many(service: Service) -> None:
    trade = await service.deposit("1")
    never_back(service)
    for _ in range(3 * tries.TRIES_MAX):
        assert (await check(service, trade["token"]))["trade_id"]


async def test_a_site_is_slowed_down_per_player(service: Service) -> None:
    never_back(service)
    for _ in range(tries.TRIES_MAX):
        await check(service, "x" * 22)
    response = await service.call("POST", "/verify", {"token": "x" * 22, "steam_id": PLAYER})
    problem = await response.json()
    assert (response.status, problem["code"]) == (429, "too_many_tries")
    assert int(response.headers["Retry-After"]) >= 1
    assert await check(service, "x" * 22, OTHER) == {"ok": False, "reason": "unknown"}


def test_tries_come_back_with_time_and_are_bounded() -> None:
    bucket = tries.Tries()
    for _ in range(tries.TRIES_MAX):
        bucket.take("a", 0.0)
    with pytest.raises(Exception, match="Too many") as caught:
        bucket.take("a", 1.0)
    assert getattr(caught.value, "retry_after_s", None) == 5
    bucket.take("a", tries.TRY_BACK_S)
    bucket.take("b", 0.0)
    bucket.give_back("b", 0.0)
    for _ in range(tries.TRIES_MAX):
        bucket.give_back("b", 0.0)
        bucket.take("b", 0.0)
    for number in range(tries.ADDRESSES_MAX + 5):
        bucket.take(f"c{number}", 1.0)
    assert len(bucket._left) == tries.ADDRESSES_MAX
