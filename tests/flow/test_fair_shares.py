"""Players who never answer do not shut the fleet for others: shown on a fleet of one single bot, where all of them meet."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis
from flow_site import Answer, Player, Website, patient
from support import wait_until

from scripts.lab.calls import send_json
from scripts.lab.stack import Stack, Wish

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("one-bot")]

IDLE = 6
EACH = 5
PROTECTED_S = 600
# Of thirty trades that are protected for long, each is not looked at all the time.
QUICK = {"watch_s": 0.5, "sweep_s": 0.5, "settle_again_s": 1.5, "items_look_s": 1.0, "inventory_cache_s": 1.0}


@pytest.fixture(scope="module")
def one_bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A bot with Steam's own limits: thirty open offers, five of them with one player."""
    wish = Wish(
        directory=tmp_path_factory.mktemp("one-bot"),
        bots_per_group=1,
        players=0,
        protection_s=1,
        overrides=patient(trades=QUICK),
    )
    with Stack(wish) as running:
        Website(running).settings(bound_share=0)
        yield running


def the_bot(site: Website) -> dict[str, Any]:
    [row] = site.call("GET", "/bots").body["bots"]
    return dict(row)


def trade_of(answer: Answer) -> dict[str, Any]:
    assert answer.status in (201, 202), answer.body
    [trade] = answer.body["trades"]
    return dict(trade)


def brings(site: Website) -> tuple[Player, list[str]]:
    """A player who brings items that are protected for long, lets a withdrawal wait for each, and answers nothing any more."""
    player = site.player(items=30, habit="accept")
    deposit = trade_of(site.deposit(player, EACH))
    ids = [item["deposit_id"] for item in site.until(deposit["trade_id"], "accepted")["items"]]
    site.change(player.steam_id, habit="ignore")
    asked = [trade_of(site.withdraw(player, [each], wait=0, when_settled=True)) for each in ids]
    assert Counter(trade["waits_for"] for trade in asked) == {"settlement": EACH}
    return player, [trade["trade_id"] for trade in asked]


def takes_all_it_gets(site: Website, player: Player) -> Answer:
    """Single-item deposits until one is refused."""
    body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url}
    for asset_id in site.acceptable(player):
        answer = site.call("POST", "/deposit?wait=0", body | {"asset_ids": [asset_id]})
        if answer.status >= 400:
            return answer
    raise AssertionError("nothing was refused")


def a_week_later(site: Website) -> None:
    """Steam's clock moves on, and what the balancer knows of the end of the protection lies in the past."""
    send_json("POST", f"{site.stack.control_url}/control/clock", {"advance_s": PROTECTED_S + 60})
    with closing(sqlite3.connect(site.stack.database_url.removeprefix("sqlite:///"), timeout=60)) as books, books:
        past = "2026-01-01 00:00:00.000000"
        books.execute("UPDATE trades SET settles_at = ? WHERE status = 'accepted'", (past,))
        books.execute("UPDATE trades SET next_try_at = ? WHERE waits_for = 'settlement'", (past,))


def test_a_pause_of_withdrawals_holds_what_lies_in_the_bots_queue(one_bot: Stack) -> None:
    """The bot is still sending one when they are paused: that one goes on, the next in its queue waits for the resumption."""
    site = Website(one_bot)
    player = site.player(habit="accept")
    first, second = site.settled_deposits(player, 2)
    site.fault(route="send", kind="slow", delay_s=600, times=1_000_000)
    begun = trade_of(site.withdraw(player, [first], wait=0))
    site.until(begun["trade_id"], "sending")
    queued = trade_of(site.withdraw(player, [second], wait=0))
    wait_until(lambda: orders_in_queue(site, queued["trade_id"]))
    assert site.call("POST", "/switches", {"switch": "withdrawals", "paused": True, "reason": "look"}).status == 200
    site.end_all_faults()
    site.until(begun["trade_id"], "accepted", "settled")
    wait_until(lambda: site.trade(queued["trade_id"])["waits_for"] == "offer")
    assert site.withdraw(player, [second], wait=0).body["code"] == "fleet_paused"
    assert site.offers_of(queued["trade_id"], player.steam_id) == []
    assert site.call("POST", "/switches", {"switch": "withdrawals", "paused": False}).status == 200
    site.until(queued["trade_id"], "accepted", "settled")
    site.agree()


def orders_in_queue(site: Website, trade_id: str) -> bool:
    with redis.Redis.from_url(site.stack.redis_url) as client:
        return any(trade_id in job.decode() for job in client.lrange("rq:queue:red-1", 0, -1))


@pytest.mark.long
def test_six_idle_players_and_thirty_waiting_withdrawals_keep_no_stranger_from_trading(one_bot: Stack) -> None:
    site = Website(one_bot)
    strangers = [site.player(habit="accept") for _ in range(2)]
    settled = [site.settled_deposits(player, 2) for player in strangers]
    site.settings(protection_s=PROTECTED_S)
    idle = [brings(site) for _ in range(IDLE)]
    wait_until(lambda: the_bot(site)["open_offers"] == 0, every_s=0.3)  # the fleet is shown as it was a moment ago
    assert (the_bot(site)["waiting"], the_bot(site)["in_line"]) == (IDLE * EACH, 0)
    for player, _ in idle:
        refused = takes_all_it_gets(site, player)
        assert (refused.status, refused.body["code"], refused.body["whose_limit"]) == (422, "too_many_offers", "service")
        assert refused.body["player_message"]
    # While all that stands there unanswered, a stranger gets items back, and brings some.
    gets_through(site, strangers[0], settled[0])
    # The thirty are due now, and some of them go out: another stranger does not wait for their players' answers.
    a_week_later(site)
    wait_until(lambda: the_bot(site)["in_line"] > 0 and the_bot(site)["waiting"] == the_bot(site)["in_line"], every_s=0.3)
    assert the_bot(site)["open_offers"] <= 30
    gets_through(site, strangers[1], settled[1])
    # The idle ones get theirs too, as soon as they answer.
    player, trade_ids = idle[0]
    answers(site, player)
    for trade_id in trade_ids:
        site.until(trade_id, "accepted", "settled")
    site.agree()


def answers(site: Website, player: Player) -> None:
    """Accepts what is open, and whatever comes from now on."""
    site.change(player.steam_id, habit="accept")
    for offer in site.record()["offers"]:
        if offer["recipient"] == player.steam_id and offer["state"] == 2:
            site.act(player, offer["offer_id"], "accept")


def gets_through(site: Website, player: Player, deposit_ids: list[str]) -> None:
    out = trade_of(site.withdraw(player, deposit_ids))
    assert site.until(out["trade_id"], "accepted", "settled")["waits_for"] is None
    brought = trade_of(site.deposit(player, 1))
    site.until(brought["trade_id"], "accepted", "settled")
