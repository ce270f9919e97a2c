"""What holds when many ask at the same moment, and when a fleet lives on two hosts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flow_site import Website, patient
from support import wait_until

from scripts.lab.stack import Stack, Wish

pytestmark = pytest.mark.slow
SHARED = pytest.mark.xdist_group("flow")
TWO_HOSTS = pytest.mark.xdist_group("hosts")


@SHARED
def test_the_same_key_with_another_body_is_refused(site: Any) -> None:
    player = site.player(habit="accept")
    body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url}
    ids = site.acceptable(player)
    first = site.call("POST", "/deposit", body | {"asset_ids": ids[:1]}, key=f"reused-{player.user_id}")
    second = site.call("POST", "/deposit", body | {"asset_ids": ids[1:2]}, key=f"reused-{player.user_id}")
    assert first.status in (201, 202)
    assert (second.status, second.body["code"]) == (422, "idempotency_mismatch")


@pytest.fixture(scope="module", params=[2, pytest.param(10, marks=pytest.mark.long)])
def two_hosts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two groups of so many bots each."""
    wish = Wish(
        directory=tmp_path_factory.mktemp("hosts"),
        bots_per_group=request.param,
        groups=["red:1", "red:2"],
        players=0,
        protection_s=1,
        overrides=patient(),
    )
    with Stack(wish) as running:
        Website(running).settings(bound_share=0)
        yield running


@TWO_HOSTS
def test_the_bots_of_two_hosts_work_and_one_withdrawal_over_both_makes_two_trades(two_hosts: Stack) -> None:
    site = Website(two_hosts)
    assert sum(bot.state == "online" for bot in two_hosts.bots()) == 2 * two_hosts.wish.bots_per_group
    player = site.player(items=30, habit="accept")

    def only(group: int) -> None:
        """Pause the bots of the other group, so that the next deposit lands where we want it."""
        for bot in two_hosts.bots():
            mode = "resume" if (bot.bot_id - 1) // 10 + 1 == group else "pause"
            assert site.call("POST", f"/bots/red/{bot.bot_id}/{mode}").status == 200

    only(1)
    first = site.settled_deposits(player, 2)
    only(2)
    second = site.settled_deposits(player, 2)
    for bot in two_hosts.bots():
        site.call("POST", f"/bots/red/{bot.bot_id}/resume")
    answer = site.withdraw(player, [*first, *second])
    assert answer.status == 201, answer.body
    groups = sorted((trade["bot_id"] - 1) // 10 + 1 for trade in answer.body["trades"])
    assert groups == [1, 2]
    for trade in answer.body["trades"]:
        site.until(trade["trade_id"], "settled")
    site.agree()


@TWO_HOSTS
def test_each_host_holds_the_keys_of_its_own_bots_only(two_hosts: Stack) -> None:
    first = json.loads(two_hosts.fleet("bots", "list", "--json", config=two_hosts.host_config("red:1")))
    second = json.loads(two_hosts.fleet("bots", "list", "--json", config=two_hosts.host_config("red:2")))
    names = [{row["bot"] for row in rows} for rows in (first, second)]
    assert [len(part) for part in names] == [10, 10]
    assert names[0].isdisjoint(names[1])


@TWO_HOSTS
def test_the_group_tells_its_status_and_gives_guard_codes(two_hosts: Stack) -> None:
    config = two_hosts.host_config("red:2")
    status = json.loads(two_hosts.fleet("group", "status", "--json", config=config))
    shown = json.dumps(status)
    assert all(f"red-{10 + number}" in shown for number in range(1, two_hosts.wish.bots_per_group + 1))
    code = two_hosts.fleet("bots", "code", "red-12", config=config).strip()
    assert len(code) == 5 and set(code) <= set("23456789BCDFGHJKMNPQRTVWXY")


SECRET_FIELDS = ("password", "shared_secret", "identity_secret")


@SHARED
def test_no_secret_is_in_any_log_of_the_fleet(site: Any, stack: Stack) -> None:
    """Run a trade at debug level, then search every log for every password, secret, token, key and cookie that exists."""
    from scripts.lab.calls import get_json

    player = site.player(habit="accept")
    ids = site.settled_deposits(player, 1)
    trade = site.withdraw(player, ids).body["trades"][0]
    site.until(trade["trade_id"], "settled")
    accounts = get_json(f"{stack.control_url}/control/credentials?kind=bot")["accounts"]
    secrets = {row[name] for row in accounts for name in SECRET_FIELDS}
    secrets |= {stack.api_key, trade["token"], player.trade_url[-8:], (stack.wish.directory / "master.key").read_text().strip()}
    secrets |= {path.read_text().strip() for path in stack.wish.directory.glob("host-*/vault.key")}
    wait_until(lambda: any(part.log.stat().st_size for part in stack.parts))
    logs: list[Path] = [*stack.wish.directory.rglob("*.log")]
    text = "\n".join(path.read_text(errors="replace") for path in logs)
    assert len(text) > 1000 and "red-1" in text
    assert [secret[:3] + "…" for secret in secrets if secret in text] == []
    for shape in ("eyJ", "steamLoginSecure", "steamRefresh_steam=", "access_token=ey", "sessionid="):
        assert shape not in text
