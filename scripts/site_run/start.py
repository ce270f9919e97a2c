"""A site on top of a running fleet: its database, its keys, its rooms by two operators, its engines as processes."""

from __future__ import annotations

import io
import json
import os
import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lottery.sources import BeaconTerms

from scripts.lab.calls import get_json
from scripts.lab.parts import Part, StackError
from scripts.lab.stack import Stack
from scripts.site_run import seed_raffles, seed_rooms

TICKET_CENTS = 100
PATRONS = 2  # people who give the house what they have, for change and prizes


@dataclass
class Site:
    """What runs on top of the fleet. ``fleet_urls``, ``relays``: where its engines ask, if not at the one of the stack.

    ``redis_url``: where hints of what is new go; ``shorter``: rooms whose clocks are still shorter than the demo's;
    ``raffles``: whether there are some.
    """

    stack: Stack
    database_url: str
    engines: int = 2
    fleet_urls: list[str] = field(default_factory=list)
    relays: list[str] = field(default_factory=list)
    redis_url: str = ""
    shorter: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    raffles: bool = False
    client_id: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.stack.wish.directory / "site"

    def start(self) -> None:
        """From nothing to engines that drive all six rooms of the seed. Raises StackError."""
        if self.folder.exists():  # of an earlier simulated Steam: nothing in it fits this one
            self.folder.rename(self.folder.with_name(f"site-{time.strftime('%Y%m%d-%H%M%S')}"))
        self.folder.mkdir(mode=0o700)
        self.environment = self._environment()
        os.environ |= self.environment
        self.manage("migrate", "--verbosity", "0")
        self._open_rooms()
        if self.raffles:
            self._open_raffles()
        self.parts = [self.spawn_engine(f"engine-{number}") for number in range(1, self.engines + 1)]

    def spawn_engine(self, name: str, **more: str) -> Part:
        """An engine as a process; `more` is added to its environment."""
        program = (sys.executable, "-P", "-m", "website.manage", "engine")
        return self.stack.spawn(name, *program, environment={**self.environment, **more})

    def forget(self, part: Part) -> None:
        """One that has ended is no part of the stack any more."""
        self.stack.parts.remove(part)
        if part.process.stdout is not None:
            part.process.stdout.close()

    def manage(self, *arguments: str) -> str:
        """One command of `manage.py`, in this process: a dozen of them are not to start a dozen times. Raises StackError."""
        import django

        django.setup()  # after the settings are in the environment
        from django.core.management import CommandError, call_command
        from django.db import connections

        out = io.StringIO()
        try:
            call_command(*arguments, stdout=out)
        except CommandError as error:
            raise StackError(f"manage.py {' '.join(arguments[:2])}: {error}") from None
        finally:
            connections.close_all()
        return out.getvalue()

    def terms(self) -> BeaconTerms:
        """The sandbox's own drand network, as a room names it."""
        info = get_json(f"{self.stack.steam_url}/info")
        return BeaconTerms(
            scheme=info["schemeID"],
            public_key=info["public_key"],
            period=info["period"],
            genesis=info["genesis_time"],
            group_hash=info["groupHash"],
            beacon_id=info["metadata"]["beaconID"],
        )

    def _environment(self) -> dict[str, str]:
        answer = json.loads(self.stack.fleet("clients", "add", "site-engine", "--scope", "play", "--scope", "read", "--json"))
        self.client_id = answer["client_id"]
        files = {
            "SITE_FLEET_KEY_FILE": (self.folder / "fleet.key", answer["api_key"]),
            "SITE_CHAIN_KEY_FILE": (self.folder / "chain.key", secrets.token_hex(32)),
        }
        for path, text in files.values():
            path.touch(mode=0o600)
            path.write_text(text)
        return {
            **{name: str(path) for name, (path, _) in files.items()},
            "DJANGO_SETTINGS_MODULE": "website.settings.dev",
            "SITE_DATABASE_URL": self.database_url,
            "SITE_FLEET_URLS": " ".join(self.fleet_urls) or self.stack.balancer_url,
            "SITE_BEACON_RELAYS": " ".join(self.relays) or self.stack.steam_url,
            "SITE_COUNTRIES": "LV",
            # People of a demo stake in minutes what others do in a year.
            "SITE_LIMITS": "stake:day:1000000000",
            "SITE_PACE_MS": "0",
            # Accounts of the simulated Steam are as old as the demo.
            "SITE_COINS_STEAM_LEVEL_MIN": "0",
            "SITE_COINS_STEAM_AGE_DAYS": "0",
            "SITE_COINS_WELCOME": "5000",
            "SITE_LEASE_MS": "3000",
            "SITE_MARKS_DIR": str(self.folder / "marks"),
            "SITE_REDIS_URL": self.redis_url or self.stack.redis_url,
        }

    def _open_rooms(self) -> None:
        """One operator proposes the rules, another approves them. The house issues the first ticket of each kind."""
        terms = self.terms()
        for name in ("proposer", "approver"):
            self.manage("operators", "add", name, "--key-file", str(self.folder / f"{name}.key"))
        for name in seed_rooms.names():
            rules = self.folder / f"{name}.toml"
            rules.write_text(as_toml(seed_rooms.room(name, terms, **self.shorter.get(name, {})).rules))
            self.manage("rooms", "load", str(rules), "--why", "the first rules", *self._by("proposer"))
            self.manage("rooms", "approve", name, "1", *self._by("approver"))
        for ticket in ("SnG Ticket", "Raffle Ticket"):
            worth = ("--value-cents", str(TICKET_CENTS), "--count", "1", "--ref", ticket.replace(" ", "-"))
            self.stack.fleet("tickets", "issue", ticket, *worth)

    def _open_raffles(self) -> None:
        """The same two operators; keys go into stock before a template is on."""
        why = ("--why", "for the demo")
        for number, terms in enumerate(seed_raffles.terms(self.terms()), 1):
            file, stock = self.folder / f"raffle-{number}.toml", self.folder / f"raffle-{number}.keys"
            file.write_text(as_toml(terms))
            self.manage("raffles", "draft", str(file), *why, *self._by("proposer"))
            self.manage("raffles", "approve", str(number), "1", *self._by("approver"))
            if terms["prize_kind"] == "key":
                stock.write_text(seed_raffles.keys())
                self.manage("raffles", "keys", str(number), str(stock), *why, *self._by("proposer"))
                stock.unlink()
            self.manage("raffles", "on", str(number), *why, *self._by("proposer"))

    def _by(self, name: str) -> tuple[str, ...]:
        return ("--by", name, "--key-file", str(self.folder / f"{name}.key"))


def as_toml(rules: dict[str, Any]) -> str:
    """Rules as a file; what is None is left out. A table comes last."""
    plain = {key: value for key, value in rules.items() if value is not None and not isinstance(value, dict)}
    tables = {key: value for key, value in rules.items() if isinstance(value, dict)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for name, values in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"
