"""The examples do against a whole fleet what they are there to show."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from flow_site import Player, Website, new_key
from support import PATIENCE_S, wait_until

from scripts.lab.parts import free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flow")]

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = "whsec_" + base64.b64encode(b"only for this one test of it").decode()


@pytest.fixture
def player(site: Website) -> Player:
    return site.player(items=3, habit="accept", delay_s=2.0)


def environment(site: Website, **more: str) -> dict[str, str]:
    own = {"FLEET": site.stack.balancer_url, "FLEET_KEY": site.stack.api_key, "WEBHOOK_SECRET": SECRET}
    return {**os.environ, **own, **more}


def day(site: Website, player: Player, *command: str) -> list[str]:
    """A player's whole day; the lines that it prints."""
    typed = [*command, player.steam_id, player.trade_url]
    done = subprocess.run(typed, env=environment(site), capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_curl(site: Website, player: Player) -> None:
    lines = day(site, player, str(EXAMPLES / "curl" / "day.sh"))
    assert lines[0].startswith("item ") and '"value_cents":' in lines[0]
    assert lines[1:4] == ['verify {"ok":true', "trade settled", "trade settled"]
    assert int(lines[4].removeprefix("events ")) >= 4


needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


@needs_node
def test_node(site: Website, player: Player) -> None:
    lines = day(site, player, "node", str(EXAMPLES / "node" / "site.mjs"), "day")
    assert lines[0].startswith("item ") and lines[0].split()[-1].isdigit()
    assert lines[1] == "verify true"
    assert "deposit settled" in lines and lines[-1] in ("withdraw accepted", "withdraw settled")


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """A delivery as the specification has it, by no code of ours."""
    at, key = str(int(time.time())), base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"msg_1.{at}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": "msg_1", "webhook-timestamp": at, "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}


EVENT = {
    "number": 10**9,
    "at": "2026-11-30T12:00:00Z",
    "kind": "settled",
    "trade_id": "trd_hook",
    "who": "bot:red-1",
    "data": {},
}
OTHER_SECRET = "whsec_" + base64.b64encode(b"the secret of somebody else").decode()


@contextmanager
def running(site: Website, *command: str, **more: str) -> Iterator[str]:
    """A site of an example, until it answers; its address."""
    port = more.pop("PORT", None) or str(free_port())
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, env=environment(site, PORT=port, SITE=url, **more), stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: process.poll() is not None or answers(url), PATIENCE_S)
            assert process.poll() is None, "it has ended"
            yield url
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code < 500
    except httpx.TransportError:
        return False


def takes_webhooks(url: str, good: int) -> None:
    body = json.dumps(EVENT).encode()
    assert httpx.post(f"{url}/webhooks", content=body, headers=signed(body), trust_env=False).status_code == good
    forged = signed(body, OTHER_SECRET)
    assert httpx.post(f"{url}/webhooks", content=body, headers=forged, trust_env=False).status_code in (400, 403)
    assert httpx.post(f"{url}/webhooks", content=body + b" ", headers=signed(body), trust_env=False).status_code in (400, 403)


def test_python_takes_what_the_fleet_sends(site: Website, player: Player) -> None:
    """The fleet's own webhooks, with the secret of their target."""
    port = str(free_port())
    made = site.call("POST", "/webhooks", {"url": f"http://127.0.0.1:{port}/webhooks", "kinds": ["trade_created"]})
    assert made.status == 201, made.body
    deliveries = f"/webhooks/{made.body['target']['target_id']}/deliveries?state=delivered"
    program = (sys.executable, str(EXAMPLES / "python" / "site.py"))
    with running(site, *program, WEBHOOK_SECRET=made.body["secret"], PORT=port):
        site.deposit(player, 1)
        delivered = wait_until(lambda: site.call("GET", deliveries).body["deliveries"], PATIENCE_S)
    assert {row["status"] for row in delivered} == {204}
    assert site.call("DELETE", deliveries.removesuffix("/deliveries?state=delivered")).status == 200


def sign_in_pages(site: Website) -> str:
    control = site.stack.control_url
    return json.dumps({"endpoint": f"{control}/openid/login", "identity_prefix": f"{control}/openid/id/"})


@needs_node
def test_node_signs_players_in_and_takes_webhooks(site: Website, player: Player) -> None:
    program = ("node", str(EXAMPLES / "node" / "site.mjs"))
    with (
        running(site, *program, OPENID=sign_in_pages(site)) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=60) as browser,
    ):
        assert browser.get("/inventory").status_code == 403
        sign_in(browser, player, "/sign-in")
        assert browser.get("/inventory").json()[0][2] > 0
        takes_webhooks(url, 204)


def test_python(site: Website, player: Player) -> None:
    program = (sys.executable, str(EXAMPLES / "python" / "site.py"))
    with (
        running(site, *program, STEAM=site.stack.control_url) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=60) as browser,
    ):
        assert browser.get("/inventory").status_code == 403
        sign_in(browser, player, "/")
        item = next(one for one in browser.get("/inventory").json()["items"] if one["acceptable"])
        assert item["value_cents"] > 0
        asked = {"trade_url": player.trade_url, "asset_ids": [item["asset_id"]], "key": new_key()}
        (trade,) = post(browser, "/deposit", asked)["trades"]
        assert [one["trade_id"] for one in post(browser, "/deposit", asked)["trades"]] == [trade["trade_id"]]
        assert post(browser, "/verify", {"token": trade["verify_url"].rpartition("/")[2]})["ok"] is True
        ids = wait_until(lambda: settled_items(browser), PATIENCE_S)
        assert [one["status"] for one in browser.get("/trades").json()["trades"]] == ["settled"]
        asked = {"trade_url": player.trade_url, "deposit_ids": ids, "key": new_key()}
        (back,) = post(browser, "/withdraw", asked)["trades"]
        site.until(back["trade_id"], "accepted", "settled")
        refused = browser.post("/withdraw", json=asked | {"key": new_key()})
        assert (refused.status_code, refused.json()["code"]) == (409, "not_in_custody")
        takes_webhooks(url, 204)


def settled_items(browser: httpx.Client) -> list[str]:
    """The ids of what this player may withdraw."""
    rows = browser.get("/items").json()["deposits"]
    return [row["deposit_id"] for row in rows if row["status"] == "active" and row["settled_at"]]


def sign_in(browser: httpx.Client, player: Player, leave: str) -> None:
    """Leave for the provider, be this player there, and come back; what was changed or is played again opens nothing."""
    back = at_provider(browser, player, leave)
    assert browser.get(back.replace(player.steam_id, "76561198000000002")).status_code == 403
    back = at_provider(browser, player, leave)
    for changed in (f"{back}&openid.mode=id_res", f"{back}&more=1", back.replace("id_res", "cancel")):
        assert browser.get(changed).status_code == 403, changed
    assert browser.get(back).status_code in (302, 303)
    assert browser.get(back).status_code == 403


def at_provider(browser: httpx.Client, player: Player, leave: str) -> str:
    """Where the provider sends the browser back to that has left by this path."""
    left = browser.get(leave)
    assert left.status_code in (302, 303)
    answer = httpx.get(f"{left.headers['location']}&auto={player.steam_id}", trust_env=False)
    return answer.headers["location"]


def post(browser: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    answer = browser.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()
