"""What every site does around the calls to its fleet, for aiohttp: signing players in, their requests, errors, webhooks.

A function takes the player and what the browser sent, and gives an answer of the client::

    site = Site("https://mysite.example", webhook_secret)

    @site.get("/items")
    async def items(me, _asked):
        return await fleet.deposits(user_id=me.user_id)

``/`` sends to Steam, ``/signed-in`` takes back. What fails is answered as `FleetError.for_player` says. aiohttp is not needed
by anything else of this package: ``pip install steam-trade-fleet-client[aiohttp]``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import web

from fleet_client.answers import Event, Record
from fleet_client.errors import FleetError
from fleet_client.players import NotSignedIn, Player, Players
from fleet_client.webhooks import BODY_MAX_BYTES, Webhooks

TEXT_MAX = 1000
TEXTS_MAX = 1000

_log = logging.getLogger("fleet_client")


class WrongBody(FleetError):
    """The browser sent something else than the site's own pages send."""

    def for_player(self) -> tuple[int, dict[str, str]]:
        return 400, {"code": "wrong_body", "message": str(self)}


class Asked:
    """What the browser sent: the JSON object of a POST."""

    def __init__(self, body: bytes = b"") -> None:
        try:
            found: Any = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise WrongBody("Send a JSON object.")
        self._found: dict[str, Any] = found

    def only(self, **kinds: type[str] | type[list[str]]) -> dict[str, Any]:
        """These fields and no others, each a text (``str``) or a list of texts (``list``) of printable characters.

        Raises:
            WrongBody: one is missing, or something else.
        """
        for name, kind in kinds.items():
            value = self._found.get(name)
            if not (_is_text(value) if kind is str else _are_texts(value)):
                raise WrongBody(f"{name}: {'a text' if kind is str else 'a list of texts'} is wanted.")
        return {name: self._found[name] for name in kinds}


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and len(value) <= TEXTS_MAX and all(map(_is_text, value))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= TEXT_MAX and value.isprintable()


Answers = Callable[[Player, Asked], Awaitable[Record]]
Takes = Callable[[Event], Awaitable[object]]
A = TypeVar("A", bound=Answers)
T = TypeVar("T", bound=Takes)


class Site:
    """The pages of a site; ``app`` is the application to run."""

    def __init__(self, site: str, webhook_secret: str = "", *, steam: str | None = None, home: str = "/inventory") -> None:
        """``steam``: the pages of a sandbox in place of Steam's; ``home``: where players come to who have signed in.

        Raises:
            ValueError: a webhook secret that is none.
        """
        self._players = Players(site, steam)
        self._hooks = Webhooks(webhook_secret) if webhook_secret else None
        self._home = home
        self.app = web.Application(middlewares=[_answered], client_max_size=BODY_MAX_BYTES)
        self.app.add_routes([web.get("/", self._leave), web.get("/signed-in", self._back)])

    def get(self, path: str) -> Callable[[A], A]:
        """What a signed-in player is shown."""
        return self._route("GET", path)

    def post(self, path: str) -> Callable[[A], A]:
        """What a signed-in player does. The cookie does not come along when another site sends the form (SameSite=Lax)."""
        return self._route("POST", path)

    def webhook(self, path: str) -> Callable[[T], T]:
        """Where the fleet sends its events; each may come again.

        Raises:
            ValueError: the site was made without the secret.
        """
        if self._hooks is None:
            raise ValueError("give the site the secret of its webhooks")
        hooks = self._hooks

        def take(work: T) -> T:
            async def handle(request: web.Request) -> web.Response:
                await work(hooks.check(request.headers.items(), await request.read()).event())
                return web.Response(status=204)

            self.app.router.add_post(path, handle)
            return work

        return take

    def _route(self, method: str, path: str) -> Callable[[A], A]:
        def take(work: A) -> A:
            async def handle(request: web.Request) -> web.Response:
                me = self._players.of(request.cookies)
                answer = await work(me, Asked(await request.read()) if method == "POST" else Asked())
                return web.json_response(answer.plain())

            self.app.router.add_route(method, path, handle)
            return work

        return take

    async def _leave(self, _request: web.Request) -> web.Response:
        return web.Response(status=303, headers=self._players.leave())

    async def _back(self, request: web.Request) -> web.Response:
        there = await self._players.back(request.rel_url.raw_query_string, request.cookies, self._home)
        return web.Response(status=303, headers=there)


@web.middleware
async def _answered(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except FleetError as error:
        if not isinstance(error, NotSignedIn | WrongBody):
            _log.info("%s: %s", request.path, error)
        status, told = error.for_player()
        return web.json_response(told, status=status)
