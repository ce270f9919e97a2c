"""No space for Redis' log: told, nothing lost, and over as soon as there is space again."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from functools import partial

import pytest
from nerves_lab import CONFIRM_LIST, SEND, Fleet
from support import wait_until

from scripts.lab.redis_server import EmbeddedRedis
from shared import wire

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nerves")]


def embedded(fleet: Fleet) -> EmbeddedRedis:
    assert fleet.stack.redis is not None
    return fleet.stack.redis


def limit(fleet: Fleet, size_bytes: int) -> None:
    """How large any file of Redis may get from now on."""
    resource.prlimit(embedded(fleet).pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


@pytest.fixture
def full_disk(fleet: Fleet) -> Iterator[None]:
    """Space comes back at the end, whatever happens."""
    yield
    limit(fleet, resource.RLIM_INFINITY)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_under_redis_is_told_and_loses_nothing(fleet: Fleet) -> None:
    keeper, deposit_id = fleet.take_stock()
    players = [fleet.player(12, habit="accept") for _ in range(2)]
    assets = [fleet.acceptable(player)[:1] for player in players]
    before_phone = fleet.stack.steam.hold(CONFIRM_LIST)
    withdrawal = fleet.begin_withdrawal(keeper, [deposit_id])
    assert before_phone.reached.wait(120)
    fleet.mode(withdrawal["bot"], "drain")
    in_post = fleet.stack.steam.hold_answer(SEND)
    posted = fleet.begin_deposit(players[0], assets[0])
    assert in_post.reached.wait(120)
    limit(fleet, 1)
    # One that never asks by PING whether Redis is well: a full one says no to that.
    with wire.connect(fleet.stack.redis_url, blocking=True) as client:
        wait_until(lambda: client.info("persistence")["aof_last_write_status"] != "ok", every_s=0.1)
    full = {"ok": False, "error": "MISCONF"}
    wait_until(
        lambda: (ready := fleet.call("GET", "/readyz")).status == 503 and ready.body["checks"]["redis"] == full, every_s=0.1
    )
    # Taken all the same: its order is given when there is space.
    later = fleet.begin_deposit(players[1], assets[1])
    before_phone.release()
    in_post.release()
    for trade in (withdrawal, posted):
        wait_until(partial(fleet.logged, fleet.part("red:1"), "redis_away", "reporting", trade["trade_id"]), every_s=0.1)
    limit(fleet, resource.RLIM_INFINITY)
    fleet.all_online()
    fleet.mode(withdrawal["bot"], "resume")
    for trade in (withdrawal, posted, later):
        fleet.ends_well(trade)
        assert len(fleet.offers(trade)) == 1
        # The reports waited in the workers; no order was begun a second time.
        assert {step["reason"] for step in fleet.steps(trade, "answer_lost")} <= {"silence"}
    # What it wrote down before, meanwhile and after opens again.
    embedded(fleet).kill()
    embedded(fleet).start()
    fleet.all_online()
