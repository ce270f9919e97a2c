"""A site on top of a running fleet: its database, its keys, its rooms by two operators, its engines as processes."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lottery import rooms
from lottery.sources import BeaconTerms

from scripts.lab.calls import balancer, get_json
from scripts.lab.parts import READY_S, Part, StackError
from scripts.lab.stack import Stack

ROOM = "classic-unlimited"
TIME_LIMIT_S = 5
MARGIN_S = 3
LONELY_S = 60


@dataclass
class Site:
    """What runs on top of the fleet. ``fleet_urls``, ``relays``: where its engines ask, if not at the one of the stack.

    ``lonely_s``: so long somebody waits alone until the round is void; ``time_limit_s``: so long a round with several goes on.
    """

    stack: Stack
    database_url: str
    engines: int = 2
    fleet_urls: list[str] = field(default_factory=list)
    relays: list[str] = field(default_factory=list)
    lonely_s: int = LONELY_S
    time_limit_s: int = TIME_LIMIT_S
    client_id: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.stack.wish.directory / "site"

    def start(self) -> None:
        """From nothing to engines that drive a classic room. Raises StackError."""
        self.folder.mkdir(mode=0o700)
        self.environment = self._environment()
        os.environ |= self.environment
        self.manage("migrate", "--verbosity", "0")
        self._open_room()
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
        """One command of `manage.py`, to its end. Raises StackError."""
        command = [sys.executable, "-P", "-m", "website.manage", *arguments]
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=READY_S, check=False)
        if done.returncode:
            raise StackError(f"manage.py {' '.join(arguments[:2])}: {done.stderr or done.stdout}")
        return done.stdout

    def done_by_the_fleet(self) -> tuple[str, list[str]]:
        """The name under which the fleet knows the site's engines, and the transfers that it did for them."""
        key = (self.folder / "fleet.key").read_text()
        return self.client_id, [done.ref for done in balancer(self.stack.balancer_url, key).each_transfer()]

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
            "SITE_LEASE_MS": "3000",
        }

    def _open_room(self) -> None:
        """One operator proposes the rules, another approves them."""
        terms = self.terms()
        room = rooms.load(
            ROOM,
            entropy=f"drand:{terms.chain_hash}",
            beacon=terms,
            entropy_margin_s=MARGIN_S,
            time_limit=self.time_limit_s,
            lonely_void_s=self.lonely_s,
        )
        rules = self.folder / "classic.toml"
        rules.write_text(as_toml(room.rules))
        for name in ("proposer", "approver"):
            self.manage("operators", "add", name, "--key-file", str(self.folder / f"{name}.key"))
        self.manage("rooms", "load", str(rules), "--why", "the first rules", *self._by("proposer"))
        self.manage("rooms", "approve", ROOM, "1", *self._by("approver"))

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
