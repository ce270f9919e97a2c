"""SQLite's disk is full, or its write lock is somebody else's; and databases that are not of this release."""

from __future__ import annotations

import json
import resource
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from flow_site import Answer, Website
from nerves_fleet import BalancerFleet, Depositor, body_of, load
from nerves_lab import NO_SHARES, short
from support import wait_until

from balancer.db import migrate
from scripts.cli.fleet import main
from scripts.lab import write_lock
from scripts.lab.parts import Part
from scripts.lab.stack import Wish
from shared.sealing import MasterKey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("nerves-disk")]

NO_LIMIT_OF_OFFERS = dict.fromkeys(("offers_per_bot_max", "offers_per_player_max", "offers_per_partner_max"), 100_000)
# Less than what one deposit writes.
ROOM_BYTES = 16 * 1024


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BalancerFleet]:
    """One bot, and a balancer on SQLite."""
    wish = Wish(
        directory=tmp_path_factory.mktemp("disk"),
        bots_per_group=1,
        players=0,
        protection_s=1,
        log_level="info",
        # However quick the machine is: the load runs into the disk, not into limits of offers.
        overrides=short(trades={"inventory_wait_s": 3.0}, limits={**NO_SHARES, **NO_LIMIT_OF_OFFERS}),
    )
    with BalancerFleet(wish, None) as running:
        yield running


@contextmanager
def no_room(part: Part) -> Iterator[None]:
    """No file of this process, its log included, may be written behind these few bytes; afterwards there is room again."""
    limits = resource.prlimit(part.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(part.process.pid, resource.RLIMIT_FSIZE, (ROOM_BYTES, limits[1]))
    try:
        yield
    finally:
        if part.process.poll() is None:
            resource.prlimit(part.process.pid, resource.RLIMIT_FSIZE, limits)


def is_full(answer: Answer, reason: str = "disk") -> bool:
    """Whether this is the documented answer of a database that cannot write."""
    body = answer.body
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert (answer.status, body["code"], body["retryable"], body["reason"]) == (503, "database_unavailable", True, reason), body
    return int(answer.headers["Retry-After"]) >= 1


def test_a_full_disk_is_told_and_nothing_is_half_written(on_sqlite: BalancerFleet) -> None:
    """No room in the middle of the load: deposits are refused with 503, reads work, and all goes on when there is room.

    Reports of bots cannot be written either and wait in the stream, those of inventories behind them.
    """
    balancers = on_sqlite
    one, site = balancers.one_balancer(), Website(balancers)
    depositors = [Depositor(site) for _ in range(3)]
    fresh = [Depositor(site, 2) for _ in range(5)]
    with load() as running:
        for each in depositors:
            running.run("deposit", each.deposit)
        running.until("deposit", 9)
        with no_room(one):
            assert [each.deposit() for each in fresh] == [503] * 5
            wait_until(lambda: all(each.answers[-1].status == 503 for each in depositors))
            assert site.call("GET", f"/deposits?user_id={depositors[0].player.user_id}").status == 200
            assert site.call("GET", "/healthz").status == 200
            wait_until(lambda: site.call("GET", "/readyz").body["checks"]["database"].get("reason") == "disk")
        wait_until(lambda: all(each.answers[-1].status in (201, 202) for each in depositors))
        wait_until(lambda: site.call("GET", "/readyz").body["checks"]["database"]["ok"])
        seen = running.stop()
    assert seen.failures == []
    assert one.process.poll() is None
    assert [each.unexpected() for each in depositors] == [[]] * 3
    # An inventory that was not read in time is asked for before anything is written.
    refused = [answer for each in (*depositors, *fresh) for answer in each.answers if answer.status == 503]
    said = [answer for answer in refused if answer.body["code"] != "inventory_unavailable"]
    assert said and all(is_full(answer) for answer in said)
    for each in (*depositors, *fresh):
        for _ in range(len(each.wishes) - len(each.made)):
            assert each.deposit() in (201, 202)
        found = balancers.rows("SELECT trade_id FROM trades WHERE user_id = :user_id", user_id=each.player.user_id)
        assert sorted(row.trade_id for row in found) == sorted(each.made.values())
    wait_until(lambda: not balancers.unfinished(), every_s=0.2)
    assert balancers.twice_written() == []
    site.agree()


@pytest.mark.long
def test_a_write_lock_that_another_process_holds_is_waited_for_and_then_said(on_sqlite: BalancerFleet) -> None:
    """What reads goes on. A deposit waits while the lock may still be freed, is refused with 503 later, and leaves nothing."""
    balancers = on_sqlite
    one, site = balancers.one_balancer(), Website(balancers)
    player = site.player(habit="accept")
    assets = site.acceptable(player)
    answers: dict[str, Answer] = {}

    def deposit(key: str, number: int) -> None:
        answers[key] = site.call("POST", "/deposit?wait=15", body_of(player, assets[number : number + 1]), key=key)

    lock = write_lock.WriteLock(balancers.wish.directory / "fleet.db")
    try:
        refused = threading.Thread(target=deposit, args=("too long", 0))
        refused.start()
        while refused.is_alive():
            assert site.call("GET", f"/deposits?user_id={player.user_id}").status == 200
            refused.join(0.5)
        assert is_full(answers["too long"], "busy")
        waits = threading.Thread(target=deposit, args=("a moment", 1))
        waits.start()
        for _ in range(3):
            assert site.call("GET", f"/deposits?user_id={player.user_id}").status == 200
        assert waits.is_alive() and "a moment" not in answers
    finally:
        lock.free()
    waits.join()
    assert answers["a moment"].status in (201, 202), answers["a moment"].body
    found = "SELECT trade_id FROM trades WHERE user_id = :user_id"
    assert len(balancers.rows(found, user_id=player.user_id)) == 1
    deposit("too long", 0)
    assert answers["too long"].status in (201, 202), answers["too long"].body
    assert len(balancers.rows(found, user_id=player.user_id)) == 2 and one.process.poll() is None
    wait_until(lambda: not balancers.unfinished(), every_s=0.2)
    assert balancers.twice_written() == []
    site.agree()


def test_killed_while_the_disk_is_full(on_sqlite: BalancerFleet) -> None:
    """SIGKILL after a write that found no room: the next balancer finds a whole database."""
    balancers = on_sqlite
    one, site = balancers.one_balancer(), Website(balancers)
    player = site.player(habit="accept")
    assets = site.acceptable(player)
    with no_room(one):
        assert is_full(site.call("POST", "/deposit?wait=0", body_of(player, assets[:1]), key="full"))
        balancers.kill(one)
    with closing(sqlite3.connect(balancers.wish.directory / "fleet.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    balancers.one_balancer()
    answer = site.call("POST", "/deposit?wait=15", body_of(player, assets[:1]), key="full")
    assert answer.status in (201, 202), answer.body
    site.until(answer.body["trades"][0]["trade_id"], "accepted", "settled")
    site.agree()


# --- databases of other releases --------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path, redis_url: str) -> Path:
    MasterKey.create(tmp_path / "master.key")
    path = tmp_path / "fleet.toml"
    path.write_text(
        f'[redis]\nurl = "{redis_url}"\n[database]\nurl = "sqlite:///{tmp_path}/fleet.db"\n'
        f'[balancer]\nport = 0\nmaster_key_file = "{tmp_path}/master.key"\nprices_file = "{tmp_path}/prices.json"\n'
    )
    return path


def revision(config: Path, new: str | None = None) -> str:
    """The revision that stands in the database, before it is set to another one."""
    with closing(sqlite3.connect(config.parent / "fleet.db")) as connection, connection:
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if new is not None:
            connection.execute("UPDATE alembic_version SET version_num = ?", (new,))
    return str(found)


@pytest.mark.parametrize("command", [["balancer"], ["clients", "list"]], ids=["balancer", "clients"])
def test_a_database_of_a_newer_release_is_refused_and_left_alone(config: Path, command: list[str]) -> None:
    migrate.upgrade(f"sqlite:///{config.parent}/fleet.db")
    head = revision(config, "9999_of_a_newer_release")
    before = (config.parent / "fleet.db").read_bytes()
    done = CliRunner().invoke(main, ["--config", str(config), *command])
    assert done.exit_code in (1, 2), done.output
    assert all(word in done.stderr for word in ("newer release", "9999_of_a_newer_release", head))
    assert "Traceback" not in done.stderr
    assert (config.parent / "fleet.db").read_bytes() == before


def test_a_database_of_an_older_release_is_brought_up_at_the_start(config: Path) -> None:
    migrate.upgrade(f"sqlite:///{config.parent}/fleet.db", "0001")
    old = revision(config)
    made = CliRunner().invoke(main, ["--config", str(config), "clients", "add", "site", "--json"])
    assert json.loads(made.stdout)["api_key"]
    assert revision(config) > old


def test_a_database_that_cannot_be_reached_is_said_plainly(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET__DATABASE__URL", f"postgresql+psycopg://nobody:sesame@/none?host={config.parent}")
    done = CliRunner().invoke(main, ["--config", str(config), "balancer"])
    assert done.exit_code == 1 and "start PostgreSQL" in done.stderr
    assert "sesame" not in done.stderr and "Traceback" not in done.stderr
