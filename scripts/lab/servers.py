"""A server process that belongs to the process which starts it: start, stop, kill, and never outlive the owner.

For the demo, for development and for the tests. The servers listen on a unix socket, keep their data in a folder, and end with
their owner even when that is killed. Start them from the main thread: on Linux a server ends when the *thread* that started it
does.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Self

GUARD = Path(__file__).with_name("guard.py")
LONGEST_SOCKET_PATH = 100  # the system's limit is 108 bytes on Linux, 104 on macOS
# A machine at work may take its time; an idle one needs a tenth of a second.
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0


class EmbeddedError(Exception):
    """A server could not be found, started or trusted with the data; the text says why."""


class Server(ABC):
    """One child process under `guard.py`, with its log and a private folder for its socket."""

    name = "server"
    parent_death_signal = signal.SIGTERM
    stop_signal = signal.SIGTERM

    def __init__(self, user: str | None = None) -> None:
        self.user = user
        self.process: subprocess.Popen[bytes] | None = None
        self.socket_folder: Path | None = None

    @property
    def pid(self) -> int:
        if self.process is None:
            raise EmbeddedError(f"{self.name} is not running")
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def spawn(self, command: list[str], log: Path, pass_fds: tuple[int, ...] = ()) -> None:
        guard = [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), str(int(self.parent_death_signal))]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*guard, self.user or "-", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                pass_fds=pass_fds,
                start_new_session=True,  # Ctrl-C is for the owner, who stops its servers in order
            )

    def wait_ready(self, ready: Callable[[], bool], log: Path) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready():
            if not self.running or time.monotonic() > deadline:
                status = self.process.poll() if self.process else None
                self.kill()
                raise EmbeddedError(f"{self.name} did not start (status {status}):\n{tail(log)}")
            time.sleep(0.005)

    def stop(self) -> None:
        """End in order, then by force; harmless when it is not running."""
        self.end(self.stop_signal)
        if self.socket_folder is not None:
            shutil.rmtree(self.socket_folder, ignore_errors=True)
            self.socket_folder = None

    def kill(self) -> None:
        """End at once, as in a crash; data and socket folder stay for a restart."""
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)

    @abstractmethod
    def start(self) -> Self: ...

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()


def private_folder(prefix: str) -> Path:
    """A new folder for one user, with a path short enough for a socket in it."""
    usual = Path(tempfile.gettempdir())
    short = usual if len(bytes(usual)) + len(prefix) + 32 <= LONGEST_SOCKET_PATH else Path("/tmp")  # noqa: S108
    return Path(tempfile.mkdtemp(prefix=prefix, dir=short))


def tail(log: Path, lines: int = 15) -> str:
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"(no log: {error})"


def executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


Packaged = Callable[[str], Path | None]


def package_folder(package: str) -> Path | None:
    """Where a package lies, without importing it: both binary packages have side effects when imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
