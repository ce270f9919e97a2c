"""`manage.py web`: serves the pages, one process; start as many as you like behind one address."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import warnings
from typing import Any

import uvicorn
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from website import life
from website.live import frames

POOL = {"min_size": 1, "max_size": 20, "timeout": 5}
"""Connections to PostgreSQL that requests of this process share: to open one costs more than most pages do with it."""


class Server(uvicorn.Server):
    """Says to systemd that it answers, that its loop comes round, and that it ends."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        life.tell("READY=1")

    async def main_loop(self) -> None:
        signs = asyncio.create_task(life.signs())
        try:
            await super().main_loop()
        finally:
            signs.cancel()
            life.tell("STOPPING=1")


class Command(BaseCommand):
    help = "Serve the site's pages (uvicorn). Ends in order on SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8430, help="port to listen at (8430)")

    def handle(self, *_: Any, host: str, port: int, **__: Any) -> None:
        database = connections.settings["default"]
        if database["ENGINE"].endswith("postgresql"):
            database["OPTIONS"]["pool"] = POOL
        # Files of the development server are read in one go; that is all that this warning is about.
        warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators")
        # The address of the asker is taken from a proxy only if it runs on this machine.
        config = uvicorn.Config(
            "website.asgi:application",
            host=host,
            port=port,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws_max_size=frames.BYTES_MAX,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=10,
            forwarded_allow_ips="127.0.0.1",
        )
        config.load_app()
        server = Server(config)
        with contextlib.suppress(KeyboardInterrupt):
            server.run()
        if not server.started:
            raise CommandError(f"cannot listen at {host}:{port}")
