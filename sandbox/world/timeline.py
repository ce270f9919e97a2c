"""Lets the world catch up with the time: expiries, settlements, ends of holds, people's decisions."""

from collections.abc import Callable

from sandbox.world import agenda, delivery, people, reversals, trading
from sandbox.world.state import World

DOES: dict[str, Callable[[World, int, float], None]] = {
    agenda.EXPIRE: trading.expire,
    agenda.SETTLE: delivery.settle,
    agenda.RELEASE: delivery.release,
    agenda.ACT: people.notice,
    agenda.REVERSE: reversals.carry_out,
    agenda.TAKE_BACK: reversals.take_back,
}


def advance(world: World, now: float) -> None:
    """Do everything that is due, in order and each at its own time, so a jump ahead is a fast film and not a cut."""
    while (event := world.agenda.pop_due(now)) is not None:
        at, what, which = event
        world.items.now = at
        DOES[what](world, which, at)
    world.items.now = now
