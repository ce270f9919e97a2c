"""What a trade costs at Steam, counted call by call where Steam is asked, with nothing left out."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
from flow_site import Player, Website

from scripts.lab.calls import get_json

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flow")]

# Looks at offers, at others' offers and at inventories that an audit or a settlement takes come by the clock, for all trades
# of a bot together; `scripts/bench --only steam` counts them too.
BY_THE_CLOCK = frozenset({"GetTradeOffers", "GetInventoryItemsWithDescriptions", "GetTradeHistory"})


def asked(site: Website) -> Counter[str]:
    counts = Counter(get_json(f"{site.stack.control_url}/control/requests")["counts"])
    return Counter({route: count for route, count in counts.items() if route not in BY_THE_CLOCK})


def deposit(site: Website, player: Player) -> None:
    trade = site.deposit(player, 1).body["trades"][0]
    site.until(trade["trade_id"], "accepted", "settled")


def test_a_deposit_asks_for_one_inventory_one_hold_and_a_share_of_the_bans(site: Website) -> None:
    players = [site.player(habit="accept") for _ in range(4)]
    before = asked(site)
    with ThreadPoolExecutor(len(players)) as pool:
        list(pool.map(lambda player: deposit(site, player), players))
    spent = asked(site) - before
    count = len(players)
    assert spent["send"] == count
    # A slow machine may let what was read grow old between the player's look and the deposit.
    for route in ("partnerinventory", "GetTradeHoldDurations"):
        assert count <= spent[route] <= 2 * count
    assert 1 <= spent["GetPlayerBans"] <= 2 * count
    assert (spent["inventory"], spent["getlist"], spent["tradepage"]) == (0, 0, 0)


def test_a_withdrawal_asks_for_its_offer_and_its_phone_only(site: Website) -> None:
    player = site.player(habit="accept")
    ids = site.settled_deposits(player, 1)
    before = asked(site)
    trade = site.withdraw(player, ids).body["trades"][0]
    site.until(trade["trade_id"], "accepted", "settled")
    spent = asked(site) - before
    assert (spent["send"], spent["getlist"], spent["ajaxop"]) == (1, 1, 1)
    assert not {"partnerinventory", "inventory", "GetTradeHoldDurations", "GetPlayerBans"} & set(+spent)


def test_one_request_is_followed_from_its_answer_to_the_calls_of_its_bot(site: Website) -> None:
    stack, player, request_id = site.stack, site.player(1, habit="accept"), f"shop-{uuid4()}"
    headers = {"Authorization": f"Bearer {stack.api_key}", "Idempotency-Key": str(uuid4()), "X-Request-Id": request_id}
    who = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url}
    body = {**who, "asset_ids": site.acceptable(player)[:1]}
    answer = httpx.post(f"{stack.balancer_url}/deposit?wait=20", json=body, headers=headers, timeout=60)
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (201, request_id), answer.text
    trade = answer.json()["trades"][0]
    site.until(trade["trade_id"], "accepted", "settled")
    assert trade["trade_id"] in stack.fleet("logs", "--request", request_id)
    files = [argument for part in stack.parts for argument in ("--in", str(part.log))]
    for asked in (("--request", request_id), ("--trade", trade["trade_id"])):
        lines = [json.loads(line) for line in stack.fleet("logs", *asked, *files).splitlines() if line.startswith("{")]
        mine = [line for line in lines if line.get("request_id") == request_id]
        [of_http] = [line for line in mine if line["event"] == "request"]
        assert (of_http["path"], of_http["status"]) == ("/deposit", 201)
        sent = [line for line in mine if line["event"] == "steam_call" and line.get("trade_id") == trade["trade_id"]]
        assert {line["bot"] for line in sent} == {trade["bot"]}
        assert "send" in {line["call"] for line in sent}
