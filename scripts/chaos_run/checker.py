"""What the database says while the fleet is hurt and afterwards, and what must hold between its tables and what clients saw.

Plain SQL and pure comparisons that share no code with the balancer, so that they cannot share its mistakes. The comparison with
Steam's own record stands in `scripts.crosscheck`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scripts.crosscheck import FINAL, HELD, STEAM_ACCEPTED, STEAM_LIVE, Difference

CONNECT_S = 2
LIVE = ("queued", "sending", "in_doubt", "confirming", "sent", "held")
STEAM_HELD = 11
STEAM_CANCELED = 6

# What a bot says after a search.
SEARCHED = ("find_inconclusive", "offer_absent", "offer_adopted")
Tables = Mapping[str, Sequence[Mapping[str, Any]]]

# Alarms about somebody else at a bot's account.
LEFT, CANCELED = "items_left", "canceled_elsewhere"
# Of an ended trade; everything else must stay as it is.
AFTER_THE_END = {("settled", "reversed")}


@dataclass(frozen=True)
class Glance:
    """What is to be seen at once: trades under way, the newest event, and what has still to be done."""

    in_flight: int
    newest: int
    unfinished: int
    awaited: int
    searched: int

    @property
    def at_rest(self) -> bool:
        return not (self.unfinished or self.awaited or self.searched)


class Reader:
    """Reads the database with connections of its own, each as short as one query."""

    def __init__(self, url: str) -> None:
        import sqlalchemy

        options = {"connect_args": {"connect_timeout": CONNECT_S}} if url.startswith("postgresql") else {}
        self._engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, **options)
        self._gone = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError)

    def glance(self) -> Glance | None:
        """How things stand now; ``None`` while the database is away."""
        live = ", ".join(f"'{status}'" for status in LIVE)
        final = ", ".join(f"'{status}'" for status in sorted(FINAL))
        query = (
            f"SELECT (SELECT count(*) FROM trades WHERE status IN ({live})),"  # noqa: S608 - our own words
            " (SELECT coalesce(max(number), 0) FROM events),"
            f" (SELECT count(*) FROM trades WHERE status NOT IN ({final})),"
            " (SELECT count(*) FROM trades WHERE items_awaited > 0),"
            " (SELECT count(*) FROM trades WHERE find_at IS NOT NULL)"
        )
        try:
            with self._engine.connect() as connection:
                return Glance(*connection.exec_driver_sql(query).one())
        except self._gone:
            return None

    def alarmed(self, alarm: str) -> set[str] | None:
        """The offers that this alarm was told of; ``None`` while the database is away."""
        try:
            return set(alarms(self.rows("SELECT kind, data FROM events WHERE kind = 'alarm'"), alarm))
        except self._gone:
            return None

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The rows of one query, as dictionaries."""
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.exec_driver_sql(query).mappings()]

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """Every table that the run's own checks and a person looking at a difference want, secrets left out."""
        return {
            "events": self.rows("SELECT number, at, kind, trade_id, user_id, bot, who, data FROM events ORDER BY number"),
            "trades": self.rows(
                "SELECT trade_id, direction, status, user_id, partner, color, bot_id, offer_id, exchange_id, attempt,"
                " waits_for, failure_code, failure_reason, items_awaited, find_at, find_tries, settles_at, cancel_requested_at,"
                " created_at, touched FROM trades ORDER BY trade_id"
            ),
            "deposits": self.rows(
                "SELECT deposit_id, status, user_id, color, bot_id, asset_id, context_id, settled_at, settles_at, locked_by,"
                " frozen_by, created_at, touched FROM deposits ORDER BY deposit_id"
            ),
            "users": self.rows("SELECT user_id, credit_cents FROM users"),
            "trade_items": self.rows(
                "SELECT trade_id, deposit_id, asset_id, context_id, new_asset_id, new_context_id, matched FROM trade_items"
            ),
        }


def as_text(tables: Mapping[str, Any]) -> str:
    """The tables as JSON, for the folder that is kept."""

    def plain(value: object) -> str:
        return value.isoformat() if isinstance(value, datetime) else str(value)

    return json.dumps(tables, indent=0, default=plain)


# --- what must hold ---------------------------------------------------------------------------------------


def feed(served: Sequence[int], events: Iterable[Mapping[str, Any]]) -> Iterator[Difference]:
    """A reader of the feed was given every event once, in order."""
    for number, times in Counter(served).items():
        if times > 1:
            yield Difference("feed", f"event {number} was served {times} times")
    if list(served) != sorted(served):
        yield Difference("feed", "events were served out of order")
    numbers = {row["number"] for row in events}
    for number in sorted(numbers - set(served)):
        yield Difference("feed", f"event {number} was never served to a reader who read on")
    for number in sorted(set(served) - numbers):
        yield Difference("feed", f"event {number} was served and is not in the table")


def histories(tables: Tables) -> Iterator[Difference]:
    """The events of each trade and each deposit tell without a gap how it came to be what it is."""
    trade_is: dict[str, str] = {}
    deposit_is: dict[str, str] = {}
    for row in tables["events"]:
        data = json.loads(row["data"])
        trade_id = row["trade_id"]
        if trade_id and "to" in data:
            yield from _step(f"trade {trade_id}", trade_is.get(trade_id), data.get("from"), data["to"], row["number"])
            known, to = trade_is.get(trade_id), data["to"]
            if known in FINAL and known != to and (known, to) not in AFTER_THE_END:
                yield Difference("end_changed", f"trade {trade_id}: was {known}, and then {to} (event {row['number']})")
            trade_is[trade_id] = data["to"]
        if row["kind"] in ("items_issued", "items_exchanged"):
            deposit_is |= dict.fromkeys(_issued(data), "active")
        for moved in data.get("deposits") or ():
            if isinstance(moved, str):
                if row["kind"] == "gift_accepted":
                    deposit_is[moved] = "active"  # it begins so; an alarm only names it
            elif "to" in moved:
                before = deposit_is.get(moved["deposit_id"])
                yield from _step(f"deposit {moved['deposit_id']}", before, moved.get("from"), moved["to"], row["number"])
                deposit_is[moved["deposit_id"]] = moved["to"]
    for row in tables["trades"]:
        if trade_is.get(row["trade_id"]) != row["status"]:
            told = trade_is.get(row["trade_id"])
            yield Difference("untold", f"trade {row['trade_id']}: is {row['status']}, its events end with {told}")
    for row in tables["deposits"]:
        if deposit_is.get(row["deposit_id"]) != row["status"]:
            told = deposit_is.get(row["deposit_id"])
            yield Difference("untold", f"deposit {row['deposit_id']}: is {row['status']}, its events end with {told}")


def _issued(data: Mapping[str, Any]) -> Sequence[str]:
    """The tickets that begin with this event; of an exchange the last of what was taken."""
    ids: Sequence[str] = data["deposit_ids"] if "deposit_ids" in data else data["took"]
    return ids[len(ids) - data.get("issued", len(ids) if "deposit_ids" in data else 0) :]


def _step(what: str, known: str | None, before: str | None, to: str, number: int) -> Iterator[Difference]:
    if before is not None and before != known:
        yield Difference("untold", f"{what}: event {number} goes from {before} to {to}, but it was {known or 'never begun'}")


def answers(told: Mapping[str, Sequence[frozenset[str]]], trades: Iterable[Mapping[str, Any]]) -> Iterator[Difference]:
    """One key, one set of trades, whichever balancer answered; and no trade that nobody was told of."""
    known: set[str] = set()
    for key, seen in told.items():
        known |= set().union(*seen)
        if len(set(seen)) > 1:
            yield Difference("idempotency", f"key {key} made different trades: {' / '.join(sorted(map(str, set(seen))))}")
    for row in trades:
        if row["trade_id"] not in known:
            yield Difference("orphan", f"trade {row['trade_id']} was made and no answer to any key ever named it")


def alarms(events: Iterable[Mapping[str, Any]], alarm: str) -> dict[str, dict[str, Any]]:
    """What was told by alarms of this kind, by the offer that they are about."""
    data = [json.loads(row["data"]) for row in events if row["kind"] == "alarm"]
    return {each["offer_id"]: each for each in data if each.get("alarm") == alarm and "offer_id" in each}


def departures(
    tables: Tables, offers: Iterable[Mapping[str, Any]], bots: Mapping[str, str], friend: str
) -> tuple[set[str], list[Difference]]:
    """What foreign clients gave away is told, and every row of it is frozen.

    ``bots`` are the bots' names by Steam id, ``friend`` is who all of it was offered to. The deposits and offers that are told,
    and what is not.
    """
    alarmed = alarms(tables["events"], LEFT)
    told, found, gone = set[str](), list[Difference](), set[tuple[str, str]]()
    for offer in (each for each in offers if each["recipient"] == friend):
        offer_id, bot = offer["offer_id"], bots[offer["sender"]]
        if offer["state"] in STEAM_LIVE:
            found.append(Difference("foreign_offer", f"offer {offer_id} of a foreign client at {bot} is still open"))
        elif offer["state"] == STEAM_ACCEPTED and offer_id not in alarmed:
            found.append(Difference("untold", f"items left {bot} by offer {offer_id}, and no alarm says so"))
        else:  # nothing came of it, or it was told
            told.add(offer_id)
            gone |= {(bot, asset_id) for asset_id in alarmed.get(offer_id, {}).get("asset_ids", ())}
    for row in tables["deposits"]:
        if row["status"] in HELD and (f"{row['color']}-{row['bot_id']}", str(row["asset_id"])) in gone:
            told.add(row["deposit_id"])
            if row["frozen_by"] is None:
                found.append(Difference("not_frozen", f"{row['deposit_id']}: its item left the bot, and it can be used"))
    return told, found


def cancellations(tables: Tables, offers: Iterable[Mapping[str, Any]], canceled: Collection[str]) -> Iterator[Difference]:
    """Of a trade that ended because a foreign client canceled its offer, an alarm says so."""
    told, trades = alarms(tables["events"], CANCELED), {row["offer_id"]: row for row in tables["trades"]}
    for offer in (each for each in offers if each["offer_id"] in canceled and each["state"] == STEAM_CANCELED):
        trade = trades.get(offer["offer_id"])
        wished = trade is None or trade["status"] != "canceled" or trade["cancel_requested_at"] is not None
        if trade is not None and not wished and offer["offer_id"] not in told:
            text = f"{trade['trade_id']}: a foreign client canceled its offer {offer['offer_id']}, and no alarm says so"
            yield Difference("untold", text)


def reason_to_wait(trade: Mapping[str, Any], offers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Why a trade is rightly not finished; ``None`` if there is no reason."""
    if trade["status"] == "held" and offers.get(trade["offer_id"] or "", {}).get("state") == STEAM_HELD:
        return f"Steam holds the items of offer {trade['offer_id']}"
    if trade["waits_for"] is not None:
        return f"it waits for {trade['waits_for']}"
    return None


def unfinished(
    trades: Iterable[Mapping[str, Any]], offers: Iterable[Mapping[str, Any]]
) -> tuple[dict[str, str], list[Difference]]:
    """Trades that go on with their reasons, and those that have none."""
    by_id = {offer["offer_id"]: offer for offer in offers}
    reasons: dict[str, str] = {}
    found: list[Difference] = []
    for trade in trades:
        if trade["status"] in FINAL:
            continue
        reason = reason_to_wait(trade, by_id)
        if reason is not None:
            reasons[trade["trade_id"]] = f"{trade['status']}: {reason}"
        else:
            found.append(Difference("unfinished", f"{trade['trade_id']}: is {trade['status']}, and nothing says why"))
    return reasons, found


def between(events: Iterable[Mapping[str, Any]], first: int, last: int) -> Counter[str]:
    """What was told in between: kinds of events, and for moves of trades the status they led to."""
    counted: Counter[str] = Counter()
    for row in events:
        if first < row["number"] <= last:
            counted[row["kind"]] += 1
            to = json.loads(row["data"]).get("to")
            if to is not None and row["trade_id"]:
                counted[f"to {to}"] += 1
    return counted


def by_status(tables: Tables) -> dict[str, dict[str, int]]:
    """direction → status → number of trades."""
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in tables["trades"]:
        table[row["direction"]][row["status"]] += 1
    return {direction: dict(counted) for direction, counted in table.items()}
