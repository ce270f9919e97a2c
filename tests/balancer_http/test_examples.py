"""What the document and the pages offer to send is taken; what is refused is refused in sentences for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, get_args
from urllib.parse import quote, urlencode

import pytest
from aiohttp import web
from balancer_http import story
from balancer_http.harness import ONE_DATABASE, TRADE_URL, Service, held
from pydantic import BaseModel
from pydantic_core.core_schema import ErrorType

from balancer.web import api, openapi, sentences
from balancer.web.routes import ROUTES
from scripts import http_examples

DOCUMENT = openapi.build(ROUTES)
OPERATIONS = {f"{method} {path}": about for path, methods in DOCUMENT["paths"].items() for method, about in methods.items()}
POSTS = [name for name, about in OPERATIONS.items() if "requestBody" in about]
# Without the address that Steam sends a browser back to, and the one that does not end.
GETS = [name for name in OPERATIONS if name.startswith("get ") and name not in ("get /verify/signed-in", "get /events/stream")]
# What stands between marks is held whole (`test_story.py`).
HTTP_API = http_examples.MARKED.sub("", http_examples.GUIDE.read_text(encoding="utf-8"))


def example_address(name: str) -> str:
    """The operation's address with the examples of its parameters, as the page at `/docs` offers it."""
    path, query = name.partition(" ")[2], []
    for parameter in OPERATIONS[name]["parameters"]:
        value = parameter.get("example")
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(str(value), safe=""))
        elif parameter["in"] == "query" and value is not None:
            query.append((parameter["name"], value))
    return f"{path}?{urlencode(query, doseq=True)}"


def example_key(name: str) -> str | None:
    """The Idempotency-Key that the page offers, if the call takes one."""
    found = [str(row["example"]) for row in OPERATIONS[name]["parameters"] if row["name"] == api.KEY_HEADER]
    return found[0] if found else None


@ONE_DATABASE
@pytest.mark.parametrize("name", POSTS)
async def test_each_example_body_is_taken(service: Service, name: str) -> None:
    body = OPERATIONS[name]["requestBody"]["content"]["application/json"]["example"]
    service.bots.inventories[story.PLAYER] = [held(int(asset_id)) for asset_id in story.ITEMS]
    answer = await service.call(name.partition(" ")[0].upper(), example_address(name), body, key=example_key(name))
    # What it names need not exist; but nothing in it is of a wrong form.
    assert answer.status < 400 or answer.status in (404, 409), await answer.text()
    if name == "post /deposit":
        assert answer.status == 201


@ONE_DATABASE
async def test_each_example_address_is_taken(service: Service) -> None:
    for name in GETS:
        answer = await service.call("GET", example_address(name))
        assert answer.status < 400 or answer.status == 404, (name, await answer.text())


def bodies_of_the_page() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every POST with a body in docs/http-api.md, in a line or below its line."""
    for found in re.finditer(r"POST (/[\w/{}]+)[^\n`]*?(?:\n[^\n`]*){0,3}?(\{\"[^`]*?\})(?=`|\n)", HTTP_API):
        if not found[1].startswith("/sandbox/"):  # that is no call of the balancer's
            yield found[1], json.loads(re.sub(r"\s+", " ", found[2]).replace("…", "x"))


@pytest.mark.parametrize(("path", "body"), [pytest.param(*each, id=each[0]) for each in bodies_of_the_page()])
def test_the_page_shows_bodies_that_are_taken(path: str, body: dict[str, Any]) -> None:
    [route] = [route for route in ROUTES if route.method == "POST" and same_place(route, path)]
    found = api.operation_of(route.handler)
    assert found is not None
    found.models["body"].model_validate_json(json.dumps(body))


def same_place(route: web.RouteDef, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path), path) is not None


def test_the_page_has_such_bodies() -> None:
    assert {"/audit", "/switches"} <= {path for path, _ in bodies_of_the_page()}


# --- refusals as sentences ---------------------------------------------------------------------------------------


def reads_well(message: str) -> bool:
    """A sentence that a person understands: no pattern, no type of Python, no word of pydantic's."""
    jargon = re.compile(
        r"[\^\\]|\[\w-\w|\{\d|\$$|\bpattern\b|\bInput should\b|\binstance\b|\bdict(ionary)?\b|\bPydantic\b|\bstr\b|\bint\b"
    )
    return bool(re.match(r"[A-Z].*[.?]$", message)) and not jargon.search(message)


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_every_kind_of_error_is_a_sentence(kind: str) -> None:
    for context in (
        {},
        {"pattern": "^[a-z]$", "error": "no such thing", "expected": "'a' or 'b'", "min_length": 1, "max_length": 2},
    ):
        assert reads_well(sentences.of(kind, context, "limt", ["limit"]))


def test_a_mistyped_name_is_told_the_nearest() -> None:
    assert (
        sentences.of("extra_forbidden", {}, "limt", ["limit", "after"])
        == "There is no such field; leave it out. Did you mean limit?"
    )


WRONG: list[Any] = [None, True, 0, -1, 1.5, 2**70, "", " ", "x y", "\x1b", "\u202e", "x" * 3000, [], ["!"], [[]], {}, {"a": 1}]


def models() -> list[Any]:
    found = {}
    for route in ROUTES:
        operation = api.operation_of(route.handler)
        for where, model in (operation.models if operation else {}).items():
            found[f"{model.__name__}"] = pytest.param(model, where, id=f"{where} {model.__name__}")
    return list(found.values())


@pytest.mark.parametrize(("model", "where"), models())
def test_every_refusal_of_every_field_is_a_sentence(model: type[BaseModel], where: str) -> None:
    seen = set()
    for name in [*model.model_fields, "surplus"]:
        for value in WRONG:
            for wrong in ({name: value}, {}):
                text = json.dumps(wrong)
                try:
                    model.model_validate_json(text) if where == "body" else model.model_validate(wrong)
                except ValueError as error:
                    refused = api._invalid(error, where, model)  # type: ignore[arg-type]
                    seen |= {entry["message"] for entry in refused.data["errors"]}  # type: ignore[attr-defined]
    assert seen
    assert [message for message in seen if not reads_well(message)] == []
    assert sentences.OTHERWISE not in seen, "give this shape or kind a sentence of its own"


BEYOND_THE_MODELS: list[tuple[dict[str, Any], str]] = [
    ({"steam_id": "1"}, "body.steam_id"),
    ({"steam_id": "00000000000000000"}, "body.steam_id"),
    ({"trade_url": "https://example.org/"}, "body.trade_url"),
    ({"trade_url": TRADE_URL.replace("AbCd_123", "x")}, "body.trade_url"),
    ({"trade_url": TRADE_URL + "&more=1"}, "body.trade_url"),
    ({"asset_ids": ["1", "1"]}, "body.asset_ids[1]"),
    ({"asset_ids": [str(number) for number in range(1, 22)]}, "body.asset_ids"),
    ({"colour": "red"}, "body.colour"),
    ({"color": "Red"}, "body.color"),
    ({"message": "a\u3164b"}, "body.message"),
]


@ONE_DATABASE
async def test_refusals_beyond_the_models_are_sentences_too(service: Service) -> None:
    for body, field in BEYOND_THE_MODELS:
        answer = await service.call("POST", "/deposit", service.deposit_body("1") | body)
        problem = await answer.json()
        assert answer.status == 400, body
        assert [error["field"] for error in problem["errors"]] == [field], body
        assert all(reads_well(error["message"]) for error in problem["errors"]), problem["errors"]


JUNK_QUERIES = [
    "/trade?after=junk",
    "/trade?after=trd_1",
    "/trade?after=dep_06bq4e0w9k2n8d3v7h1r",
    "/trade?after=",
    "/deposits?after=junk",
    "/deposits?after=trd_06bq4e0w9k2n8d3v7h1r",
    "/deposits?after=0",
    "/events?after=junk",
    "/events?limit=501",
    "/trade?offer_id=junk",
    "/trade?trade_id=",
    "/deposits?status=lost",
    "/deposits?user_id=a%20b",
    "/bots?color=red",
]


@ONE_DATABASE
async def test_no_query_parameter_is_taken_silently(service: Service) -> None:
    for address in JUNK_QUERIES:
        answer = await service.call("GET", address)
        problem = await answer.json()
        assert (answer.status, problem["code"]) == (400, "invalid_request"), address
        assert all(reads_well(error["message"]) for error in problem["errors"]), problem["errors"]
