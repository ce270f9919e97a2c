"""Balancers are killed between two steps, killed under load, and run side by side; the books still fit Steam's own record."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flow_site import Answer, Player, Website
from nerves_fleet import BalancerFleet, Depositor, body_of, load, new_key
from support import wait_until

from fleet_client.errors import AnswerLost, FleetError
from shared import wire

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("nerves-balancer")]

LED = ("watching", "sweep", "audits")


def begun(site: Website, **account: Any) -> tuple[Player, list[str]]:
    """A player whose inventory the balancer has read already, and what he may put in."""
    player = site.player(habit="accept", **account)
    return player, site.acceptable(player)


def asked(
    site: Website, player: Player, asset: str, key: str, answers: list[Answer | FleetError], wait: int = 0
) -> threading.Thread:
    """A deposit on its way, in a thread of its own."""

    def call() -> None:
        try:
            answers.append(site.call("POST", f"/deposit?wait={wait}", body_of(player, [asset]), key=key))
        except FleetError as error:
            answers.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def went_in_once(balancers: BalancerFleet, player: Player, asset: str, key: str) -> None:
    """The same request again shows the one trade; it has one offer, each of its events once, and no difference is left."""
    site = Website(balancers)
    again = site.call("POST", "/deposit?wait=15", body_of(player, [asset]), key=key)
    assert again.status in (201, 202), again.body
    (trade,) = again.body["trades"]
    site.until(trade["trade_id"], "accepted", "settled")
    assert [offer["state"] for offer in site.offers_of(trade["trade_id"], player.steam_id)] == [3]
    assert len(balancers.rows("SELECT 1 FROM trades WHERE user_id = :user_id", user_id=player.user_id)) == 1
    assert balancers.twice_written() == []
    site.agree()


@pytest.mark.parametrize("reached", [False, True], ids=["before-redis", "behind-redis"])
def test_killed_between_the_commit_and_the_order(balancers: BalancerFleet, reached: bool) -> None:
    """The trade is committed; its order has not reached Redis, or has and the balancer never heard that it did."""
    one = balancers.one_balancer()
    site = Website(balancers)
    player, assets = begun(site)
    gate, key, answers = balancers.balancers, new_key(), list[Answer | FleetError]()
    held = (gate.hold_answer if reached else gate.hold)(b"RPUSH", b"send-trd_")
    calling = asked(site, player, assets[0], key, answers)
    assert held.reached.wait(120)
    assert len(balancers.rows("SELECT 1 FROM trades WHERE user_id = :user_id", user_id=player.user_id)) == 1
    balancers.kill(one)
    gate.cut()  # what is held does not go on by itself
    calling.join(120)
    assert isinstance(answers[0], AnswerLost)  # the caller was never answered
    balancers.one_balancer()
    went_in_once(balancers, player, assets[0], key)


def test_killed_between_the_commit_of_a_report_and_its_acknowledgement(balancers: BalancerFleet) -> None:
    one = balancers.one_balancer()
    site = Website(balancers)
    player, assets = begun(site)
    key, answers = new_key(), list[Answer | FleetError]()
    with balancers.bots_stopped():
        asked(site, player, assets[0], key, answers).join(120)
        assert isinstance(answers[0], Answer) and answers[0].status == 202
        held = balancers.balancers.hold(b"XACK")
    assert held.reached.wait(120)
    trade_id = answers[0].body["trades"][0]["trade_id"]
    (row,) = balancers.rows("SELECT status FROM trades WHERE trade_id = :trade_id", trade_id=trade_id)
    assert row.status != "queued"  # the report is in the books
    with wire.connect(balancers.redis_url) as client:
        pending: Any = client.xpending(wire.REPORTS, wire.REPORT_GROUP)
    assert pending["pending"] > 0  # and still waits in the stream
    balancers.kill(one)
    balancers.balancers.cut()
    balancers.one_balancer()
    went_in_once(balancers, player, assets[0], key)


def test_one_key_at_two_balancers_at_the_same_moment_makes_one_trade(balancers: BalancerFleet) -> None:
    balancers.one_balancer()
    _, second = balancers.more("balancer-second")
    first = Website(balancers)
    for _ in range(3):
        player = first.player(habit="accept")
        assets = first.acceptable(player)
        assert second.acceptable(player) == assets
        key, answers, start = new_key(), list[Answer](), threading.Barrier(6)

        def call(site: Website) -> None:
            start.wait()  # noqa: B023 - joined below
            answers.append(site.call("POST", "/deposit?wait=5", body_of(player, assets[:1]), key=key))  # noqa: B023

        threads = [threading.Thread(target=call, args=(site,)) for site in (first, second) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert {answer.status for answer in answers} <= {201, 202}, [answer.body for answer in answers]
        assert len({answer.body["trades"][0]["trade_id"] for answer in answers}) == 1
        went_in_once(balancers, player, assets[0], key)


def leaders(balancers: BalancerFleet) -> dict[str, str]:
    """Who does the work of each loop that one balancer does for all, by the mark in Redis."""
    with wire.connect(balancers.redis_url) as client:
        found: dict[str, Any] = {name: client.get(wire.leader_key(name)) for name in LED}
    return {name: value.decode() for name, value in found.items() if value}


def test_one_of_three_balancers_leads_each_loop_and_another_takes_over(balancers: BalancerFleet) -> None:
    """Under load from all three, the one that leads is killed: the others do its loops, its reports and its orders."""
    first = balancers.one_balancer()
    parts = {"balancer": (first, Website(balancers))}
    wait_until(lambda: len(leaders(balancers)) == len(LED))
    (mark,) = set(leaders(balancers).values())  # there is only one yet
    parts |= {name: balancers.more(name) for name in ("balancer-b", "balancer-c")}
    survivors = [site for name, (_, site) in parts.items() if name != "balancer"]
    doomed, others = Depositor(parts["balancer"][1]), [Depositor(site) for site in survivors]
    with load() as running:
        running.run("doomed", doomed.deposit)
        for each in others:
            running.run("deposit", each.deposit)
        running.until("deposit", 6)
        wait_until(lambda: mark in leaders(balancers).values())  # a slow machine may have given another one a loop of its
        balancers.kill(first)
        wait_until(lambda: len(leaders(balancers)) == len(LED) and mark not in leaders(balancers).values())
        done = running.seen.count("deposit")
        wait_until(lambda: running.seen.count("deposit") >= done + 6)
        seen = running.stop()
    assert all(failure.startswith("doomed") for failure in seen.failures) and seen.failures
    assert [each.unexpected() for each in others] == [[], []]
    # What the dead one was asked and did not answer is asked of another, with the same key.
    doomed.site = survivors[0]
    for _ in range(len(doomed.wishes) - len(doomed.made)):
        assert doomed.deposit() in (201, 202)
    made = [trade_id for each in (doomed, *others) for trade_id in each.made.values()]
    assert len(made) == len(set(made))
    balancers.balancer_url, dead = survivors[0].stack.balancer_url, balancers.balancer_url
    try:
        wait_until(lambda: not balancers.unfinished(), every_s=0.2)
        assert balancers.twice_written() == []
        assert [row for row in balancers.ignored() if "picked_up" in row.data] == []
        survivors[0].agree()
    finally:
        balancers.balancer_url = dead
    for name in ("balancer-b", "balancer-c"):
        log = (balancers.wish.directory / f"{name}.log").read_text()
        assert "another balancer leads" in log
