"""The examples of the API are what a balancer takes and answers now. `python -m scripts.http_examples` records them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from balancer_http import recording, story
from balancer_http.harness import ONE_DATABASE, Service
from balancer_http.recording import Recorder
from balancer_http.test_sign_in import Provider, provider  # noqa: F401 - a fixture

from balancer.web import examples, openapi
from balancer.web.routes import ROUTES
from sandbox.settings import SandboxSettings
from sandbox.world import fixed_players
from sandbox.world.state import World
from scripts import http_examples
from scripts.lab.stack import Wish
from shared.settings import Settings

SITE = "https://mysite.example"
STEAM = "https://steamcommunity.com/openid/login"
DOCUMENT = openapi.build(ROUTES)
OPERATIONS = {about["operationId"]: about for methods in DOCUMENT["paths"].values() for about in methods.values()}
AGAIN = f"run `{http_examples.COMMAND}`"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The story goes on faster than an inventory is read again."""
    Path(settings.balancer.prices_file).write_text(json.dumps(story.PRICES), encoding="utf-8")
    balancer = settings.balancer.model_copy(update={"site_url": SITE})
    trades = settings.trades.model_copy(update={"inventory_cache_s": 0.0, "hold_cache_s": 0.0})
    return settings.model_copy(update={"balancer": balancer, "trades": trades})


@pytest.fixture
def bot_names() -> tuple[str, ...]:
    return (story.BOT,)


@pytest.fixture
async def recorder(service: Service, provider: Provider) -> Recorder:  # noqa: F811 - the fixture
    await service.add_client("mysite", "trade", "read", "play")
    await service.add_client("office", "operate", "read", "play")
    service.bots.inventories.clear()
    made = Recorder(service)
    made.made_up.said[provider.endpoint] = STEAM
    openid = service.ctx.settings.openid.model_copy(update={"endpoint": provider.endpoint})
    service.ctx.settings = service.ctx.settings.model_copy(update={"openid": openid})
    return made


async def take(_request: web.Request) -> web.Response:
    return web.Response()


@ONE_DATABASE
async def test_the_examples_are_what_is_sent_and_answered(recorder: Recorder) -> None:
    app = web.Application()
    app.router.add_post("/fleet-events", take)
    async with TestServer(app) as server:
        hook = str(server.make_url("/fleet-events"))
        recorder.made_up.said[hook] = f"{SITE}/fleet-events"
        await story.play(recorder, hook)
    if path := os.environ.get(http_examples.RECORD):
        Path(path).write_text(examples.dumps(recorder.written), encoding="utf-8")
        return
    for now, then in zip(recorder.written, examples.recorded(), strict=True):
        assert timeless(now) == timeless(then), AGAIN


def test_the_players_of_the_story_are_those_of_every_sandbox() -> None:
    """So what `/docs` offers to be sent works in a fleet of `fleet up`."""
    wish = Wish(directory=Path())
    world = World(SandboxSettings(bots=tuple(wish.bot_names()), players=wish.players, seed=wish.seed), now=0.0)
    fixed_players.add(world, now=0.0)
    there = {str(item.asset_id): item.kind.market_hash_name for item in world.items if item.owner == int(story.PLAYER)}
    wanted = {asset_id: item.market_hash_name for asset_id, item in story.ITEMS.items()}
    assert wanted and wanted.items() <= there.items()
    urls = {str(row["steam_id"]): row["trade_url"] for row in fixed_players.shown(world)}
    assert (urls[story.PLAYER], urls[story.OTHER]) == (story.TRADE_URL, story.OTHER_URL)


def timeless(value: Any) -> Any:
    """The value without its times, which a slow machine moves; that there is one stays."""
    if isinstance(value, dict):
        return {key: timeless(one) for key, one in value.items()}
    if isinstance(value, list):
        return [timeless(one) for one in value]
    if isinstance(value, int) and not isinstance(value, bool) and value in recording.UNIX:
        return "a unix time"
    return re.sub(r"\b1[67]\d{8}\b", "a unix time", recording.TIME.sub("a time", value)) if isinstance(value, str) else value


def test_every_call_has_an_example() -> None:
    assert sorted({each["operation"] for each in examples.recorded()}) == sorted(OPERATIONS), AGAIN


@pytest.mark.parametrize("number", range(len(examples.recorded())))
def test_each_answer_is_as_the_document_says(number: int) -> None:
    each = examples.recorded()[number]
    about = OPERATIONS[each["operation"]]["responses"][str(each["answer"]["status"])]
    body = each["answer"].get("body")
    if body is None or isinstance(body, str):
        return
    [content] = about["content"].values()
    schema = content["schema"] | {"components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(body)
    assert content["example"] is not None


def test_the_pages_show_them() -> None:
    assert http_examples.PAGE.read_text(encoding="utf-8") == http_examples.page(), AGAIN
    guide = http_examples.GUIDE.read_text(encoding="utf-8")
    assert guide == http_examples.filled(guide), AGAIN


def test_no_secret_of_the_recording_machine_is_in_them() -> None:
    text = examples.FILE.read_text(encoding="utf-8")
    assert not re.search(r"127\.0\.0\.1|localhost|/tmp|fk_(live|test)_", text)
