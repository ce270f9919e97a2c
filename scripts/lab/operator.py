"""Who looks after a fleet of one's own: one operator, who is signed in at a click, and the codes as an app would show them.

The balancer knows nothing of this: it is the operator's browser and app in one. A click makes what the sign-in makes, a session
in the database, and hands it to the browser as the cookie, which goes to every port of this machine.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

import pyotp
from sqlalchemy import Connection

from balancer.db.engine import Database
from balancer.journal.by import By
from balancer.web.ops import codes, links, operators, sessions
from balancer.web.ops.operators import Operator
from shared.clock import Clock
from shared.sealing import MasterKey
from shared.settings import Settings

NAME = "you"
_STYLE = (
    ":root { color-scheme: dark light } body { max-width: 32em; margin: 4em auto; padding: 0 1em; font: 1em/1.6 system-ui }"
    " button { font: inherit; font-weight: 600; padding: .8rem 1.4rem } code { overflow-wrap: anywhere } b { font-size: 1.4em }"
)
_HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    f'<meta http-equiv="refresh" content="5"><title>An operator of this sandbox</title><style>{_STYLE}</style>'
)


@dataclass
class OperatorPage:
    """Serves one small page until it is closed. ``url`` is where."""

    settings: Settings
    balancer_url: str
    url: str = ""
    _secret: str = field(default="", repr=False)

    def __enter__(self) -> Self:
        """Enrol the first operator of the settings, anew at each start, and serve."""
        named = self.settings.ops.operators[0].steam_id
        operator = operators.of(self.settings.ops, named)
        assert operator is not None
        self.operator: Operator = operator
        self._clock = Clock.of(self.settings.clock)
        self._database = Database(self.settings.database)
        master = MasterKey.read(self.settings.balancer.master_key_file)
        with self._database.transaction() as connection:
            address = codes.enrol(connection, master, operator, "Sandbox", By("cli:up", self._clock.now()))
        self._secret = parse_qs(urlsplit(address).query)["secret"][0]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"page": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, name="operator", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._database.close()

    def text(self) -> str:
        code, sign_in = pyotp.TOTP(self._secret).now(), escape(f"{self.balancer_url}/ops/sign-in")
        return (
            f"{_HEAD}<h1>You are an operator of this sandbox</h1>"
            f'<form method="post"><button>Open the operators’ page</button></form>'
            f'<p>Or come in as people do in a real fleet: <a href="{sign_in}">sign in through Steam</a> (the sandbox’s) as '
            f"{escape(self.operator.steam_id)}, and give this code:</p><p><b>{code[:3]} {code[3:]}</b></p>"
            f"<p>An app for one-time codes shows the same with the secret <code>{escape(self._secret)}</code>.</p></html>"
        )

    def session(self) -> str:
        """A new session of the operator."""

        def begin(connection: Connection) -> str:
            now = self._clock.now()
            half = sessions.begin(connection, self.operator.steam_id, None, now)
            return sessions.complete(connection, half, self.operator.steam_id, self.settings.ops, now)

        with self._database.transaction() as connection:
            return begin(connection)


class _Handler(BaseHTTPRequestHandler):
    page: OperatorPage

    def do_GET(self) -> None:
        if self._is_ours():
            self._answer(200, {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}, self.page.text())

    def do_POST(self) -> None:
        if self._is_ours():
            name = links.cookie_name(self.page.settings, links.SESSION)
            cookie = f"{name}={self.page.session()}; Path=/; HttpOnly; SameSite=Lax"
            self._answer(303, {"Location": f"{self.page.balancer_url}/ops", "Set-Cookie": cookie}, "")

    def _is_ours(self) -> bool:
        """Whether it was asked for by its own address: no other page's name leads here."""
        ours = self.headers.get("Host") == urlsplit(self.page.url).netloc
        ours = ours and self.headers.get("Origin", self.page.url.rstrip("/")) == self.page.url.rstrip("/")
        if not ours:
            self._answer(404, {}, "")
        return ours

    def _answer(self, status: int, headers: dict[str, str], text: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing: standard error is for what happens to the fleet."""
