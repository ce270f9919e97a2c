"""The site that is measured: rooms without a clock or a beacon, players with tickets, on a real balancer and PostgreSQL."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fleet_client import Client
from fleet_client.calls import Move
from scripts.benchmarks.options import Options
from scripts.benchmarks.rows import BenchError
from scripts.benchmarks.running import folder
from scripts.lab.parts import Part
from scripts.lab.postgres import EmbeddedPostgres
from scripts.lab.quick import NEVER_REACHED
from scripts.lab.stack import Stack, Wish
from scripts.site_run.serve import free_port, wait_for
from scripts.site_run.start import Site

Say = Callable[[str], None]
PATIENCE_S = 120.0
LIMITS: dict[str, dict[str, Any]] = {"rates": NEVER_REACHED}
TICKET, TICKET_CENTS = "SnG Ticket", 100
PER_CALL = 200
FIRST_STEAM_ID = 76561198100000000


@dataclass
class Played(Site):
    """A site whose rooms the bench opens. `keys`: players' numbers, and the keys of their sessions."""

    keys: dict[int, str] = field(default_factory=dict)

    def _open_rooms(self) -> None:
        """None of the seed's."""

    # ---- rooms and people, written straight into the tables

    def open(self, count: int) -> list[str]:
        """So many rooms with one lane each, whose rounds end in a day; the lanes."""
        from lottery import rooms

        from website.engine.clock import wall_ms
        from website.office.models import Staff
        from website.rooms import services
        from website.rooms.models import Lane

        people = [Staff.objects.get_or_create(username=name)[0] for name in ("proposer", "approver")]
        before = Lane.objects.count()
        for number in range(before, before + count):
            changes = {"bet_value_min": 0, "time_limit": 86_400, "item_limit_max": 200_000, "bet_item_limit_max": 200_000}
            rules = rooms.load("classic-unlimited", name=f"bench-{number}", entropy="none", **changes)
            draft = services.draft(rules, people[0], "to be measured", wall_ms())
            services.approve(rules.name, draft.version, people[1])
        return [f"bench-{number}-a" for number in range(before, before + count)]

    def seat(self, count: int) -> list[int]:
        """So many players of age, signed in."""
        from datetime import date

        from website.accounts import sessions
        from website.accounts.models import Player
        from website.care import gate
        from website.engine.clock import wall_ms

        for number in range(count):
            player = Player.objects.create(steam_id=FIRST_STEAM_ID + number, name=f"p{number}", registered_ms=wall_ms())
            gate.declare(player, date(1990, 1, 1), "LV", wall_ms())
            self.keys[player.id] = sessions.start(player, "bench", wall_ms())
        return list(self.keys)

    def tickets(self, users: list[int], each: int) -> dict[int, list[str]]:
        """Items of the fleet for everybody, one dollar each."""
        owners = [user for user in users for _ in range(each)]
        found: dict[int, list[str]] = {user: [] for user in users}
        with Client(self.stack.balancer_url, self.stack.api_key) as fleet:
            for user in users:
                fleet.bind_user(str(user), steam_id=str(FIRST_STEAM_ID + user))
            for start in range(0, len(owners), PER_CALL):
                taking = owners[start : start + PER_CALL]
                ids = fleet.issue(
                    f"issue-{start}", market_hash_name=TICKET, value_cents=TICKET_CENTS, count=len(taking), to="house"
                ).deposit_ids
                fleet.lock(f"gift-{start}", user_id="house", deposit_ids=ids)
                pairs = list(zip(ids, taking, strict=True))
                fleet.transfer(
                    f"given-{start}", locks=[f"gift-{start}"], moves=[Move(one, "house", str(user)) for one, user in pairs]
                )
                for one, user in pairs:
                    found[user].append(one)
        return found

    # ---- processes

    def engine(self, number: int = 1) -> Part:
        return self.spawn_engine(f"engine-{number}")

    def pages(self, number: int, port: int = 0) -> tuple[Part, str]:
        """A process that serves pages, when it answers."""
        port = port or free_port()
        address = f"http://127.0.0.1:{port}"
        program = (sys.executable, "-P", "-m", "website.manage", "web", "--port", str(port))
        part = self.stack.spawn(f"web-{number}", *program, environment={**self.environment, "SITE_ADDRESS": address})
        wait_for(address, part)
        return part, address

    def bare(self, redis_url: str, database_url: str) -> tuple[Part, str]:
        """The baselines, when they answer."""
        port = free_port()
        program = (sys.executable, "-P", "-m", "scripts.benchmarks.bare_site", str(port), database_url, redis_url)
        part = self.stack.spawn(f"bare-{port}", *program)
        until(lambda: _answers(port), "the bare server answers")
        return part, f"http://127.0.0.1:{port}"

    def end(self, part: Part) -> None:
        part.stop()
        self.forget(part)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(holds: Callable[[], Any], what: str) -> Any:
    """Raises BenchError when it never comes."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise BenchError(f"it never came to this: {what}")
        time.sleep(0.02)
    return found


@contextmanager
def site(options: Options, say: Say) -> Iterator[tuple[Played, str]]:
    """A site without engines and pages yet, and the address of a database for baselines on the same server."""
    with EmbeddedPostgres(durable=options.durable) as server, folder() as place:
        wish = Wish(
            place,
            groups=[],
            players=1,
            database_url=server.create_database("fleet"),
            log_level="warning",
            overrides=LIMITS,
        )
        with Stack(wish, say=say) as stack:
            plain = {name: server.create_database(name).replace("+psycopg", "") for name in ("site", "bare")}
            made = Played(stack, plain["site"], engines=0)
            os.environ |= {
                "SITE_LANES_PER_ROOM": "1",
                "SITE_STOCK_MAX": "0",
                "SITE_RECONCILE_MS": "0",
                "SITE_SOCKETS_PER_ADDRESS": "2000",
                "SITE_BET_WAIT_S": "60",
                "SITE_BET_GIVE_UP_MS": "60000",
            }
            made.start()
            from django.db import connections

            try:
                yield made, plain["bare"]
            finally:
                connections.close_all()


def as_lines(lanes: list[str]) -> str:
    """The events of lanes' rounds, for the core alone."""
    from website.rooms.models import LaneEvent

    rows = (LaneEvent.objects.filter(lane=lane).order_by("round", "number") for lane in lanes)
    return "\n".join(json.dumps([json.loads(row.body) for row in events]) for events in rows)
