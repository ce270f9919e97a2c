"""Two who are after the same thing at once, on both databases: lanes after one prize, operators at one number."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from paper import HOUSE, Paper
from play import CHAIN_KEY

from website.engine.chains import ChainKey, Chains
from website.engine.models import Call
from website.engine.writer import Writer
from website.rooms import guarantees, numbers
from website.rooms.models import Guarantee, TypedNumber

pytestmark = pytest.mark.both_databases
EVIDENCE = "https://stream.example/1 sha256:00"
TRIES = 5


@pytest.fixture
def paper(database_url: str, site_settings: None) -> Paper:
    return Paper()


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Each in a thread of its own, begun at one moment. What it answers, or what it raises."""
    together = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            together.wait()
            return work()
        except numbers.NumberError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_two_lanes_after_one_prize_only_one_asks_for_it(paper: Paper) -> None:
    lanes = paper.open("giveaway")
    for _ in range(TRIES):
        (prize,) = paper.fleet.add(HOUSE, "Knife", 5_000)
        row = guarantees.set_aside("giveaway", [prize], paper.operator("ana"), "a prize", paper.now_ms)
        writers = [Writer(Chains(ChainKey(CHAIN_KEY), 64), paper.clock, name) for name in ("one", "two")]
        at_once(*(lambda w=writer, lane=lane: w.work(lane) for writer, lane in zip(writers, lanes, strict=True)))
        row.refresh_from_db()
        assert row.state == Guarantee.ASKED and row.lane in lanes
        asked = Call.objects.filter(kind=Call.LOCK, body__contains=prize)
        assert [call.ref for call in asked] == [row.ref]
        Guarantee.objects.filter(id=row.id).update(state=Guarantee.DROPPED)


def test_operators_who_type_at_once_have_one_seat_each(paper: Paper) -> None:
    """Three people and an engine at the same moment: two are seated, and the number is taken once."""
    (lane, _) = paper.open("global-pot", global_pot_limit=200, shares=[1], entropy="manual:direct")
    at = paper.game("global-pot")
    for _ in range(2):
        player = paper.player()
        paper.bet(player, at, paper.items(player, 100))
    paper.run(2)
    people = [paper.operator(name) for name in ("one", "two", "three")]
    answers = at_once(
        *(lambda who=who: numbers.type_in(lane, 1, "150", EVIDENCE, who, paper.now_ms) for who in people),
        lambda: paper.writer.work(lane),
    )
    assert sum(isinstance(answer, TypedNumber) for answer in answers) == 2
    assert sum(isinstance(answer, numbers.NumberError) for answer in answers) == 1
    paper.settle()
    assert [row.state for row in TypedNumber.objects.all()] == [TypedNumber.TAKEN] * 2
    assert paper.until_sealed(at).phase == "sealed"
    paper.check()
