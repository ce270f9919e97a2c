"""A balancer is stopped in order, and balancers of one port are replaced one by one, while clients that never retry call."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import ExitStack

import pytest
from flow_site import Answer, Website
from nerves_fleet import BalancerFleet, Depositor, InHand, Kept, body_of, load, new_key, server_of, short_get
from support import wait_until

from scripts.lab.parts import Part

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("nerves-balancer")]


def replaced(balancers: BalancerFleet, old: Part) -> Part:
    """Start a new balancer on the same port, then end the one before; the new one."""
    new = balancers.start_balancer("balancer-next")
    os.kill(old.process.pid, signal.SIGTERM)
    assert balancers.reaped(old) == 0, old.tail()
    return new


def check_no_request_fails(balancers: BalancerFleet, times: int) -> None:
    one = balancers.one_balancer()
    site = Website(balancers)
    depositors = [Depositor(site) for _ in range(2)]
    with ExitStack() as open_until_the_end, load() as running:
        running.run("short", lambda: short_get(balancers.port), 6)
        for _ in range(2):
            kept = open_until_the_end.enter_context(Kept(site))
            running.run("kept", lambda kept=kept: kept.get("/bots"))  # type: ignore[misc]
        running.run("long", lambda: site.call("GET", "/events?after=999999999&wait=4").status)  # one is always under way
        for each in depositors:
            running.run("deposit", each.deposit)
        running.until("short", 50)
        for _ in range(times):
            one = replaced(balancers, one)
        running.until("short", 50)
        wait_until(lambda: all(len(each.made) > times for each in depositors) or running.seen.failures)
        seen = running.stop()
    assert seen.failures == []
    assert {status for what, status in seen.answers if what != "deposit"} == {200}
    assert seen.count("short") >= 100 and seen.count("long") >= times
    assert [each.unexpected() for each in depositors] == [[], []]
    assert all(len(each.made) > times for each in depositors)
    wait_until(lambda: not balancers.unfinished(), every_s=0.2)
    site.agree()
    assert balancers.twice_written() == []


def test_replacing_balancers_of_one_port_fails_no_request(balancers: BalancerFleet) -> None:
    check_no_request_fails(balancers, 1)


@pytest.mark.long
def test_replacing_them_many_times_fails_no_request(balancers: BalancerFleet) -> None:
    check_no_request_fails(balancers, 20)


@pytest.mark.parametrize("away", ["redis", "postgresql"])
def test_it_stops_in_order_while_a_part_is_away(balancers: BalancerFleet, away: str) -> None:
    one = balancers.one_balancer()
    if away == "redis":
        balancers.balancers.cut()
    else:
        server_of(balancers).end(signal.SIGQUIT)
    os.kill(one.process.pid, signal.SIGTERM)
    assert balancers.reaped(one) == 0, one.tail()
    balancers.one_balancer()
    Website(balancers).agree()


def test_a_waiting_request_is_answered_at_once_and_nothing_new_is_taken(balancers: BalancerFleet) -> None:
    """SIGTERM while a deposit waits for an offer that no bot makes: 202 with the trade, and the next connection is refused."""
    one = balancers.one_balancer()
    site = Website(balancers)
    player = site.player(habit="accept")
    asset = site.acceptable(player)[0]
    answers: list[Answer] = []
    with balancers.bots_stopped():
        asking = threading.Thread(
            target=lambda: answers.append(site.call("POST", "/deposit?wait=25", body_of(player, [asset]), key=new_key()))
        )
        asking.start()
        wait_until(lambda: balancers.rows("SELECT 1 FROM trades WHERE user_id = :user_id", user_id=player.user_id))
        watching = InHand(site, "/events?after=999999999&wait=25")
        os.kill(one.process.pid, signal.SIGTERM)
        events = watching.answer()
        asking.join(120)
        assert balancers.reaped(one) == 0
    assert events.startswith(b"HTTP/1.1 200") and b"Connection: close" in events and b'"events":[]' in events
    assert [(answer.status, answer.headers["Connection"]) for answer in answers] == [(202, "close")]
    (trade,) = answers[0].body["trades"]
    assert trade["status"] == "queued"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", balancers.port))
    balancers.one_balancer()
    site.until(trade["trade_id"], "accepted", "settled")
    assert len(site.offers_of(trade["trade_id"], player.steam_id)) == 1
    site.agree()
