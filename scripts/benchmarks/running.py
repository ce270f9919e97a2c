"""A whole fleet for a measurement: its parts as processes, and a caller that costs little."""

from __future__ import annotations

import http.client
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from scripts.benchmarks.proxy import RoundTrips
from scripts.benchmarks.rows import BenchError
from scripts.lab.calls import get_json
from scripts.lab.parts import Part
from scripts.lab.stack import Stack, Wish

CALL_TIMEOUT_S = 40.0
WAIT_S = 10


class CountedStack(Stack):
    """A stack whose balancer and bots reach Redis through counting proxies, one for each side."""

    def __init__(self, wish: Wish, say: Callable[[str], None]) -> None:
        super().__init__(wish, say=say)
        self._proxies = ExitStack()
        self.by_balancer: RoundTrips | None = None
        self.by_bots: RoundTrips | None = None

    def start_balancer(self, name: str = "balancer") -> Part:
        self.by_balancer = self._through_proxy(self.config, "balancer")
        return super().start_balancer(name)

    def start_group(self, text: str) -> Part:
        self.by_bots = self._through_proxy(self.host_config(text), "bots")
        return super().start_group(text)

    def _through_proxy(self, config: Path, name: str) -> RoundTrips:
        proxy = self._proxies.enter_context(RoundTrips(self.redis_url, self.wish.directory / f"{name}.sock"))
        config.write_text(config.read_text().replace(json.dumps(self.redis_url), json.dumps(proxy.url)))
        return proxy

    def stop(self) -> None:
        super().stop()
        self._proxies.close()


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fleet-bench-", ignore_cleanup_errors=True) as temporary:
        yield Path(temporary)


class Caller:
    """Calls the balancer over one kept connection, as a site's server would."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._connection = http.client.HTTPConnection(stack.balancer_url.removeprefix("http://"), timeout=CALL_TIMEOUT_S)
        self._keys = itertools.count(1)
        self._used: set[str] = set()

    def close(self) -> None:
        self._connection.close()

    def post(self, path: str, body: Any) -> Any:
        """The answer's JSON.

        Raises:
            BenchError: the balancer refused.
        """
        headers = {
            "Authorization": f"Bearer {self._stack.api_key}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"bench-{time.time_ns()}-{next(self._keys)}",
        }
        self._connection.request("POST", path, json.dumps(body).encode(), headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise BenchError(f"POST {path} answered {answer.status}: {text.decode(errors='replace')[:500]}")
        return json.loads(text)

    def fresh_asset(self, player: dict[str, Any]) -> str:
        """An asset of this player that no deposit of this caller had; the balancer knows the inventory afterwards.

        Raises:
            BenchError: there is none left.
        """
        answer = self.post("/inventory", {"steam_id": player["steam_id"], "trade_url": player["trade_url"]})
        for item in answer["items"]:
            if item["acceptable"] and item["asset_id"] not in self._used:
                self._used.add(item["asset_id"])
                return str(item["asset_id"])
        raise BenchError("a player has nothing left")

    def deposit(self, player: dict[str, Any], assets: list[str]) -> dict[str, Any]:
        """Deposit these and wait for the offer; the one trade that was made.

        Raises:
            BenchError: there was no offer in time.
        """
        body = {
            "user_id": f"user-{player['steam_id']}",
            "steam_id": player["steam_id"],
            "trade_url": player["trade_url"],
            "asset_ids": assets,
        }
        trade: dict[str, Any] = self.post(f"/deposit?wait={WAIT_S}", body)["trades"][0]
        if not trade["offer_id"]:
            raise BenchError(f"no offer after {WAIT_S} s; the trade is {trade['status']}: {trade['failure']}")
        return trade


def players_of(stack: Stack) -> list[dict[str, Any]]:
    """The sandbox's players, in a fixed order."""
    rows = get_json(f"{stack.control_url}/control/accounts?kind=player")["accounts"]
    return sorted(rows, key=lambda row: int(row["steam_id"]))
