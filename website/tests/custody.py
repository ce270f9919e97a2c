"""A real balancer without bots, whose custody holds tickets: they are bound, handed over and freed as any item."""

from __future__ import annotations

import itertools
import json
import sys
import urllib.error
import urllib.request
from typing import Any

from scripts.lab.stack import Stack

STEAM_ID = 76561198000000000
numbers = itertools.count(1)


class Custody(Stack):
    """Redis, the sandbox and one balancer: a fleet with no bots."""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(self.balancer_url + path, method=method)
        request.add_header("Authorization", f"Bearer {self.api_key}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None

    def bind(self, user_id: str, steam_id: int) -> None:
        self.ask("PUT", f"/users/{user_id}", {"steam_id": str(steam_id)})

    def tickets(self, user_id: str, count: int, cents: int = 100) -> list[str]:
        """Items worth so much for a user who is known; their deposit ids."""
        name = f"Ticket of {cents}"
        body = {"ref": new_ref("issue"), "market_hash_name": name, "value_cents": cents, "count": count, "to": "house"}
        ids: list[str] = self.ask("POST", "/issues", body)["deposit_ids"]
        lock = new_ref("gift")
        self.ask("POST", "/locks", {"ref": lock, "user_id": "house", "deposit_ids": ids})
        moves = [{"deposit_id": each, "from": "house", "to": user_id} for each in ids]
        self.ask("POST", "/transfers", {"ref": new_ref("give"), "locks": [lock], "moves": moves})
        return ids

    def free_all(self) -> None:
        """What tests before have left bound is bound no more: no site that begins now knows of it."""
        for lock in self.ask("GET", "/locks?state=held&limit=200")["locks"]:
            self.ask("DELETE", f"/locks/{lock['ref']}")

    def newest_event(self) -> int:
        """How far its feed is."""
        after = 0
        while (page := self.ask("GET", f"/events?after={after}&limit=500"))["events"]:
            after = page["next"]
        return after

    def owners(self) -> dict[str, str]:
        """Who has which item."""
        return {row["deposit_id"]: row["user_id"] for row in self._deposits()}

    def locked(self) -> dict[str, str]:
        """Items that are bound, and by which ref."""
        return {row["deposit_id"]: row["locked_by"] for row in self._deposits() if row["locked_by"]}

    def _deposits(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = self.ask("GET", f"/deposits?limit=1000{after}")
            found += page["deposits"]
            if page["next"] is None:
                return found
            after = f"&after={page['next']}"


def new_ref(what: str) -> str:
    return f"{what}-{sys.argv[0].__hash__() & 0xFFFF:x}-{next(numbers)}"
