"""A sandbox behind TLS for other people's clients, which run in processes of their own."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from sandbox import server
from sandbox.settings import SandboxSettings


class Behind:
    """A sandbox behind TLS, as a client in a process of its own meets it."""

    def __init__(self, running: server.RunningSandbox) -> None:
        self.running = running
        self.ca = str(running.ca_file)
        self.where = running.steam_url.removeprefix("https://")

    def control(self, path: str, method: str = "GET", body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.running.control_url + path, data, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read() or b"null")

    def world(self) -> dict[str, Any]:
        """What a client's script is told: the control API, two bots with their secrets, a player."""
        known = self.control("/control/credentials?kind=bot")["accounts"]
        (player,) = self.control("/control/accounts?kind=player")["accounts"]
        return {"control": self.running.control_url, "bot": known[0], "other": known[1], "player": player}


@pytest.fixture
def behind_tls() -> Iterator[Behind]:
    settings = SandboxSettings(
        bots=("bot-1", "bot-2"),
        players=1,
        items_per_player=(12, 12),
        items_per_bot=(8, 8),
        player_habit="manual",
        bound_share=0,
        tls=True,
    )
    with ExitStack() as stack:
        yield Behind(stack.enter_context(server.in_thread(settings)))
