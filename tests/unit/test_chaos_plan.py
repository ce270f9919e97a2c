"""The nemesis' plan: a pure function of the seed that reaches everything and hurts no part twice at a time."""

from __future__ import annotations

from collections import Counter

import pytest

from scripts.chaos_run.plan import BY_NAME, KINDS, LAST_BLOW_S, POWER_CUTS, Shape, plan

SHAPE = Shape({"red:1": ("red-1", "red-2", "red-3"), "blue:1": ("blue-1", "blue-2", "blue-3")}, 2)
SEEDS = range(1, 41)
CUTS = {kind.name for kind in POWER_CUTS}


def test_the_plan_is_fixed_by_the_seed() -> None:
    assert plan(7, 600, SHAPE) == plan(7, 600, SHAPE)
    assert plan(7, 600, SHAPE) != plan(8, 600, SHAPE)


def test_ten_minutes_do_everything_and_often_what_happens_often() -> None:
    counted = Counter(blow.kind for seed in SEEDS for blow in plan(seed, 600, SHAPE))
    for seed in SEEDS:
        assert {blow.kind for blow in plan(seed, 600, SHAPE)} | CUTS == set(BY_NAME)
    assert sum(counted[name] for name in CUTS) == len(SEEDS)
    assert all(counted[name] for name in CUTS)
    assert counted["worker_killed"] > counted["postgres_killed"]


@pytest.mark.parametrize("seed", SEEDS)
def test_no_part_is_hurt_twice_at_a_time_and_none_at_the_end(seed: int) -> None:
    blows = plan(seed, 600, SHAPE)
    assert [blow.at_s for blow in blows] == sorted(blow.at_s for blow in blows)
    hurt_until: dict[str, float] = {}
    for blow in blows:
        kind = BY_NAME[blow.kind]
        assert kind.lasts_s[0] <= blow.lasts_s <= kind.lasts_s[1]
        assert blow.at_s + blow.lasts_s <= 600
        assert blow.at_s < 600 - LAST_BLOW_S
        assert blow.target in SHAPE.targets(kind.target)
        if blow.kind in CUTS:
            assert all(until <= blow.at_s for until in hurt_until.values())
            continue
        for name in SHAPE.touched(blow.target):
            assert hurt_until.get(name, 0.0) <= blow.at_s
            hurt_until[name] = blow.at_s + blow.lasts_s


def test_only_clocks_are_moved_and_steams_only_forward() -> None:
    moved = [blow for seed in SEEDS for blow in plan(seed, 600, SHAPE) if blow.amount_s]
    assert {blow.kind for blow in moved} == {"host_clock", "balancer_clock", "steam_clock"}
    assert all(blow.amount_s > 0 for blow in moved if blow.kind == "steam_clock")
    assert {blow.amount_s > 0 for blow in moved if blow.kind == "host_clock"} == {True, False}


def test_a_short_plan_has_its_power_cut_too() -> None:
    for seed in SEEDS:
        assert [(blow.at_s, blow.target) for blow in plan(seed, 24, SHAPE) if blow.kind in CUTS] == [(14.4, "everything")]
        assert CUTS.isdisjoint(blow.kind for blow in plan(seed, 24, SHAPE, power_cut=False))


def test_a_plan_of_chosen_kinds_has_no_others() -> None:
    chosen = [kind for kind in KINDS if kind.name in ("bot_locked", "foreign_client")]
    blows = plan(3, 120, SHAPE, kinds=chosen, power_cut=False)
    assert {blow.kind for blow in blows} == {"bot_locked", "foreign_client"}


def test_a_bot_belongs_to_its_host_and_nothing_else_to_both() -> None:
    assert SHAPE.touched("red-2") == {"red-2", "red:1"}
    assert SHAPE.touched("red:1") == {"red:1", "red-1", "red-2", "red-3"}
    assert SHAPE.touched("balancer-2") == {"balancer-2"}
    assert len({kind.name for kind in KINDS}) == len(KINDS)
