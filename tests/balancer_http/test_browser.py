"""In a real browser: the page to try the API, and a player who checks an offer, with the sandbox as Steam's sign-in."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from aiohttp import ClientSession
from balancer_http import story
from balancer_http.harness import ONE_DATABASE, PLAYER, Service, held
from balancer_http.verifying import no_longer_fresh
from playwright.async_api import ConsoleMessage, Page, async_playwright
from sqlalchemy import Connection, update

from balancer.db import tables
from balancer.web import examples, sessions
from balancer.web.handlers.verify import links
from sandbox import server as sandbox_server
from sandbox.settings import SandboxSettings
from shared.domain.ids import SteamId

pytestmark = pytest.mark.e2e


class Seen:
    """What the browser asked for and complained about."""

    def __init__(self, page: Page) -> None:
        self.addresses: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.addresses.append(request.url))
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        # The sandbox's own page has no icon; that is not ours to mend.
        if message.type == "error" and "favicon" not in str(message.location.get("url")):
            self.complaints.append(message.text)

    def foreign(self, *ours: str) -> list[str]:
        return [url for url in self.addresses if not url.startswith((*ours, "data:"))]


@pytest.fixture
async def page(request: pytest.FixtureRequest, chromium: str) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = await browser.new_context(java_script_enabled=getattr(request, "param", True))
        yield await context.new_page()
        await browser.close()


def base_of(service: Service) -> str:
    return str(service.client.make_url("/")).rstrip("/")


@ONE_DATABASE
async def test_the_api_page_shows_every_call_and_whole_answers_and_offers_requests_that_are_taken(
    service: Service, page: Page
) -> None:
    """And asks nobody else."""
    service.bots.inventories[story.PLAYER] = [held(int(asset_id)) for asset_id in story.ITEMS]
    seen = Seen(page)
    await page.goto(f"{base_of(service)}/docs")
    await page.wait_for_selector(".opblock")
    assert await page.locator(".opblock").count() >= 15
    assert "OAS 3.1" in await page.locator(".info").inner_text()
    await page.locator("#operations-healthz-health_alive button").first.click()
    await page.get_by_role("button", name="Try it out").click()
    await page.get_by_role("button", name="Execute").click()
    await page.wait_for_selector(".live-responses-table")
    assert '"status": "ok"' in await page.locator(".live-responses-table").inner_text()
    await page.get_by_role("button", name="Authorize").click()
    await page.locator(".auth-container input").fill(service.keys["site"])
    await page.locator(".auth-container").get_by_role("button", name="Apply credentials").click()
    await page.get_by_role("button", name="Close").click()
    call = page.locator("#operations-deposit-deposit_create")
    await call.get_by_role("button").first.click()
    shown = await call.locator(".responses-table").first.inner_text()
    [example] = [each for each in examples.of("deposit_create") if each["answer"]["status"] == 201]
    assert example["answer"]["body"]["trades"][0]["trade_id"] in shown
    await call.get_by_role("button", name="Try it out").click()
    await call.get_by_role("button", name="Execute").click()
    await call.locator(".live-responses-table").wait_for()
    text = await call.locator(".live-responses-table").inner_text()
    assert "201" in text and story.FIRST in text, text
    assert seen.foreign(base_of(service)) == []
    assert seen.complaints == []


@pytest.mark.parametrize("page", [True, False], indirect=True, ids=["scripts", "no_scripts"])
async def test_a_player_signs_in_and_checks_his_offer(service: Service, page: Page) -> None:
    with sandbox_server.in_thread(SandboxSettings(players=1)) as sandbox:
        control = sandbox.control_url
        point_at(service, control)
        player = next(row["steam_id"] for row in (await accounts(control)) if row["kind"] == "player")
        trade = await deposit_of(service, player)
        seen = Seen(page)
        await page.goto(f"{base_of(service)}/verify/{trade['token']}")
        await page.get_by_role("link", name="Sign in through Steam").click()
        assert page.url.startswith(control)
        await page.goto(page.url + f"&auto={player}")
        assert page.url == f"{base_of(service)}/verify/{trade['token']}"
        assert player in await page.locator("main").inner_text()
        await page.get_by_role("button", name="Check this offer").click()
        text = await page.locator("main").inner_text()
        assert "Yes, this offer is ours." in text and trade["bot"] in text
        link = page.get_by_role("link", name="Open it on Steam")
        assert await link.get_attribute("href") == f"https://steamcommunity.com/tradeoffer/{trade['offer_id']}/"
        # The player comes back from Steam, and the phone loads the page anew: nothing is asked to be sent again.
        await page.reload()
        assert "Yes, this offer is ours." in await page.locator("main").inner_text()
        service.bots.sees[trade["trade_id"]] = "offer_accepted"
        await no_longer_fresh(service)
        await page.reload()
        assert "Our offer is over." in await page.locator("main").inner_text()
        assert seen.foreign(base_of(service), control) == []
        assert seen.complaints == []


ANSWERS = {
    "offer_active": "Yes, this offer is ours.",
    "confirmation_needed": "Our offer is not out yet.",
    "offer_held": "You have accepted our offer already.",
    "offer_declined": "Our offer is over. Do not accept anything.",
    None: "Do not accept yet.",
}
WIDTHS = {"phone": 320, "desk": 1000}


async def test_every_answer_fits_a_phone_in_both_colors(service: Service, page: Page) -> None:
    seen = Seen(page)
    session_id = await sessions.begin(service.ctx, SteamId(PLAYER), None)
    trade = await service.deposit("1", "2")
    await page.context.add_cookies([{"name": links.SESSION_COOKIE, "value": session_id, "url": f"{base_of(service)}/verify"}])
    for sees, heading in reversed(ANSWERS.items()):
        service.bots.sees[trade["trade_id"]] = sees
        await no_longer_fresh(service)
        await page.goto(f"{base_of(service)}/verify/{trade['token']}")
        await page.get_by_role("button", name="Check this offer").click()
        assert await page.locator("h1").inner_text() == heading
        await fits(page, str(sees))
    for name, path in (("odd", "/verify/a/b"), ("failed", "/verify/signed-in")):
        await page.goto(f"{base_of(service)}{path}")
        await fits(page, name)
    await page.context.clear_cookies()
    await page.goto(f"{base_of(service)}/verify/{trade['token']}")
    await fits(page, "sign_in")
    assert seen.foreign(base_of(service)) == []
    assert [each for each in seen.complaints if "404" not in each and "403" not in each] == []


RED_LINE, CASE = "AK-47 | Redline (Field-Tested)", "Fracture Case"


async def with_pictures(service: Service, sandbox: sandbox_server.RunningSandbox) -> None:
    """Items look as bots have seen them, at a Steam that is the sandbox, and the site has a name and a logo."""
    catalogue = sandbox.world.catalogue
    looks = {"Case": catalogue.kind("AWP | Asiimov (Field-Tested)")} | {name: catalogue.kind(name) for name in (RED_LINE, CASE)}

    def write(connection: Connection) -> None:
        for name in [each.market_hash_name for each in service.bots.inventories[PLAYER]]:
            kind = looks.get(name, catalogue.kind(RED_LINE))
            icon = f"https://community.akamai.steamstatic.com/economy/image/{kind.icon_url}"
            values = {"icon_url": icon, "color": kind.color}
            connection.execute(update(tables.items).where(tables.items.c.market_hash_name == name).values(values))

    await service.ctx.db.run(write)
    addresses = {"pictures_url": f"{sandbox.steam_url}/economy/image/", "avatars_url": f"{sandbox.steam_url}/"}
    changes = addresses | {"site_name": "Evenly"}
    settings = service.ctx.settings
    service.ctx.settings = settings.model_copy(update={"balancer": settings.balancer.model_copy(update=changes)})


async def with_identity(service: Service, sandbox: sandbox_server.RunningSandbox) -> None:
    """Bots are known as the player sees them in Steam, with a picture that the sandbox has."""
    account = next(iter(sandbox.world.accounts))
    told = {"name": "Evenly keeper 8", "avatar": f"{account.account_id:040x}", "level": 24, "since": 1_614_556_800}
    service.bots.identity = told
    service.ctx.fleet._settings = service.ctx.settings
    async with redis.asyncio.Redis.from_url(service.bots.url) as client:
        await service.bots.beat(client)
    await service.ctx.fleet.refresh()


async def checked_at(service: Service, page: Page, token: str) -> None:
    session_id = await sessions.begin(service.ctx, SteamId(PLAYER), None)
    await page.context.add_cookies([{"name": links.SESSION_COOKIE, "value": session_id, "url": f"{base_of(service)}/verify"}])
    await page.goto(f"{base_of(service)}/verify/{token}")
    await page.locator("button.go").click()


async def test_items_have_their_pictures_and_nothing_else_is_loaded(service: Service, page: Page) -> None:
    with sandbox_server.in_thread(SandboxSettings(players=1)) as sandbox:
        trade = await service.deposit("1", "2")
        await with_pictures(service, sandbox)
        await with_identity(service, sandbox)
        seen = Seen(page)
        await checked_at(service, page, trade["token"])
        for language, heading in (("en", "Yes, this offer is ours."), ("ru", "Да")):
            await page.goto(f"{base_of(service)}/verify/{trade['token']}?lang={language}")
            assert (await page.locator("h1").inner_text()).startswith(heading)
            assert "Evenly" in await page.locator("header").inner_text()
            pictures = page.locator(".items img")
            assert await pictures.count() == 2 and await page.locator("img.face").count() == 1
            assert "2021" in await page.locator(".bot").inner_text()
            shown = "Array.from(document.images).every(image => image.complete && image.naturalWidth > 0)"
            await page.wait_for_function(shown)
            await page.locator("summary").click()
            await fits(page, f"pictures-{language}")
        images = (f"{sandbox.steam_url}/economy/image/", f"{sandbox.steam_url}/0")
        assert [url for url in seen.foreign(base_of(service)) if not url.startswith(images)] == []
        assert seen.complaints == []


async def test_a_page_that_stays_open_shows_what_became_of_the_offer(service: Service, page: Page) -> None:
    trade = await service.deposit("1")
    await page.clock.install()
    await checked_at(service, page, trade["token"])
    assert await page.locator("h1").inner_text() == "Yes, this offer is ours."

    service.bots.sees[trade["trade_id"]] = "offer_declined"
    await no_longer_fresh(service)
    await page.clock.run_for(11_000)

    await page.get_by_role("heading", name="Our offer is over. Do not accept anything.").wait_for()
    assert page.url == f"{base_of(service)}/verify/{trade['token']}"


async def fits(page: Page, name: str) -> None:
    """Nothing is cut off or has to be moved sideways, at any width. FLEET_PICTURES names a folder for pictures of it all."""
    folder = os.environ.get("FLEET_PICTURES")
    for width_name, width in WIDTHS.items():
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size({"width": width, "height": 760})
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)
            if folder:
                await page.screenshot(path=Path(folder) / f"{name}-{width_name}-{scheme}.png", full_page=True)


def point_at(service: Service, control: str) -> None:
    """Let the balancer know its own address and the sandbox as Steam's sign-in."""
    settings = service.ctx.settings
    openid = settings.openid.model_copy(
        update={"endpoint": f"{control}/openid/login", "identity_prefix": f"{control}/openid/id/"}
    )
    balancer = settings.balancer.model_copy(update={"site_url": base_of(service)})
    service.ctx.settings = settings.model_copy(update={"openid": openid, "balancer": balancer})


async def accounts(control: str) -> list[dict[str, Any]]:
    async with ClientSession() as session, session.get(f"{control}/control/accounts") as answer:
        return list((await answer.json())["accounts"])


async def deposit_of(service: Service, player: str) -> dict[str, Any]:
    service.bots.inventories[player] = service.bots.inventories[PLAYER]
    url = f"https://steamcommunity.com/tradeoffer/new/?partner={int(player) - 76561197960265728}&token=AbCd_123"
    return await service.deposit("1", user_id="player-9", steam_id=player, trade_url=url)
