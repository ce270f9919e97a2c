"""What the server takes from aiohttp that is private there."""

from __future__ import annotations

from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from balancer.web import server
from shared.settings import load


async def test_the_private_names_of_aiohttp_are_there() -> None:
    runner = server.Runner(web.Application(), load())
    await runner.setup()
    made = runner.server
    assert made is not None
    there: dict[Any, Any] = {
        web.AppRunner: runner,
        web.Server: made,
        web.RequestHandler: made(),
        web.Request: make_mocked_request("GET", "/"),
    }
    names = [(kind, name) for kind, all_of_it in server.PRIVATE.items() for name in all_of_it]
    missing = [f"{kind.__name__}.{name}" for kind, name in names if not hasattr(there[kind], name)]
    await runner.cleanup()
    assert missing == [], f"aiohttp {aiohttp.__version__} has them no more: balancer/web/server.py has to do without"


def test_the_server_was_tried_with_this_aiohttp() -> None:
    """A new one: let the whole suite pass, `test_connections` above all, and write it down there."""
    assert aiohttp.__version__.rpartition(".")[0] in server.TRIED_WITH
