"""A website and its players, for tests against a running fleet: `from flow_site import Website`."""

from __future__ import annotations

import itertools
import json
import os
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from support import PATIENCE_S, wait_until

from scripts import crosscheck
from scripts.lab.calls import balancer, get_json, send_json
from scripts.lab.quick import NEVER_REACHED
from scripts.lab.stack import Stack

numbers = itertools.count(1)
# What tests took out of the world: the sandbox's address and the item's number.
removed: set[tuple[str, Any]] = set()


def new_key() -> str:
    """A name for one wish."""
    return f"test-{os.getpid()}-{next(numbers)}"


# What a fleet of tests needs on a machine on which any process may get no processor for seconds: nothing that a test does not
# cut short itself ends before. ``overrides`` of a `Wish`.
PATIENT: dict[str, dict[str, Any]] = {
    "redis": {"timeout_s": 60.0},
    "steam": {"connect_timeout_s": 60.0, "read_timeout_s": 60.0},
    "balancer": {"request_max_s": 120.0},
    "group": {"lease_s": 60.0, "offline_after_s": 300.0},
    # What comes after Steam's own time comes at once, and what is due is looked at at once.
    "trades": {
        "inventory_wait_s": 60.0,
        "settle_margin_s": 0.2,
        "settle_again_s": 0.5,
        "items_look_s": 0.5,
    },
    "rates": dict(NEVER_REACHED),
}


def patient(**sections: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`PATIENT` with these sections' values on top."""
    return {name: PATIENT.get(name, {}) | sections.get(name, {}) for name in {**PATIENT, **sections}}


@dataclass
class Player:
    """A player of the sandbox with the name that the site knows them by."""

    steam_id: str
    trade_url: str
    user_id: str


@dataclass
class Answer:
    """What one call of `fleet_client` was answered, a refusal too. Names of headers in any case."""

    status: int
    body: Any
    headers: httpx.Headers = field(default_factory=httpx.Headers)


class Website:
    """The site's side: calls the balancer, and the players' hands at the sandbox."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = None, api_key: str | None = None) -> Answer:
        """One try, on a connection of its own."""
        fleet = balancer(self.stack.balancer_url, api_key or self.stack.api_key, timeout_s=150)
        said = fleet.send(method, path, body=body, key=(key or new_key()) if method == "POST" else None)
        return Answer(said.status, json.loads(said.body), httpx.Headers(dict(said.headers)))

    def player(self, items: int | list[str] = 12, **account: Any) -> Player:
        """A new player; ``account`` are fields of the sandbox's account such as ``habit``."""
        made = send_json(
            "POST", f"{self.stack.control_url}/control/accounts", {"kind": "player", "items": items, "delay_s": 0.1}
        )
        if account:
            self.change(made["steam_id"], **account)
        return Player(made["steam_id"], made["trade_url"], f"user-{made['steam_id'][-6:]}")

    def change(self, steam_id: str, **account: Any) -> None:
        send_json("PATCH", f"{self.stack.control_url}/control/accounts/{steam_id}", account)

    def settings(self, **values: Any) -> None:
        """Change settings of the sandbox while it runs."""
        send_json("PATCH", f"{self.stack.control_url}/control/settings", values)

    def settings_now(self, *names: str) -> dict[str, Any]:
        """These settings of the sandbox, as they are."""
        values = get_json(f"{self.stack.control_url}/control/settings")
        return {name: values[name] for name in names}

    def fault(self, **order: Any) -> int:
        """Order trouble at the sandbox; the number of the order."""
        number: int = send_json("POST", f"{self.stack.control_url}/control/faults", order)["fault_id"]
        return number

    def fault_hits(self, fault_id: int) -> int:
        """How often this trouble has struck so far."""
        rows = get_json(f"{self.stack.control_url}/control/faults?all=1")["faults"]
        return sum(row["hits"] for row in rows if row["fault_id"] == fault_id)

    def end_fault(self, fault_id: int) -> None:
        send_json("DELETE", f"{self.stack.control_url}/control/faults/{fault_id}", None)

    def end_all_faults(self) -> None:
        """Answers that were kept back go out at once, which they do not with `end_fault`."""
        send_json("DELETE", f"{self.stack.control_url}/control/faults", None)

    def act(self, player: Player, offer_id: str, action: str) -> None:
        """What the player does with an offer, by hand: ``accept``, ``decline`` or ``counter``."""
        url = f"{self.stack.control_url}/control/people/{player.steam_id}/offers/{offer_id}"
        send_json("POST", url, {"action": action})

    def take_back(self, player: Player) -> None:
        """The player reverses every exchange that is still protected."""
        send_json("POST", f"{self.stack.control_url}/control/accounts/{player.steam_id}/reverse", {})

    def acceptable(self, player: Player) -> list[str]:
        answer = self.call("POST", "/inventory", {"steam_id": player.steam_id, "trade_url": player.trade_url})
        assert answer.status == 200, answer.body
        return [row["asset_id"] for row in answer.body["items"] if row["acceptable"]]

    def deposit(self, player: Player, count: int = 2, *, wait: int | None = None, **more: Any) -> Answer:
        """Items go in. Without ``wait`` the answer comes when every offer is there or over, however long that takes."""
        body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url}
        return self._wish("/deposit", body | {"asset_ids": self.acceptable(player)[:count]} | more, wait)

    def withdraw(self, player: Player, deposit_ids: list[str], *, wait: int | None = None, **more: Any) -> Answer:
        """Items go out; ``wait`` as with `deposit`."""
        body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url}
        return self._wish("/withdraw", body | {"deposit_ids": deposit_ids} | more, wait)

    def _wish(self, path: str, body: dict[str, Any], wait: int | None) -> Answer:
        if wait is not None:
            return self.call("POST", f"{path}?wait={wait}", body)
        key = new_key()
        answers: list[Answer] = []

        def complete() -> bool:
            """The same key again shows the same trades as they are by then."""
            answers.append(self.call("POST", f"{path}?wait=25", body, key=key))
            return answers[-1].status != 202

        wait_until(complete)
        return answers[-1]

    def bots(self) -> dict[str, dict[str, Any]]:
        """Each bot by its name, as its worker last reported."""
        return {row["bot"]: row for row in self.call("GET", "/bots").body["bots"]}

    def all_may(self, *bots: str) -> None:
        """Wait until each of these bots, or every bot, has said after this call that it may do everything."""
        began = time.monotonic()

        def said() -> bool:
            passed_s = time.monotonic() - began
            rows = [row for bot, row in self.bots().items() if not bots or bot in bots]
            return all(row["heartbeat_age_s"] is not None and row["heartbeat_age_s"] < passed_s for row in rows) and all(
                all(row["may"].values()) for row in rows
            )

        wait_until(said, every_s=0.1)

    def trade(self, trade_id: str) -> dict[str, Any]:
        answer = self.call("GET", f"/trade/{trade_id}")
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.body
        return found

    def until(self, trade_id: str, *statuses: str, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The trade, once it has one of these statuses."""

        def reached() -> dict[str, Any]:
            trade = self.trade(trade_id)
            return trade if trade["status"] in statuses else {}

        try:
            return wait_until(reached, timeout_s, 0.1)
        except AssertionError:
            raise AssertionError(f"{trade_id} is {self.trade(trade_id)}, not one of {statuses}") from None

    def events(self, trade_id: str) -> list[dict[str, Any]]:
        """What the feed says of one trade, oldest first."""
        found, after = [], 0
        while page := self.call("GET", f"/events?after={after}&limit=500").body["events"]:
            found += [row for row in page if row["trade_id"] == trade_id]
            after = page[-1]["number"]
        return found

    def deposits(self, player: Player) -> dict[str, dict[str, Any]]:
        answer = self.call("GET", f"/deposits?user_id={player.user_id}")
        return {row["deposit_id"]: row for row in answer.body["deposits"]}

    def settled_deposits(self, player: Player, count: int = 2) -> list[str]:
        """Deposit that many items and wait until they may be withdrawn."""
        answer = self.deposit(player, count)
        assert answer.status == 201, answer.body
        for trade in answer.body["trades"]:
            self.until(trade["trade_id"], "settled")
        return [item["deposit_id"] for trade in answer.body["trades"] for item in trade["items"]]

    def remove_item(self, owner: str, asset_id: str) -> None:
        """Take an item of app 730, context 2, out of the world; `differences` does not count it as lost."""
        (row,) = [row for row in self.record()["assets"] if (row["owner"], row["asset_id"]) == (owner, asset_id)]
        removed.add((self.stack.control_url, row["item_uid"]))
        send_json("DELETE", f"{self.stack.control_url}/control/items/730/2/{asset_id}?owner={owner}", {})

    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = get_json(f"{self.stack.control_url}/control/record")
        return record

    def offers_of(self, trade_id: str, partner: str) -> list[dict[str, Any]]:
        """Every offer that the sandbox ever saw between our bots and this partner with this trade's items."""
        items = {item["asset_id"] for item in self.trade(trade_id)["items"]}
        return [
            offer
            for offer in self.record()["offers"]
            if offer["recipient"] == partner and items & {row["asset_id"] for row in [*offer["give"], *offer["receive"]]}
        ]

    def differences(self) -> list[str]:
        """What the crosscheck finds."""
        record = self.record()
        record["origins"] = [row for row in record["origins"] if (self.stack.control_url, row["item_uid"]) not in removed]
        found = crosscheck.differences(crosscheck.read_books(self.stack.database_url), record)
        return [f"{row.kind}: {row.text}" for row in found]

    def agree(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until nothing is under way that would make the books and Steam's record differ; fail with what does."""
        try:
            wait_until(lambda: not self.differences(), timeout_s, 0.3)
        except AssertionError:
            raise AssertionError("\n".join(self.differences())) from None
