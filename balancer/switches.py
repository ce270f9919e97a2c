"""Kill switches: an operator stops deposits or withdrawals, for every balancer, within a second or so.

Each balancer keeps what the table says in memory and reads it again with the fleet's snapshot, so a request costs no statement.
What is under way goes on; only new trades, and withdrawals that still wait for their order, are held up. Steam's maintenance
has the same effect without a switch: most bots say that it is on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select

from balancer import journal, repository
from balancer.fleet import MAINTENANCE
from balancer.models import switches
from shared.errors import FleetPaused, SteamUnavailable

if TYPE_CHECKING:
    from balancer.context import Context

DEPOSITS = "deposits"
WITHDRAWALS = "withdrawals"
NAMES = (DEPOSITS, WITHDRAWALS)
MAINTENANCE_RETRY_S = 120.0


@dataclass(frozen=True, slots=True)
class Pause:
    """One thing that an operator has stopped."""

    switch: str
    paused_at: datetime
    who: str
    reason: str


@dataclass
class Switches:
    """What is paused, as of the last look."""

    _paused: dict[str, Pause] = field(default_factory=dict)
    looks: int = 0  # how often the memory was renewed

    def take_over(self, pauses: list[Pause]) -> None:
        self._paused = {pause.switch: pause for pause in pauses}
        self.looks += 1

    def paused(self, switch: str) -> Pause | None:
        return self._paused.get(switch)


async def refresh(ctx: Context) -> None:
    """Read the table again. What a switch that was turned meanwhile has said is newer, and stays."""
    looks = ctx.switches.looks
    pauses = await ctx.db.look(read)
    if ctx.switches.looks == looks:
        ctx.switches.take_over(pauses)


def check(ctx: Context, switch: str) -> None:
    """Whether new trades of this kind are taken now; looks at memory only.

    Raises:
        FleetPaused: an operator has stopped them.
        SteamUnavailable: ``steam_maintenance``.
    """
    pause = ctx.switches.paused(switch)
    if pause is not None:
        raise FleetPaused(f"{switch.capitalize()} are paused.", reason=pause.reason or None, paused=switch)
    if ctx.fleet.maintenance:
        raise SteamUnavailable("Steam is in its maintenance.", code=MAINTENANCE, retry_after_s=MAINTENANCE_RETRY_S)


async def turn(ctx: Context, switch: str, who: str, reason: str, *, paused: bool) -> list[Pause]:
    """Stop a kind of trades, or let it go on; saying so twice changes nothing. Returns everything that is paused now."""
    pauses = await ctx.db.run(write, switch, who, reason, ctx.clock.now(), paused)
    ctx.switches.take_over(pauses)
    return pauses


def write(connection: Connection, switch: str, who: str, reason: str, now: datetime, paused: bool) -> list[Pause]:
    """Change one switch and write down who did; everything that is paused then."""
    if paused:
        row = {"switch": switch, "paused_at": now, "who": who, "reason": reason}
        statement = repository.insert(connection, switches).values(row).on_conflict_do_nothing()
        changed = connection.execute(statement.returning(switches.c.switch)).first() is not None
    else:
        changed = connection.execute(delete(switches).where(switches.c.switch == switch)).rowcount > 0
    if changed:
        kind = "paused" if paused else "resumed"
        journal.append(connection, [journal.event_row(kind, {"switch": switch, "reason": reason}, who, now)])
    return read(connection)


def read(connection: Connection) -> list[Pause]:
    rows = connection.execute(select(switches).order_by(switches.c.switch))
    return [Pause(row.switch, row.paused_at, row.who, row.reason) for row in rows]
