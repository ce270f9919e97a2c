"""Looks at a running fleet for `fleet doctor`: this machine, Redis, the database, the balancer's address, the bots.

Whatever cannot be reached is left out here: `fleet config check`, which the doctor runs too, says why and what to do. Nothing
is changed, but for a bot that nobody had heard of before: it gets its row, as at any balancer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from balancer.custody.locks import by_operator
from balancer.db import migrate, tables
from balancer.db.engine import Database, is_postgres
from balancer.fleet import switches
from balancer.fleet.bot import Bot
from balancer.fleet.snapshot import Fleet
from balancer.items import price_lists, standing
from balancer.items.feeds import kept
from balancer.items.feeds.sources import FILE
from balancer.items.prices import Prices
from balancer.webhooks import targets
from bot_worker.group import read_status
from scripts.cli import config_facts, diagnosis
from scripts.cli.config_findings.addresses import is_here
from scripts.cli.config_findings.files import files_of
from scripts.cli.config_findings.finding import BALANCER, HOST, Part
from shared import wire
from shared.clock import Clock, ServerClock
from shared.errors import FleetError
from shared.sealing import MasterKey
from shared.settings import Settings

TRY_S = 5.0
ANSWER_MAX = 1 << 20
FEED_ROUNDS = 2  # a list of a feed that is older was missed twice
RIGHTS = ["SELECT", "INSERT", "UPDATE", "DELETE"]
_AWAY = (redis.RedisError, SQLAlchemyError, FleetError, OSError)


def examine(settings: Settings, parts: Collection[Part], files: Mapping[str, Path]) -> diagnosis.Seen:
    """Everything that concerns these parts of this machine. ``files`` are those that the settings name, by setting."""
    clock = Clock.of(settings.clock)
    server_clock = ServerClock(clock)
    seen: dict[str, Any] = {"disks": disks(files)}
    with contextlib.suppress(*_AWAY), _connected(settings) as client:
        seen["redis"] = _redis(client, clock, server_clock, elsewhere=not is_here(urlsplit(settings.redis.url).hostname))
    if BALANCER in parts:
        seen["port"] = _port(settings)
        with contextlib.suppress(*_AWAY):
            seen |= _balancer(settings, clock, server_clock)
    if HOST in parts and BALANCER not in parts:
        with contextlib.suppress(*_AWAY):
            seen["bots"] = host_bots(settings, clock.now_ms())
    return diagnosis.Seen(python=sys.version_info[:3], **seen)


# --- this machine ---------------------------------------------------------------------------------------


def disks(files: Mapping[str, Path]) -> list[diagnosis.Disk]:
    """The room where these files lie or will lie; one that several share is told once."""
    found: dict[int, diagnosis.Disk] = {}
    for setting, path in files.items():
        there = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
        device, usage = there.stat().st_dev, shutil.disk_usage(there)
        section, _, key = setting.rpartition(".")
        found.setdefault(device, diagnosis.Disk(f"[{section}] {key}", str(there), usage.free, usage.total))
    return list(found.values())


def _port(settings: Settings) -> diagnosis.Port | None:
    """Who answers at the balancer's address, which must be a fixed one."""
    wanted = settings.balancer
    if wanted.port == 0:
        return None
    host = wanted.host if wanted.host not in ("", "0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - every address: also this
    address = f"{f'[{host}]' if ':' in host else host}:{wanted.port}"
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=TRY_S) as answer:
            said = json.loads(answer.read(ANSWER_MAX))
    except urllib.error.HTTPError as error:
        try:
            said = json.loads(error.read(ANSWER_MAX))
        except ValueError:
            return diagnosis.Port(address, "other")
    except urllib.error.URLError as error:
        refused = isinstance(error.reason, ConnectionRefusedError)
        return diagnosis.Port(address, "nobody" if refused else "other")
    except (OSError, ValueError):
        return diagnosis.Port(address, "other")
    return of_readiness(address, said)


def of_readiness(address: str, said: Any) -> diagnosis.Port:
    """What `/readyz` tells; what others answer there is no readiness."""
    checks = said.get("checks") if isinstance(said, dict) else None
    if not isinstance(checks, dict) or "loops" not in checks:
        return diagnosis.Port(address, "other")
    # Bots, prices and the clock are looked at by themselves.
    bad = [name for name in ("database", "redis", "loops") if not (checks.get(name) or {}).get("ok")]
    return diagnosis.Port(address, "balancer", tuple(bad))


# --- Redis -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _connected(settings: Settings) -> Iterator[redis.Redis]:
    with wire.connect(settings.redis.url, timeout_s=min(TRY_S, settings.redis.timeout_s)) as client:
        yield client


def _redis(client: redis.Redis, clock: Clock, server_clock: ServerClock, *, elsewhere: bool) -> diagnosis.Redis:
    wire.measure_time(client, clock, server_clock)
    ahead_s, doubt_s = -(server_clock.offset_ms or 0) / 1000, server_clock.doubt_ms / 1000
    info: dict[str, Any] = _if_allowed(lambda: client.info()) or {}
    user = _if_allowed(lambda: client.acl_whoami())
    everybody: dict[str, Any] = _if_allowed(lambda: client.acl_getuser("default")) or {}
    return of_redis(info, user, everybody, ahead_s, doubt_s, elsewhere=elsewhere)


def of_redis(
    info: Mapping[str, Any], user: Any, everybody: Mapping[str, Any], ahead_s: float, doubt_s: float, *, elsewhere: bool
) -> diagnosis.Redis:
    """What ``INFO``, ``ACL WHOAMI`` and ``ACL GETUSER default`` say; each is empty where this user may not ask."""
    version = str(info.get("redis_version", ""))
    flags = {str(flag) for flag in everybody.get("flags", ())}
    return diagnosis.Redis(
        clock_ahead_s=ahead_s,
        clock_doubt_s=doubt_s,
        version=tuple(int(part) for part in version.split(".") if part.isdigit()) or None,
        appends=bool(info["aof_enabled"]) if "aof_enabled" in info else None,
        snapshot_failed=info.get("rdb_last_bgsave_status", "ok") != "ok",
        append_failed="err" in (info.get("aof_last_write_status"), info.get("aof_last_bgrewrite_status")),
        memory_bytes=int(info.get("used_memory", 0)),
        memory_max_bytes=int(info.get("maxmemory", 0)),
        user=user.decode() if isinstance(user, bytes) else user,
        others_without_password={"on", "nopass"} <= flags or (everybody.get("enabled") is True and "nopass" in flags),
        elsewhere=elsewhere,
    )


def _if_allowed(ask: Any) -> Any:
    try:
        return ask()
    except redis.ResponseError:  # NOPERM, or a server that does not know this
        return None


# --- the balancer's database, and what it knows of the bots ------------------------------------------------------


def _balancer(settings: Settings, clock: Clock, server_clock: ServerClock) -> dict[str, Any]:
    file = files_of(settings, frozenset({BALANCER})).get("database.url")
    if file is not None and not file.exists():  # SQLite would make it
        return {"database": diagnosis.Database(made=False)}
    with config_facts.connected(settings) as connection:
        database = _database(connection)
        found: dict[str, Any] = {"database": database}
        if not database.made or database.missing:
            return found
        found |= _rows(connection, clock)
        found["prices"] = _prices(settings, connection, clock)
        found["webhooks"] = _webhooks(connection, clock)
    with contextlib.suppress(*_AWAY):
        found["bots"] = _bots(settings, clock, server_clock)
    return found


def _database(connection: Connection) -> diagnosis.Database:
    missing = migrate.missing(connection)
    if missing is None:
        return diagnosis.Database(made=False)
    why_not = _why_not_writable(connection) if is_postgres(connection) else ""
    return diagnosis.Database(made=True, missing=missing, writable=not why_not, why_not=why_not)


def _why_not_writable(connection: Connection) -> str:
    if connection.execute(text("SELECT current_setting('transaction_read_only')")).scalar() == "on":
        return "the server, or this role, reads only"
    # One by one: of a list, PostgreSQL says whether any of it is held.
    may = text("SELECT bool_and(has_table_privilege(:name, one)) FROM unnest(CAST(:rights AS text[])) AS one")
    there = text("SELECT to_regclass(:name)")
    for table in tables.metadata.sorted_tables:
        if connection.execute(there, {"name": table.name}).scalar() is None:
            return f"there is no table {table.name}"
        if not connection.execute(may, {"name": table.name, "rights": RIGHTS}).scalar():
            return f"its role may not change the table {table.name}"
    return ""


def _rows(connection: Connection, clock: Clock) -> dict[str, Any]:
    now = clock.now()
    old = by_operator.find_open(connection, now - timedelta(hours=diagnosis.DAY_H))
    age_h = [(now.timestamp() - lock.locked_at) / 3600 for _, lock in old]
    paused = {f"{p.switch} of {p.client}" if p.client else p.switch: p.reason for p in switches.read(connection)}
    rows = zip(old, age_h, strict=True)
    return {"locks": [diagnosis.OldLock(lock.ref, client, hours) for (client, lock), hours in rows], "paused": paused}


def _prices(settings: Settings, connection: Connection, clock: Clock) -> diagnosis.Prices:
    """As a balancer that starts now would have them; the price file is read as it lies here."""
    told = standing.read(settings, connection, clock.now())
    values = Prices(settings)
    if values.file is not None:
        values.file.check_now(price_lists.known(connection, FILE))
    for name in values.feeds:
        if (found := kept.good_list(connection, name)) is not None:
            values.take(found)
    values.combine(clock.now())
    return diagnosis.Prices(
        len(values), settings.prices.value_age_max_s, tuple(_source(settings, each) for each in told["sources"])
    )


def _source(settings: Settings, told: Mapping[str, Any]) -> diagnosis.Source:
    rules, held = settings.prices, told["held"]
    age_max_s = rules.value_age_max_s if told["source"] == FILE else FEED_ROUNDS * rules.feed_every_s
    why = None if held is None else f"{held['why']} ({held['digest'][: price_lists.DIGEST_SHOWN]})"
    return diagnosis.Source(told["source"], told["age_s"], age_max_s, told["error"], why)


def _webhooks(connection: Connection, clock: Clock) -> list[diagnosis.Webhook]:
    now_s = clock.now().timestamp()
    return [
        diagnosis.Webhook(
            each.target_id,
            targets.host_of(each.url),
            each.waiting,
            None if each.failing_since is None else now_s - each.failing_since,
            each.disabled_why if each.status == "disabled" else None,
        )
        for each in targets.every(connection)
    ]


def _bots(settings: Settings, clock: Clock, server_clock: ServerClock) -> list[diagnosis.Bot]:
    master, database = MasterKey.read(settings.balancer.master_key_file), Database(settings.database)
    try:
        with _connected(settings) as client:
            fleet = Fleet(settings, clock, server_clock, master, client, database)
            asyncio.run(fleet.refresh())
            return [_bot(bot) for bot in fleet.bots()]
    finally:
        database.close()


def _bot(bot: Bot) -> diagnosis.Bot:
    return diagnosis.Bot(
        name=bot.name,
        state=bot.state,
        reason=bot.reason,
        action=bot.action,
        mode=bot.mode.value,
        why=(bot.restriction,) if bot.restriction else (),
        frozen_by=bot.frozen_by,
        silent_s=bot.heartbeat_age_s,
        waits_reason=bot.paused.reason if bot.paused is not None else None,
    )


# --- a host of bots --------------------------------------------------------------------------------------------


def host_bots(settings: Settings, now_ms: int) -> list[diagnosis.Bot]:
    """The bots of this host's groups, by what their workers last wrote beside the vault.

    Raises:
        SettingsError: such a file is damaged.
    """
    folder = settings.group.status_dir
    found = []
    for path in sorted(folder.glob("group-*.json")):
        row = read_status(folder, path.stem.removeprefix("group-"), now_ms, settings.group.offline_after_s)
        found += [_host_bot(each) for each in row["bots"]] if row is not None else []
    return found


def _host_bot(row: Mapping[str, Any]) -> diagnosis.Bot:
    away = row["state"] in ("silent", "stopped", "unknown")
    return diagnosis.Bot(row["bot"], "offline" if away else row["state"], row["reason"], row["action"], silent_s=row["age_s"])
