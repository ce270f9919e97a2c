"""A price list that is held back is told in the feed, and taken when an operator has accepted it, by every balancer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from balancer_http.harness import GOOD, ONE_DATABASE, PRICES, READY_S, Service
from balancer_http.test_commands import fleet

from balancer.items import price_lists
from balancer.items.price_file import PriceFile
from shared.settings import Settings

pytestmark = ONE_DATABASE

WILD = {**dict.fromkeys(PRICES, 1), "Knife": 5}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"balancer": settings.balancer.model_copy(update={"prices_check_s": 0.05})})


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(READY_S):
        while not what():
            await asyncio.sleep(0.02)


async def events(service: Service, kind: str) -> list[dict[str, Any]]:
    rows = (await (await service.call("GET", "/events?limit=500")).json())["events"]
    return [row for row in rows if row["kind"] == kind]


async def test_a_list_that_is_held_back_is_an_alarm_and_is_taken_when_an_operator_accepts_it(
    service: Service, settings: Settings, tmp_path: Path
) -> None:
    prices, path = service.ctx.prices, settings.balancer.prices_file
    assert prices.file is not None
    file = prices.file
    config = tmp_path / "fleet.toml"
    config.write_text(
        f'[redis]\nurl = "{settings.redis.url}"\n[database]\nurl = "{settings.database.url}"\n'
        f'[balancer]\nmaster_key_file = "{settings.balancer.master_key_file}"\nprices_file = "{path}"\n'
    )
    path.write_text(json.dumps({"status": 503}))
    await until(lambda: file.held is not None)
    async with asyncio.timeout(READY_S):
        while not (found := await events(service, "alarm")):
            await asyncio.sleep(0.02)
    [alarm] = found
    assert alarm["data"]["alarm"] == "prices"
    assert "lost" in alarm["data"]["reason"] and "fleet prices accept" in alarm["data"]["action"]
    assert prices.value(GOOD) == PRICES[GOOD]
    assert not (await (await service.client.get("/readyz")).json())["checks"]["prices"]["ok"]

    path.write_text(json.dumps(WILD | {f"new {number}": 1 for number in range(9)}))
    path.write_text(json.dumps({"Knife": 5}))
    assert file.held is not None
    held = file.held.digest
    await until(lambda: file.held is not None and file.held.digest != held)
    told = await asyncio.to_thread(fleet, config, "prices", "status", "--json")
    assert told.exit_code == 1, told.output
    shown = json.loads(told.stdout)
    [source] = shown["sources"]
    digest = source["held"]["digest"]
    assert (source["source"], source["usable"], source["names"]) == ("file", False, 1)
    assert digest in [row["digest"] for row in shown["file_lists"]]
    accept = ("prices", "accept", "file", "--reason", "a new season")
    for wrong in (("prices", "accept", "nothing", "--reason", "x"), (*accept, "--digest", "00"), accept[:3]):
        assert (await asyncio.to_thread(fleet, config, *wrong)).exit_code != 0

    # Another balancer that starts now has nothing to compare with, and does not take it either.
    other = PriceFile(path, settings.prices)
    assert not other.check_now(await service.ctx.db.read(price_lists.known, price_lists.FILE))
    assert other.value("Knife") is None

    taken = await asyncio.to_thread(fleet, config, *accept, "--digest", digest[:12])
    assert taken.exit_code == 0, taken.output
    await until(lambda: prices.value("Knife") == 5)
    assert prices.value(GOOD) is None
    assert prices.standing(service.ctx.clock.now())["ok"]
    assert other.check_now(await service.ctx.db.read(price_lists.known, price_lists.FILE))
    [event] = await events(service, "prices_accepted")
    assert event["data"]["digest"] == digest and event["data"]["reason"] == "a new season" and event["who"].startswith("cli:")
    assert (await asyncio.to_thread(fleet, config, "prices", "status")).exit_code == 0
    assert (await asyncio.to_thread(fleet, config, *accept, "--digest", digest)).exit_code == 1
