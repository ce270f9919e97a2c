"""Every field of every request with values that break careless code: always a documented answer, never a 500."""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import quote

import pytest
from balancer_http.harness import OTHER_URL, PLAYER, TRADE_URL, Service
from narrowed import payload

from balancer.web import openapi
from balancer.web.routes import ROUTES
from shared.orders import SendOrder

NASTY: list[Any] = [
    None,
    True,
    -1,
    2**64,
    1.5,
    1e308,
    "",
    " ",
    "\0",
    "\n",
    "’; DROP TABLE trades; --",
    "٣" * 17,
    "9" * 17,
    "x" * 10_000,
    [],
    [[]],
    [None],
    ["1"] * 3000,
    {},
    {"asset_id": {}},
    OTHER_URL,
    TRADE_URL + "&partner=1",
]

BODIES: dict[str, dict[str, Any]] = {
    "/deposit": {
        "user_id": "player-1",
        "steam_id": PLAYER,
        "trade_url": TRADE_URL,
        "asset_ids": ["404"],
        "color": "red",
        "message": "hello",
    },
    "/withdraw": {
        "user_id": "player-1",
        "steam_id": PLAYER,
        "trade_url": TRADE_URL,
        "deposit_ids": ["dep_404"],
        "message": "hello",
    },
    "/trade": {"trade_ids": ["trd_404"], "offer_ids": ["404"]},
    "/inventory": {"steam_id": PLAYER, "trade_url": TRADE_URL},
    "/verify": {"token": "x" * 22, "steam_id": PLAYER},
    "/locks": {"ref": "bet_1", "user_id": "player-1", "deposit_ids": ["dep_404"], "unsettled": False, "note": "a round"},
    "/transfers": {
        "ref": "round_1",
        "locks": ["bet_404"],
        "moves": [{"deposit_id": "dep_404", "from": "player-1", "to": "player-2"}],
        "credits": [{"user_id": "player-404", "cents": 5, "kind": "rest"}],
        "release": "none",
    },
    "/credits": {
        "ref": "credit_1",
        "lines": [{"user_id": "player-404", "cents": 5, "kind": "referral"}],
        "not_below_cents": 0,
    },
    "/exchanges": {
        "ref": "exchange_1",
        "user_id": "player-404",
        "give": ["dep_404"],
        "take": {"deposit_ids": ["dep_405"]},
        "rest": "credit",
        "seen_cents": 5,
    },
}

DOCUMENT = openapi.build(ROUTES)


def documented(path: str, method: str) -> set[int]:
    return {int(status) for status in DOCUMENT["paths"][path][method]["responses"]} - {500}


@pytest.mark.parametrize("path", BODIES)
async def test_bodies(service: Service, path: str) -> None:
    before = await service.rows()
    seen = set()
    for name in BODIES[path]:
        for value in NASTY:
            response = await service.call("POST", f"{path}", {**BODIES[path], name: value})
            assert response.status in documented(path, "post"), (name, value, await response.text())
            seen.add(response.status)
    assert 400 in seen
    assert await service.rows() == before


GETS = [path for path, methods in DOCUMENT["paths"].items() if "get" in methods and not path.startswith(("/docs", "/verify"))]


@pytest.mark.parametrize("path", GETS)
async def test_addresses(service: Service, path: str) -> None:
    texts = [str(value) for value in NASTY if isinstance(value, str | int | float) and len(str(value)) < 5000]
    parameters = DOCUMENT["paths"][path]["get"].get("parameters", [])
    known = path.format(**{one["name"]: "trd_1" for one in parameters if one["in"] == "path"})
    addresses = [f"{known}?{one['name']}={quote(text)}" for one in parameters if one["in"] == "query" for text in texts]
    if known != path:
        named = [one["name"] for one in parameters if one["in"] == "path"]
        addresses += [path.format(**dict.fromkeys(named, quote(text, safe=""))) for text in texts if text]
    before = await service.rows()
    for address in [*addresses, known]:
        response = await service.call("GET", address)
        assert response.status in documented(path, "get"), (address, await response.text())
    assert await service.rows() == before


async def test_tokens_in_addresses(service: Service) -> None:
    for text in [value for value in NASTY if isinstance(value, str) and value and len(value) < 5000]:
        token = quote(text, safe="")
        page = await service.client.get(f"/verify/{token}")
        assert page.status == 200, text
        leaving = await service.client.get(f"/verify/{token}/sign-in", allow_redirects=False)
        assert leaving.status == 302, text
        assert leaving.headers["Location"].startswith("https://steamcommunity.com/openid/login?")


DISGUISES = ["\u202e", "\u2066", "\u200f", "\u061c", "\u200b", "\ufeff", "\u2028", "\u0085", "\u00ad"]


async def test_a_message_holds_nothing_that_disguises_the_link(service: Service) -> None:
    for path, mark in itertools.product(("/deposit", "/withdraw"), DISGUISES):
        response = await service.call("POST", path, {**BODIES[path], "message": f"welcome{mark} friend"})
        problem = await response.json()
        assert (response.status, [error["field"] for error in problem["errors"]]) == (400, ["body.message"]), mark


async def test_a_message_may_be_in_any_script(service: Service) -> None:
    said = "Привет, \u05e9\u05dc\u05d5\u05dd \U0001f469\u200d\U0001f680"
    trade = await service.deposit("1", message=said)
    [sent] = [order for order in service.bots.orders if order.trade_id == trade["trade_id"]]
    assert payload(sent, SendOrder).message.endswith(said)


@pytest.mark.parametrize("name", ["ref", "user_id"])
@pytest.mark.parametrize("path", ["/locks", "/exchanges", "/deposit"])
async def test_a_name_of_dots_alone_is_refused_as_no_address_can_name_it(service: Service, path: str, name: str) -> None:
    """A client makes a step up of ``/locks/..``: such a lock could not be released."""
    if name not in BODIES[path]:
        return
    for dots, refused in ((".", True), ("..", True), ("." * 64, True), ("..a", False), ("a.", False), ("a" * 129, True)):
        response = await service.call("POST", path, {**BODIES[path], name: dots})
        problem = await response.json()
        named = [error["field"] for error in problem.get("errors", ())]
        assert (f"body.{name}" in named) == refused, (dots, problem)
