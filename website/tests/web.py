"""A process that serves pages, started once for many tests, and browsers that only listen."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import websockets
from django.db import connections, transaction
from websockets.asyncio.client import ClientConnection

from website.accounts import sessions
from website.live import hints
from website.rooms.models import Lane, LaneMessage

PATIENCE_S = 60.0


class Web:
    """`manage.py web` on a port of its own, with a database of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str], under: tuple[str, ...] = ()) -> None:
        """`under` is the command that starts it, if not this test itself."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log, self.environment = folder / "web.log", {**os.environ, **environment}
        self.under = under
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [*self.under, sys.executable, "-P", "-m", "website.manage", "web", "--port", str(self.port)]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=output)
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()[-2000:]
            time.sleep(0.05)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)

    def socket(self, key: str = "", **changes: Any) -> Any:
        """A socket as a page of this site opens it."""
        headers = {"Cookie": f"{sessions.COOKIE}={key}"} if key else {}
        said = {"origin": self.address, "subprotocols": ["site.v1"], "additional_headers": headers, "proxy": None}
        return websockets.connect(f"ws://127.0.0.1:{self.port}/live", **{**said, "open_timeout": PATIENCE_S, **changes})


class Listener:
    """Keeps what one channel tells, by number; `come_back` is what a page does after its socket was cut."""

    def __init__(self, web: Web, channel: str) -> None:
        self.web, self.channel = web, channel
        self.told: list[dict[str, Any]] = []
        self.after, self.resyncs, self.cuts = 0, 0, 0

    async def listen(self, until: int, cut: Callable[[], bool] = lambda: False) -> None:
        """Until the message with this number, with a socket that is cut whenever `cut` says so."""
        while self.after < until:
            try:
                async with self.web.socket() as opened:
                    await self._listen(opened, until, cut)
            except (websockets.ConnectionClosed, OSError):
                await asyncio.sleep(random.random() * 0.05)

    async def _listen(self, opened: ClientConnection, until: int, cut: Callable[[], bool]) -> None:
        await opened.send(json.dumps({"op": "sub", "ch": self.channel, "after": self.after}))
        while self.after < until:
            said = json.loads(await asyncio.wait_for(opened.recv(), PATIENCE_S))
            if said.get("is") == "resync":
                self.resyncs += 1
                return
            if "kind" in said:
                self.told.append(said)
                self.after = said["seq"]
            if cut():
                self.cuts += 1
                opened.transport.abort()
                return


def new_lane(name: str, seq: int = 0) -> str:
    Lane.objects.create(name=name, room=name.rpartition("-")[0], seq=seq)
    return name


def tell(lane: str, *bodies: dict[str, Any], hint: bool = True) -> None:
    """One transaction that tells those who watch a lane something, as the engine's do; its hint may be lost."""
    with transaction.atomic():
        row = Lane.objects.select_for_update().get(name=lane)
        rows = [
            LaneMessage(lane=lane, seq=seq, at_ms=seq, kind="bet", body=json.dumps(body))
            for seq, body in enumerate(bodies, row.seq + 1)
        ]
        LaneMessage.objects.bulk_create(rows)
        Lane.objects.filter(name=lane).update(seq=row.seq + len(rows))
    if hint:
        channel = hints.lane_channel(lane)
        hints.publish([(channel, hints.message(each.seq, each.at_ms, each.kind, each.body)) for each in rows])


async def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    """The loop never waits for the database, and no connection stays behind."""

    def closing() -> Any:
        try:
            return work(*arguments)
        finally:
            connections.close_all()

    return await asyncio.to_thread(closing)
