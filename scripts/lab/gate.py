"""A TCP gate between two programs that can be shut, cut, and held at a certain call: for the tests and the chaos run.

It stands before Redis or the sandbox. A test can stop a process in front of one call, or between a call and its answer, and
then kill it there for real.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import Self

CHUNK = 65536


@dataclass
class Held:
    """One place where traffic waits: the first request that contains all of ``words``."""

    words: tuple[bytes, ...]
    answer_only: bool
    skip: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    taken: bool = False
    dropped: bool = False

    def release(self) -> None:
        """Let what was held go on."""
        self.released.set()

    def drop(self) -> None:
        """What is held never arrives; its connection ends."""
        self.dropped = True
        self.released.set()

    def wait(self) -> bool:
        """Hold here until released; whether it may go on."""
        self.reached.set()
        self.released.wait()
        return not self.dropped


class Gate:
    """Forwards TCP to ``target``: host and port, or the path of a Unix socket. Clients connect to ``host`` and ``port``."""

    def __init__(self, target: tuple[str, int] | str) -> None:
        self.target = target
        self.open = True
        self._lock = threading.Lock()
        self._holds: list[Held] = []
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.host, self.port = self._listener.getsockname()[:2]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        for hold in self._holds:
            hold.release()
        # Closing alone does not wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End every connection now and refuse new ones until `mend`."""
        with self._lock:
            self.open = False
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            _end(*pair)

    def mend(self) -> None:
        """Take connections again."""
        self.open = True

    def lead_to(self, target: tuple[str, int] | str) -> None:
        """From now on everything goes to another server, as after a failover; every connection of before ends."""
        self.cut()
        self.target = target
        self.mend()

    def clear(self) -> None:
        """Nothing is held any more, and connections are taken."""
        with self._lock:
            holds, self._holds = self._holds, []
        for hold in holds:
            hold.release()
        self.mend()

    def hold(self, *words: bytes, skip: int = 0) -> Held:
        """Keep the next request that contains all words from reaching the target (after ``skip`` of them passed)."""
        return self._add(Held(words, answer_only=False, skip=skip))

    def hold_answer(self, *words: bytes, skip: int = 0) -> Held:
        """Let the next such request through, but keep its answer from the client."""
        return self._add(Held(words, answer_only=True, skip=skip))

    def _add(self, hold: Held) -> Held:
        with self._lock:
            self._holds.append(hold)
        return hold

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return  # the gate was taken down
            if not self.open:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = _connected(self.target)
        except OSError:
            client.close()
            return
        with self._lock:
            self._pairs.add((client, server))
            late = not self.open
        answers = _Answers()
        threading.Thread(target=self._backward, args=(server, client, answers), daemon=True).start()
        if late:
            _end(client, server)
        self._forward(client, server, answers)

    def _forward(self, client: socket.socket, server: socket.socket, answers: _Answers) -> None:
        try:
            while data := client.recv(CHUNK):
                hold = self._matching(data)
                if hold is not None and hold.answer_only:
                    answers.held_by = hold
                elif hold is not None and not hold.wait():
                    break
                server.sendall(data)
        except OSError:
            pass  # one side is gone, which is what this gate is for
        _end(client, server)

    def _backward(self, server: socket.socket, client: socket.socket, answers: _Answers) -> None:
        try:
            while data := server.recv(CHUNK):
                if (hold := answers.held_by) is not None:
                    answers.held_by = None
                    if not hold.wait():
                        break
                client.sendall(data)
        except OSError:
            pass  # as above
        _end(client, server)
        with self._lock:
            self._pairs.discard((client, server))

    def _matching(self, data: bytes) -> Held | None:
        with self._lock:
            for hold in self._holds:
                if not hold.taken and all(word in data for word in hold.words):
                    if hold.skip:
                        hold.skip -= 1
                        continue
                    hold.taken = True
                    return hold
        return None


@dataclass
class _Answers:
    held_by: Held | None = None


def _connected(target: tuple[str, int] | str) -> socket.socket:
    if isinstance(target, str):
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            server.connect(target)
        except OSError:
            server.close()
            raise
        return server
    server = socket.create_connection(target, timeout=10)
    server.settimeout(None)
    return server


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
