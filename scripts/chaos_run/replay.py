"""Who has what, and who is owed how much, told by the events alone: what the tables say at the end must be the same.

Pure, and without any code of the balancer's. Events are read in the order of their numbers; of one row that is the order in
which its changes were committed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.crosscheck import Difference

HOUSE = "house"
Tables = Mapping[str, Sequence[Mapping[str, Any]]]
Event = Mapping[str, Any]


class Replay:
    """How things stand after the events read so far, and what in them cannot have happened."""

    def __init__(self) -> None:
        self.owner: dict[str, str] = {}
        self.locked: dict[str, str] = {}
        self.cents: Counter[str] = Counter()
        self.issued: Counter[str] = Counter()
        self.found: list[Difference] = []

    def read(self, event: Event, data: Mapping[str, Any]) -> None:
        """Take in one event; kinds that change neither owner nor lock nor credit are passed over."""
        kind = event["kind"]
        if kind == "trade_created" and data.get("direction") == "deposit":
            self.owner |= {row["deposit_id"]: event["user_id"] for row in data["deposits"]}
        elif kind == "gift_accepted":
            self.owner |= dict.fromkeys(data.get("deposits") or (), HOUSE)
        elif kind == "items_issued":
            self._issue(data["market_hash_name"], data["deposit_ids"], HOUSE)
        elif kind in ("items_locked", "items_unlocked"):
            self._bind(event, data)
        elif kind == "items_transferred":
            self._transfer(event, data)
        elif kind == "items_exchanged":
            self._exchange(event, data)
        for line in [*(data.get("credits") or ()), *(data.get("lines") or ())] if kind in CREDITING else ():
            self.cents[line["user_id"]] += line["cents"]
            self.cents[HOUSE] -= line["cents"]

    def _issue(self, name: str, ids: Sequence[str], owner: str) -> None:
        self.issued[name] += len(ids)
        self.owner |= dict.fromkeys(ids, owner)

    def _bind(self, event: Event, data: Mapping[str, Any]) -> None:
        lock = f"{data['client_id']}:{data['ref']}"
        for each in data["deposit_ids"]:
            if event["kind"] == "items_unlocked":
                self._free(event, each, {lock})
            elif self.locked.setdefault(each, lock) != lock:
                self._wrong(event, f"{each} is locked by {lock}, but {self.locked[each]} holds it")

    def _free(self, event: Event, deposit_id: str, by: set[str] | None = None) -> None:
        lock = self.locked.pop(deposit_id, None)
        if lock is None or (by is not None and lock not in by):
            self._wrong(event, f"{deposit_id} is freed, but it was under {lock or 'no lock'}")

    def _transfer(self, event: Event, data: Mapping[str, Any]) -> None:
        for move in data["moves"]:
            self._free(event, move["deposit_id"])
            self._give(event, move["deposit_id"], move["from"], move["to"])
        for each in data["released"]:
            self._free(event, each)

    def _exchange(self, event: Event, data: Mapping[str, Any]) -> None:
        new = data["took"][len(data["took"]) - data.get("issued", 0) :]
        self._issue(data.get("market_hash_name", ""), new, event["user_id"])
        for each in data["gave"]:
            self._give(event, each, event["user_id"], HOUSE)
        for each in data["took"][: len(data["took"]) - len(new)]:
            self._give(event, each, HOUSE, event["user_id"])
        for each in [*data["gave"], *data["took"]]:
            if each in self.locked:
                self._wrong(event, f"{each} is exchanged although {self.locked[each]} holds it")
        if data["value_in_cents"] != data["value_out_cents"] + data["fee_cents"] + data["rest_cents"] or data["rest_cents"] < 0:
            self._wrong(event, "more is taken than given, or the rest is not the difference")

    def _give(self, event: Event, deposit_id: str, from_user: str, to_user: str) -> None:
        if self.owner.get(deposit_id) != from_user:
            self._wrong(event, f"{deposit_id} goes from {from_user}, but it was {self.owner.get(deposit_id, 'nobody')}'s")
        self.owner[deposit_id] = to_user

    def _wrong(self, event: Event, text: str) -> None:
        self.found.append(Difference("game", f"event {event['number']}: {text}"))


CREDITING = frozenset({"items_transferred", "items_exchanged", "credits_posted"})


def differences(tables: Tables) -> Iterator[Difference]:
    """What the tables of rows, tickets and balances say that the events do not."""
    replay = Replay()
    for event in tables["events"]:
        replay.read(event, json.loads(event["data"]))
    yield from replay.found
    for row in tables["deposits"]:
        deposit_id, owner = row["deposit_id"], replay.owner.get(row["deposit_id"])
        if row["user_id"] != owner:
            yield Difference("owner", f"{deposit_id} is {row['user_id']}'s, its events say {owner}", deposit_id)
        if row["locked_by"] != replay.locked.get(deposit_id):
            said = replay.locked.get(deposit_id)
            yield Difference("lock", f"{deposit_id} is under {row['locked_by']}, its events say {said}", deposit_id)
    n_tickets = sum(row["bot_id"] is None for row in tables["deposits"])
    if n_tickets != sum(replay.issued.values()):
        yield Difference("ticket", f"there are {n_tickets} tickets, the events say {dict(replay.issued)}")
    for row in tables["users"]:
        if row["credit_cents"] != replay.cents[row["user_id"]]:
            said = f"{row['user_id']} has {row['credit_cents']} cents, the events say {replay.cents[row['user_id']]}"
            yield Difference("credit", said, row["user_id"])
