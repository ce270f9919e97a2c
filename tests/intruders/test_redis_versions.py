"""`fleet redis acl` and config/redis/redis.conf start every Redis from 7.0 on: real servers, all that are on this machine."""

from __future__ import annotations

import shutil
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner
from intruders.guarded import GuardedRedis

from scripts.cli import redis_acl
from scripts.cli.fleet import main
from scripts.lab.redis_server import dotted, find_redis_server, redis_version
from scripts.lab.servers import EmbeddedError
from shared import wire

GROUPS = ["--group", "red:1", "--group", "blue:2"]


def acl(folder: Path, *options: str, config: Path | None = None, path: Path | None = None) -> str:
    """The command; ``path`` is the only folder in which programs are found."""
    arguments = ["--config", str(config)] if config else []
    env = {"PATH": str(path)} if path else None
    done: Any = CliRunner().invoke(main, [*arguments, "redis", "acl", str(folder), *GROUPS, *options], env=env)
    assert done.exit_code == 0, done.output
    return str(done.output)


# What the fleet brings along, and what is installed on this machine: Debian 12 has Redis 7.0.
SERVERS = [
    pytest.param("", id="embedded"),
    pytest.param("redis-server", marks=pytest.mark.redis_server, id="redis-server"),
]


@pytest.fixture(params=SERVERS)
def binary(request: pytest.FixtureRequest) -> Path:
    return Path(str(shutil.which(request.param))) if request.param else find_redis_server()


@contextmanager
def served(binary: Path, folder: Path, users: Path) -> Iterator[GuardedRedis]:
    """This server, with the committed redis.conf and the list in ``users``."""
    server = GuardedRedis(folder, users)
    server.binary = binary
    with server:
        yield server


def test_the_list_starts_a_real_server_of_each_version(binary: Path, tmp_path: Path) -> None:
    acl(tmp_path / "users", "--for", dotted(redis_version(binary)[1]))
    with served(binary, tmp_path / "redis", tmp_path / "users") as server:
        for user in ("balancer", "host-red-1", "host-blue-2"):
            with server.client(user) as client:
                assert client.ping()
        with server.client("host-red-1") as host:
            host.set(wire.lease_key("red-1"), "me", px=1000)
            with pytest.raises(redis.exceptions.NoPermissionError):
                host.set(wire.lease_key("blue-11"), "me")
        with server.client() as operator:
            [refused] = operator.acl_log()
            assert refused["username"] == "host-red-1" and refused["object"] == wire.lease_key("blue-11")


def test_the_oldest_list_starts_every_server(binary: Path, tmp_path: Path) -> None:
    """Without the rule that 7.0 lacks nothing is missing but a line less in the list of refusals."""
    acl(tmp_path / "users", "--for", "7.0")
    with served(binary, tmp_path / "redis", tmp_path / "users") as server, server.client("balancer") as client:
        assert client.ping()


@pytest.mark.redis_server
def test_a_list_for_a_newer_server_would_not_start_redis_7_0(tmp_path: Path) -> None:
    binary = Path(str(shutil.which("redis-server")))
    if redis_version(binary)[1] >= (7, 2):
        pytest.skip(f"{binary} is newer than 7.0 and knows the rule")
    acl(tmp_path / "users", "--for", "7.2")
    with pytest.raises(EmbeddedError, match=r"client\|setinfo"), served(binary, tmp_path / "redis", tmp_path / "users"):
        pass


def test_each_rule_is_left_out_for_a_server_that_is_older_than_it() -> None:
    hashes = {"operator": "0" * 64, "balancer": "1" * 64, "host-red-1": "2" * 64}
    old, new = redis_acl.lines(hashes, version=(7, 0, 15)), redis_acl.lines(hashes, version=(7, 2))
    assert [line.count("client|setinfo") for line in old] == [0, 0, 0, 0]
    assert [line.count("+client|setinfo") for line in new] == [0, 0, 1, 1]
    assert [line.replace(" +client|setinfo", "") for line in new] == old
    assert redis_acl.lines(hashes, version=(9, 1, 2)) == new


def test_the_server_of_the_settings_is_asked(tmp_path: Path, redis_url: str, redis_server: Any) -> None:
    config = tmp_path / "fleet.toml"
    config.write_text(f'[redis]\nurl = "{redis_url}"\n')
    said = acl(tmp_path / "users", config=config)
    assert f"for Redis {dotted(redis_version(redis_server.binary)[1])} and newer (the one of [redis] url)" in said
    assert "+client|setinfo" in (tmp_path / "users" / "users.acl").read_text()


class Older(socketserver.StreamRequestHandler):
    """A Redis that says its version, and yes to everything else."""

    def handle(self) -> None:
        while head := self.rfile.readline():
            words = [self._word() for _ in range(int(head[1:]))]
            hello = b"*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n"
            self.wfile.write(hello if words == [b"HELLO"] else b"+OK\r\n")

    def _word(self) -> bytes:
        length = int(self.rfile.readline()[1:])
        return self.rfile.read(length + 2)[:-2]


def test_an_older_server_of_the_settings_gets_less(tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Older) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config.write_text(f'[redis]\nurl = "redis://127.0.0.1:{server.server_address[1]}"\n')
        assert "for Redis 7.0.15 and newer" in acl(tmp_path / "users", config=config)
        server.shutdown()
    assert "setinfo" not in (tmp_path / "users" / "users.acl").read_text()


def test_without_a_server_that_answers_the_installed_one_counts(tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    config.write_text(f'[redis]\nurl = "unix://{tmp_path}/none"\n')
    programs = tmp_path / "programs"
    programs.mkdir()
    assert "for Redis 7.0 and newer (there is none to ask)" in acl(tmp_path / "other", config=config, path=programs)
    fake = programs / "redis-server"
    fake.write_text("#!/bin/sh\necho 'Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=x'\n")
    fake.chmod(0o755)
    assert f"for Redis 7.0.15 and newer ({fake})" in acl(tmp_path / "one", config=config, path=programs)


@pytest.mark.parametrize(("version", "says"), [("6.2", "use Redis 7.0 or newer"), ("seven", "as in 7.0")])
def test_a_version_that_cannot_be_served_is_refused(tmp_path: Path, version: str, says: str) -> None:
    done = CliRunner().invoke(main, ["redis", "acl", str(tmp_path / "users"), "--for", version])
    assert done.exit_code in (1, 2) and says in done.output and not (tmp_path / "users").exists()
