"""Where a program tells systemd how it is, when a test stands in for systemd."""

from __future__ import annotations

import select
import socket
from pathlib import Path


class Ear:
    """Hears what a process says that was started with ``environment``."""

    def __init__(self, path: Path, watchdog_us: int = 1_500_000) -> None:
        self.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(watchdog_us)}
        self.words: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def heard(self) -> list[str]:
        """Everything so far."""
        while select.select([self._socket], [], [], 0)[0]:
            self.words.append(self._socket.recv(4096).decode())
        return self.words

    def close(self) -> None:
        self._socket.close()


def gives_signs(ear: Ear) -> bool:
    return ear.heard().count("WATCHDOG=1") >= 3
