"""What holds when many ask at the same moment, and when a fleet lives on two hosts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flow_site import Website
from support import wait_until

from scripts.stack import Stack, Wish

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flow")]


def test_fifty_identical_deposits_with_one_key_make_one_trade(site: Any) -> None:
    player = site.player(habit="accept")
    body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url}
    body["asset_ids"] = site.acceptable(player)[:2]
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda _number: site.call("POST", "/deposit?wait=10", body, key=f"same-{player.user_id}"), range(50))
        )
    assert {answer.status for answer in answers} <= {201, 202}
    trade_ids = {trade["trade_id"] for answer in answers for trade in answer.body["trades"]}
    assert len(trade_ids) == 1
    site.until(trade_ids.pop(), "settled")
    assert len(site.deposits(player)) == 2
    assert site.differences() == []


def test_the_same_key_with_another_body_is_refused(site: Any) -> None:
    player = site.player(habit="accept")
    body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url}
    ids = site.acceptable(player)
    first = site.call("POST", "/deposit", body | {"asset_ids": ids[:1]}, key=f"reused-{player.user_id}")
    second = site.call("POST", "/deposit", body | {"asset_ids": ids[1:2]}, key=f"reused-{player.user_id}")
    assert first.status == 201
    assert (second.status, second.body["code"]) == (422, "idempotency_mismatch")


SLOTS = 20


@pytest.fixture(scope="module")
def small_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Ten bots that hold twenty items each, and players that answer nothing."""
    wish = Wish(
        directory=tmp_path_factory.mktemp("small"),
        players=0,
        overrides={"limits": {"bot_items_max": SLOTS, "offers_per_bot_max": 30}, "trades": {"inventory_cache_s": 60.0}},
    )
    with Stack(wish) as running:
        yield running


def test_two_hundred_and_more_deposits_never_fill_a_bot_over_its_cap(small_fleet: Stack) -> None:
    site = Website(small_fleet)
    players = [site.player(items=12, habit="ignore") for _ in range(26)]
    wanted = [(player, asset_id) for player in players for asset_id in site.acceptable(player)[:9]]
    assert len(wanted) >= 220
    # A player may have five offers open with one bot; spread them so that only the slots are scarce.
    wanted.sort(key=lambda pair: pair[1])

    def ask(pair: Any) -> Any:
        player, asset_id = pair
        body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url, "asset_ids": [asset_id]}
        return site.call("POST", "/deposit?wait=0", body)

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(ask, wanted))
    codes = Counter(answer.body["code"] if answer.status >= 400 else "made" for answer in answers)
    assert codes == {"made": 10 * SLOTS, "no_bot_available": len(wanted) - 10 * SLOTS}
    refused = next(answer for answer in answers if answer.status >= 400)
    assert refused.status == 503 and int(refused.headers["Retry-After"]) >= 1
    used = wait_until(lambda: sum(slots := _slots(small_fleet)) >= 10 * SLOTS and slots, 20, 0.2)
    assert used == [SLOTS] * 10


def _slots(stack: Stack) -> list[int]:
    """Slots in use per bot, as `GET /bots` shows them: a moment old."""
    return [row["slots_held"] + row["slots_reserved"] for row in stack.bots()]


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    wish = Wish(directory=tmp_path_factory.mktemp("hosts"), groups=["red:1", "red:2"], players=0, protection_s=2)
    with Stack(wish) as running:
        yield running


def test_twenty_bots_of_two_hosts_work_and_one_withdrawal_over_both_makes_two_trades(two_hosts: Stack) -> None:
    site = Website(two_hosts)
    assert sum(row["state"] == "online" for row in two_hosts.bots()) == 20
    player = site.player(items=30, habit="accept")

    def only(group: int) -> None:
        """Pause the bots of the other group, so that the next deposit lands where we want it."""
        for row in two_hosts.bots():
            mode = "resume" if (row["bot_id"] - 1) // 10 + 1 == group else "pause"
            assert site.call("POST", f"/bots/red/{row['bot_id']}/{mode}").status == 200

    only(1)
    first = site.settled_deposits(player, 2)
    only(2)
    second = site.settled_deposits(player, 2)
    for row in two_hosts.bots():
        site.call("POST", f"/bots/red/{row['bot_id']}/resume")
    answer = site.withdraw(player, [*first, *second])
    assert answer.status == 201, answer.body
    groups = sorted((trade["bot_id"] - 1) // 10 + 1 for trade in answer.body["trades"])
    assert groups == [1, 2]
    for trade in answer.body["trades"]:
        site.until(trade["trade_id"], "settled")
    assert site.differences() == []


def test_each_host_holds_the_keys_of_its_own_bots_only(two_hosts: Stack) -> None:
    first = json.loads(two_hosts.fleet("bots", "list", "--json", config=two_hosts.host_config("red:1")))
    second = json.loads(two_hosts.fleet("bots", "list", "--json", config=two_hosts.host_config("red:2")))
    names = [{row["bot"] for row in rows} for rows in (first, second)]
    assert [len(part) for part in names] == [10, 10]
    assert names[0].isdisjoint(names[1])


def test_the_group_tells_its_status_and_gives_guard_codes(two_hosts: Stack) -> None:
    config = two_hosts.host_config("red:2")
    status = json.loads(two_hosts.fleet("group", "status", "--json", config=config))
    shown = json.dumps(status)
    assert all(f"red-{number}" in shown for number in range(11, 21))
    code = two_hosts.fleet("bots", "code", "red-13", config=config).strip()
    assert len(code) == 5 and set(code) <= set("23456789BCDFGHJKMNPQRTVWXY")


SECRET_FIELDS = ("password", "shared_secret", "identity_secret")


def test_no_secret_is_in_any_log_of_the_fleet(site: Any, stack: Stack) -> None:
    """Run a trade at debug level, then search every log for every password, secret, token, key and cookie that exists."""
    from scripts.stack import get_json

    player = site.player(habit="accept")
    ids = site.settled_deposits(player, 1)
    trade = site.withdraw(player, ids).body["trades"][0]
    site.until(trade["trade_id"], "settled")
    accounts = get_json(f"{stack.control_url}/control/credentials?kind=bot")["accounts"]
    secrets = {row[name] for row in accounts for name in SECRET_FIELDS}
    secrets |= {stack.api_key, trade["token"], player.trade_url[-8:], (stack.wish.directory / "master.key").read_text().strip()}
    secrets |= {path.read_text().strip() for path in stack.wish.directory.glob("host-*/vault.key")}
    wait_until(lambda: any(part.log.stat().st_size for part in stack.parts), 5)
    logs: list[Path] = [*stack.wish.directory.rglob("*.log")]
    text = "\n".join(path.read_text(errors="replace") for path in logs)
    assert len(text) > 1000 and "red-1" in text
    assert [secret[:3] + "…" for secret in secrets if secret in text] == []
    for shape in ("eyJ", "steamLoginSecure", "steamRefresh_steam=", "access_token=ey", "sessionid="):
        assert shape not in text
