"""aiohttp's server with our own answer to what is no HTTP: a problem document, and nothing of the request in it or the log."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from balancer import problems
from shared import log

# 400 ids of trades and offers fit into an address; headers hold a key and little else.
LINE_MAX = 64 * 1024
FIELD_MAX = 8 * 1024

_log = log.get(__name__)


class Protocol(RequestHandler):
    """One connection."""

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to what could not be read (below 500), or to a mistake of ours outside of any handler.

        Raises:
            ConnectionError: an answer is on its way already.
        """
        kind = type(exc).__name__
        if status >= 500:
            _log.error("request failed", action="http", method=request.method, exc_info=exc)
        else:
            _log.info("request not understood", action="http", status=status, error=kind)
        if request.writer is not None and request.writer.output_size > 0:
            raise ConnectionError("an answer was begun; another cannot follow")
        response = problems.respond_status(status)
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return Protocol(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application on connections of the kind above."""

    __slots__ = ()

    def __init__(self, app: web.Application, **options: Any) -> None:
        super().__init__(app, max_line_size=LINE_MAX, max_field_size=FIELD_MAX, **options)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=asyncio.get_running_loop(),
            **made._kwargs,
        )
