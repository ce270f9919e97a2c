"""The access list of Redis: all that the fleet does goes through, and a host that was taken over reaches nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner
from flow_site import Website
from intruders import trading
from intruders.guarded import GuardedStack
from intruders.intruder import pid_of
from support import wait_until

from scripts.cli import redis_acl
from scripts.cli.fleet import main
from shared import wire

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intruders"), pytest.mark.timeout(600)]

REFUSED = r"(?i)no permissions|ACL failure|DEBUG command not allowed"
TEMPLATE = Path(__file__).parents[2] / "config" / "redis" / "users.acl"


def test_trades_go_their_whole_way_under_the_access_list(guarded: GuardedStack, site: Website) -> None:
    """A deposit and a withdrawal in each color, a cancel, a killed worker: Redis had nothing to refuse."""
    with guarded.redis.client() as operator:
        operator.acl_log_reset()
    for color in ("red", "blue"):
        player = site.player(habit="accept")
        trade = trading.deposit(site, player, color, "settled")
        trading.withdraw(site, player, [item["deposit_id"] for item in trade["items"]], "settled", "accepted")
    trading.cancel(site, trading.deposit(site, site.player(habit="ignore"), "red", "sent"))
    before = pid_of(guarded, "red-1")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pid_of(guarded, "red-1") != before, trading.LONG_S, 0.2)
    trading.all_online(site)
    site.agree()
    wait_until(lambda: site.call("GET", "/readyz").status == 200, every_s=0.1)
    with guarded.redis.client() as operator:
        assert operator.acl_log() == []


# What somebody who has one host's settings could try with another's keys, and with the server.
BY_HOST: list[tuple[Any, ...]] = [
    ("RPUSH", "rq:queue:blue-1", "x"),
    ("LRANGE", "rq:queue:red-1", 0, -1),
    ("BLMOVE", "rq:queue:blue-1", "rq:queue:red-1", "LEFT", "RIGHT", 1),
    ("LPUSH", "rq:queue:red-11", "x"),
    ("HMGET", "rq:job:blue-1_x", "data"),
    ("HSET", "rq:job:blue-1_x", "data", "x"),
    ("DEL", "rq:job:blue-1_x"),
    ("GET", "fleet:lease:blue-1"),
    ("SET", "fleet:lease:blue-1", "mine"),
    ("DEL", "fleet:lease:blue-1"),
    ("SET", "fleet:heartbeat:blue-1", "x"),
    ("SET", "fleet:memory:blue-1", "x"),
    ("SET", "fleet:recall:blue-1:trd_x", 9),
    ("DEL", "fleet:attempted:blue-1:trd_x"),
    ("GET", "fleet:recall:red-11:trd_x"),
    ("XRANGE", "fleet:reports", "-", "+"),
    ("XREADGROUP", "GROUP", "balancers", "me", "STREAMS", "fleet:reports", ">"),
    ("XTRIM", "fleet:reports", "MAXLEN", 0),
    ("XGROUP", "DESTROY", "fleet:reports", "balancers"),
    ("DEL", "fleet:reports"),
    ("SET", "fleet:reports", "x"),
    ("SREM", "fleet:bots", "blue-1"),
    ("SMEMBERS", "fleet:bots"),
    ("SET", "fleet:leader:sweep", "me"),
    ("PUBLISH", "fleet:changes", "{}"),
    ("SUBSCRIBE", "fleet:changes"),
    ("EVAL", "return redis.call('GET', KEYS[1])", 1, "fleet:lease:blue-1"),
    ("EVAL", "return redis.call('GET', ARGV[1])", 0, "fleet:lease:blue-1"),
    ("EVAL", "return redis.call('DEL', 'fleet:reports')", 0),
    ("EVAL", "return redis.call('FLUSHALL')", 0),
]
BY_ANYBODY: list[tuple[Any, ...]] = [
    ("CONFIG", "GET", "*"),
    ("CONFIG", "SET", "dir", "/"),
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("KEYS", "*"),
    ("SCAN", 0),
    ("RANDOMKEY",),
    ("SHUTDOWN", "NOSAVE"),
    ("DEBUG", "SLEEP", 1),
    ("MONITOR",),
    ("ACL", "LIST"),
    ("ACL", "SETUSER", "default", "on", "nopass", "~*", "+@all"),
    ("CLIENT", "LIST"),
    ("CLIENT", "KILL", "ID", 1),
    ("CLIENT", "PAUSE", 1000),
    ("SAVE",),
    ("BGREWRITEAOF",),
    ("REPLICAOF", "127.0.0.1", 1),
    ("MIGRATE", "127.0.0.1", 1, "x", 0, 1),
    ("MODULE", "LIST"),
    ("FUNCTION", "FLUSH"),
    ("SCRIPT", "FLUSH"),
    ("SWAPDB", 0, 1),
    ("SLOWLOG", "GET"),
]
BY_BALANCER: list[tuple[Any, ...]] = [
    ("LRANGE", "rq:queue:red-1", 0, -1),
    ("GET", "fleet:lease:red-1"),
    ("SET", "fleet:lease:red-1", "mine"),
    ("DEL", "fleet:attempted:red-1:trd_x"),
    ("SET", "fleet:memory:red-1", "x"),
    ("PUBLISH", "another", "x"),
]


@pytest.fixture(scope="module")
def doors(guarded: GuardedStack) -> Iterator[dict[str, redis.Redis]]:
    clients = {user: guarded.redis.client(user) for user in ("host-red-1", "balancer")}
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize("command", [*BY_HOST, *BY_ANYBODY], ids=lambda command: " ".join(map(str, command))[:60])
def test_a_host_cannot(doors: dict[str, redis.Redis], command: tuple[Any, ...]) -> None:
    with pytest.raises((redis.exceptions.NoPermissionError, redis.ResponseError), match=REFUSED):
        doors["host-red-1"].execute_command(*command)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("command", [*BY_BALANCER, *BY_ANYBODY], ids=lambda command: " ".join(map(str, command))[:60])
def test_a_balancer_cannot(doors: dict[str, redis.Redis], command: tuple[Any, ...]) -> None:
    with pytest.raises((redis.exceptions.NoPermissionError, redis.ResponseError), match=REFUSED):
        doors["balancer"].execute_command(*command)  # type: ignore[no-untyped-call]


def test_the_website_reaches_its_own_and_nothing_of_the_fleet(guarded: GuardedStack) -> None:
    line = redis_acl.lines({redis_acl.SITE: redis_acl.hash_of("word")})[-1]
    with guarded.redis.client() as operator:
        operator.execute_command("ACL", "SETUSER", *line.split()[1:])
    url = guarded.redis.url.replace("unix://", "unix://site:word@")
    with wire.connect(url) as site, site.pubsub() as hears:
        hears.subscribe("site:work")  # the website's hints, marks and limits
        site.publish("site:work", "classic-a")
        site.zadd("site:marks", {"classic-a": 7}, gt=True)
        assert site.zrange("site:marks", 0, -1) == [b"classic-a"]
        site.zrem("site:marks", "classic-a")
        assert site.eval("redis.call('SET', KEYS[1], 1, 'PX', 1000) return redis.call('TIME')[1]", 1, "site:limit:1")
        for command in [*BY_HOST, *BY_ANYBODY, ("ZADD", "fleet:bots", 1, "x"), ("GET", "fleet:look:x")]:
            with pytest.raises((redis.exceptions.NoPermissionError, redis.ResponseError), match=REFUSED):
                site.execute_command(*command)
    with guarded.redis.client() as operator:
        operator.acl_deluser(redis_acl.SITE)
        operator.acl_log_reset()


def test_nobody_without_a_password_may_do_anything(guarded: GuardedStack) -> None:
    with wire.connect(guarded.redis.url) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.get("fleet:lease:red-1")
    wrong = guarded.redis.url.replace("unix://", "unix://operator:guess@")
    with wire.connect(wrong) as stranger, pytest.raises(redis.AuthenticationError) as refused:
        stranger.ping()
    assert "guess" not in f"{refused.value!r} {stranger!r} {stranger.connection_pool!r}"


def test_no_value_is_larger_than_the_committed_settings_let_it_be(guarded: GuardedStack) -> None:
    with guarded.redis.client("host-red-1") as host, pytest.raises((redis.RedisError, OSError)):
        host.set("fleet:heartbeat:red-2", b"x" * (9 * 1024 * 1024))
    with guarded.redis.client() as operator:
        said = operator.config_get("*")
        assert (said["maxmemory-policy"], said["appendonly"]) == ("noeviction", "yes")


# --- the command itself ------------------------------------------------------------------------------


def acl(folder: Path, *arguments: str) -> str:
    done = CliRunner().invoke(main, ["redis", "acl", str(folder), *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_passwords_are_files_and_are_kept(tmp_path: Path) -> None:
    said = acl(tmp_path, "--group", "red:1")
    passwords = {path.name: path.read_text().strip() for path in tmp_path.glob("*.password")}
    assert set(passwords) == {"operator.password", "balancer.password", "host-red-1.password"}
    again = acl(tmp_path, "--group", "blue:2", "--egress", "host-7")
    lines = (tmp_path / "users.acl").read_text()
    for name, password in passwords.items():
        assert (tmp_path / name).read_text().strip() == password
        assert password not in said + again + lines
        assert f"#{redis_acl.hash_of(password)}" in lines
    assert "user host-red-1 " in lines and "~rq:queue:blue-11 " in lines and "~fleet:pace:host-7:* " in lines
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_the_website_gets_a_user_when_it_is_asked_for_and_keeps_it(tmp_path: Path) -> None:
    acl(tmp_path, "--group", "red:1")
    assert "user site " not in (tmp_path / "users.acl").read_text()
    acl(tmp_path, "--site")
    password = (tmp_path / "site.password").read_text()
    acl(tmp_path, "--group", "red:2")
    lines = (tmp_path / "users.acl").read_text()
    assert "user site " in lines and (tmp_path / "site.password").read_text() == password
    assert "host-site" not in lines and "user host-red-1 " in lines


@pytest.mark.parametrize("group", ["red", "red:0", "red:x", "Red:1", "re*d:1", "red-1:1"])
def test_what_is_no_group_is_refused(tmp_path: Path, group: str) -> None:
    assert CliRunner().invoke(main, ["redis", "acl", str(tmp_path), "--group", group]).exit_code == 2


def test_the_committed_example_is_what_the_command_writes() -> None:
    users = ("operator", "balancer", "host-red-1")
    hashes = {user: f"SHA256-OF-THE-PASSWORD-OF-{user}" for user in users}
    shown = [line for line in TEMPLATE.read_text().splitlines() if line and not line.startswith("#")]
    assert shown == redis_acl.lines(hashes, version=(7, 2))
