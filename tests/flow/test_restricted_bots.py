"""Bots that Steam has restricted cost no player a trade, are told with what to do, and come back by themselves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flow_site import Website
from support import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flow")]

DEPOSITS = 60
AT_ONCE = 4
ITEM = "AK-47 | Redline (Field-Tested)"
DONE = ("accepted", "settled")


def health_events(site: Website, kind: str, bot: str) -> list[dict[str, Any]]:
    found, after = [], 0
    while page := site.call("GET", f"/events?after={after}&limit=500").body["events"]:
        found += [row["data"] for row in page if (row["kind"], row["bot"]) == (kind, bot)]
        after = page[-1]["number"]
    return found


@pytest.fixture
def three(site: Website) -> Any:
    """Three bots that may do everything, before and after."""
    site.all_may()
    yield site.bots()
    for row in site.bots().values():
        site.change(row["steam_id"], device_locked=False, banned=False)
    site.all_may()


def test_one_locked_and_one_banned_bot_among_three_fail_no_deposit(site: Website, three: dict[str, dict[str, Any]]) -> None:
    locked, banned, well = sorted(three)
    players = [site.player([ITEM], habit="accept") for _ in range(DEPOSITS)]
    site.change(three[locked]["steam_id"], device_locked=True)
    site.change(three[banned]["steam_id"], banned=True)

    def one(player: Any) -> dict[str, Any]:
        answer = site.deposit(player, 1)
        assert answer.status == 201, answer.body
        [trade] = answer.body["trades"]
        return site.until(trade["trade_id"], *DONE, "failed", "declined", "canceled", "expired")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = list(pool.map(one, players))
    assert {trade["status"] for trade in ended} <= set(DONE)
    assert {trade["bot"] for trade in ended} == {well}
    for bot, reason in ((locked, "bot_locked"), (banned, "bot_banned")):
        row = wait_until(lambda bot=bot: (row := site.bots()[bot])["state"] == "restricted" and row)  # type: ignore[misc]
        assert row["may"] == {"look": True, "take": False, "give": False}
        [why] = row["why_not"]
        assert (why["reason"], why["forbids"]) == (reason, ["give", "take"]) and why["since"] and why["action"]
        wait_until(lambda bot=bot, reason=reason: reason in [a.get("reason") for a in health_events(site, "alarm", bot)])  # type: ignore[misc]
    site.change(three[locked]["steam_id"], device_locked=False)
    site.change(three[banned]["steam_id"], banned=False)
    site.all_may()
    wait_until(lambda: health_events(site, "bot_health", locked)[-1]["over"] == ["bot_locked"])
    back = {one(site.player([ITEM], habit="accept"))["bot"] for _ in range(6)}
    assert back & {locked, banned}
    site.agree()


def test_a_withdrawal_waits_for_its_locked_bot_and_goes_out_by_itself(site: Website, three: dict[str, dict[str, Any]]) -> None:
    player = site.player(habit="accept")
    [deposit_id] = site.settled_deposits(player, 1)
    bot = site.deposits(player)[deposit_id]["bot"]
    site.change(three[bot]["steam_id"], device_locked=True)
    [trade] = site.withdraw(player, [deposit_id], wait=0).body["trades"]
    wait_until(lambda: site.trade(trade["trade_id"])["waits_for"] == "bot")
    assert site.trade(trade["trade_id"])["status"] == "queued"
    site.change(three[bot]["steam_id"], device_locked=False)
    assert site.until(trade["trade_id"], *DONE)["bot"] == bot
    site.agree()
