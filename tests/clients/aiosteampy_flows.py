"""What a bot does with aiosteampy 1.0, step by step, against the sandbox; run by test_aiosteampy.py with a Python of its own.

Reads {control, bot, other, player, steam, ca} from standard input and writes one line of JSON per step; the first failure
ends it. The library is unmodified: its own transport gets a session whose resolver knows where the sandbox is and whose
context trusts it.
"""

import asyncio
import json
import ssl
import sys
import traceback
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientSession, TCPConnector
from aiohttp.abc import AbstractResolver
from aiosteampy.client import SteamClient
from aiosteampy.client.app import AppContext
from aiosteampy.client.components.trade import TradeOfferStatus
from aiosteampy.constants import Platform
from aiosteampy.exceptions import SteamError, Unauthenticated
from aiosteampy.id import SteamID
from aiosteampy.session import SteamSession
from aiosteampy.session.exceptions import BadCredentials
from aiosteampy.transport import TransportResponseError, Unauthorized
from aiosteampy.transport.impl.aiohttp import AiohttpTransport

CS2, CS2_PROTECTED = AppContext.CS2, AppContext.CS2_SEALED
STEPS: list[tuple[str, Callable[["World"], Awaitable[None]]]] = []


def step(name: str) -> Callable[[Callable[["World"], Awaitable[None]]], Callable[["World"], Awaitable[None]]]:
    def note(run: Callable[["World"], Awaitable[None]]) -> Callable[["World"], Awaitable[None]]:
        STEPS.append((name, run))
        return run

    return note


class ToTheSandbox(AbstractResolver):
    """Every name is the sandbox; the certificate must be the name's all the same."""

    def __init__(self, where: str) -> None:
        self._host, _, port = where.rpartition(":")
        self._port = int(port)

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[Any]:
        assert host.endswith(("steamcommunity.com", "steampowered.com", "steam.tv")), host
        return [{"hostname": host, "host": self._host, "port": self._port, "family": family or 2, "proto": 0, "flags": 0}]

    async def close(self) -> None: ...


class World:
    """What the script was told, a signed-in client once there is one, and the control API."""

    client: SteamClient

    def __init__(self, told: dict[str, Any]) -> None:
        self.control_url, self.steam, self.ca = told["control"], told["steam"], told["ca"]
        self.bot, self.other, self.player = told["bot"], told["other"], told["player"]

    def transport(self) -> AiohttpTransport:
        context = ssl.create_default_context(cafile=self.ca)
        return AiohttpTransport(ClientSession(connector=TCPConnector(resolver=ToTheSandbox(self.steam), ssl=context)))

    def control(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.control_url + path, data, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read() or b"null")

    def act(self, offer_id: int, action: str) -> None:
        self.control("POST", f"/control/people/{self.player['steam_id']}/offers/{offer_id}", {"action": action})

    def send(self, **sides: list[str]) -> int:
        """An offer of the player's to the bot, by hand."""
        body = {"partner": self.bot["steam_id"], **sides}
        return int(self.control("POST", f"/control/people/{self.player['steam_id']}/offers", body)["offer_id"])

    def stock(self, who: dict[str, Any]) -> list[str]:
        assets = self.control("GET", "/control/record?part=assets")["assets"]
        return [a["asset_id"] for a in assets if a["owner"] == who["steam_id"] and a["context_id"] == 2 and a["tradable"]]

    async def give(self, count: int = 1, *, confirms: bool = True) -> list[int]:
        """So many offers that give one item each."""
        items = (await self.client.inventory.get(CS2)).items[:count]
        kept, self.client.trade._conf = self.client.trade._conf, self.client.trade._conf if confirms else None
        sent = []
        for item in items:
            try:
                sent.append(await self.client.trade.send(self.player["trade_url"], [item]))
            except SteamError as error:  # MobileConfirmationRequired, which names the offer
                sent.append(int(error.conf_key))
            await a_second()
        self.client.trade._conf = kept
        return sent


async def a_second() -> None:
    """A key is good for one second's action, and aiosteampy signs with the time of now."""
    await asyncio.sleep(1.01)


async def failure(awaited: Awaitable[Any]) -> Exception:
    try:
        await awaited
    except Exception as error:
        return error
    raise AssertionError("it should have failed")


async def status(world: World, offer_id: int) -> TradeOfferStatus:
    offer = await world.client.trade.get(offer_id)
    assert offer is not None
    return offer.status


@step("sign-in: wrong passwords are told, the right one gives tokens and cookies")
async def sign_in(world: World) -> None:
    session, bot = SteamSession(transport=world.transport()), world.bot
    refused = await failure(session.with_credentials(bot["account_name"], "wrong"))
    assert isinstance(refused, BadCredentials), refused
    await session.login_with_credentials(bot["account_name"], bot["password"], shared_secret=bot["shared_secret"])
    assert str(session.steam_id) == bot["steam_id"]
    await session.obtain_cookies()
    assert session.cookies_are_valid
    secrets = {name: bot[name] for name in ("shared_secret", "identity_secret", "device_id")}
    world.client = SteamClient(session, **secrets)


@step("sign-in: the access token is renewed, an app renews its tokens, the time is told")
async def renew(world: World) -> None:
    session = world.client.session
    before = session.access_token
    await session.refresh_access_token()
    assert session.access_token != before
    other = SteamSession(platform=Platform.MOBILE, transport=world.transport())
    known = world.other
    await other.login_with_credentials(known["account_name"], known["password"], shared_secret=known["shared_secret"])
    old = other.refresh_token
    await other.renew_refresh_token()
    assert other.refresh_token != old and other.is_mobile
    await other.obtain_cookies()
    await other.transport.close()
    signer = world.client.confirmations.signer
    await signer.sync_time()
    assert abs(signer.time_offset) < 200


@step("account: trade protection, trade URL, API key, wallet, privacy")
async def account(world: World) -> None:
    assert world.client.confirmations is not None
    await world.client.trade.acknowledge_rules()
    me = world.control("GET", f"/control/accounts/{world.bot['steam_id']}")
    assert me["acknowledged"]
    await world.client.state.actualize()
    assert (world.client.trade.token, world.client.state.web_api_key) == (me["trade_token"], world.bot["api_key"])
    assert await world.client.trade.generate_new_token() != me["trade_token"]
    await world.client.profile.make_private()
    assert world.control("GET", f"/control/accounts/{world.bot['steam_id']}")["private"]
    await world.client.setup()
    assert not world.control("GET", f"/control/accounts/{world.bot['steam_id']}")["private"]


@step("inventories: own, another's, and the partner's of a trade URL")
async def inventories(world: World) -> None:
    own = (await world.client.inventory.get(CS2)).items
    assert sorted(str(item.asset_id) for item in own) == sorted(world.stock(world.bot))
    theirs = (await world.client.inventory.get_user_inventory(SteamID(world.player["steam_id"]), CS2)).items
    shown = (await world.client.inventory.get_partner_inventory(world.player["trade_url"], CS2)).items
    assert {item.asset_id for item in shown} == {item.asset_id for item in theirs}
    assert (await world.client.inventory.get(CS2_PROTECTED)).items == []
    world.control("PATCH", f"/control/accounts/{world.player['steam_id']}", {"private": True})
    hidden = await failure(world.client.inventory.get_user_inventory(SteamID(world.player["steam_id"]), CS2))
    assert "is private" in str(hidden)
    world.control("PATCH", f"/control/accounts/{world.player['steam_id']}", {"private": False})


@step("send and poll: asked items come, with receipt and history, and lie protected")
async def ask(world: World) -> None:
    trade = world.client.trade
    wanted = (await world.client.inventory.get_partner_inventory(world.player["trade_url"], CS2)).items[:2]
    offer_id = await trade.send(world.player["trade_url"], (), wanted, "hello")
    (sent,) = (await trade.get_multiple()).sent
    assert (sent.trade_offer_id, sent.message, sent.status) == (offer_id, "hello", TradeOfferStatus.ACTIVE)
    assert sent.to_creator[0].description.market_hash_name
    world.act(offer_id, "accept")
    done = await trade.get(offer_id)
    assert done.status is TradeOfferStatus.ACCEPTED
    receipt = await trade.get_receipt(done.trade_id)
    history = await trade.get_history()
    assert [each.trade_id for each in history.trades] == [done.trade_id] == [receipt.trade_id]
    assert history.total == 1
    new = {item.new_asset_id for item in receipt.to_partner_a}
    protected = (await world.client.inventory.get(CS2_PROTECTED)).items
    assert {item.asset_id for item in protected} == new
    assert all(item.description.trade_protected and item.description.unlock_at for item in protected)
    assert (await trade.get_summary()).newly_accepted_sent == 1
    assert [offer.trade_offer_id async for page in trade.offers(historical_only=True) for offer in page.sent] == [offer_id]


@step("confirm one and many: given items wait for the phone")
async def confirm(world: World) -> None:
    (one,) = await world.give()
    assert await status(world, one) is TradeOfferStatus.ACTIVE
    world.act(one, "accept")
    assert await status(world, one) is TradeOfferStatus.ACCEPTED

    waiting = await world.give(2, confirms=False)
    confirmations = await world.client.confirmations.get_all("all")
    assert {each.creator_id for each in confirmations} == set(waiting)
    assert all(f"tradeofferid_{each.creator_id}" in each.details for each in confirmations)
    # Without an Origin Steam refuses many at once since February 2025; aiosteampy sends none.
    refused = await failure(world.client.confirmations.accept_multiple(confirmations))
    assert isinstance(refused, TransportResponseError) and refused.status == 403, refused
    world.control("PATCH", "/control/settings", {"multiajaxop_needs_origin": False})
    await a_second()
    await world.client.confirmations.accept_multiple(confirmations)
    assert {await status(world, each) for each in waiting} == {TradeOfferStatus.ACTIVE}
    (refused_one,) = await world.give(confirms=False)
    await world.client.confirmations.deny_all()
    assert await status(world, refused_one) is TradeOfferStatus.CANCELED_BY_SECOND_FACTOR


@step("cancel: sent offers are taken back, what has ended is told")
async def cancel(world: World) -> None:
    active = (await world.client.trade.get_multiple()).sent
    assert len(active) == 2
    for offer in active:
        await world.client.trade.cancel(offer)
        assert await status(world, offer.trade_offer_id) is TradeOfferStatus.CANCELED
    ended = await failure(world.client.trade.cancel(active[0].trade_offer_id))
    assert isinstance(ended, TransportResponseError) and ended.status == 500, ended


@step("accept, decline and counter: received offers are answered")
async def answer(world: World) -> None:
    trade, items = world.client.trade, world.stock(world.player)
    gift = world.send(give=[items[0]])
    assert [offer.trade_offer_id for offer in (await trade.get_multiple()).received] == [gift]
    await trade.accept(await trade.get(gift))
    assert await status(world, gift) is TradeOfferStatus.ACCEPTED

    swap = world.send(give=[items[1]], receive=[world.stock(world.bot)[0]])
    await a_second()
    await trade.accept(swap)
    assert await status(world, swap) is TradeOfferStatus.ACCEPTED

    unwanted = world.send(give=[items[2]])
    await trade.decline(unwanted)
    assert await status(world, unwanted) is TradeOfferStatus.DECLINED

    wanted = world.send(give=[items[3]])
    theirs = (await world.client.inventory.get_partner_inventory(world.player["trade_url"], CS2)).items
    mine = [item for item in theirs if str(item.asset_id) in items[3:5]]
    countered = await trade.counter(wanted, (), mine, partner=SteamID(world.player["steam_id"]))
    assert await status(world, wanted) is TradeOfferStatus.COUNTERED
    world.act(countered, "decline")
    assert await status(world, countered) is TradeOfferStatus.DECLINED


@step("refusals: what is not there is none, a wrong token is told")
async def refusals(world: World) -> None:
    assert await world.client.trade.get(1) is None
    assert await world.client.trade.get_receipt(1) is None
    item = (await world.client.inventory.get_partner_inventory(world.player["trade_url"], CS2)).items[0]
    refused = await failure(world.client.trade.send(SteamID(world.player["steam_id"]), (), [item], token="Wrong123"))
    assert isinstance(refused, TransportResponseError) and refused.status == 500, refused


@step("Web API key: revoked, asked for, confirmed")
async def api_key(world: World) -> None:
    await a_second()
    key = await world.client.register_new_api_key("example.org")
    assert await world.client.state.sync_api_key() == key != world.bot["api_key"]
    await world.client.revoke_api_key()
    assert await world.client.state.sync_api_key() is None


@step("signed out: everywhere at once, and it is told")
async def signed_out(world: World) -> None:
    world.control("PATCH", f"/control/accounts/{world.bot['steam_id']}", {"revoke_tokens": True})
    assert isinstance(await failure(world.client.trade.get_multiple()), Unauthorized)
    assert isinstance(await failure(world.client.confirmations.get_all()), Unauthenticated)


async def main() -> int:
    world = World(json.loads(sys.stdin.read()))
    for name, run in STEPS:
        try:
            await run(world)
        except Exception:
            print(json.dumps({"step": name, "ok": False, "error": traceback.format_exc()}), flush=True)
            return 1
        print(json.dumps({"step": name, "ok": True}), flush=True)
    await world.client.transport.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
