"""The operators' page in a real browser: a fleet of thirty bots in every state, on a desk and a phone, in light and dark.

What is served is held in test_ops.py; these take half a minute each. `scripts/shots-ops` takes pictures with the second one.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import axe
import pytest
import redis.asyncio
from balancer_http.harness import ONE_DATABASE, Service
from balancer_http.ops_lab import Desk, desk, with_operators
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import Connection, insert, select, update

from balancer.db import tables
from balancer.journal import alarms, events
from balancer.journal.by import By
from shared.domain.ids import BotName

pytestmark = pytest.mark.e2e

WIDE, PHONE = (1280, 900), (390, 844)
PATIENCE_MS = 120_000
PLACES = (
    "",
    "/alarms",
    "/approvals",
    "/trades?status=all",
    "/doubts",
    "/audit",
    "/locks",
    "/webhooks",
    "/webhooks/whk_1",
    "/prices",
    "/switches",
)
GROUPS = 3
SINCE_MS = 1_790_000_000_000


@pytest.fixture
def bot_names() -> tuple[str, ...]:
    return tuple(f"red-{number}" for number in range(1, 10 * GROUPS + 1))


def _restricted(reason: str) -> dict[str, Any]:
    return {"state": "restricted", "reason": reason, "restrictions": [{"reason": reason, "since_ms": SINCE_MS}]}


# What some of the thirty say of themselves; the others are well.
TOLD: dict[str, dict[str, Any]] = {
    "red-4": _restricted("bot_banned"),
    "red-13": _restricted("bot_locked"),
    "red-17": {"state": "unhealthy", "reason": "wrong_password", "action": "put the right password into the vault"},
    "red-21": {"items": 900},
    "red-22": {"items": 871},
}
FILLED = {f"red-{number}": (number * 137) % 760 for number in range(1, 31)}


async def crowded(service: Service) -> dict[str, str]:
    """Thirty bots in every state, trades under way, alarms, an audit's differences, a lock, a webhook; ids by what they are."""
    ctx, now = service.ctx, service.ctx.clock.now()
    service.bots.told = {name: {"items": items, "latency_ms": 84.0, "orders_done": items * 3} for name, items in FILLED.items()}
    for name, told in TOLD.items():
        service.bots.told[name] |= told
    trades = [(await service.deposit(str(number)))["trade_id"] for number in (1, 2, 3)]
    await service.ctx.db.run(_paint, now, trades)
    async with redis.asyncio.Redis.from_url(service.bots.url) as client:
        await service.bots.beat(client)
    await ctx.fleet.refresh()
    return {"doubt": trades[1], "story": trades[0]}


def _paint(connection: Connection, now: Any, trades: list[str]) -> None:
    """What took days in a real fleet."""
    ago = {name: now - timedelta(seconds=seconds) for name, seconds in (("minutes", 420), ("hours", 9000), ("days", 300_000))}
    for number, (name, items) in enumerate(FILLED.items()):
        bot = BotName.parse(name)
        mine = (tables.bots.c.color == bot.color, tables.bots.c.bot_id == bot.bot_id)
        values: dict[str, Any] = {"slots_held": items, "open_offers": number % 9}
        values |= {"red-8": {"mode": "paused"}, "red-9": {"mode": "draining"}, "red-26": {"frozen_by": "audit"}}.get(name, {})
        values |= {"open_offers": 25} if name == "red-11" else {}
        connection.execute(update(tables.bots).where(*mine).values(values))
    this = tables.trades.c.trade_id
    connection.execute(
        update(tables.trades).where(this == trades[1]).values(status="in_doubt", find_tries=9, touched=ago["hours"])
    )
    waits = {
        "status": "queued",
        "direction": "withdraw",
        "waits_for": "approval",
        "offer_id": None,
        "created_at": ago["minutes"],
    }
    connection.execute(update(tables.trades).where(this == trades[2]).values(waits))
    row = connection.execute(select(tables.trades).where(this == trades[1])).one()
    told = {"from": "sending", "to": "in_doubt", "attempt": 1, "reason": "timeout"}
    rows = [events.row_of("answer_lost", row, told, By(row.color + "-1", ago["hours"]))]
    rows += [events.row_of("find_inconclusive", row, {"reason": "items_elsewhere"}, By("red-1", ago["minutes"]))]
    rows += [events.row("bot_mode", {"from": "active", "to": "paused"}, By("ops:ann", ago["minutes"]), None, None, "red-8")]
    events.append(connection, *rows)
    alarms.of_trade(connection, alarms.DOUBT, row, {"searches": 9}, By("sweep", ago["minutes"]))
    alarms.of_prices(connection, "it has lost 900 of 1000 names", ago["hours"])
    said = {
        "alarm": alarms.RESTRICTED,
        "reason": "bot_banned",
        "forbids": ["take", "give"],
        "action": "Steam has banned this account from trading: ask Steam's support",
    }
    events.append(connection, events.row("alarm", said, By("red-4", ago["hours"]), None, None, "red-4"))
    deposit_id = connection.scalar(select(tables.trade_items.c.deposit_id).where(tables.trade_items.c.trade_id == trades[0]))
    frozen = {"status": "active", "frozen_by": "missing", "touched": ago["hours"]}
    connection.execute(update(tables.deposits).where(tables.deposits.c.deposit_id == deposit_id).values(frozen))
    connection.execute(update(tables.trades).where(this == trades[0]).values(status="accepted"))
    hook = {
        "target_id": "whk_1",
        "url": "https://mysite.example/hooks",
        "secret_sealed": "x",
        "created_by": "cli:root",
        "created_at": ago["days"],
    }
    connection.execute(
        insert(tables.webhook_targets).values(hook | {"spread_to": 9, "disabled_at": ago["hours"], "disabled_why": "gave_up"})
    )
    sent = [
        {"target_id": "whk_1", "number": n, "lane": "", "next_at": now, "tries": 3, "status": 500, "tried_at": ago["hours"]}
        for n in (1, 2, 3)
    ]
    connection.execute(insert(tables.webhook_deliveries), sent)


@pytest.mark.long
@ONE_DATABASE
async def test_the_page_goes_on_by_itself_and_keeps_what_is_chosen(service: Service, chromium: str) -> None:
    """With scripts; and without them the same is done by the same forms."""
    with_operators(service)
    await crowded(service)
    base, loop = _base(service), asyncio.get_running_loop()
    pia, ann = await desk(service, "approve"), await desk(service, "act")

    def pause(name: str) -> None:
        done = asyncio.run_coroutine_threadsafe(ann.do("pause-bots", bot=name), loop)
        assert done.result(PATIENCE_MS / 1000).status == 303

    assert await asyncio.to_thread(_used, chromium, pia, base, pause) == []
    assert {bot.bot: bot.mode.value for bot in service.ctx.fleet.bots() if bot.bot in ("red-1", "red-2", "red-3")} == {
        "red-1": "paused",
        "red-2": "paused",
        "red-3": "draining",
    }


def _used(chromium: str, who: Desk, base: str, pause: Callable[[str], None]) -> list[str]:
    found: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = _page(browser, who, base, found)
        page.goto(f"{base}/ops")
        for size in (PHONE, WIDE):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), size
        page.get_by_label("Choose red-1", exact=True).check()
        expect(page.locator("[data-chosen]")).to_have_text("1 chosen")
        pause("red-2")
        expect(page.locator(".tile.paused", has_text="red-2")).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_label("Choose red-1", exact=True)).to_be_checked()
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("status")).to_have_text("red-1: paused; what was begun is finished.", timeout=PATIENCE_MS)
        plain = _page(browser, who, base, found, scripts=False)
        plain.goto(f"{base}/ops/bots/red-3")
        plain.get_by_role("button", name="Drain").click()
        expect(plain.get_by_role("status")).to_have_text("red-3: give back only.", timeout=PATIENCE_MS)
        browser.close()
    return found


def _base(service: Service) -> str:
    """The page's own address; forms are taken from there only."""
    settings, base = service.ctx.settings, str(service.client.make_url("/")).rstrip("/")
    at = settings.balancer.model_copy(update={"site_url": base, "site_name": "Evenly"})
    service.ctx.settings = settings.model_copy(update={"balancer": at})
    return base


@ONE_DATABASE
async def test_axe_finds_nothing_on_what_an_operator_opens_first(service: Service, chromium: str) -> None:
    """The fleet with bots in every state, and a story; the long test below has every page."""
    if not axe.is_here():
        pytest.skip("axe-core is not here: npm ci in tests/clients")
    with_operators(service)
    base = _base(service)
    ids = await crowded(service)
    pia = await desk(service, "approve")
    found = await asyncio.to_thread(_asked_axe, chromium, pia, base, ["", f"/trades/{ids['doubt']}"])
    assert not found, "\n".join(found)


def _asked_axe(chromium: str, who: Desk, base: str, paths: list[str]) -> list[str]:
    found: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = _page(browser, who, base, found)
        for path in paths:
            page.goto(f"{base}/ops{path}")
            found += [f"{path}, {each}" for each in axe.everywhere(page)]
        browser.close()
    return found


@pytest.mark.long
@ONE_DATABASE
async def test_every_page_fits_a_desk_and_a_phone_in_both_colors(service: Service, chromium: str) -> None:
    with_operators(service)
    base = _base(service)
    ids = await crowded(service)
    pia = await desk(service, "approve")
    paths = [*PLACES, "/bots/red-4", "/bots/red-8", f"/trades/{ids['doubt']}", "?health=restricted", "/sign-in"]
    found = await asyncio.to_thread(_looked, chromium, pia, base, paths)
    assert not found, "\n".join(found)


def _looked(chromium: str, who: Desk, base: str, paths: list[str]) -> list[str]:
    found: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = _page(browser, who, base, found)
        for path in paths:
            page.goto(f"{base}/ops{path}")
            if axe.is_here():
                found += [f"{path}, {each}" for each in axe.everywhere(page)]
            for kind, (width, height) in (("desk", WIDE), ("phone", PHONE)):
                page.set_viewport_size({"width": width, "height": height})
                if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
                    found.append(f"{path}, {kind}: {wide} px wide")
                _shoot(page, path, kind)
        browser.close()
    return found


def _page(browser: Browser, who: Desk, base: str, found: list[str], *, scripts: bool = True) -> Page:
    """A browser that is signed in; what it complains of, or asks others for, is ``found``."""
    context = browser.new_context(java_script_enabled=scripts, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    context.add_cookies([{"name": who.cookie, "value": who.session_id, "url": base}])
    page = context.new_page()
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda said: found.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: None if asked.url.startswith((base, "data:")) else found.append(asked.url))
    return page


def _shoot(page: Page, path: str, kind: str) -> None:
    """Pictures, if somebody wants them."""
    folder = os.environ.get("FLEET_PICTURES")
    name = re.sub(r"[^a-z0-9]+", "-", path.removeprefix("/trades/trd").partition("=")[0]).strip("-") or "fleet"
    name = "story" if path.startswith("/trades/trd") else name
    for scheme in ("dark", "light") if folder else ():
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=Path(folder or "") / f"ops-{name}-{kind}-{scheme}.png", full_page=True)
