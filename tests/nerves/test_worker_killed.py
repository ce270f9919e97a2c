"""A worker that is killed before, in and after each call of a send: one offer, and the books fit Steam's record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from _pytest.mark import ParameterSet
from nerves_lab import CLAIM, CONFIRM, CONFIRM_LIST, REPORT, SEND, Fleet

from scripts.lab.gate import Held

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nerves")]

Hold = Callable[[Fleet], Held]


@dataclass(frozen=True)
class Moment:
    """Where the worker dies. ``hold`` stops it in a call; ``then`` is held once that call's answer has come.

    ``arrives``: what was held reaches its end all the same.
    """

    name: str
    hold: Hold
    then: Hold | None = None
    arrives: bool = False

    def reached(self, fleet: Fleet, ask: Callable[[], dict[str, object]]) -> tuple[dict[str, object], Held]:
        """Ask for a trade and wait until its worker is there; the trade, and what is held."""
        held = self.hold(fleet)
        trade = ask()
        assert held.reached.wait(120)
        if self.then is not None:
            first, held = held, self.then(fleet)
            first.release()
            assert held.reached.wait(120)
        return trade, held


def before(*words: bytes) -> Hold:
    """The call never reaches Steam."""
    return lambda fleet: fleet.stack.steam.hold(*words)


def during(*words: bytes) -> Hold:
    """Steam has done it, its answer never comes."""
    return lambda fleet: fleet.stack.steam.hold_answer(*words)


def to_redis(*words: bytes) -> Hold:
    """A command never reaches Redis."""
    return lambda fleet: fleet.stack.hosts.hold(*words)


DEPOSIT = [
    Moment("before_claim", to_redis(*CLAIM)),
    Moment("claim_unanswered", lambda fleet: fleet.stack.hosts.hold_answer(*CLAIM)),
    Moment("before_send", before(SEND)),
    Moment("send_arrives_late", before(SEND), arrives=True),
    Moment("send_unanswered", during(SEND)),
    Moment("after_send", during(SEND), then=to_redis(REPORT)),
]
WITHDRAWAL = [
    Moment("before_send", before(SEND)),
    Moment("send_unanswered", during(SEND)),
    Moment("after_send", during(SEND), then=to_redis(REPORT)),
    Moment("before_list", before(CONFIRM_LIST)),
    Moment("list_unanswered", during(CONFIRM_LIST)),
    Moment("before_confirm", before(CONFIRM)),
    Moment("confirm_unanswered", during(CONFIRM)),
    Moment("after_confirm", during(CONFIRM), then=to_redis(REPORT)),
]


def params(moments: list[Moment], *usual: str) -> list[ParameterSet]:
    """All of them; those that are not ``usual`` run with the long tests."""
    marks = {moment.name: () if moment.name in usual else (pytest.mark.long,) for moment in moments}
    return [pytest.param(moment, id=moment.name, marks=marks[moment.name]) for moment in moments]


def outlives(fleet: Fleet, moment: Moment, ask: Callable[[], dict[str, object]]) -> dict[str, Any]:
    """The trade as it is in the end."""
    trade, held = moment.reached(fleet, ask)
    fleet.kill(str(trade["bot"]))
    if moment.arrives:
        held.release()
    else:
        held.drop()
    return fleet.ends_well(trade)


@pytest.mark.parametrize("moment", params(DEPOSIT, "before_send", "send_unanswered"))
def test_a_deposit_outlives_its_worker(fleet: Fleet, moment: Moment) -> None:
    player = fleet.player(12, habit="accept")
    assets = fleet.acceptable(player)
    assert outlives(fleet, moment, lambda: fleet.begin_deposit(player, assets))["failure"] is None


@pytest.mark.parametrize("moment", params(WITHDRAWAL, "before_confirm", "confirm_unanswered"))
def test_a_withdrawal_outlives_its_worker(fleet: Fleet, moment: Moment) -> None:
    player, deposit_id = fleet.take_stock()
    assert outlives(fleet, moment, lambda: fleet.begin_withdrawal(player, [deposit_id]))["failure"] is None
