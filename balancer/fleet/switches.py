"""Kill switches: an operator stops deposits or withdrawals, for every balancer, within a second or so.

Withdrawals may be stopped for one client alone. Each balancer keeps what the table says in memory and reads it again with the
fleet's snapshot, so a request costs no statement. Of deposits only new ones are held up; of withdrawals also those that wait,
and those whose order no bot has begun (`balancer.trades.holding`). Limits turn the switches too (`balancer.trades.outflow`).
Steam's maintenance has the same effect without a switch, while most groups of bots report it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, Row, delete, literal, select

from balancer.db import pipeline
from balancer.db.engine import Database
from balancer.db.tables import clients, resumptions, switches
from balancer.fields import UNSHOWN, Time, unix
from balancer.fleet.bot import MAINTENANCE
from balancer.fleet.snapshot import Fleet
from balancer.journal import events
from balancer.journal.by import By
from shared.clock import Clock
from shared.errors import FleetPaused, NotFound, SteamUnavailable

DEPOSITS = "deposits"
WITHDRAWALS = "withdrawals"
LOCKS = "locks"
NAMES = (DEPOSITS, WITHDRAWALS, LOCKS)
MAINTENANCE_RETRY_S = 120.0
_OF_CLIENT = f"{WITHDRAWALS}:"


def of_client(client_id: str) -> str:
    """The switch of one client's withdrawals."""
    return _OF_CLIENT + client_id


@dataclass(frozen=True, slots=True)
class Pause:
    """One kind of trades that an operator or a limit has stopped."""

    switch: str
    client: Annotated[str | None, Field(description="Of this client only; null: of all")]
    paused_at: Time
    who: str
    reason: str
    name: Annotated[str, UNSHOWN]  # as the table has it, with the client's id


class Switches:
    """What is paused, as of the last look."""

    def __init__(self, db: Database, fleet: Fleet, clock: Clock) -> None:
        self._db = db
        self._fleet = fleet
        self._clock = clock
        self._paused: dict[str, Pause] = {}
        self._renewed = 0  # how often the memory was renewed

    def take_over(self, pauses: list[Pause]) -> None:
        """This is paused now, and nothing else."""
        self._paused = {pause.name: pause for pause in pauses}
        self._renewed += 1

    def paused(self, switch: str, client_id: str | None = None) -> Pause | None:
        """The pause that stops this, for all or for this client."""
        pause = self._paused.get(switch)
        if pause is None and client_id is not None and switch == WITHDRAWALS:
            pause = self._paused.get(of_client(client_id))
        return pause

    def paused_clients(self) -> list[str]:
        """The ids of clients whose withdrawals are stopped."""
        return sorted(switch.removeprefix(_OF_CLIENT) for switch in self._paused if switch.startswith(_OF_CLIENT))

    async def refresh(self) -> None:
        """Read the table again. What a switch that was turned meanwhile has said is newer, and stays."""
        renewed = self._renewed
        pauses = await self._db.read(read)
        if self._renewed == renewed:
            self.take_over(pauses)

    def check(self, switch: str, client_id: str | None = None) -> None:
        """Whether new trades of this kind are taken of this client now; looks at memory only.

        Raises:
            FleetPaused: an operator, or a limit, has stopped them.
            SteamUnavailable: ``steam_maintenance``.
        """
        pause = self.paused(switch, client_id)
        if pause is not None:
            raise FleetPaused(f"{switch.capitalize()} are paused.", reason=pause.reason or None, paused=switch)
        if self._fleet.maintenance:
            raise SteamUnavailable("Steam is in its maintenance.", code=MAINTENANCE, retry_after_s=MAINTENANCE_RETRY_S)

    async def turn(self, switch: str, who: str, reason: str, *, paused: bool, client: str | None = None) -> list[Pause]:
        """Stop a kind of trades, or let it go on; saying so twice changes nothing. Returns everything that is paused now.

        Raises:
            NotFound: no such client, or not of withdrawals.
        """
        pauses = await self._db.run(write, switch, By(who, self._clock.now()), reason, paused, client)
        self.take_over(pauses)
        return pauses


def write(connection: Connection, switch: str, by: By, reason: str, paused: bool, client: str | None = None) -> list[Pause]:
    """Change one switch and write down who did; everything that is paused then.

    Raises:
        NotFound: no such client.
    """
    if client is not None:
        switch = _switch_of(connection, switch, client)
    if paused:
        turn_on(connection, switch, by, reason)
    else:
        _turn_off(connection, switch, by, reason)
    return read(connection)


def _switch_of(connection: Connection, switch: str, client: str) -> str:
    client_id = connection.scalar(select(clients.c.client_id).where(clients.c.name == client))
    if client_id is None or switch != WITHDRAWALS:
        raise NotFound(f"there is no client named {client} whose {switch} could be stopped")
    return of_client(client_id)


def turn_on(connection: Connection, switch: str, by: By, reason: str) -> bool:
    """Stop this; whether it went on until now."""
    row = {"switch": switch, "paused_at": by.now, "who": by.who, "reason": reason}
    statement = pipeline.insert(connection, switches).values(row).on_conflict_do_nothing()
    changed = connection.execute(statement.returning(switches.c.switch)).first() is not None
    if changed:
        events.append(connection, events.row("paused", {"switch": switch, "reason": reason}, by))
    return changed


def _turn_off(connection: Connection, switch: str, by: By, reason: str) -> None:
    """Let it go on. Limits of what goes out count from now on."""
    if not connection.execute(delete(switches).where(switches.c.switch == switch)).rowcount:
        return
    mark = pipeline.insert(connection, resumptions).values(switch=switch, resumed_at=by.now)
    connection.execute(mark.on_conflict_do_update(index_elements=[resumptions.c.switch], set_={"resumed_at": by.now}))
    events.append(connection, events.row("resumed", {"switch": switch, "reason": reason}, by))


def read(connection: Connection) -> list[Pause]:
    whose = switches.c.switch == literal(_OF_CLIENT) + clients.c.client_id
    query = select(switches, clients.c.name).outerjoin(clients, whose).order_by(switches.c.switch)
    return [_pause(row) for row in connection.execute(query)]


def _pause(row: Row[Any]) -> Pause:
    kind = row.switch.partition(":")[0]
    return Pause(kind, row.name, unix(row.paused_at), row.who, row.reason, row.switch)
