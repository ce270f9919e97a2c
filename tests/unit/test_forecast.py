"""When a color is full, from what has room now and what moved in the last day."""

from __future__ import annotations

from dataclasses import replace

import pytest

from balancer.fleet import forecast
from balancer.fleet.bot import Bot
from balancer.fleet.forecast import Flow
from shared.domain.health import May
from shared.domain.status import BotMode

DAY_S = 86_400.0
BOT = Bot(
    bot="red-1",
    color="red",
    bot_id=1,
    steam_id="76561198000000001",
    mode=BotMode.ACTIVE,
    state="online",
    reason=None,
    action=None,
    may=frozenset(May),
    why_not=(),
    slots_held=0,
    slots_reserved=0,
    open_offers=0,
    waiting=0,
    in_line=0,
    heartbeat_age_s=0.0,
    frozen_by=None,
    host=None,
    orders_done=0,
    steam_calls=0,
    look_calls=0,
    second_calls=0,
    deposit_calls=0.0,
    withdraw_calls=0.0,
    paused=None,
    latency_ms=None,
    items_seen=None,
    health_told=None,
)


def bot(name: str, held: int, may: frozenset[May] = frozenset(May)) -> Bot:
    color, number = name.split("-")
    return replace(BOT, bot=name, color=color, bot_id=int(number), slots_held=held, may=may)


@pytest.mark.parametrize(
    ("held", "flow", "full_in_s"),
    [
        (400, Flow(80, 20, DAY_S), 10 * DAY_S),
        (400, Flow(60, 0, 3600.0), 10 * 3600.0),
        (999, Flow(2, 1, DAY_S), DAY_S),
        (400, Flow(20, 20, DAY_S), None),
        (400, Flow(0, 20, DAY_S), None),
        (400, None, None),
        (1000, None, 0.0),
        (1200, Flow(0, 50, DAY_S), 0.0),
    ],
)
def test_room_is_filled_at_the_pace_of_the_last_day(held: int, flow: Flow | None, full_in_s: float | None) -> None:
    [mine] = forecast.of([bot("red-1", held)], 1000, {} if flow is None else {"red": flow})
    assert (mine.color, mine.slots, mine.free, mine.full_in_s) == ("red", 1000, max(0, 1000 - held), full_in_s)


def test_each_color_is_by_itself_and_only_who_takes_deposits_counts() -> None:
    bots = [bot("red-1", 10), bot("red-2", 20, frozenset({May.LOOK, May.GIVE})), bot("blue-1", 90), bot("blue-2", 30)]
    blue, red = forecast.of(bots, 100, {"red": Flow(9, 0, 10.0), "green": Flow(1, 0, 10.0)})
    assert (blue.color, blue.slots, blue.free, blue.full_in_s) == ("blue", 200, 80, None)
    assert (red.color, red.slots, red.free, red.full_in_s) == ("red", 100, 90, 100.0)


def test_a_color_without_a_bot_that_takes_anything_is_full() -> None:
    [mine] = forecast.of([bot("red-1", 10, frozenset())], 100, {"red": Flow(9, 0, 10.0)})
    assert (mine.slots, mine.free, mine.full_in_s) == (0, 0, 0.0)
