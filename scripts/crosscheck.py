"""Compare what the database says with what really happened at Steam, item by item and offer by offer.

A program of its own on purpose: it reads the tables with plain SQL and the sandbox's record over HTTP and shares no code with
the balancer or the bots, so that it cannot share their mistakes. `differences` is pure: two sets of facts in, sentences out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HELD = ("active", "withdraw_pending")
FINAL = frozenset({"settled", "declined", "countered", "expired", "canceled", "failed", "reversed"})
DONE = FINAL | {"accepted"}
STEAM_LIVE = (2, 9, 11)
# What strangers gave is booked under this name, as Steam's receipt tells none.
GIFT = "Gift that nobody has named"
STEAM_ACCEPTED = 3

# Offer states (Steam's numbers) in which each status of ours is true; () means that no offer may be live or accepted.
TRUE_STATES: dict[str, tuple[int, ...]] = {
    "confirming": (9,),
    "sent": (2,),
    "held": (11,),
    "accepted": (3,),
    "settled": (3,),
    "declined": (7,),
    "countered": (4,),
    "expired": (5,),
    "reversed": (3, 12),
}

_VERIFY_LINK = re.compile(r"/verify/([A-Za-z0-9_-]{8,})")


@dataclass(frozen=True)
class Books:
    """The tables, as lists of rows (dictionaries); Steam ids and asset ids as text."""

    bots: list[dict[str, Any]]
    deposits: list[dict[str, Any]]
    trades: list[dict[str, Any]]
    trade_items: list[dict[str, Any]]
    tokens: list[dict[str, Any]]
    events: list[int]
    locks: list[dict[str, Any]] = field(default_factory=list)
    lock_rows: list[dict[str, Any]] = field(default_factory=list)
    credits: list[dict[str, Any]] = field(default_factory=list)  # per user, the sum of the lines
    balances: list[dict[str, Any]] = field(default_factory=list)
    issued: list[dict[str, Any]] = field(default_factory=list)  # per kind of ticket, how many by calls and exchanges


@dataclass(frozen=True)
class Difference:
    """One thing that does not add up: a word for its kind, the sentence, and which deposit or offer it is about, if one."""

    kind: str
    text: str
    about: str = ""


def read_books(database_url: str) -> Books:
    """Read all tables in one transaction.

    Raises:
        ValueError: there is no such file; none is made.
    """
    import sqlalchemy

    queries = {
        "bots": "SELECT color, bot_id, steam_id, slots_held, slots_reserved, open_offers FROM bots",
        "deposits": "SELECT d.deposit_id, d.status, d.user_id, d.color, d.bot_id, d.app_id, d.context_id, d.asset_id,"
        " d.settled_at, d.frozen_by, d.locked_by, d.from_steam_id, d.item_id, i.market_hash_name"
        " FROM deposits d JOIN items i ON i.item_id = d.item_id",
        "trades": "SELECT trade_id, direction, status, color, bot_id, partner, offer_id, exchange_id, waits_for FROM trades",
        "trade_items": "SELECT trade_id, deposit_id, market_hash_name, asset_id, new_asset_id FROM trade_items",
        "tokens": "SELECT token_hash, trade_id FROM tokens",
        "locks": "SELECT client_id, ref, state FROM locks",
        "lock_rows": "SELECT client_id, ref, deposit_id, state FROM lock_rows",
        "credits": "SELECT user_id, sum(cents) AS cents FROM credits GROUP BY user_id",
        "balances": "SELECT user_id, credit_cents FROM users",
        "issued": (
            "SELECT item_id, sum(n) AS n FROM (SELECT item_id, count AS n FROM issues"
            " UNION ALL SELECT item_id, issued FROM exchanges WHERE issued > 0) AS made GROUP BY item_id"
        ),
    }
    file = sqlalchemy.make_url(database_url).database if database_url.startswith("sqlite") else None
    if file and not Path(file).exists():
        raise ValueError(f"there is no database {Path(file).absolute()}; name the fleet's with --database")
    engine = sqlalchemy.create_engine(database_url)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            tables = {
                name: [_as_text(dict(row._mapping)) for row in connection.exec_driver_sql(query)]
                for name, query in queries.items()
            }
            events = [row[0] for row in connection.exec_driver_sql("SELECT number FROM events ORDER BY number")]
    finally:
        engine.dispose()
    return Books(events=events, **tables)


def _as_text(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("steam_id", "asset_id", "new_asset_id", "from_steam_id", "partner"):
        if row.get(name) is not None:
            row[name] = str(row[name])
    return row


def compare(
    read: Callable[[], tuple[Books, dict[str, Any]]], pause: Callable[[], None] | None
) -> tuple[Books, dict[str, Any], list[Difference]]:
    """What was read, and every difference in it; with a ``pause``, those that a second reading after it shows too."""
    books, record = read()
    found = differences(books, record)
    if found and pause is not None:
        pause()
        books, record = read()
        found = [row for row in differences(books, record) if row in set(found)]
    return books, record, found


def differences(books: Books, record: dict[str, Any]) -> list[Difference]:
    """Everything that does not add up between the books and Steam's own record."""
    return [
        *conserved(record),
        *custody(books, record),
        *offers(books, record),
        *exchanges(books, record),
        *pending(books),
        *counters(books),
        *locked(books),
        *credited(books),
        *issued(books),
        *doubled_events(books),
    ]


def check_record(record: Any) -> None:
    """Raises: ValueError, this is no record of a sandbox's."""
    parts = ("assets", "origins", "offers", "exchanges")
    if not isinstance(record, dict) or not all(isinstance(record.get(part), list) for part in parts):
        raise ValueError(f"that is no sandbox's record: it has no lists of {', '.join(parts)}")


def conserved(record: dict[str, Any]) -> Iterator[Difference]:
    """Every item that ever came into the world is in exactly one inventory."""
    owners = Counter(row["item_uid"] for row in record["assets"])
    names = {row["item_uid"]: row["market_hash_name"] for row in record["origins"]}
    for uid, name in names.items():
        if owners[uid] != 1:
            where = "is nowhere" if not owners[uid] else f"is in {owners[uid]} inventories"
            yield Difference("world", f"item {uid} ({name}) {where} at Steam")


def custody(books: Books, record: dict[str, Any]) -> Iterator[Difference]:
    """Each row in custody is one asset of its bot, and each asset of a bot belongs to one row."""
    bots = {(row["color"], row["bot_id"]): row["steam_id"] for row in books.bots}
    real = {(row["owner"], row["asset_id"]): row for row in record["assets"] if row["owner"] in bots.values()}
    claimed: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for row in books.deposits:
        if row["status"] not in HELD or row["asset_id"] is None:
            continue
        bot = f"{row['color']}-{row['bot_id']}"
        place = (bots[row["color"], row["bot_id"]], row["asset_id"])
        claimed[place].append(row["deposit_id"])
        asset, name = real.get(place), row["market_hash_name"]
        what = f"{row['deposit_id']}: asset {row['asset_id']} of {bot}"
        if asset is None:
            yield Difference("missing", f"{what} ({name}) is not in its inventory", row["deposit_id"])
        elif name not in (asset["market_hash_name"], GIFT):
            yield Difference("swapped", f"{what} is {asset['market_hash_name']}, not {name}")
        elif row["settled_at"] is not None and str(asset["context_id"]) != "2":
            yield Difference("protected", f"{what} is settled here, but still protected at Steam")
    for place, rows in claimed.items():
        if len(rows) > 1:
            yield Difference("doubled", f"asset {place[1]} belongs to {len(rows)} rows: {', '.join(rows)}")
    for place in real.keys() - claimed.keys():
        name = real[place]["market_hash_name"]
        yield Difference("extra", f"asset {place[1]} ({name}) of bot account {place[0]} belongs to no row")


def offers(books: Books, record: dict[str, Any]) -> Iterator[Difference]:
    """Each offer of a bot belongs to a trade, at most one of a trade's is accepted, and the trade's status is true."""
    bots = {row["steam_id"] for row in books.bots}
    trade_of_offer = {row["offer_id"]: row["trade_id"] for row in books.trades if row["offer_id"]}
    trade_of_token = {row["token_hash"]: row["trade_id"] for row in books.tokens}
    for offer in record["offers"]:  # a token that was used up has no row, but all offers of its trade name it
        if offer["offer_id"] in trade_of_offer and (token_hash := _token_hash(offer)):
            trade_of_token.setdefault(token_hash, trade_of_offer[offer["offer_id"]])
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for offer in record["offers"]:
        if offer["sender"] not in bots:
            continue
        trade_id = trade_of_token.get(_token_hash(offer) or "") or trade_of_offer.get(offer["offer_id"])
        if trade_id is None:
            said = f"offer {offer['offer_id']} of bot account {offer['sender']} belongs to no trade"
            yield Difference("unknown_offer", said, offer["offer_id"])
        else:
            found[trade_id].append(offer)
    for trade in books.trades:
        yield from _trade_against_offers(trade, found[trade["trade_id"]])


def _token_hash(offer: dict[str, Any]) -> str | None:
    match = _VERIFY_LINK.search(offer["message"])
    return None if match is None else hashlib.sha256(b"token:" + match[1].encode()).hexdigest()


def _trade_against_offers(trade: dict[str, Any], made: list[dict[str, Any]]) -> Iterator[Difference]:
    name, status = trade["trade_id"], trade["status"]
    accepted = [offer["offer_id"] for offer in made if offer["state"] == STEAM_ACCEPTED]
    live = [offer["offer_id"] for offer in made if offer["state"] in STEAM_LIVE]
    if len(accepted) > 1:
        yield Difference("twice", f"{name}: {len(accepted)} offers were accepted: {', '.join(accepted)}")
    if status in DONE and live:
        yield Difference("live_offer", f"{name}: is {status}, but offer {live[0]} is still open")
    if any(offer["recipient"] != trade["partner"] for offer in made):
        yield Difference("wrong_partner", f"{name}: an offer went to another account than {trade['partner']}")
    states = {offer["offer_id"]: offer["state"] for offer in made}
    wanted = TRUE_STATES.get(status)
    if wanted and states.get(trade["offer_id"]) not in wanted:
        yield Difference(
            "status", f"{name}: is {status}, but its offer {trade['offer_id']} is in state {states.get(trade['offer_id'])}"
        )
    if accepted and status not in ("accepted", "settled", "reversed"):
        yield Difference("status", f"{name}: is {status}, but offer {accepted[0]} was accepted")


def exchanges(books: Books, record: dict[str, Any]) -> Iterator[Difference]:
    """What an accepted trade moved is what the receipt says, and every withdrawn item reached its owner."""
    moves = {row["tradeid"]: {move["old_asset_id"]: move for move in row["moves"]} for row in record["exchanges"]}
    trades = {row["trade_id"]: row for row in books.trades}
    for row in books.trade_items:
        trade = trades[row["trade_id"]]
        if trade["status"] not in ("accepted", "settled"):
            continue
        move = moves.get(trade["exchange_id"], {}).get(row["asset_id"])
        if move is None:
            yield Difference(
                "not_moved", f"{row['trade_id']}: asset {row['asset_id']} is not in exchange {trade['exchange_id']}"
            )
            continue
        if trade["direction"] == "deposit" and row["new_asset_id"] != move["new_asset_id"]:
            yield Difference(
                "asset_id", f"{row['trade_id']}: {row['asset_id']} became {move['new_asset_id']}, not {row['new_asset_id']}"
            )
        receiver = move["to"] if trade["direction"] == "withdraw" else move["from"]
        if receiver != trade["partner"]:
            yield Difference("wrong_partner", f"{row['trade_id']}: asset {row['asset_id']} moved from or to {receiver}")
    counted = Counter(row["trade_id"] for row in books.trade_items)
    for trade in books.trades:
        if (
            trade["status"] in ("accepted", "settled")
            and len(moves.get(trade["exchange_id"], {})) != counted[trade["trade_id"]]
        ):
            yield Difference("not_moved", f"{trade['trade_id']}: its exchange moved another number of items")


def pending(books: Books) -> Iterator[Difference]:
    """A pending row has a trade that goes on; a row without one waits for nothing."""
    going_on = {row["trade_id"] for row in books.trades if row["status"] not in FINAL}
    waited_for = {row["deposit_id"] for row in books.trade_items if row["trade_id"] in going_on}
    for row in books.deposits:
        if row["status"].endswith("_pending") and row["deposit_id"] not in waited_for:
            yield Difference("unseen", f"{row['deposit_id']}: is {row['status']}, but no trade of its is going on")


def counters(books: Books) -> Iterator[Difference]:
    """Reservations add up: slots held and reserved, open offers."""
    held, reserved, open_offers = Counter[Any](), Counter[Any](), Counter[Any]()
    for row in books.deposits:
        place = (row["color"], row["bot_id"])
        held[place] += row["status"] in HELD
        reserved[place] += row["status"] == "deposit_pending"
    for row in books.trades:
        # What waits has no offer yet, and what Steam holds does not count any more.
        counts = row["status"] not in (*DONE, "held") and row["waits_for"] is None
        open_offers[row["color"], row["bot_id"]] += counts
    for bot in books.bots:
        place = (bot["color"], bot["bot_id"])
        for name, count in (("slots_held", held), ("slots_reserved", reserved), ("open_offers", open_offers)):
            if bot[name] != count[place]:
                yield Difference("counter", f"{place[0]}-{place[1]}: {name} is {bot[name]}, the rows say {count[place]}")


def locked(books: Books) -> Iterator[Difference]:
    """A row names the one lock that holds it, and a lock stands as its rows do; what is in a game is not on its way out."""
    under: defaultdict[str, list[str]] = defaultdict(list)
    states: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for row in books.lock_rows:
        states[row["client_id"], row["ref"]].add(row["state"])
        if row["state"] == "held":
            under[row["deposit_id"]].append(f"{row['client_id']}:{row['ref']}")
    rows = {row["deposit_id"]: row for row in books.deposits}
    for deposit_id in sorted(under.keys() - rows.keys()):
        yield Difference("lock", f"{deposit_id}: is under a lock, but there is no such row", deposit_id)
    for deposit_id, row in rows.items():
        named = [] if row.get("locked_by") is None else [row["locked_by"]]
        if named != under[deposit_id]:
            yield Difference("lock", f"{deposit_id}: names the lock {named}, the locks say {under[deposit_id]}", deposit_id)
        if named and row["status"] == "withdraw_pending":
            yield Difference("lock", f"{deposit_id}: is in a game and on its way out", deposit_id)
    for lock in books.locks:
        has = states[lock["client_id"], lock["ref"]]
        if (lock["state"] in ("held", "part_moved")) != ("held" in has):
            yield Difference("lock", f"lock {lock['ref']} is {lock['state']}, but its rows are {sorted(has)}", lock["ref"])


def credited(books: Books) -> Iterator[Difference]:
    """Every cent of credit has its opposite on the house, and a balance is the sum of its lines."""
    sums = {row["user_id"]: int(row["cents"]) for row in books.credits}
    if total := sum(sums.values()):
        yield Difference("credit", f"all credits together are {total} cents, not 0")
    for row in books.balances:
        if row["credit_cents"] != sums.pop(row["user_id"], 0):
            yield Difference("credit", f"the balance of {row['user_id']} is not the sum of its lines", row["user_id"])
    for user_id, cents in sums.items():
        if cents:
            yield Difference("credit", f"{user_id} has {cents} cents of credit, but there is no such user", user_id)


def issued(books: Books) -> Iterator[Difference]:
    """There are as many tickets of a kind as the house has issued, and none is on its way anywhere."""
    rows: Counter[str] = Counter()
    for row in books.deposits:
        if row["bot_id"] is None:
            rows[row.get("item_id", "")] += 1
            if row["status"] != "active":
                yield Difference("ticket", f"{row['deposit_id']}: is a ticket and {row['status']}", row["deposit_id"])
    made = {row["item_id"]: int(row["n"]) for row in books.issued}
    for item_id in sorted(made.keys() | rows.keys()):
        if made.get(item_id, 0) != rows[item_id]:
            said = f"{made.get(item_id, 0)} tickets of the kind {item_id} were issued, but there are {rows[item_id]}"
            yield Difference("ticket", said, item_id)


def doubled_events(books: Books) -> Iterator[Difference]:
    """Every event number once."""
    for number, times in Counter(books.events).items():
        if times > 1:
            yield Difference("event", f"event {number} stands there {times} times")


def under_way(books: Books) -> dict[str, int]:
    """How many trades are still going on, by status: how they end is not to be compared yet, and no difference."""
    return dict(sorted(Counter(row["status"] for row in books.trades if row["status"] not in DONE).items()))


def summary(books: Books, record: dict[str, Any]) -> dict[str, int]:
    """How much was compared."""
    bots = {row["steam_id"] for row in books.bots}
    return {
        "items": len(record["origins"]),
        "items_with_bots": sum(row["owner"] in bots for row in record["assets"]),
        "rows_in_custody": sum(row["status"] in HELD for row in books.deposits),
        "trades": len(books.trades),
        "offers": sum(offer["sender"] in bots for offer in record["offers"]),
        "exchanges": len(record["exchanges"]),
        "events": len(books.events),
    }


def as_json(found: list[Difference], compared: dict[str, int], going_on: dict[str, int]) -> str:
    """One object for programs."""
    rows = [{"kind": row.kind, "text": row.text} for row in found]
    return json.dumps({"compared": compared, "under_way": going_on, "differences": rows})
