"""A fleet of paper behind real HTTP, for what the pages do when answers are slow, lost, odd or of somebody else.

It makes trades as the real one does as far as pages can see: once per key, refused by code. What the real balancer answers is
shown where the tests use it (`custody`).
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

AT = "2026-11-30T12:00:00Z"
numbers = itertools.count(1)


@dataclass
class Counter:
    """What it knows. `lose`: so many answers of moves are lost after the work was done; `refuse`: a code, and how often."""

    trades: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_key: dict[str, list[str]] = field(default_factory=dict)
    deposits: list[dict[str, Any]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    verdict: dict[str, Any] = field(default_factory=lambda: {"ok": False, "reason": "unknown"})
    asked: list[tuple[str, str]] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    lose: int = 0
    refuse: list[str] = field(default_factory=list)
    slow_s: float = 0.0
    livemode: bool = False
    per_request: int = 1
    address: str = ""

    def moves(self) -> int:
        return len([path for method, path in self.asked if method == "POST" and path in ("/deposit", "/withdraw")])

    def trade(self, user_id: str, direction: str = "deposit", **changes: Any) -> dict[str, Any]:
        """One more trade of somebody."""
        number = next(numbers)
        made: dict[str, Any] = {
            "trade_id": f"trd_{number:020d}",
            "direction": direction,
            "status": "sent",
            "user_id": user_id,
            "steam_id": "76561198000000001",
            "bot": "red-1",
            "color": "red",
            "bot_id": 1,
            "bot_steam_id": "76561198000000101",
            "offer_id": f"70{number:08d}",
            "token": f"{number:022d}",
            "verify_url": f"https://site.example/verify/{number:022d}",
            "expires_at": AT,
            "created_at": AT,
            "touched": 1,
            "touched_at": AT,
            "attempt": 1,
            "failure": None,
            "settles_at": None,
            "cancel_requested": False,
            "verified_at": None,
            "waits_for": None,
            "approval_needed": False,
            "next_try_at": None,
            "currency": "USD",
            "items": [],
        }
        self.trades[made["trade_id"]] = {**made, **changes}
        return self.trades[made["trade_id"]]

    # ---- answers

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any, key: str) -> tuple[int, Any]:
        if path == "/healthz":
            return 200, {"status": "ok", "livemode": self.livemode}
        if path in ("/deposit", "/withdraw"):
            return self._move(path, body, key)
        if match := re.fullmatch(r"/trade/(trd_\w+)(/cancel)?", path):
            return self._one(match[1], cancel=bool(match[2]))
        if path == "/trade":
            ids = body["trade_ids"] if method == "POST" else []
            status, user = query.get("status", [""])[0], query.get("user_id", [""])[0]
            rows = [t for t in self.trades.values() if t["trade_id"] in ids or (t["status"] == status and t["user_id"] == user)]
            return 200, {"trades": rows, "next": None} if method == "GET" else {"trades": rows}
        if path == "/deposits":
            ids, user = query.get("ids", []), query.get("user_id", [""])[0]
            rows = [row for row in self.deposits if row["deposit_id"] in ids or (not ids and user)]
            return 200, {"currency": "USD", "deposits": rows, "next": None}
        if path == "/inventory":
            return 200, {"steam_id": body["steam_id"], "read_at": AT, "hold_days": 0, "currency": "USD", "items": self.items}
        if path == "/verify":
            return 200, self.verdict
        return problem(404, "not_found")

    def _move(self, path: str, body: Any, key: str) -> tuple[int, Any]:
        if self.refuse:
            code = self.refuse.pop(0)
            return problem(503 if code in ("no_bot_available", "fleet_paused") else 409, code)
        if key not in self.by_key:
            ids = body.get("asset_ids") or body["deposit_ids"]
            items = [
                {
                    "deposit_id": f"dep_{each}",
                    "deposit_status": "deposit_pending",
                    "market_hash_name": "AK-47 | Redline (Field-Tested)",
                    "value_cents": 1090,
                    "asset_id": each,
                    "new_asset_id": None,
                    "matched": None,
                }
                for each in ids
            ]
            direction = path.removeprefix("/")
            made = [self.trade(body["user_id"], direction, items=items) for _ in range(self.per_request)]
            self.by_key[key] = [each["trade_id"] for each in made]
        return 201, {"trades": [self.trades[each] for each in self.by_key[key]]}

    def _one(self, trade_id: str, *, cancel: bool) -> tuple[int, Any]:
        if trade_id not in self.trades:
            return problem(404, "not_found")
        if cancel:
            self.trades[trade_id]["cancel_requested"] = True
        return 200, self.trades[trade_id]


def problem(status: int, code: str) -> tuple[int, Any]:
    message = f"said by the fleet: {code}" if status == 409 else None
    return status, {"code": code, "status": status, "detail": "", "retryable": status >= 500, "player_message": message}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    counter: Counter

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        counter, parts = self.counter, urlsplit(self.path)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
        counter.asked.append((self.command, parts.path))
        counter.languages.append(self.headers.get("Accept-Language", ""))
        time.sleep(counter.slow_s)
        key = self.headers.get("Idempotency-Key", "")
        status, said = counter.answer(self.command, parts.path, parse_qs(parts.query), body, key)
        if counter.lose and key:
            counter.lose -= 1
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server of a test; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def counting() -> Iterator[Counter]:
    counter = Counter()
    with served(type("Handler", (_Handler,), {"counter": counter})) as address:
        counter.address = address
        yield counter


Answering = Callable[[BaseHTTPRequestHandler], None]


def pictures_server(answer: Answering) -> type[BaseHTTPRequestHandler]:
    """A CDN that answers everything in one way."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
