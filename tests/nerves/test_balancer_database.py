"""The database or Redis is away while balancers work: what callers see, that nothing is half done, and that all goes on."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
from flow_site import Answer, Website
from nerves_fleet import BalancerFleet, Depositor, body_of, children, load, new_key, server_of
from support import wait_until

from scripts.lab.gate import Gate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("nerves-balancer")]


def checks(site: Website) -> dict[str, bool]:
    """What `/readyz` says of each part, and whether it is ready as a whole."""
    answer = site.call("GET", "/readyz")
    assert answer.status == (200 if answer.body["ready"] else 503)
    return {"ready": answer.body["ready"]} | {name: check["ok"] for name, check in answer.body["checks"].items()}


def is_unavailable(answer: Answer, reason: str) -> bool:
    """Whether this is the documented "not now" of a database."""
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    body = answer.body
    assert (answer.status, body["code"], body["retryable"], body["reason"]) == (503, "database_unavailable", True, reason), body
    return int(answer.headers["Retry-After"]) >= 1


def test_postgresql_ends_at_once_and_comes_back_under_load(balancers: BalancerFleet) -> None:
    """Stopped as in a crash, twice: every answer is a trade or a documented 503, and the same key works afterwards."""
    balancers.one_balancer()
    site, server = Website(balancers), server_of(balancers)
    depositors = [Depositor(site) for _ in range(4)]
    looks: list[Answer] = []

    def look() -> int:
        looks.append(site.call("GET", "/deposits?user_id=nobody"))
        return looks[-1].status

    with load() as running:
        for each in depositors:
            running.run("deposit", each.deposit)
        running.run("look", look)
        for _ in range(2):
            running.until("deposit", 8)
            server.end(signal.SIGQUIT)
            wait_until(lambda: not checks(site)["database"], every_s=0.05)
            running.until("deposit", 8)
            assert site.call("GET", "/healthz").status == 200
            server.start()
            wait_until(lambda: checks(site)["ready"], every_s=0.1)
        running.until("deposit", 8)
        seen = running.stop()
    assert seen.failures == []
    refused = [answer for each in depositors for answer in each.answers if answer.status == 503]
    assert refused and all(is_unavailable(answer, "away") for answer in refused)
    assert all(is_unavailable(answer, "away") for answer in looks if answer.status != 200)
    assert [each.unexpected() for each in depositors] == [[]] * 4
    for each in depositors:
        for _ in range(len(each.wishes) - len(each.made)):
            assert each.deposit() in (201, 202)
        found = balancers.rows("SELECT trade_id FROM trades WHERE user_id = :user_id", user_id=each.player.user_id)
        assert sorted(row.trade_id for row in found) == sorted(each.made.values())  # one for each wish
    wait_until(lambda: not balancers.unfinished(), every_s=0.2)
    assert balancers.twice_written() == []
    site.agree()


def test_the_first_request_after_a_restart_finds_a_working_connection(balancers: BalancerFleet) -> None:
    """PostgreSQL restarts while nobody asks: the pool's dead connections are nobody's 503."""
    balancers.one_balancer()
    site, server = Website(balancers), server_of(balancers)
    player = site.player(habit="accept")
    asset = site.acceptable(player)[0]
    server.end(signal.SIGQUIT)
    server.start()
    answer = site.call("POST", "/deposit?wait=15", body_of(player, [asset]))
    assert answer.status in (201, 202), answer.body
    site.until(answer.body["trades"][0]["trade_id"], "accepted", "settled")
    site.agree()


@contextmanager
def gate_to_postgres(balancers: BalancerFleet) -> Iterator[tuple[Gate, str]]:
    """A gate before PostgreSQL, and the database's URL through it."""
    folder = parse_qs(urlsplit(balancers.database_url).query)["host"][0]
    with Gate(f"{folder}/.s.PGSQL.5432") as gate:
        url = re.sub(r"@/(\w+)\?host=.*", rf"@{gate.host}:{gate.port}/\1", balancers.database_url)
        yield gate, url


@pytest.mark.parametrize(
    "reached", [pytest.param(False, id="not-committed", marks=pytest.mark.long), pytest.param(True, id="committed")]
)
def test_a_commit_whose_answer_is_lost_is_told_and_repeated(balancers: BalancerFleet, reached: bool) -> None:
    """The connection breaks while a deposit commits: 503 either way, and the same key gives the one trade there is."""
    one = balancers.one_balancer()
    site = Website(balancers)
    player = site.player(habit="accept")
    with gate_to_postgres(balancers) as (gate, url):
        quiet = {"FLEET__DATABASE__URL": url, "FLEET__TRADES__SWEEP_S": "3600", "FLEET__TRADES__WATCH_S": "3600"}
        _, gated = balancers.more("balancer-gated", environment=quiet)
        asset, key = gated.acceptable(player)[0], new_key()
        assert one.process.poll() is None
        with balancers.bots_stopped():
            inserting = gate.hold(key.encode())
            with load() as running:
                answers: list[Answer] = []
                running.run("deposit", lambda: _once(answers, gated, player, asset, key))
                assert inserting.reached.wait(120)
                held = (gate.hold_answer if reached else gate.hold)(b"COMMIT")
                inserting.release()
                assert held.reached.wait(120)
                gate.cut()
                wait_until(lambda: answers)
        assert is_unavailable(answers[0], "away")
        made = balancers.rows("SELECT trade_id FROM trades WHERE user_id = :user_id", user_id=player.user_id)
        assert len(made) == reached
        gate.mend()
        again = gated.call("POST", "/deposit?wait=15", body_of(player, [asset]), key=key)
        assert again.status in (201, 202), again.body
        (trade,) = again.body["trades"]
        assert not made or trade["trade_id"] == made[0].trade_id
        site.until(trade["trade_id"], "accepted", "settled")
        assert len(site.offers_of(trade["trade_id"], player.steam_id)) == 1
        site.agree()
        balancers.one_balancer()


def _once(answers: list[Answer], site: Website, player: object, asset: str, key: str) -> int:
    if not answers:
        answers.append(site.call("POST", "/deposit?wait=0", body_of(player, [asset]), key=key))  # type: ignore[arg-type]
    return answers[0].status


def test_without_redis_deposits_are_queued_or_refused_and_go_on_afterwards(balancers: BalancerFleet) -> None:
    """A player whose inventory is known gets a trade that waits; an unknown one is told to come back."""
    balancers.one_balancer()
    site = Website(balancers)
    known, unknown = site.player(habit="accept"), site.player(habit="accept")
    asset = site.acceptable(known)[0]
    wait_until(lambda: checks(site)["ready"], every_s=0.1)
    balancers.balancers.cut()
    wait_until(lambda: (now := checks(site))["database"] and not now["redis"] and not now["ready"], every_s=0.1)
    taken = site.call("POST", "/deposit?wait=1", body_of(known, [asset]))
    assert taken.status == 202, taken.body
    (trade,) = taken.body["trades"]
    assert trade["status"] == "queued"
    refused = site.call("POST", "/deposit?wait=1", body_of(unknown, ["1"]))
    assert (refused.status, refused.body["code"], refused.body["retryable"]) == (503, "inventory_unavailable", True)
    assert site.trade(trade["trade_id"])["status"] == "queued"  # reads work
    balancers.balancers.mend()
    site.until(trade["trade_id"], "accepted", "settled")
    wait_until(lambda: checks(site)["ready"], every_s=0.1)
    assert len(site.offers_of(trade["trade_id"], known.steam_id)) == 1
    assert balancers.rows("SELECT 1 FROM trades WHERE user_id = :user_id", user_id=unknown.user_id) == []
    site.agree()


@contextmanager
def frozen(balancers: BalancerFleet) -> Iterator[None]:
    """PostgreSQL does not move: connections stay, no answer comes."""
    postmaster = server_of(balancers).pid
    pids = [postmaster, *children(postmaster)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.long
def test_a_database_that_hangs_ends_requests_and_does_not_keep_a_balancer_from_stopping(balancers: BalancerFleet) -> None:
    balancers.one_balancer()
    part, site = balancers.more("balancer-hangs", environment={"FLEET__BALANCER__REQUEST_MAX_S": "46"})
    player = site.player(habit="accept")
    asset, key = site.acceptable(player)[0], new_key()
    with frozen(balancers):
        assert not checks(site)["database"]
        late = site.call("POST", "/deposit?wait=0", body_of(player, [asset]), key=key)
        # Given up with the request's time, or sooner when a new connection was tried and not answered.
        assert (late.status, late.body["code"]) in ((504, "request_timeout"), (503, "database_unavailable")), late.body
        assert late.body["retryable"]
        os.kill(part.process.pid, signal.SIGTERM)
        balancers.reaped(part, 60)
    one = Website(balancers)
    balancers.one_balancer()
    again = one.call("POST", "/deposit?wait=15", body_of(player, [asset]), key=key)
    assert again.status in (201, 202), again.body
    one.until(again.body["trades"][0]["trade_id"], "accepted", "settled")
    assert len(balancers.rows("SELECT 1 FROM trades WHERE user_id = :user_id", user_id=player.user_id)) == 1
    one.agree()
