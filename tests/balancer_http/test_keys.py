"""Wrong API keys from an address: they are few, they cost little, and they shut nobody else out."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientResponse
from balancer_http.harness import ONE_DATABASE, Service


async def with_key(service: Service, key: str, address: str = "9.9.9.9") -> ClientResponse:
    return await service.client.get("/bots", headers={"Authorization": f"Bearer {key}", "X-Forwarded-For": address})


@pytest.fixture
async def looks(service: Service) -> AsyncIterator[list[str]]:
    """Grows with each look for keys in the database."""
    with service.selects("client_keys") as seen:
        yield seen


async def test_four_hundred_wrong_keys_at_once(service: Service, looks: list[str]) -> None:
    answers = await asyncio.gather(*(with_key(service, f"fk_{number}") for number in range(400)))
    most = service.ctx.settings.balancer.bad_keys_max
    assert Counter(answer.status for answer in answers) == {401: most, 429: 400 - most}
    assert len(looks) <= most
    late = next(answer for answer in answers if answer.status == 429)
    problem = await late.json()
    assert (problem["code"], problem["actor"], problem["retryable"]) == ("too_many_tries", "site", True)
    assert int(late.headers["Retry-After"]) > 0
    # Another address has its own tries.
    assert (await with_key(service, "fk_x", "8.8.8.8")).status == 401


async def test_a_key_made_after_all_tries_are_spent_is_good_at_once(service: Service, looks: list[str]) -> None:
    for number in range(service.ctx.settings.balancer.bad_keys_max + 1):
        status = (await with_key(service, f"fk_{number}")).status
    assert status == 429
    fresh = await service.add_client("fresh", "read")
    wrong = [with_key(service, f"fk_{number}") for number in range(50)]
    answer, *others = await asyncio.gather(with_key(service, fresh), *wrong)
    assert answer.status == 200
    assert {other.status for other in others} == {429}
    assert (await with_key(service, service.keys["site"])).status == 200


@ONE_DATABASE
async def test_good_keys_are_asked_for_once_in_a_while(service: Service, looks: list[str]) -> None:
    await with_key(service, service.keys["site"])
    looks.clear()
    answers = await asyncio.gather(*(with_key(service, service.keys["site"]) for _ in range(50)))
    assert {answer.status for answer in answers} == {200}
    assert len(looks) <= 1  # the machine may have been slow


@ONE_DATABASE
async def test_right_keys_take_no_try(service: Service) -> None:
    for number in range(2 * service.ctx.settings.balancer.bad_keys_max):
        key = await service.add_client(f"client-{number}", "read")
        assert (await with_key(service, key)).status == 200
    assert (await with_key(service, "fk_wrong")).status == 401


@ONE_DATABASE
async def test_a_key_without_the_scope_takes_no_try(service: Service) -> None:
    await service.add_client("narrow")
    for _ in range(2 * service.ctx.settings.balancer.bad_keys_max):
        assert (await with_key(service, service.keys["narrow"])).status == 403
