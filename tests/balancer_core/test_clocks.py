"""A balancer on a machine whose clock is wrong."""

from __future__ import annotations

import pytest
from balancer_core.core_world import World

from balancer import loops


def test_a_clock_that_is_off_at_the_start_is_corrected_by_redis_and_stays_so(world: World) -> None:
    ctx = world.ctx
    ctx.clock.offset_s = 300.0
    loops.measure(ctx, starting=True)
    assert ctx.clock.offset_s == pytest.approx(0.0, abs=100)
    assert ctx.server_clock.off_s == 0
    ctx.clock.offset_s -= 300  # the operator sets the machine's clock right
    loops.measure(ctx)
    assert ctx.clock.offset_s == pytest.approx(0.0, abs=100)


def test_a_clock_that_jumps_later_is_told_and_not_followed(world: World) -> None:
    ctx = world.ctx
    loops.measure(ctx, starting=True)
    ctx.clock.offset_s += 300.0
    loops.measure(ctx)
    assert ctx.server_clock.off_s == pytest.approx(300.0, abs=100)
    assert ctx.clock.offset_s == pytest.approx(ctx.settings.clock.offset_s + 300.0, abs=100)


def test_a_little_off_is_nothing(world: World) -> None:
    ctx = world.ctx
    ctx.clock.offset_s += 20.0
    loops.measure(ctx, starting=True)
    assert ctx.server_clock.off_s == 0
    assert ctx.clock.offset_s == ctx.settings.clock.offset_s + 20.0
