"""A sandbox over HTTP with unmodified steampy clients, and a world without any HTTP: what its tests are written in."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from steampy.client import SteamClient
from steampy.login import LoginExecutor
from steampy.models import Asset, GameOptions, SteamUrl

from sandbox import server
from sandbox.settings import SandboxSettings
from sandbox.world import timeline, trading
from sandbox.world.accounts import Account
from sandbox.world.items import Item
from sandbox.world.offers import Offer
from sandbox.world.state import World

COMMUNITY = "https://steamcommunity.com"
API = "https://api.steampowered.com"
SMALL = SandboxSettings(
    bots=("red-1", "red-2"), players=3, items_per_player=(6, 6), items_per_bot=(4, 4), player_habit="manual"
)


# A player, as the control API shows it.
Person = dict[str, Any]


class SteamRebase(HTTPAdapter):
    """Sends everything to the sandbox and names Steam's host in `Host`; a cookie jar never notices."""

    def __init__(self, base: str, read_s: float = 120.0) -> None:
        self._base = urlsplit(base)
        self._read_s = read_s
        self.eresult: str | None = None
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kw: Any) -> requests.Response:
        assert not args and request.url is not None
        wire, want = request.copy(), urlsplit(str(request.url))
        if request.method != "GET":
            wire.headers.setdefault("Origin", f"https://{want.netloc}")
        if kw.get("timeout") is None:
            kw["timeout"] = (120, self._read_s)
        wire.headers["Host"] = want.netloc
        wire.url = urlunsplit((self._base.scheme, self._base.netloc, want.path or "/", want.query, ""))
        kw["proxies"] = {}
        response = super().send(wire, **kw)
        response.url, response.request = str(request.url), request
        self.eresult = response.headers.get("x-eresult", self.eresult)
        return response


def first_line(process: subprocess.Popen[str]) -> Any:
    """What a sandbox that was started as a program says when it is ready."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


class Bench:
    """A running sandbox, its control API, and people signed in to it with steampy."""

    def __init__(self, running: server.RunningSandbox, stack: ExitStack) -> None:
        self.running = running
        self._stack = stack
        self._control = stack.enter_context(requests.Session())
        self.clients: dict[str, SteamClient] = {}

    def session(self) -> requests.Session:
        """A plain session whose requests reach the sandbox under Steam's names."""
        session = self._stack.enter_context(requests.Session())
        adapter = SteamRebase(self.running.steam_url)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def control(self, method: str, path: str, body: Any = None, status: int | None = None, **kw: Any) -> Any:
        """The JSON of an answer of the control API."""
        response = self._control.request(method, self.running.control_url + path, json=body, timeout=120, **kw)
        assert response.status_code == (status or response.status_code), response.text
        assert status is not None or response.status_code < 400, response.text
        return response.json() if response.content else None

    def advance(self, seconds: float) -> None:
        self.control("POST", "/control/clock", {"advance_s": seconds})

    def change(self, **settings: Any) -> None:
        self.control("PATCH", "/control/settings", settings)

    def accounts(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", f"/control/accounts?kind={kind}")["accounts"]
        return found

    def patch(self, steam_id: str, **changes: Any) -> dict[str, Any]:
        changed: dict[str, Any] = self.control("PATCH", f"/control/accounts/{steam_id}", changes)
        return changed

    def credentials(self, name: str) -> dict[str, str]:
        everybody = self.control("GET", "/control/credentials")["accounts"]
        return next(c for c in everybody if c["name"] == name)

    def unsigned(self, name: str, **wrong: str) -> SteamClient:
        """A steampy client that has not signed in; keyword arguments spoil its credentials."""
        known = self.credentials(name) | wrong
        secrets = {"steamid": known["steam_id"], "shared_secret": known["shared_secret"]}
        secrets["identity_secret"] = known["identity_secret"]
        client = SteamClient(known["api_key"], known["account_name"], known["password"], json.dumps(secrets))
        self._stack.callback(client._session.close)
        self.give_up_after(client, 120.0)
        return client

    def give_up_after(self, client: SteamClient, read_s: float) -> None:
        """How long this client waits for an answer from now on."""
        client.adapter = SteamRebase(self.running.steam_url, read_s)
        client._session.mount("https://", client.adapter)
        client._session.mount("http://", client.adapter)

    def client(self, name: str, acknowledge: bool = True) -> SteamClient:
        """A signed-in steampy client, made once per name."""
        if name not in self.clients:
            client = self.unsigned(name)
            client.login()
            if acknowledge:
                self.acknowledge(client)
            self.clients[name] = client
        return self.clients[name]

    def stock(self, steam_id: str, context_id: int = 2) -> list[dict[str, Any]]:
        """Tradable items of an account according to the record."""
        assets = self.control("GET", "/control/record?part=assets")["assets"]
        return [a for a in assets if a["owner"] == steam_id and a["context_id"] == context_id and a["tradable"]]

    def offer(self, offer_id: str) -> dict[str, Any]:
        offers = self.control("GET", "/control/record?part=offers")["offers"]
        return next(o for o in offers if o["offer_id"] == offer_id)

    def act(self, steam_id: str, offer_id: str, action: str, status: int | None = None) -> Any:
        return self.control("POST", f"/control/people/{steam_id}/offers/{offer_id}", {"action": action}, status)

    def fault(self, route: str, kind: str, **more: Any) -> None:
        self.order({"route": route, "kind": kind, **more})

    def order(self, order: dict[str, Any]) -> dict[str, Any]:
        """Order trouble; the fault as the control API shows it."""
        made: dict[str, Any] = self.control("POST", "/control/faults", order, 201)
        return made

    def heal(self) -> None:
        self.control("DELETE", "/control/profile", None, 204)
        assert self.control("GET", "/control/faults?all=1") == {"faults": []}

    def struck(self) -> list[str]:
        """The kinds of trouble that struck the latest requests, newest last."""
        return [kind for entry in self.control("GET", "/control/requests")["recent"] for kind in entry["faults"]]

    def offers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "/control/record?part=offers")["offers"]
        return found

    def exchanges(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "/control/record?part=exchanges")["exchanges"]
        return found

    def give(self, client: SteamClient, player: Person) -> dict[str, Any]:
        """An offer that gives the player one item; the answer of the send."""
        return self.withdraw(client, player, self.stock(client.steam_guard["steamid"])[:1])

    def ask(self, client: SteamClient, player: Person) -> str:
        """The id of an offer that asks the player for an item."""
        offer_id: str = self.deposit(client, player, self.stock(player["steam_id"])[:1])["tradeofferid"]
        return offer_id

    def accepted(self, client: SteamClient, player: Person) -> tuple[str, str]:
        """A deposit that was accepted: the ids of the offer and of the exchange."""
        offer_id = self.ask(client, player)
        self.act(player["steam_id"], offer_id, "accept")
        return offer_id, self.offer(offer_id)["tradeid"]

    def seen(self, client: SteamClient, offer_id: str) -> dict[str, Any]:
        """An offer as a poll of its sender shows it."""
        found = self.api(client, "GetTradeOffers", get_sent_offers=1, active_only=1, time_historical_cutoff=1)
        return next(offer for offer in found["trade_offers_sent"] if offer["tradeofferid"] == offer_id)

    def inventories(self, client: SteamClient, player: Person) -> tuple[list[int], list[int]]:
        """How much four endpoints show, three of the player's and the client's own by token, and the totals of two."""
        session, who = client._session, player["steam_id"]
        new = session.get(f"{COMMUNITY}/inventory/{who}/730/2?count=100").json()
        old = session.get(f"{COMMUNITY}/profiles/{who}/inventory/json/730/2").json()
        query = {"sessionid": client._get_session_id(), "partner": who, "appid": 730, "contextid": 2}
        page = f"{COMMUNITY}/tradeoffer/new/partnerinventory/"
        partner = session.get(page, params=query, headers={"Referer": f"{COMMUNITY}/tradeoffer/new/"}).json()
        mine = {"steamid": client.steam_guard["steamid"], "appid": 730, "contextid": 2}
        own = self.api(client, "GetInventoryItemsWithDescriptions", **mine)
        counts = [len(new.get("assets", [])), len(old["rgInventory"]), len(partner["rgInventory"]), len(own.get("assets", []))]
        return counts, [new["total_inventory_count"], own["total_inventory_count"]]

    @staticmethod
    def acknowledge(client: SteamClient) -> requests.Response:
        """What an account must do once before its confirmations work; steampy has no method for it."""
        answer: requests.Response = client._session.post(
            f"{COMMUNITY}/trade/new/acknowledge",
            data={"sessionid": client._get_session_id(), "message": 1},
            headers={"Referer": f"{COMMUNITY}/profiles/{client.steam_guard['steamid']}/tradeoffers/"},
        )
        return answer

    @staticmethod
    def restore(client: SteamClient, refresh_token: str) -> None:
        """Sign in with a stored refresh token and steampy's own pieces; KeyError or Exception when refused."""
        session = client._session
        session.cookies.clear()
        executor = LoginExecutor(client.username, client._password, client.steam_guard["shared_secret"], session)
        executor.refresh_token = refresh_token
        session.post(SteamUrl.COMMUNITY_URL)
        answer = executor._finalize_login().json()
        executor._perform_redirects(answer)
        executor.set_sessionid_cookies()
        client.was_login_executed = True
        client.market._set_login_executed(client.steam_guard, client._get_session_id())
        client._access_token = client._set_access_token()

    @staticmethod
    def deposit(client: SteamClient, player: Person, assets: list[dict[str, Any]], message: str = "") -> dict[str, Any]:
        """steampy asks a player for items; the answer of the send."""
        wanted = [Asset(asset["asset_id"], GameOptions.CS) for asset in assets]
        sent: dict[str, Any] = client.make_offer_with_url([], wanted, player["trade_url"], message, confirm_trade=False)
        return sent

    @staticmethod
    def withdraw(client: SteamClient, player: Person, assets: list[dict[str, Any]], confirm: bool = False) -> dict[str, Any]:
        """steampy gives items to a player; the answer of the send."""
        given = [Asset(asset["asset_id"], GameOptions.CS) for asset in assets]
        sent: dict[str, Any] = client.make_offer_with_url(given, [], player["trade_url"], "", confirm_trade=confirm)
        return sent

    @staticmethod
    def api(client: SteamClient, method: str, **params: Any) -> dict[str, Any]:
        """The `response` of an IEconService method, asked with the community token."""
        answer = client.api_call("GET", "IEconService", method, "v1", {"access_token": client._access_token, **params})
        response: dict[str, Any] = answer.json()["response"]
        return response


class Play:
    """A world without HTTP and a clock that is a number."""

    def __init__(self, **changes: Any) -> None:
        self.now = 1_786_000_000.0
        self.world = World(dataclasses.replace(SMALL, **changes), self.now)
        self.bot, self.other_bot = [a for a in self.world.accounts if a.kind == "bot"]
        self.player, *self.players = [a for a in self.world.accounts if a.kind == "player"]
        self.bot.acknowledged = self.other_bot.acknowledged = True

    def stock(self, account: Account, context_id: int = 2) -> list[Item]:
        items = self.world.items.at((account.steam_id, 730, context_id))
        return [item for item in items if item.tradable]

    def send(self, sender: Account, recipient: Account, give: list[Item], receive: list[Item], **more: Any) -> Offer:
        mine, theirs = ([trading.Wanted(i.app_id, i.context_id, i.asset_id) for i in side] for side in (give, receive))
        token = more.pop("token", recipient.trade_token)
        proposal = trading.Proposal(recipient.steam_id, mine, theirs, more.pop("message", ""), token, **more)
        return trading.send(self.world, sender, proposal, self.now)

    def confirm(self, offer: Offer, allow: bool = True) -> bool:
        assert offer.confirmation is not None
        owner = self.world.accounts.get(offer.confirmation.owner)
        return trading.confirm(self.world, owner, offer.confirmation, allow, self.now)

    def accept(self, account: Account, offer: Offer) -> tuple[int, bool]:
        return trading.accept(self.world, account, offer.offer_id, self.now)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        timeline.advance(self.world, self.now)
