"""Operators of the page for tests: three of them, one of each role, with codes, and browsers that are signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from balancer_http.harness import Service
from sqlalchemy import Connection

from balancer.journal.by import By
from balancer.web.ops import codes, links, operators, sessions
from balancer.web.ops.operators import Operator
from balancer.web.sessions import csrf_of
from shared.sections import OperatorSettings, OpsSettings

NAMES = {"look": "lea", "act": "ann", "approve": "pia"}
STEAM_IDS = {role: f"7656119800000090{number}" for number, role in enumerate(NAMES)}


def with_operators(service: Service, **changes: Any) -> OpsSettings:
    """Name one operator of each role in the settings of this balancer."""
    named = [OperatorSettings(steam_id=STEAM_IDS[role], name=name, role=role) for role, name in NAMES.items()]  # type: ignore[arg-type]
    settings = service.ctx.settings
    ops = settings.ops.model_copy(update={"operators": named, **changes})
    service.ctx.settings = settings.model_copy(update={"ops": ops})
    return ops


def operator_of(service: Service, role: str) -> Operator:
    found = operators.of(service.ctx.settings.ops, STEAM_IDS[role])
    assert found is not None
    return found


async def enrolled(service: Service, role: str) -> pyotp.TOTP:
    """What the operator's app shows codes of."""
    ctx, operator = service.ctx, operator_of(service, role)
    address = await ctx.db.run(codes.enrol, ctx.master, operator, "Fleet", By("cli:root", ctx.clock.now()))
    return pyotp.TOTP(parse_qs(urlsplit(address).query)["secret"][0])


@dataclass
class Desk:
    """One operator's browser at this balancer."""

    client: TestClient[Any, Any]
    origin: str
    cookie: str
    session_id: str

    async def get(self, path: str, **headers: str) -> ClientResponse:
        return await self.client.get(path, headers=self._headers(headers), allow_redirects=False)

    async def text(self, path: str) -> str:
        answer = await self.get(path)
        text = await answer.text()
        assert answer.status == 200, (path, answer.status, text)
        return text

    async def do(self, action: str, *pairs: tuple[str, str], **fields: str) -> ClientResponse:
        """Send a form of the page's, and say yes where it asks."""
        return await self.post(f"/ops/do/{action}", [*pairs, *fields.items(), ("sure", "yes")])

    async def post(
        self, path: str, pairs: list[tuple[str, str]], *, csrf: str | None = None, origin: str = ""
    ) -> ClientResponse:
        data = [("csrf", csrf_of(self.session_id) if csrf is None else csrf), *pairs]
        headers = self._headers({"Origin": origin or self.origin})
        return await self.client.post(path, data=data, headers=headers, allow_redirects=False)

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        return {"Cookie": f"{self.cookie}={self.session_id}", "Accept": "text/html", **more}


async def desk(service: Service, role: str) -> Desk:
    """A browser of the operator with this role who has signed in."""
    ctx, steam_id = service.ctx, STEAM_IDS[role]

    def begin(connection: Connection) -> str:
        half = sessions.begin(connection, steam_id, None, ctx.clock.now())
        return sessions.complete(connection, half, steam_id, ctx.settings.ops, ctx.clock.now())

    session_id = await ctx.db.run(begin)
    cookie = links.cookie_name(ctx.settings, links.SESSION)
    return Desk(service.client, links.origin_of(ctx.settings), cookie, session_id)
