"""Numbers 8, 11 and 14 of the fourteen mistakes of other systems, those of routes; `test_mistakes_of_others.py` lists all."""

from __future__ import annotations

import http.client
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy
from flow_site import Player, Website
from support import wait_until

from balancer.web.routes import ROUTES
from bot_worker.vault import Vault
from scripts.lab.calls import get_json
from scripts.lab.stack import Stack
from shared import settings as settings_module
from shared.sealing import MasterKey

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flow")]

numbers = itertools.count(1)
PREVIEWS = ("Steam-Chat/1.0", "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", "facebookexternalhit/1.1")


def ask(
    stack: Stack, method: str, path: str, body: Any = None, *, api_key: str | None = None, **headers: str
) -> tuple[int, str]:
    """One call, nothing followed: its status, and all that came back, headers and body, as text."""
    url = urlsplit(stack.balancer_url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=120)
    try:
        data = None if body is None else json.dumps(body).encode()
        more = {"Content-Type": "application/json", "Idempotency-Key": f"door-{next(numbers)}"} if data else {}
        key = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        connection.request(method, path, data, {**key, **more, **headers})
        answer = connection.getresponse()
        return answer.status, f"{answer.getheaders()}\n{answer.read().decode(errors='replace')}"
    finally:
        connection.close()


def sent_trade(site: Website, habit: str) -> tuple[Player, dict[str, Any]]:
    player = site.player(habit=habit)
    trade: dict[str, Any] = site.deposit(player).body["trades"][0]
    site.until(trade["trade_id"], "sent", "accepted", "settled")
    return player, trade


def path_of(route: str, trade: dict[str, Any], player: Player) -> str:
    color, _, bot_id = trade["bot"].rpartition("-")
    names = {"trade_id": trade["trade_id"], "token": trade["token"], "file": "docs.js", "user_id": player.user_id}
    names |= {"deposit_id": trade["items"][0]["deposit_id"], "ref": "bet_1", "target_id": "whk_1"}
    return route.format(color=color, bot_id=bot_id, action="resume", decision="approve", **names)


# --- 8: a secret over any route ------------------------------------------------------------------------------

SHAPES = ("eyJ", "steamLoginSecure", "steamRefresh_steam", "access_token", "sessionid")


def secrets_of(stack: Stack, player: Player) -> set[str]:
    """Every secret of this fleet: Steam's, the hosts', the balancer's, the player's."""
    accounts = get_json(f"{stack.control_url}/control/credentials")["accounts"]
    found = {row[name] for row in accounts for name in ("password", "shared_secret", "identity_secret")}
    host = settings_module.load(stack.host_config("red:1"))
    vault, master = Vault.open(host.group), MasterKey.read(stack.wish.directory / "master.key")
    for bot in vault.bots():
        found |= {str(value) for value in asdict(vault.session(bot)).values()}
        found |= {value for name, value in master.bot(bot).to_json().items() if name != "bot"}
    files = [stack.wish.directory / "master.key", host.group.vault_key_file]
    found |= {stack.api_key, player.trade_url[-8:], *(path.read_text().strip() for path in files)}
    return {secret for secret in found if len(secret) >= 8}


def bodies_for(path: str, player: Player, trade: dict[str, Any], asset_id: str) -> list[Any]:
    who = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url}
    good: dict[str, Any] = {
        "/deposit": who | {"asset_ids": [asset_id]},
        "/withdraw": who | {"deposit_ids": [item["deposit_id"] for item in trade["items"]]},
        "/trade": {"trade_ids": [trade["trade_id"]]},
        "/inventory": {"steam_id": player.steam_id, "trade_url": player.trade_url},
        "/verify": {"token": trade["token"], "steam_id": player.steam_id},
        "/switches": {"switch": "deposits", "paused": False, "reason": "open"},
    }
    return [good.get(path, {}), {"trade_url": player.trade_url + "x", "password": 1}, []]


def test_mistake_08_no_secret_leaves_over_any_route(site: Website, stack: Stack) -> None:
    """Every route is asked rightly, wrongly and without a key, while calls that carry tokens in their address break."""
    player, trade = sent_trade(site, "manual")
    asset_id = site.acceptable(player)[3]
    broken = site.fault(route="@econ,@inventories", kind="cut", times=6)
    wait_until(lambda: site.fault_hits(broken) >= 3, every_s=0.1)
    said = []
    for route, key in itertools.product(ROUTES, (stack.api_key, None, "fk_" + "x" * 43)):
        path = path_of(route.path, trade, player)
        bodies = bodies_for(route.path, player, trade, asset_id) if route.method == "POST" else [None]
        said += [(route.method, path, *ask(stack, route.method, path, body, api_key=key)) for body in bodies]
    assert {status for *_, status, _ in said} >= {200, 400, 401, 409}
    text = "\n".join(answer for *_, answer in said)
    assert [secret[:3] + "…" for secret in secrets_of(stack, player) if secret in text] == []
    assert [shape for shape in SHAPES if shape in text.replace(trade["token"], "")] == []
    site.until(trade["trade_id"], "canceled")
    site.agree()


# --- 11: GET that changes anything ---------------------------------------------------------------------------


def what_stands_there(site: Website, player: Player, trade_id: str) -> dict[str, Any]:
    """All rows about one trade and its player, and how many rows requests have written; and what Steam's record has of him."""
    queries = {
        name: f"SELECT * FROM {name} WHERE {column} = '{value}' ORDER BY 1"
        for name, column, value in (
            ("trades", "trade_id", trade_id),
            ("trade_items", "trade_id", trade_id),
            ("tokens", "trade_id", trade_id),
            ("events", "trade_id", trade_id),
            ("deposits", "user_id", player.user_id),
            ("users", "user_id", player.user_id),
        )
    }
    for name in ("trades", "deposits", "tokens", "idempotency", "clients", "users"):
        queries[f"number of {name}"] = f"SELECT count(*) FROM {name}"
    engine = sqlalchemy.create_engine(site.stack.database_url)
    try:
        with engine.begin() as connection:
            rows = {name: [tuple(row) for row in connection.exec_driver_sql(query)] for name, query in queries.items()}
    finally:
        engine.dispose()
    record, me = site.record(), player.steam_id
    offers = [row for row in record["offers"] if me in (row["sender"], row["recipient"])]
    return rows | {"offers": offers, "assets": [row for row in record["assets"] if row["owner"] == me]}


def test_mistake_11_get_changes_nothing(site: Website, stack: Stack) -> None:
    player, trade = sent_trade(site, "manual")
    before = what_stands_there(site, player, trade["trade_id"])
    paths = [path_of(route.path, trade, player) for route in ROUTES if route.method == "GET"]
    paths += [path_of(route.path, trade, player) for route in ROUTES if route.method == "POST"]
    paths += [f"/trade/{trade['trade_id']}?cancel=true", f"/verify?token={trade['token']}&steam_id={player.steam_id}"]
    for method, path, key in itertools.product(("GET", "HEAD"), paths, (stack.api_key, None)):
        status, text = ask(stack, method, path, api_key=key)
        assert status in (200, 302, 400, 401, 403, 404, 405), (method, path, text)
    assert what_stands_there(site, player, trade["trade_id"]) == before
    site.act(player, trade["offer_id"], "decline")
    site.until(trade["trade_id"], "declined")
    site.agree()


# --- 14: a token burnt by a link preview ---------------------------------------------------------------------


def test_mistake_14_a_link_preview_burns_no_token(site: Website, stack: Stack) -> None:
    """The link is taken from the offer's message at Steam, as a chat window does, and opened as previews open links."""
    player, trade = sent_trade(site, "manual")
    stranger = site.player(habit="manual")
    offer = next(row for row in site.record()["offers"] if row["offer_id"] == trade["offer_id"])
    link = urlsplit(offer["message"].split()[0]).path
    assert link == f"/verify/{trade['token']}"

    def preview(number: int) -> int:
        method, path = ("GET", "HEAD")[number % 2], link if number % 3 else f"{link}/sign-in"
        return ask(stack, method, path, **{"User-Agent": PREVIEWS[number % len(PREVIEWS)]})[0]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(preview, range(30))) <= {200, 302, 405}
    wrong = site.call("POST", "/verify", {"token": trade["token"], "steam_id": stranger.steam_id})
    assert wrong.body == {"ok": False, "reason": "unknown", "livemode": False}
    first = site.call("POST", "/verify", {"token": trade["token"], "steam_id": player.steam_id})
    assert (first.body["ok"], first.body["trade_id"]) == (True, trade["trade_id"])
    assert first.body["items"] == len(offer["receive"])
    second = site.call("POST", "/verify", {"token": trade["token"], "steam_id": player.steam_id})
    assert (second.body["ok"], second.body["reason"]) == (False, "used")
    site.act(player, trade["offer_id"], "accept")
    site.until(trade["trade_id"], "accepted", "settled")
    site.agree()
