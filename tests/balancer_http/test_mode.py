"""A balancer is live or tests: every answer and every event says so, and it takes keys of its own mode only."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from balancer_http.harness import ONE_DATABASE, Service
from balancer_http.receiver import RULES, Receiver
from balancer_http.test_keys import with_key
from balancer_http.test_stream import Listener

from balancer.web import clients, mode
from balancer.web.routes import ROUTES
from shared.settings import Settings

PROBLEM = "application/problem+json"
OPENAPI = "/openapi.json"  # its form is said by the specification of OpenAPI
EITHER = pytest.mark.parametrize("livemode", [True, False], ids=["live", "test"])
RANDOM = "aB3_-" * 8  # what follows the prefix of a key


@pytest.fixture
def livemode() -> bool:
    return False


@pytest.fixture
def settings(settings: Settings, livemode: bool) -> Settings:
    return settings.model_copy(
        update={
            "balancer": settings.balancer.model_copy(update={"livemode": livemode}),
            "listening": settings.listening.model_copy(update={"stream_life_s": 0.05}),
            "webhooks": settings.webhooks.model_copy(update=RULES),
        }
    )


def path_of(route: web.RouteDef) -> str:
    """An address of this route, of something that is not there."""
    for name in ("trade_id", "user_id", "deposit_id", "ref", "target_id", "color", "decision", "action", "token"):
        route = web.RouteDef(route.method, route.path.replace(f"{{{name}}}", "pause"), route.handler, {})
    return route.path.replace("{bot_id}", "1").replace("{file}", "docs.js")


@EITHER
@ONE_DATABASE
async def test_every_answer_says_it(service: Service, livemode: bool) -> None:
    """Of every call: with a key, without one, with an empty body and with no JSON; and of calls that there are not."""
    calls = [(route.method, path_of(route)) for route in ROUTES] + [
        ("GET", "/nowhere"),
        ("PATCH", "/bots"),
        ("GET", "/verify/a/b"),
    ]
    objects = 0
    for method, path in calls:
        for key, body in ((service.keys["site"], b"{}"), (service.keys["site"], b"nothing"), ("", b"")):
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Idempotency-Key": method + path}
            response = await service.client.request(method, path, data=body, headers=headers, allow_redirects=False)
            content = await response.read()
            assert response.headers[mode.HEADER] == ("true" if livemode else "false"), (method, path, response.status)
            if response.content_type in ("application/json", PROBLEM) and path != OPENAPI and method != "HEAD":
                assert json.loads(content)["livemode"] is livemode, (method, path, content)
                objects += 1
    assert objects > len(calls)
    document = await (await service.client.get(OPENAPI)).json()
    assert "livemode" not in document


@EITHER
@ONE_DATABASE
async def test_an_answer_to_what_is_no_http_says_it_too(service: Service, livemode: bool) -> None:
    reader, writer = await asyncio.open_connection(service.client.host, service.client.port)
    writer.write(b"GET / HTTP/9.9\r\n\r\n")
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"400"
    assert f"{mode.HEADER}: {'true' if livemode else 'false'}".encode() in head
    assert json.loads(body)["livemode"] is livemode


@ONE_DATABASE
async def test_a_repeated_request_says_it_as_the_first_did(service: Service) -> None:
    first, again = [await service.call("POST", "/deposit", service.deposit_body("1"), key="once") for _ in range(2)]
    assert (first.status, again.status) == (201, 201)
    one, other = await first.json(), await again.json()
    assert one["livemode"] is other["livemode"] is False
    assert [trade["trade_id"] for trade in one["trades"]] == [trade["trade_id"] for trade in other["trades"]]
    # It is the balancer's, and said once for a whole answer.
    assert "livemode" not in one["trades"][0]


@EITHER
@ONE_DATABASE
async def test_feed_stream_and_webhook_say_it_in_the_same_event(service: Service, livemode: bool) -> None:
    async with Receiver().open() as receiver:
        made = await service.call("POST", "/webhooks", {"url": receiver.url, "kinds": ["trade_created"]})
        receiver.secret = (await made.json())["secret"]
        await service.deposit("1")
        await receiver.until(1)
    page = await (await service.call("GET", "/events?kind=trade_created")).json()
    response = await service.call("GET", "/events/stream?kind=trade_created")
    streamed = await Listener(response).event()
    assert streamed is not None and streamed["livemode"] is livemode
    assert page["events"] == [streamed] == receiver.taken


async def known(service: Service, name: str, key: str) -> None:
    """A client with this key is in the database."""
    key_hash, now = service.ctx.master.api_key_hash(key), service.ctx.clock.now()
    await service.ctx.db.run(lambda connection: clients.create(connection, name, ["read"], key_hash, now=now))


async def problem_of(answer: ClientResponse) -> tuple[int, Any]:
    return answer.status, await answer.json()


@EITHER
@ONE_DATABASE
async def test_a_key_of_the_other_mode_is_refused_and_says_what_to_do(service: Service, livemode: bool) -> None:
    """However often: it is a mistake and no guess. Also one that this database knows."""
    wrong = clients.new_key(not livemode)
    await known(service, "moved", wrong)
    for _ in range(2 * service.ctx.settings.balancer.bad_keys_max):
        status, problem = await problem_of(await with_key(service, wrong))
        assert (status, problem["code"], problem["actor"], problem["retryable"]) == (401, "wrong_mode", "site", False)
        assert wrong not in json.dumps(problem)
    wanted, given = ("fk_live_…", "test key") if livemode else ("fk_test_…", "live key")
    assert f"Use a {wanted[3:7]} key ({wanted}) here" in problem["detail"] and given in problem["detail"]
    assert (await with_key(service, service.keys["site"])).status == 200


@EITHER
@ONE_DATABASE
async def test_keys_of_before_are_live(service: Service, livemode: bool) -> None:
    """Even one whose random characters begin with ``test_``."""
    for number, old in enumerate((f"fk_{RANDOM}", f"fk_test_{RANDOM[5:]}")):
        await known(service, f"old-{number}", old)
        status, answer = await problem_of(await with_key(service, old))
        assert (status, answer.get("code")) == ((200, None) if livemode else (401, "wrong_mode"))


@EITHER
@ONE_DATABASE
async def test_what_is_no_key_of_ours_is_a_wrong_key(service: Service, livemode: bool) -> None:
    for odd in (f"fk_test_{RANDOM}x", f"fk_live_{RANDOM[1:]}!", "fk_test_", "fk_live_", "fk_prod_" + RANDOM[:36]):
        status, problem = await problem_of(await with_key(service, odd))
        assert (status, problem["code"]) == (401, "bad_key"), odd


@EITHER
def test_a_new_key_says_its_mode(livemode: bool) -> None:
    key = clients.new_key(livemode)
    assert key.startswith("fk_live_" if livemode else "fk_test_") and len(key) == 48
    assert len({clients.new_key(livemode) for _ in range(100)}) == 100
