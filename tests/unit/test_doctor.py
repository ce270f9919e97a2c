"""`fleet doctor`: each broken set-up is named with its cure, and nothing is said of one that is well."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from clean_databases import CleanDatabase
from click.testing import CliRunner

from balancer.db import migrate, tables
from balancer.items.feeds import kept
from balancer.items.price_list import PriceList
from scripts.cli import diagnosis, examination
from scripts.cli.config_findings.finding import BALANCER, HOST
from scripts.cli.diagnosis import Bot, Database, Disk, OldLock, Port, Prices, Redis, Seen, Source, Webhook, diagnose
from scripts.cli.fleet import main
from shared import settings
from shared.clock import Clock
from shared.domain.health import RESTRICTIONS
from shared.settings import Settings

GIB = 1 << 30
REDIS = Redis(
    0.2, 0.001, (7, 2, 4), appends=True, memory_bytes=20 << 20, memory_max_bytes=512 << 20, user="balancer", elsewhere=True
)
WELL = Seen(
    python=(3, 11, 2),
    disks=[Disk("[database] url", "/var/lib/fleet", 80 * GIB, 100 * GIB)],
    redis=REDIS,
    database=Database(made=True),
    port=Port("127.0.0.1:8420", "balancer"),
    bots=[Bot("red-1", "online"), Bot("red-2", "offline", "no heartbeat", mode="paused")],
    prices=Prices(20_000, 86400.0, (Source("file", 3600.0, 86400.0), Source("shop", 20_000.0, 43200.0))),
    webhooks=[Webhook("whk_1", "shop.example", 0), Webhook("whk_2", "shop.example", 3, failing_s=600.0)],
)


def a_bot(**more: Any) -> list[Bot]:
    return [Bot("red-1", "online"), replace(Bot("red-2", "online"), **more)]


def prices(*sources: Source) -> dict[str, Any]:
    return {"prices": Prices(9, 86400.0, sources)}


# Name, what is otherwise, level, what it is about, a word of the text, a word of the cure.
BROKEN: list[tuple[str, dict[str, Any], str, str, str, str]] = [
    ("an old Python", {"python": (3, 10, 4)}, "error", "python", "3.10.4", "3.11"),
    ("a full disk", {"disks": [Disk("[database] url", "/data", 5 << 20, GIB)]}, "error", "disk", "5.0 MiB", "free space"),
    (
        "a disk that fills",
        {"disks": [Disk("[group] vault_file", "/", GIB // 2, 20 * GIB)]},
        "warning",
        "disk",
        "512.0 MiB",
        "free",
    ),
    ("an old Redis", {"redis": replace(REDIS, version=(6, 2, 14))}, "error", "redis", "6.2.14", "7.0"),
    ("Redis keeps nothing", {"redis": replace(REDIS, appends=False)}, "warning", "redis", "restart", "appendonly yes"),
    ("Redis cannot save", {"redis": replace(REDIS, snapshot_failed=True)}, "error", "redis", "snapshot", "disk space"),
    ("Redis cannot append", {"redis": replace(REDIS, append_failed=True)}, "error", "redis", "append-only", "disk space"),
    ("Redis is nearly full", {"redis": replace(REDIS, memory_bytes=500 << 20)}, "warning", "redis", "500.0 MiB", "maxmemory"),
    (
        "Redis is open",
        {"redis": replace(REDIS, others_without_password=True)},
        "error",
        "redis",
        "without a password",
        "redis acl",
    ),
    ("no access list", {"redis": replace(REDIS, user="default")}, "warning", "redis", "default user", "redis acl"),
    ("a clock that is ahead", {"redis": replace(REDIS, clock_ahead_s=45.0)}, "error", "clock", "45 s ahead of", "NTP"),
    ("a clock that is behind", {"redis": replace(REDIS, clock_ahead_s=-3600.0)}, "error", "clock", "3600 s behind", "NTP"),
    ("a slow line to Redis", {"redis": replace(REDIS, clock_doubt_s=6.0)}, "error", "clock", "12 s", "line to Redis"),
    ("an empty database", {"database": Database(made=False)}, "warning", "database", "no tables", "start a balancer"),
    ("an old schema", {"database": Database(made=True, missing=3)}, "warning", "database", "3 steps behind", "back it up"),
    (
        "a role that may not write",
        {"database": Database(made=True, writable=False, why_not="its role may not change the table trades")},
        *("error", "database", "table trades", "own its tables"),
    ),
    ("no balancer", {"port": Port("127.0.0.1:8420", "nobody")}, "warning", "balancer", "nobody answers", "fleet balancer"),
    ("a port that is taken", {"port": Port("127.0.0.1:8420", "other")}, "error", "balancer", "another program", "ss -ltnp"),
    ("a loop that stopped", {"port": Port("h:1", "balancer", ("loops",))}, "error", "balancer", "not ready: loops", "/readyz"),
    ("no bots", {"bots": []}, "warning", "bots", "ever reported", "fleet bots import"),
    ("all bots away", {"bots": [Bot("red-1", "offline", mode="paused")]}, "error", "bots", "no bot is online", "group start"),
    ("a bot is away", {"bots": a_bot(state="offline", silent_s=7300.0)}, "error", "bot red-2", "2 hours ago", "group status"),
    (
        "a session that is refused",
        {"bots": a_bot(state="unhealthy", reason="sign_in", action="put the right password into the vault")},
        *("error", "bot red-2", "sign_in", "right password"),
    ),
    (
        "a vault that does not open",
        {"bots": a_bot(state="unhealthy", reason="vault", action="mend it")},
        "error",
        "bot red-2",
        "vault",
        "mend it",
    ),
    ("a frozen bot", {"bots": a_bot(frozen_by="audit")}, "error", "bot red-2", "frozen (audit)", "fleet audit --bot red-2"),
    (
        "an address at its limit",
        {"bots": a_bot(waits_reason="steam_throttled")},
        "warning",
        "bot red-2",
        "steam_throttled",
        "proxy",
    ),
    (
        "nothing has a value",
        {"prices": Prices(0, 86400.0, (Source("file", None, 86400.0, "No such file"),))},
        "error",
        "prices",
        "none is taken",
        "prices_file",
    ),
    ("old values", prices(Source("file", 200_000.0, 86400.0)), "warning", "prices of file", "2 days old, and games", "anew"),
    (
        "a feed that was missed",
        prices(Source("shop", 50_000.0, 43200.0, "not fetched: timeout")),
        "warning",
        "prices of shop",
        "timeout",
        "prices try shop",
    ),
    (
        "a feed that never came",
        prices(Source("shop", None, 43200.0, "not fetched: it answered 403")),
        "warning",
        "prices of shop",
        "never given a price: not fetched: it answered 403",
        "prices try shop",
    ),
    (
        "a list that is held back",
        prices(Source("shop", 1.0, 43200.0, None, "most names lost (ab12)")),
        "warning",
        "prices of shop",
        "ab12",
        "prices accept shop",
    ),
    (
        "a webhook that is disabled",
        {"webhooks": [Webhook("whk_1", "shop.example", 12, 300_000.0, "gave_up")]},
        "warning",
        "webhook whk_1",
        "gave_up); 12 events",
        "webhooks enable whk_1",
    ),
    (
        "a webhook that fails",
        {"webhooks": [Webhook("whk_1", "shop.example", 12, 20_000.0)]},
        "warning",
        "webhook whk_1",
        "6 hours; 12 events",
        "webhooks deliveries whk_1",
    ),
    (
        "a lock of long ago",
        {"locks": [OldLock("bet_1", "site", 30.0), OldLock("bet_2", "site", 100.0)]},
        "warning",
        "locks",
        "bet_2",
        "locks list",
    ),
    (
        "a pause",
        {"paused": {"withdrawals of site": "a key was stolen"}},
        "warning",
        "switches",
        "a key was stolen",
        "resume withdrawals",
    ),
    *(
        (f"restricted: {reason}", {"bots": a_bot(state="restricted", why=(reason,))}, "error", "bot red-2", reason, rule.action)
        for reason, rule in RESTRICTIONS.items()
    ),
]


def test_of_a_fleet_that_is_well_nothing_is_said() -> None:
    assert diagnose(WELL) == []
    assert diagnose(Seen(python=(3, 13, 0))) == []


@pytest.mark.parametrize(("name", "other", "level", "about", "text", "do"), BROKEN, ids=[case[0] for case in BROKEN])
def test_a_broken_set_up_is_named_with_its_cure(
    name: str, other: dict[str, Any], level: str, about: str, text: str, do: str
) -> None:
    found = diagnose(replace(WELL, **other))
    assert [(trouble.level, trouble.about) for trouble in found] == [(level, about)], name
    assert text in found[0].text and do in found[0].do


def test_a_redis_on_this_machine_needs_no_access_list() -> None:
    own = replace(REDIS, user="default", others_without_password=True, elsewhere=False)
    assert diagnose(replace(WELL, redis=own)) == []


def test_errors_come_first() -> None:
    both = replace(WELL, database=Database(made=False), bots=a_bot(frozen_by="audit"), prices=Prices(0, 1.0))
    assert [trouble.level for trouble in diagnose(both)] == ["error", "error", "warning"]


# --- what is looked at ------------------------------------------------------------------------------------------------


def test_what_redis_says_is_understood() -> None:
    info = {"redis_version": "7.2.4", "aof_enabled": 1, "rdb_last_bgsave_status": "err", "used_memory": 5, "maxmemory": 10}
    seen = examination.of_redis(info, b"host-red-1", {"flags": ["on", "nopass"]}, 0.0, 0.0, elsewhere=True)
    assert (seen.version, seen.appends, seen.snapshot_failed, seen.append_failed) == ((7, 2, 4), True, True, False)
    assert (seen.user, seen.others_without_password, seen.memory_max_bytes) == ("host-red-1", True, 10)
    nothing = examination.of_redis({}, None, {}, 0.0, 0.0, elsewhere=True)
    assert nothing == Redis(0.0, 0.0, elsewhere=True) and diagnose(Seen((3, 11, 0), redis=nothing)) == []


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    """Something on a port of this machine that answers everything so."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def balancers(tmp_path: Path, **more: dict[str, Any]) -> Settings:
    values: dict[str, dict[str, Any]] = {
        "redis": {"url": "redis://127.0.0.1:1"},
        "database": {"url": f"sqlite:///{tmp_path}/fleet.db"},
        "balancer": {"prices_file": str(tmp_path / "prices.json")},
        "group": {"status_dir": str(tmp_path / "run")},
    }
    return settings.load(overrides={name: {**values.get(name, {}), **more.get(name, {})} for name in {*values, *more}})


READY = {name: {"ok": name != "bots"} for name in ("database", "redis", "clock", "loops", "bots", "prices")}


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (503, {"ready": False, "checks": READY}, ("balancer", ())),
        (503, {"ready": False, "checks": {**READY, "redis": {"ok": False}}}, ("balancer", ("redis",))),
        (200, {"hello": "world"}, ("other", ())),
        (404, "<html>", ("other", ())),
    ],
)
def test_who_answers_at_the_balancers_address(tmp_path: Path, status: int, answer: Any, expected: Any) -> None:
    body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
    with answering(status, body) as port:
        seen = examination.examine(balancers(tmp_path, balancer={"port": port}), {BALANCER}, {})
    assert seen.port is not None and (seen.port.answers, seen.port.unready) == expected


def test_a_database_is_told_new_behind_and_up_to_date(tmp_path: Path) -> None:
    read = balancers(tmp_path)

    def database() -> Any:
        return examination.examine(read, {BALANCER}, {}).database

    assert database() == Database(made=False)
    migrate.upgrade(read.database.url, "0001")
    behind = database()
    assert behind.made and behind.missing > 5
    migrate.upgrade(read.database.url)
    assert database() == Database(made=True)


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("granted", "said"), [("SELECT, INSERT, UPDATE, DELETE", ""), ("SELECT, INSERT, UPDATE", "its role may")]
)
def test_a_role_that_lacks_one_right_is_told(clean_postgres: CleanDatabase, granted: str, said: str) -> None:
    engine = sa.create_engine(clean_postgres.take())
    try:
        with engine.connect() as connection, connection.begin() as all_of_it:
            for command in (
                "CREATE ROLE narrow",
                f"GRANT {granted} ON ALL TABLES IN SCHEMA public TO narrow",
                "SET ROLE narrow",
            ):
                connection.execute(sa.text(command))
            found = examination._database(connection)
            all_of_it.rollback()
    finally:
        engine.dispose()
        clean_postgres.give_back()
    assert found.made and found.writable is (said == "")
    assert found.why_not.startswith(said)


def test_a_hosts_bots_are_told_by_what_they_wrote(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    rows = [{"bot": "red-1", "pid": 5, "restarts": 0}]
    (folder / "group-red-1.json").write_text(json.dumps({"group": "red:1", "state": "running", "pid": 4, "bots": rows}))
    said = {"state": "unhealthy", "reason": "vault", "action": "mend it", "at_ms": 1}
    (folder / "red-1.json").write_text(json.dumps(said))
    seen = examination.examine(balancers(tmp_path), {HOST}, {})
    assert seen.bots is not None
    [bot] = seen.bots  # its supervisor does not run
    assert (bot.name, bot.state, bot.reason, bot.action) == ("red-1", "offline", "vault", "mend it")
    assert "vault" in diagnose(seen)[-1].text


def test_sources_of_values_and_webhooks_are_read_from_the_database(tmp_path: Path) -> None:
    now = Clock().now()
    (tmp_path / "prices.json").write_text('{"Knife": 5}')
    feed = {"file": str(tmp_path / "x.json"), "preset": "plain"}
    told = {"sources": ["file", "shop", "new"], "feeds": {"shop": feed, "new": feed}}
    read = balancers(tmp_path, prices=told)
    migrate.upgrade(read.database.url)
    engine = sa.create_engine(read.database.url)
    with engine.begin() as connection:
        kept.claim(connection, "shop", now - timedelta(hours=20), now)
        new = kept.NewList.of(PriceList({"Glove": 7, "Case": 9}))
        kept.note_good(connection, "shop", new, None, now - timedelta(hours=20), now)
        kept.note_failed(connection, "shop", "not fetched: timeout", now, now, now)
        target = {"url": "https://shop.example/hooks?key=secret", "secret_sealed": "x", "spread_to": 0, "created_by": "cli"}
        states: list[dict[str, Any]] = [
            {"disabled_at": now, "disabled_why": "gone"},
            {"failing_since": now - timedelta(hours=3)},
        ]
        for number, more in enumerate(states):
            row = {**target, "url": f"{target['url']}{number}", "target_id": f"whk_{number}", "created_at": now, **more}
            connection.execute(tables.webhook_targets.insert().values(row))
    engine.dispose()
    seen = examination.examine(read, {BALANCER}, {})
    assert seen.prices is not None and seen.prices.names == 3
    assert {each.name: each.error for each in seen.prices.sources} == {
        "file": None,
        "shop": "not fetched: timeout",
        "new": "not fetched yet: no balancer has run with this feed",
    }
    found = {trouble.about: trouble.text for trouble in diagnose(replace(WELL, prices=seen.prices, webhooks=seen.webhooks))}
    assert found == {
        "prices of shop": "its list is 20 hours old: not fetched: timeout",
        "prices of new": "it has never given a price: not fetched yet: no balancer has run with this feed",
        "webhook whk_0": "nothing is sent to shop.example any more (gone); 0 events wait for it",
        "webhook whk_1": "shop.example has taken nothing for 3 hours; 0 events wait for it",
    }


# --- the command ----------------------------------------------------------------------------------------------------


def doctor(tmp_path: Path, *arguments: str) -> Any:
    config = tmp_path / "fleet.toml"
    config.write_text(
        f'[redis]\nurl = "redis://127.0.0.1:1"\n[database]\nurl = "sqlite:///{tmp_path}/fleet.db"\n[balancer]\nport = 1\n'
    )
    return CliRunner().invoke(main, ["--config", str(config), "doctor", *arguments])


def test_the_command_says_what_the_settings_and_the_parts_lack(tmp_path: Path) -> None:
    done = doctor(tmp_path)
    assert done.exit_code == 2
    assert "error: settings, " in done.output and "Redis cannot be used" in done.output
    assert "warning: balancer: nobody answers at 127.0.0.1:1" in done.output
    assert "  What to do: " in done.output and not (tmp_path / "fleet.db").exists()
    found = json.loads(doctor(tmp_path, "--json").output)["findings"]
    assert {"level", "about", "text", "do"} == set(found[0])
    assert [each["level"] for each in found] == sorted(each["level"] for each in found)


def test_settings_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--config", str(tmp_path / "none.toml"), "doctor", "--json"])
    assert done.exit_code == 2
    assert [each["about"] for each in json.loads(done.output)["findings"]] == ["settings"]


def test_each_part_has_a_check() -> None:
    assert {case[3].split()[0] for case in BROKEN} == {
        *("python", "disk", "redis", "clock", "database", "balancer", "bots", "bot", "prices", "webhook", "locks", "switches")
    }
    assert len(diagnosis.CHECKS) == 11
