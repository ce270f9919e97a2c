"""A Steam on a port of this machine that says what the test wants, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from django.test import Client
from django.utils import timezone

from fleet_client import openid

VALID = f"ns:{openid.NS}\nis_valid:true\n"
PLAYER = 76561198000000101


@dataclass
class SteamStub:
    """`answers`: status and text of each answer to a sign-in's question, the last one for good. `api`: of the Web API."""

    answers: list[tuple[int, str]] = field(default_factory=lambda: [(200, VALID)])
    api: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    read: list[tuple[str, str]] = field(default_factory=list)  # paths with their query, and the key in the header
    location: str = ""
    gate: threading.Event | None = None
    url: str = ""

    def __enter__(self) -> SteamStub:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(steam: SteamStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            steam.asked.append(parse_qs(body, keep_blank_values=True))
            if steam.gate is not None:
                steam.gate.wait(30)
            status, text = steam.answers[min(len(steam.asked), len(steam.answers)) - 1]
            self._say(status, text.encode())

        def do_GET(self) -> None:
            steam.read.append((self.path, self.headers.get("x-webapi-key", "")))
            said = steam.api.get(urlsplit(self.path).path.split("/")[2])
            self._say(404 if said is None else 200, said if isinstance(said, bytes) else json.dumps(said).encode())

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if steam.location:
                self.send_header("Location", steam.location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def leave(browser: Client, back: str = "/") -> str:
    """Presses the button; the `return_to` that the browser takes to Steam."""
    answer = browser.post("/sign-in", {"next": back})
    assert answer.status_code == 303, answer.content
    return parse_qs(urlsplit(answer["Location"]).query)["openid.return_to"][0]


def spoken(steam: SteamStub, return_to: str, /, **changes: str) -> list[tuple[str, str]]:
    """The query with which Steam sends a browser back."""
    who = f"{steam.url}/openid/id/{PLAYER}"
    fields = {
        "ns": openid.NS,
        "mode": "id_res",
        "op_endpoint": f"{steam.url}/openid/login",
        "claimed_id": who,
        "identity": who,
        "return_to": return_to,
        "response_nonce": timezone.now().strftime("%Y-%m-%dT%H:%M:%SZ") + openid.new_state(),
        "assoc_handle": "1234567890",
        "signed": openid.SIGNED,
        "sig": "c2ln",
        **changes,
    }
    return [*parse_qsl(urlsplit(return_to).query), *((f"openid.{name}", value) for name, value in fields.items())]


def come_back(browser: Client, pairs: list[tuple[str, str]], **more: Any) -> Any:
    return browser.get(f"/sign-in/return?{urlencode(pairs)}", **more)
