"""Several balancers on one PostgreSQL, behind gates, and clients that never retry: `from nerves_fleet import BalancerFleet`."""

from __future__ import annotations

import copy
import http.client
import json
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import sqlalchemy
from flow_site import Answer, Player, Website, numbers
from nerves_lab import GatedStack
from support import PATIENCE_S, wait_until

from fleet_client.errors import FleetError
from scripts.lab.parts import Part, free_port
from scripts.lab.postgres import EmbeddedPostgres
from scripts.lab.stack import Wish

STOP_S = 120
ANSWER_S = 120
# Between two calls of one thread: the balancers and the bots share the machine with these clients.
PAUSE_S = 0.005


NOTHING: Mapping[str, str] = {}


class BalancerFleet(GatedStack):
    """A gated stack on a PostgreSQL of its own, with as many balancers as a test wants."""

    def __init__(self, wish: Wish, postgres: EmbeddedPostgres | None) -> None:
        super().__init__(wish)
        self.postgres = postgres
        self.others: list[Part] = []  # on ports of their own

    def more(self, name: str, *, port: int = 0, environment: Mapping[str, str] = NOTHING) -> tuple[Part, Website]:
        """Start one more balancer, on a port of its own unless told; and the site that calls that one. It is ready."""
        part = self.spawn_fleet(name, "balancer", "--port", str(port or free_port()), "--ready-json", environment=environment)
        self.others.append(part)
        site = self.site(self._ready_line(part)["balancer"])
        wait_until(lambda: site.call("GET", "/readyz").status == 200, every_s=0.1)
        return part, site

    def site(self, url: str) -> Website:
        """The website, calling this balancer."""
        seen = copy.copy(self)
        seen.balancer_url = url
        return Website(seen)

    @property
    def port(self) -> int:
        return urlsplit(self.balancer_url).port or 0

    def kill(self, part: Part) -> None:
        """SIGKILL by pid, and nothing of it left."""
        os.kill(part.process.pid, signal.SIGKILL)
        self.reaped(part)

    def reaped(self, part: Part, timeout_s: float = STOP_S) -> int:
        """Its exit status, once it has ended."""
        status = part.process.wait(timeout_s)
        if part.process.stdout is not None:
            part.process.stdout.close()
        if part in self.parts:
            self.parts.remove(part)
        return status

    def one_balancer(self) -> Part:
        """The running balancer of the stack's own port, alone: the others are stopped, a missing one is started."""
        self.balancers.clear()
        if self.postgres is not None and not self.postgres.running:
            self.postgres.start()
        ours = [part for part in self.parts if part.name.startswith("balancer")]
        one = next((part for part in ours if part not in self.others and part.process.poll() is None), None)
        for part in ours:
            if part is not one:
                part.stop()
                self.parts.remove(part)
        self.others.clear()
        if one is None:
            one = self.start_balancer()
        site = Website(self)
        wait_until(lambda: site.call("GET", "/readyz").status == 200, every_s=0.1)
        return one

    def rows(self, query: str, **values: Any) -> list[Any]:
        """What the database says, in one transaction of its own."""
        engine = sqlalchemy.create_engine(self.database_url)
        try:
            with engine.connect() as connection:
                return list(connection.execute(sqlalchemy.text(query), values))
        finally:
            engine.dispose()

    def unfinished(self) -> list[Any]:
        """Trades that still wait for a bot or a player."""
        over = "('accepted', 'settled', 'declined', 'countered', 'expired', 'canceled', 'failed', 'reversed')"
        return self.rows(f"SELECT trade_id, status FROM trades WHERE status NOT IN {over}")

    @contextmanager
    def bots_stopped(self) -> Iterator[None]:
        """Nobody takes an order: the supervisor and its workers are stopped and go on afterwards."""
        part = next(part for part in self.parts if part.name.startswith("group-"))
        pids = [part.process.pid, *children(part.process.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def twice_written(self) -> list[Any]:
        """Events that stand there twice although they happen once: a report was applied twice.

        With several balancers, two reports of one bot may be applied in the other order; the earlier one is ignored then.
        """
        once = "('picked_up', 'offer_active', 'offer_accepted', 'settled', 'trade_created')"
        query = f"SELECT trade_id, kind, count(*) AS n FROM events WHERE kind IN {once} AND trade_id IS NOT NULL"
        return self.rows(query + " GROUP BY trade_id, kind HAVING count(*) > 1")

    def ignored(self) -> list[Any]:
        """Reports that fitted nothing."""
        return self.rows("SELECT trade_id, data FROM events WHERE kind = 'report_ignored'")


def body_of(player: Player, assets: list[str]) -> dict[str, Any]:
    """The body of a deposit."""
    return {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url, "asset_ids": assets}


def server_of(balancers: BalancerFleet) -> EmbeddedPostgres:
    """The PostgreSQL of this fleet."""
    assert balancers.postgres is not None
    return balancers.postgres


def children(pid: int) -> list[int]:
    """The processes that this one has forked."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def new_key() -> str:
    return f"nerves-{os.getpid()}-{next(numbers)}"


# --- clients under load --------------------------------------------------------------------------------


@dataclass
class Seen:
    """What clients were answered, by what they asked, and what was no answer at all."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)

    def count(self, what: str) -> int:
        return sum(n for (asked, _), n in self.answers.items() if asked == what)


class Load:
    """Threads that call again and again until `stop`; none of them tries a failed call again by itself."""

    def __init__(self) -> None:
        self.seen = Seen()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def run(self, name: str, call: Callable[[], int], times: int = 1) -> None:
        """Let so many threads make this call, which returns the status of its answer."""
        for _ in range(times):
            thread = threading.Thread(target=self._work, args=(name, call), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self, name: str, call: Callable[[], int]) -> None:
        while not self._over.is_set():
            try:
                status = call()
            except (OSError, http.client.HTTPException, FleetError) as error:
                with self._lock:
                    self.seen.failures.append(f"{name}: {error!r}")
            else:
                with self._lock:
                    self.seen.answers[name, status] += 1
            self._over.wait(PAUSE_S)

    def until(self, what: str, count: int, timeout_s: float = PATIENCE_S) -> None:
        """Wait until there were so many more answers to this, or until a call failed."""
        wanted = self.seen.count(what) + count
        wait_until(lambda: self.seen.count(what) >= wanted or self.seen.failures, timeout_s)

    def stop(self) -> Seen:
        """No more calls; returns when the last one was answered."""
        self._over.set()
        for thread in self._threads:
            thread.join(ANSWER_S)
            assert not thread.is_alive(), "a call was never answered"
        return self.seen


@contextmanager
def load() -> Iterator[Load]:
    made = Load()
    try:
        yield made
    finally:
        made.stop()


class Kept:
    """One connection that is kept as long as the service keeps it. A new one is made only after a ``Connection: close``."""

    def __init__(self, site: Website) -> None:
        parts = urlsplit(site.stack.balancer_url)
        self._address = (parts.hostname or "", parts.port or 0)
        self._headers = {"Authorization": f"Bearer {site.stack.api_key}"}
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def get(self, path: str) -> int:
        """The status of the answer."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(*self._address, timeout=ANSWER_S)
            self._connection.connect()
            # `http.client` would make a new connection by itself, which would be trying again.
            self._connection.auto_open = 0
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        answer.read()
        if answer.will_close:
            self._connection.close()
            self._connection = None
        return answer.status


class InHand:
    """A GET that the service has begun with: it said that it wants the rest, which there is none of."""

    def __init__(self, site: Website, path: str) -> None:
        parts = urlsplit(site.stack.balancer_url)
        self._connection = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=ANSWER_S)
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {site.stack.api_key}\r\nExpect: 100-continue\r\n\r\n"
        self._connection.sendall(head.encode())
        assert self._connection.recv(100).startswith(b"HTTP/1.1 100")

    def answer(self) -> bytes:
        """All of the answer; the service closes the connection behind it."""
        with self._connection as connection:
            return b"".join(iter(lambda: connection.recv(65536), b""))


def short_get(port: int, path: str = "/healthz") -> int:
    """One connection, one request, no other try."""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    if not answer.startswith(b"HTTP/1.1 "):
        raise ConnectionError(f"no answer: {answer[:40]!r}")
    return int(answer[9:12])


class Depositor:
    """A player whose items go in one by one; each wish has its own key, and a refused one is asked again with the same."""

    def __init__(self, site: Website, items: int = 30) -> None:
        self.player = site.player(items, habit="accept")
        self.assets = site.acceptable(self.player)
        self.site = site
        self.answers: list[Answer] = []
        self.wishes: dict[str, str] = {}  # key → asset
        self.made: dict[str, str] = {}  # key → trade

    def deposit(self, wait: int = 5) -> int:
        """Ask once: for the wish that was not granted yet, or for a new one. With nothing left it only looks."""
        open_wishes = [key for key in self.wishes if key not in self.made]
        if not open_wishes and not self.assets:
            return self.site.call("GET", "/healthz").status
        key = open_wishes[0] if open_wishes else new_key()
        asset = self.wishes.setdefault(key, "") or self.assets.pop()
        self.wishes[key] = asset
        answer = self.site.call("POST", f"/deposit?wait={wait}", body_of(self.player, [asset]), key=key)
        self.answers.append(answer)
        if answer.status in (201, 202):
            (trade,) = answer.body["trades"]
            self.made[key] = trade["trade_id"]
        return answer.status

    def unexpected(self) -> list[Any]:
        """Answers that no client should get while a part is away: what is not a trade and not a documented "not now"."""
        return [
            (answer.status, json.dumps(answer.body)[:300])
            for answer in self.answers
            if answer.status not in (201, 202)
            and not (answer.status == 503 and answer.body["retryable"] and "Retry-After" in answer.headers)
        ]
