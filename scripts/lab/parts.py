"""One running program of a fleet on this machine: its process, its log, its end."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READY_S = 180.0  # for each part on a machine at work; an idle one needs a second or two


STOP_S = 40.0


# Below those that Linux, macOS and Windows take for outgoing connections.
SERVER_PORTS = range(15_000, 32_000)
BEACON = ("--beacon-period-s", "1", "--beacon-clock", "real")
"""The sandbox's own drand network, for a website: a number each second, by the real time even where the fleet's is moved on."""
HOW_TO_PLAY = "Press “Sign in” there, choose a player of the simulated Steam, and bring in some of their items"


class StackError(Exception):
    """A part did not start."""


@dataclass
class Part:
    """One running program."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self, timeout_s: float = STOP_S) -> int:
        """SIGTERM, and SIGKILL when that does not help in time; the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
        status = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status

    def tail(self) -> str:
        """The last lines of its log, for an error message."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
        return ""


def free_port() -> int:
    """A TCP port of this machine that nobody listens on just now, for a server that starts in a while.

    Not one that the kernel would give: until the server listens, any outgoing connection might be given the same.
    """
    import random
    import socket

    for number in random.SystemRandom().sample(SERVER_PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", number))
            return number
    raise StackError(f"no free port in {SERVER_PORTS}")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP end the block once, by `KeyboardInterrupt`, also while parts start; later ones are ignored.

    The block's own clean-up then runs undisturbed.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_number: int, _frame: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
