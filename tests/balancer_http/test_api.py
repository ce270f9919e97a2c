"""What every call has in common: keys, forms, sizes, shapes."""

from __future__ import annotations

import io
import json

import pytest
from balancer_http.harness import PLAYER, TRADE_URL, Service

from balancer.journal import events
from balancer.journal.by import By
from balancer.web import api, auth, clients, openapi
from balancer.web.routes import ROUTES

SCOPED = [
    (route.method, route.path, found.scope)
    for route in ROUTES
    if (found := api.operation_of(route.handler)) is not None and found.scope
]

SCOPES = {"trade", "read", "operate", "play"}


def path_of(pattern: str) -> str:
    names = {
        "trade_id": "trd_1",
        "deposit_id": "dep_1",
        "user_id": "u",
        "color": "red",
        "bot_id": "1",
        "ref": "r",
        "target_id": "whk_1",
    }
    return pattern.format(action="pause", token="t", file="f", decision="approve", **names)


async def test_every_call_wants_a_key_with_its_scope(service: Service) -> None:
    for scope in SCOPES:
        await service.add_client(f"not {scope}", *(SCOPES - {scope}))
    for method, pattern, scope in SCOPED:
        path = path_of(pattern)
        without = await service.call(method, path, client="")
        assert (without.status, (await without.json())["code"]) == (401, "bad_key"), (method, path)
        narrow = await service.call(method, path, client=f"not {scope}")
        problem = await narrow.json()
        assert (narrow.status, problem["code"], problem["scope"]) == (403, "scope_missing", scope), (method, path)


async def test_what_is_not_a_key(service: Service) -> None:
    for header in ("", "Bearer", "Bearer ", "Basic abc", "Bearer fk_wrong", "Bearer " + "x" * 5000):
        response = await service.client.get("/bots", headers={"Authorization": header} if header else {})
        problem = await response.json()
        assert (response.status, problem["code"]) == (401, "bad_key"), header
        assert "wrong" not in json.dumps(problem)


async def test_a_revoked_key_ends_within_seconds(service: Service) -> None:
    await service.add_client("gone", "read")
    assert (await service.call("GET", "/bots", client="gone")).status == 200
    now = service.ctx.clock.now()
    await service.ctx.db.run(lambda connection: clients.revoke(connection, "gone", now=now))
    assert (await service.call("GET", "/bots", client="gone")).status == 200
    service.part(auth.KEYS).believed_s = 0.0
    assert (await service.call("GET", "/bots", client="gone")).status == 401


async def test_an_idempotency_key_is_needed_to_move_something(service: Service) -> None:
    before = await service.rows()
    for path, body in (
        ("/deposit", service.deposit_body("1")),
        ("/withdraw", {"user_id": "u", "steam_id": PLAYER, "trade_url": TRADE_URL, "deposit_ids": ["dep_1"]}),
    ):
        response = await service.call("POST", path, body, key=None)
        assert (response.status, (await response.json())["code"]) == (400, "idempotency_key_missing")
        long = await service.call("POST", path, body, key="k" * 129)
        assert (long.status, (await long.json())["code"]) == (400, "invalid_request")
    assert await service.rows() == before


BODIES: dict[str, tuple[bytes, str, int, str]] = {
    "not JSON": (b"{", "application/json", 400, "invalid_request"),
    "not UTF-8": (b'{"user_id":"\xff"}', "application/json", 400, "invalid_request"),
    "a list": (b"[]", "application/json", 400, "invalid_request"),
    "nothing": (b"", "application/json", 400, "invalid_request"),
    "very deep": (b"[" * 5000, "application/json", 400, "invalid_request"),
    "half a surrogate": (b'{"user_id":"\\ud800"}', "application/json", 400, "invalid_request"),
    "a form": (b"user_id=1", "application/x-www-form-urlencoded", 415, "json_only"),
    "text": (b"{}", "text/plain", 415, "json_only"),
    "too large": (b" " * 1_100_000, "application/json", 413, "body_too_large"),
}


async def test_bodies_that_are_none(service: Service) -> None:
    for name, (data, content_type, status, code) in BODIES.items():
        headers = {"Content-Type": content_type}
        response = await service.call("POST", "/deposit", headers=headers, data=io.BytesIO(data))
        problem = await response.json()
        assert (response.status, problem["code"]) == (status, code), name
        assert response.headers["Content-Type"] == "application/problem+json"


GETS = [path_of(route.path) for route in ROUTES if route.method == "GET" and not route.path.startswith(("/docs", "/verify"))]
# … and without the one that needs a query.
JSON_GETS = [path for path in GETS if path not in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/credits")]


async def test_unknown_query_names_are_refused(service: Service) -> None:
    for path in JSON_GETS:
        response = await service.call("GET", f"{path}?limt=5")
        problem = await response.json()
        assert (response.status, problem["code"]) == (400, "invalid_request"), path
        assert problem["errors"][0]["field"] == "query.limt"


async def test_unknown_query_names_are_refused_for_posts_too(service: Service) -> None:
    before = await service.rows()
    response = await service.call("POST", "/deposit?wat=5", service.deposit_body("1"))
    assert (response.status, (await response.json())["errors"][0]["field"]) == (400, "query.wat")
    assert await service.rows() == before


BAD_VALUES = [
    ("/trade?limit=0", "query.limit"),
    ("/trade?limit=201", "query.limit"),
    ("/trade?limit=1_0", "query.limit"),
    ("/trade?limit=5&limit=6", "query.limit"),
    ("/trade?status=lost", "query.status"),
    ("/trade?offer_id=abc", "query.offer_id[0]"),
    ("/trade?trade_id=trd_1&user_id=u", "query.trade_id"),
    ("/trade/%00", "path.trade_id"),
    ("/deposits?user_id=", "query.user_id"),
    ("/events?after=-1", "query.after"),
    ("/events?wait=26", "query.wait"),
    ("/events?wait=nan", "query.wait"),
    ("/events?wait=1e1", "query.wait"),
]


async def test_bad_values_in_addresses(service: Service) -> None:
    for path, field in BAD_VALUES:
        response = await service.call("GET", path)
        problem = await response.json()
        assert (response.status, problem["code"]) == (400, "invalid_request"), problem
        assert field in [error["field"] for error in problem["errors"]], path


async def test_aiohttps_own_refusals_have_the_same_shape(service: Service) -> None:
    lost = await service.client.get("/nowhere")
    assert (lost.status, (await lost.json())["code"]) == (404, "not_found")
    wrong = await service.client.delete("/deposit")
    assert (wrong.status, (await wrong.json())["code"]) == (405, "method_not_allowed")
    assert wrong.headers["Allow"] == "POST"
    assert wrong.headers["Content-Type"] == lost.headers["Content-Type"] == "application/problem+json"


async def test_an_unexpected_error_shows_nothing_of_the_inside(service: Service) -> None:
    row = events.row("paused", {}, By("test", service.ctx.clock.now()))
    await service.ctx.db.run(events.append, {**row, "data": "secret of the inside"})  # no JSON: nobody expects that
    response = await service.call("GET", "/events?limit=500")
    text = await response.text()
    assert response.status == 500
    assert json.loads(text)["code"] == "internal"
    assert "secret" not in text and "JSON" not in text


@pytest.mark.both_databases
async def test_gets_change_nothing(service: Service) -> None:
    trade = await service.deposit("1")
    before = await service.rows()
    for route in ROUTES:
        if route.method == "GET":
            path = route.path.format(trade_id=trade["trade_id"], token=trade["token"], file="docs.js", ref="r", target_id="w")
            response = await service.call("GET", path)
            unknown = any(name in route.path for name in ("{ref}", "{target_id}"))
            assert response.status in (200, 302, 400, 403) or (response.status, unknown) == (404, True), path
    assert await service.rows() == before


async def test_answers_with_tokens_are_kept_by_nobody(service: Service) -> None:
    trade = await service.deposit("1")
    for path in (f"/trade/{trade['trade_id']}", "/trade", "/bots"):
        assert (await service.call("GET", path)).headers["Cache-Control"] == "no-store"


async def test_openapi_is_valid_and_names_every_route(service: Service) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    response = await service.client.get("/openapi.json")
    document = await response.json()
    OpenAPIV31SpecValidator(document).validate()
    for route in ROUTES:
        operation = document["paths"][openapi._path(route.path)][route.method.lower()]
        assert operation["summary"]
        assert "ge" not in json.dumps(operation["parameters"]).replace('"', "").split()


async def test_openapi_tells_what_may_go_wrong() -> None:
    document = openapi.build(ROUTES)
    deposit = document["paths"]["/deposit"]["post"]
    assert {"201", "202", "400", "401", "403", "409", "413", "415", "422", "500", "503"} <= set(deposit["responses"])
    assert "item_not_accepted" in deposit["responses"]["422"]["description"]
    assert deposit["security"] == [{"key": []}]
    assert next(one for one in deposit["parameters"] if one["in"] == "header")["name"] == "Idempotency-Key"
    names = [document["paths"][path][method]["operationId"] for path in document["paths"] for method in document["paths"][path]]
    assert len(names) == len(set(names))


async def test_the_page_to_try_it_comes_from_here_alone(service: Service) -> None:
    page = await service.client.get("/docs")
    assert page.status == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "http" not in (await page.text()).replace("http-equiv", "")
    for name in ("docs.js", "swagger-ui.css", "swagger-ui-bundle.js"):
        assert (await service.client.get(f"/docs/{name}")).status == 200
    assert (await service.client.get("/docs/..%2fapi.py")).status == 404
    assert (await service.client.get("/docs/VERSION.txt")).status == 404
