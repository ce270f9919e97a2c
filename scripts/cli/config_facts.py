"""Looks at what settings name: files, Redis, the database, the address to listen on. Changes nothing and makes no file."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import Connection, create_engine, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from balancer.db import migrate, mode, tables
from balancer.items import price_file
from balancer.items.feeds import sources
from bot_worker.vault import Vault, key_is_in_file
from scripts import advice
from shared import wire
from shared.domain.ids import group_of
from shared.domain.status import BotMode
from shared.errors import FleetError
from shared.sealing import MasterKey
from shared.settings import Settings

TRY_S = 5
OLDEST_REDIS = 7
CONNECTIONS_SPARE = 8  # what the pool opens beyond [database] units_of_work_max


@dataclass(frozen=True, slots=True)
class File:
    """How a file is, for this user and for others."""

    path: Path
    there: bool
    folder: bool = False
    readable: bool = False
    writable: bool = False
    open_to_others: bool = False
    writable_by_others: bool = False
    in_open_folder: bool = False
    may_be_made: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What is wrong, and what to do about it."""

    what: str
    do: str

    @classmethod
    def of(cls, advised: str) -> Said:
        """From `scripts.advice`, or from an error of ours, which puts what to do behind a semicolon."""
        what, _, do = advised.partition(advice.WHAT_TO_DO)
        if not do:
            what, _, do = advised.partition("; ")
        return cls(what, do.rstrip(".") or "mend that, then check again")


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen. ``trouble`` keeps a program from working, ``remarks`` do not; both by setting."""

    user: str
    settings_file: File | None = None
    files: Mapping[str, File] = field(default_factory=dict)
    key_elsewhere: bool = False
    trouble: Mapping[str, Said] = field(default_factory=dict)
    remarks: Mapping[str, Said] = field(default_factory=dict)


def look(settings: Settings, files: Mapping[str, Path], config: Path | None) -> Facts:
    """Look at everything that these settings name; ``files`` by setting (`config_findings.files.files_of`)."""
    seen = {setting: look_at(path) for setting, path in files.items()}
    trouble: dict[str, Said] = {}
    remarks: dict[str, Said] = {}
    _look_at_redis(settings, trouble, remarks)
    if "balancer.master_key_file" in seen:
        _look_at_balancer(settings, seen, trouble, remarks)
    if "group.vault_file" in seen and seen["group.vault_file"].there and _has_good_key(seen["group.vault_key_file"]):
        _try("group.vault_file", trouble, settings, lambda: Vault.open(settings.group).check())
    return Facts(
        user=advice.me(),
        settings_file=look_at(config) if config else None,
        files=seen,
        key_elsewhere=not key_is_in_file(),
        trouble=trouble,
        remarks=remarks,
    )


def _try(setting: str, trouble: dict[str, Said], settings: Settings, fn: Callable[[], object]) -> None:
    """What keeps this from working is noted under the setting."""
    try:
        fn()
    except (FleetError, SQLAlchemyError, redis.RedisError, OSError) as error:
        trouble[setting] = Said.of(advice.of(error, settings) or str(error))


def look_at(path: Path) -> File:
    """One file, or where it would be made."""
    path = path.absolute()
    try:
        status = path.stat()
    except OSError:
        return File(path, there=False, may_be_made=_may_be_made(path))
    return File(
        path,
        there=True,
        folder=stat.S_ISDIR(status.st_mode),
        readable=os.access(path, os.R_OK, effective_ids=True),
        writable=os.access(path, os.W_OK, effective_ids=True),
        open_to_others=bool(status.st_mode & 0o077),
        writable_by_others=bool(status.st_mode & 0o022),
        in_open_folder=_is_open_folder(path.parent),
    )


def _may_be_made(path: Path) -> bool:
    """Whether this user may make it, with the folders that it lies in."""
    above = next(each for each in path.parents if os.path.lexists(each))
    return above.is_dir() and os.access(above, os.W_OK | os.X_OK, effective_ids=True)


def _is_open_folder(folder: Path) -> bool:
    """Whether others may rename what lies in it: they may write it, and nothing holds them back (as in /tmp)."""
    mode = folder.stat().st_mode
    return bool(mode & 0o022) and not mode & stat.S_ISVTX


def _has_good_key(key: File) -> bool:
    """Whether there is a key to open the vault with; what is wrong with its file is told of the file."""
    return not key_is_in_file() or (key.readable and not key.folder and not key.open_to_others)


# --- Redis ---------------------------------------------------------------------------------------------------


def _look_at_redis(settings: Settings, trouble: dict[str, Said], remarks: dict[str, Said]) -> None:
    def ask() -> None:
        with wire.connect(settings.redis.url, timeout_s=min(TRY_S, settings.redis.timeout_s)) as client:
            client.ping()
            for remark in _how_redis_is(client):
                remarks["redis.url"] = remark

    _try("redis.url", trouble, settings, ask)


def _how_redis_is(client: redis.Redis) -> Iterator[Said]:
    """What it tells of itself, where this user may ask."""
    try:
        info: Any = client.info()
    except redis.exceptions.NoPermissionError:
        return
    version, policy = str(info.get("redis_version", OLDEST_REDIS)), str(info.get("maxmemory_policy", "noeviction"))
    if info.get("maxmemory") and policy != "noeviction":
        yield Said(
            f"a full Redis throws orders away (maxmemory-policy {policy})", "include config/redis/redis.conf in its file"
        )
    if int(version.split(".")[0]) < OLDEST_REDIS:
        yield Said(
            f"Redis {version} is older than all that this was tried with", f"use Redis {OLDEST_REDIS} or newer, or Valkey"
        )
    if info.get("role") == "slave":
        yield Said("what answers is a replica, which takes no orders", "name the primary")


# --- the balancer's things -------------------------------------------------------------------------------------


def _look_at_balancer(settings: Settings, seen: Mapping[str, File], trouble: dict[str, Said], remarks: dict[str, Said]) -> None:
    master, price_list = seen["balancer.master_key_file"], seen.get("balancer.prices_file")
    if master.readable and not master.open_to_others and not master.folder:
        _try("balancer.master_key_file", trouble, settings, lambda: MasterKey.read(master.path))
    if price_list and price_list.readable and not price_list.folder and (said := _wrong_prices(price_list.path)):
        trouble["balancer.prices_file"] = said
    _try("prices.feeds", trouble, settings, lambda: sources.feeds(settings))
    if said := _cannot_listen(settings.balancer.host):
        trouble["balancer.host"] = said
    _look_at_database(settings, seen.get("database.url"), trouble, remarks)


def _look_at_database(settings: Settings, file: File | None, trouble: dict[str, Said], remarks: dict[str, Said]) -> None:
    server = make_url(settings.database.url).get_backend_name() != "sqlite"
    if not server and (file is None or not file.there or file.folder or not (file.readable and file.writable)):
        return  # a new one is made at the first start; what keeps it from that is told of the file

    def ask() -> None:
        with connected(settings) as connection:
            migrate.refuse_newer(connection)
            mode.refuse_other(connection, settings.balancer.livemode)
            if settings.limits.dear_item_cents and _groups(connection) == 1:
                remarks["limits.dear_item_cents"] = ONE_GROUP
            if server:
                remarks.update(_how_the_server_is(connection, settings.database.units_of_work_max + CONNECTIONS_SPARE))

    _try("database.url", trouble, settings, ask)


ONE_GROUP = Said(
    "all bots that are known are of one group, so dear items are read by one host only", "run a second group on another host"
)


def _groups(connection: Connection) -> int:
    """How many groups the known bots are of, those aside that are paused whole."""
    if not inspect(connection).has_table(tables.bots.name):
        return 0
    active = select(tables.bots.c.color, tables.bots.c.bot_id).where(tables.bots.c.mode != BotMode.PAUSED.value)
    return len({(row.color, group_of(row.bot_id)) for row in connection.execute(active)})


@contextmanager
def connected(settings: Settings) -> Iterator[Connection]:
    """The database as it is; nothing is made or migrated."""
    url = make_url(settings.database.url)
    arguments: dict[str, Any] = {"timeout": TRY_S} if url.get_backend_name() == "sqlite" else {"connect_timeout": TRY_S}
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _how_the_server_is(connection: Connection, wanted: int) -> dict[str, Said]:
    remarks = {}
    if connection.execute(text("SELECT pg_is_in_recovery()")).scalar():
        remarks["database.url"] = Said("what answers is a standby, which cannot be written", "name the primary")
    most = int(connection.execute(text("SHOW max_connections")).scalar_one())
    if wanted > most:
        said = f"one balancer may open {wanted} connections, and the server takes {most}"
        remarks["database.units_of_work_max"] = Said(said, "make it less, or raise the server's max_connections")
    return remarks


PRICES_WANTED = 'write names and whole cents into it: {"AK-47 | Redline (Field-Tested)": 1234}'


def _wrong_prices(path: Path) -> Said | None:
    try:
        price_file.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Said(f"the prices in {path} cannot be read: {error}", PRICES_WANTED)
    return None


def _cannot_listen(host: str) -> Said | None:
    """Why nothing can listen on this address, or ``None``. Tried with any port: the right one may be a running balancer's."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
            probe.bind(address)
    except OSError as error:
        what = f"{host} cannot be listened on: {error.strerror}"
        return Said(what, "write an address of this machine, 127.0.0.1 behind a proxy on it")
    return None
