"""All parts of the fleet on one machine, each a process of its own: for `fleet up`, the demo, the tests and the bench.

Everything lives in one folder (settings, master key, vault, logs, SQLite, Redis' data). The parts are started in the order in
which they need each other and stopped in reverse; each of them ends with its owner.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import redis

from bot_worker.vault import Account, Vault
from fleet_client.answers import Bot
from fleet_client.errors import FleetError
from scripts import advice
from scripts.lab.calls import balancer, get_json, send_json
from scripts.lab.parts import READY_S, Part, StackError, free_port
from scripts.lab.quick import NOT_FOR_HOSTS, QUICK, as_toml, layered
from scripts.lab.redis_server import EmbeddedRedis
from scripts.lab.servers import GUARD, STOP_TIMEOUT_S, EmbeddedError
from shared import private_files, wire
from shared import settings as settings_module
from shared.domain.ids import bots_of_group
from shared.errors import SettingsError
from shared.sealing import MasterKey
from shared.settings import Settings

TELL_EVERY_S = 10.0
NOT_MOVED = bytes(8)  # what `shared.clock.MovedTime` reads as no seconds


@dataclass
class Wish:
    """What to start. ``groups`` as in ``red:1``; empty urls mean embedded parts."""

    directory: Path
    groups: list[str] = field(default_factory=lambda: ["red:1"])
    bots_per_group: int = 10
    players: int = 20
    seed: int = 1
    protection_s: int = 7 * 86400
    offer_lifetime_s: int = 14 * 86400
    redis_url: str = field(default="", repr=False)
    database_url: str = field(default="", repr=False)
    redis_wait_s: float = STOP_TIMEOUT_S  # so long a server that stops may keep our folder
    port: int = 0
    control_port: int = 0
    log_level: str = "info"
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    sandbox_args: list[str] = field(default_factory=list)
    operator: str = ""  # the name of one who may do everything on the page; nobody, and there is no such page

    def bot_names(self) -> list[str]:
        """Every bot of every group, in order."""
        names = []
        for text in self.groups:
            color, _, number = text.partition(":")
            names += [str(name) for name in bots_of_group(color, int(number))[: self.bots_per_group]]
        return names


class Stack:
    """The running parts. Use as a context manager; leaving it stops everything."""

    def __init__(self, wish: Wish, say: Callable[[str], None] = lambda _text: None) -> None:
        self.wish = wish
        self.say = say
        self.parts: list[Part] = []
        self.redis: EmbeddedRedis | None = None
        self.redis_url = wish.redis_url
        self.database_url = wish.database_url
        self.steam_url = self.control_url = self.balancer_url = self.api_key = ""
        self.config = wish.directory / "fleet.toml"
        self.moved_file = wish.directory / "moved-time"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all parts; returns when every bot is online.

        Raises:
            StackError: a part ended or was not ready in time; its last log lines are in the message.
        """
        self.wish.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_wish()
        self._start_redis()
        self._set_books_aside()
        self._start_sandbox()
        self._write_settings()
        self._prepare_keys()
        self.start_balancer()
        for text in self.wish.groups:
            self.start_group(text)
        self.wait_for_bots()

    def watch(self) -> None:
        """Stay until interrupted.

        Raises:
            StackError: a part ended by itself; its last log lines are in the message.
        """
        while True:
            for part in self.parts:
                if part.process.poll() is not None:
                    raise StackError(f"{part.name} ended by itself (status {part.process.returncode}):\n{part.tail()}")
            time.sleep(0.5)

    def _check_wish(self) -> None:
        """Say what is wrong with the addresses before anything is started."""
        given: dict[str, dict[str, Any]] = {}
        if self.redis_url:
            given["redis"] = {"url": self.redis_url}
        if self.database_url:
            given["database"] = {"url": self.database_url}
        try:
            settings_module.load(None, layered(given, self.wish.overrides))
        except SettingsError as error:
            raise StackError(error.detail) from None

    def stop(self) -> None:
        """Stop what runs, last started first."""
        for part in reversed(self.parts):
            part.stop()
        self.parts.clear()
        if self.redis is not None:
            self.redis.stop()
            self.redis = None

    def settings(self) -> Settings:
        """The settings that the parts run with."""
        return settings_module.load(self.config)

    def host_config(self, group: str) -> Path:
        """The settings file of the host that runs this group (``red:1``); each group has a folder and a vault of its own."""
        return self.wish.directory / f"host-{group.replace(':', '-')}" / "fleet.toml"

    def fleet(self, *arguments: str, config: Path | None = None, good: Collection[int] = (0,)) -> str:
        """Run one ``fleet`` command to its end; its standard output.

        Raises:
            StackError: it ended with a status that is not ``good``; the message holds what it said.
        """
        command = [sys.executable, "-P", "-m", "scripts.cli.fleet", "--config", str(config or self.config), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=READY_S, check=False)
        if done.returncode not in good:
            raise StackError(f"fleet {arguments[0]} {arguments[1] if len(arguments) > 1 else ''}: {done.stderr or done.stdout}")
        return done.stdout

    def spawn(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> Part:
        """Start one program with its log in the folder; it ends when this process does. ``environment`` adds to ours."""
        log = self.wish.directory / f"{name}.log"
        guard = [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), str(int(signal.SIGTERM)), "-"]
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*guard, *command],
                stdout=subprocess.PIPE,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})},
                start_new_session=True,  # Ctrl-C is for us; we stop the parts in order
            )
        part = Part(name, process, log)
        self.parts.append(part)
        return part

    def spawn_fleet(
        self, name: str, *arguments: str, config: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Part:
        """Start one ``fleet`` command that goes on running."""
        program = (sys.executable, "-P", "-m", "scripts.cli.fleet", "--config", str(config or self.config))
        return self.spawn(name, *program, *arguments, environment=environment)

    def host_redis_url(self, _group: str) -> str:
        """Where the host of this group finds Redis."""
        return self.redis_url

    def _ready_line(self, part: Part) -> dict[str, str]:
        """The one JSON line that a part prints when it is ready."""
        out = part.process.stdout
        if out is None:
            raise StackError(f"{part.name} has no standard output")
        began = told = time.monotonic()
        deadline = began + READY_S
        text = b""
        while not text.endswith(b"\n"):
            if time.monotonic() - told > TELL_EVERY_S:
                told = time.monotonic()
                self.say(f"still waiting for the {part.name}, {told - began:.0f} s; its log is {part.log}")
            if time.monotonic() > deadline or part.process.poll() is not None:
                raise StackError(f"{part.name} did not start:\n{part.tail()}")
            if select.select([out], [], [], 0.2)[0]:
                text += os.read(out.fileno(), 65536)
        answer: dict[str, str] = json.loads(text.splitlines()[0])
        return answer

    def _start_redis(self) -> None:
        if self.redis_url:
            try:
                with wire.connect(self.redis_url, timeout_s=3.0) as client:
                    client.ping()
            except (redis.RedisError, ValueError) as error:
                said = advice.broken_redis(error) if isinstance(error, redis.RedisError) else str(error)
                raise StackError(f"no Redis answers at the address that was given: {said}") from None
            return
        self.say("starting an embedded Redis")
        try:
            self.redis = EmbeddedRedis(self.wish.directory / "redis", wait_s=self.wish.redis_wait_s).start()
        except EmbeddedError as error:
            raise StackError(str(error)) from None
        self.redis_url = self.redis.url

    def _set_books_aside(self) -> None:
        """The sandbox's world is a new one at each start, so books about an earlier one would be wrong about everything.

        Only if all of it is ours: then the running Redis is also what keeps others off this folder.
        """
        books = self.wish.directory / "fleet.db"
        if self.redis is None or self.database_url or not books.exists():
            return
        kept = books.with_name(f"fleet-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}.db")
        for end in ("-wal", "-shm", ""):  # the file itself last: without it the others are no database
            with contextlib.suppress(FileNotFoundError):
                books.with_name(books.name + end).rename(kept.with_name(kept.name + end))
        with wire.connect(self.redis_url, timeout_s=READY_S) as client:
            client.flushall()
        self.say(f"the sandbox's world is new, so the books are too; those of the last one are {kept.name}")

    def _start_sandbox(self) -> None:
        self.say("starting the sandbox Steam")
        wish = self.wish
        self.moved_file.write_bytes(NOT_MOVED)
        part = self.spawn(
            "sandbox",
            *(sys.executable, "-P", "-m", "sandbox"),
            *("--bots", ",".join(wish.bot_names()), "--players", str(wish.players), "--seed", str(wish.seed)),
            *("--protection-s", str(wish.protection_s), "--offer-lifetime-s", str(wish.offer_lifetime_s)),
            *("--control-port", str(wish.control_port), "--moved-file", str(self.moved_file)),
            *wish.sandbox_args,
        )
        ready = self._ready_line(part)
        self.steam_url, self.control_url = ready["steam"], ready["control"]

    def _write_settings(self) -> None:
        """One file for the balancer and one for each host: hosts have no database, the balancer has no vault."""
        self._write_configs()
        prices = get_json(f"{self.control_url}/control/prices")["prices"]
        (self.wish.directory / "prices.json").write_text(json.dumps(prices, ensure_ascii=False, indent=0))

    def _write_configs(self) -> None:
        folder = self.wish.directory
        port = self.wish.port or free_port()
        self.database_url = self.database_url or f"sqlite:///{folder / 'fleet.db'}"
        # The sandbox moves the time of all of them by this file (`POST /sandbox/advance`).
        common: dict[str, dict[str, Any]] = {
            "log": {"level": self.wish.log_level, "format": "json"},
            "clock": {"moved_file": self.moved_file},
        }
        balancer: dict[str, dict[str, Any]] = {
            "redis": {"url": self.redis_url},
            "database": {"url": self.database_url},
            "balancer": {
                "livemode": False,
                "port": port,
                "site_url": f"http://127.0.0.1:{port}",
                "pictures_url": f"{self.steam_url}/economy/image/",
                "avatars_url": f"{self.steam_url}/",
                "master_key_file": folder / "master.key",
                "prices_file": folder / "prices.json",
                "prices_check_s": 2.0,
            },
            "openid": {
                "endpoint": f"{self.control_url}/openid/login",
                "identity_prefix": f"{self.control_url}/openid/id/",
            },
            "webhooks": {"private_targets": True},  # whoever tries them has a receiver on this machine
        }
        if self.wish.operator:
            balancer["ops"] = {"operators": [self._operator(self.wish.operator)]}
        private_files.replace(self.config, as_toml(layered(QUICK, common, balancer, self.wish.overrides)))
        for group in self.wish.groups:
            config = self.host_config(group)
            config.parent.mkdir(mode=0o700, exist_ok=True)
            places = {"vault_file": "vault", "vault_key_file": "vault.key", "status_dir": "run"}
            host: dict[str, dict[str, Any]] = {
                "redis": {"url": self.host_redis_url(group)},
                "group": {key: config.parent / name for key, name in places.items()},
                "steam": {"base_url": self.steam_url},
            }
            mine = {section: keys for section, keys in self.wish.overrides.items() if section not in NOT_FOR_HOSTS}
            private_files.replace(config, as_toml(layered(QUICK, common, host, mine)))

    def _operator(self, name: str) -> dict[str, str]:
        """A new account of the sandbox's, that is nobody else's."""
        made = send_json("POST", f"{self.control_url}/control/accounts", {"name": f"operator {name}"})
        return {"steam_id": made["steam_id"], "name": name, "role": "approve"}

    def _prepare_keys(self) -> None:
        """What `fleet keys` and `fleet bots` do on an operator's machines, without four programs one after the other."""
        self.say("making keys, filling the vaults")
        path = self.wish.directory / "master.key"
        with contextlib.suppress(FileExistsError):
            MasterKey.create(path)
        master = MasterKey.read(path)
        accounts = {row["name"]: row for row in get_json(f"{self.control_url}/control/credentials?kind=bot")["accounts"]}
        for group in self.wish.groups:
            self._fill_vault(group, accounts, master)

    def _fill_vault(self, group: str, accounts: dict[str, dict[str, str]], master: MasterKey) -> None:
        color, _, number = group.partition(":")
        names = [str(name) for name in bots_of_group(color, int(number))]
        vault = Vault.open(settings_module.load(self.host_config(group)).group, create=True)
        known = [each.name for each in fields(Account) if each.name not in ("bot", "proxy")]
        vault.put(Account(name, **{key: accounts[name][key] for key in known}) for name in names if name in accounts)
        vault.put_keys(master.bot(name) for name in names)

    def start_balancer(self, name: str = "balancer") -> Part:
        """Start one balancer and wait until it answers; the first also makes the API key."""
        self.say("starting the balancer")
        part = self.spawn_fleet(name, "balancer", "--ready-json")
        self.balancer_url = self._ready_line(part)["balancer"]
        if not self.api_key:
            self.api_key = self._kept_key() or self._new_key()
        return part

    def _kept_key(self) -> str | None:
        """The key of an earlier start on the same folder and database, if it still opens."""
        try:
            api_key = (self.wish.directory / "api-key").read_text().strip()
            balancer(self.balancer_url, api_key).bots()
        except (OSError, ValueError, FleetError):
            return None
        return api_key

    def _new_key(self) -> str:
        # A database of your own may know clients of earlier starts; each start that keeps nothing is another one.
        name = f"local-{int(time.time() * 1000):x}"
        answer = self.fleet(
            "clients", "add", name, "--scope", "trade", "--scope", "read", "--scope", "operate", "--scope", "play", "--json"
        )
        api_key: str = json.loads(answer)["api_key"]
        private_files.replace(self.wish.directory / "api-key", api_key + "\n")
        return api_key

    def start_group(self, text: str) -> Part:
        """Start the supervisor of one group, as in ``red:1``."""
        self.say(f"starting the bots of group {text}")
        color, _, number = text.partition(":")
        return self.spawn_fleet(f"group-{color}-{number}", "group", "start", color, number, config=self.host_config(text))

    def bots(self) -> list[Bot]:
        """What the balancer says of the fleet."""
        return balancer(self.balancer_url, self.api_key).bots().bots

    def wait_for_bots(self) -> None:
        """Say what is still waited for until every bot is signed in.

        Raises:
            StackError: a part ended, or it took too long.
        """
        wanted = len(self.wish.bot_names())
        deadline = time.monotonic() + READY_S + 2 * wanted
        told = ""
        while True:
            rows = self.bots()
            online = sum(row.state == "online" for row in rows)
            if online >= wanted:
                self.say(f"all {wanted} bots are signed in" if wanted > 1 else "the bot is signed in")
                return
            if (said := _waiting_for(rows, online, wanted)) != told:
                self.say(said)
                told = said
            for part in self.parts:
                if part.process.poll() is not None:
                    raise StackError(f"{part.name} ended:\n{part.tail()}")
            if time.monotonic() > deadline:
                raise StackError(f"only {online} of {wanted} bots came online:\n{self.parts[-1].tail()}")
            time.sleep(0.2)


def _waiting_for(rows: list[Bot], online: int, wanted: int) -> str:
    """What the start still waits for, with what the bots themselves give as their reason."""
    reasons = sorted({f"{row.bot}: {row.reason}" for row in rows if row.state != "online" and row.reason})
    return f"waiting for bots to sign in: {online} of {wanted}" + (f" ({', '.join(reasons[:3])})" if reasons else "")
