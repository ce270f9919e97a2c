"""The game: each bet in the chained log, a ticket for each cent, and the limits of the room."""

import struct
from itertools import groupby
from typing import Any

from lottery.encoding import TAG, U32, U64, S, sha256
from lottery.verify.report import Report, require
from lottery.verify.shape import Record

# U32 i, U64 bet, user, item, deposit, price, first ticket, ticket count, U8 team, U64 time: all big-endian, without gaps.
ITEM_LAYOUT = struct.Struct(">IQQQQQQQBQ")
OPERATORS = 2
DIGITS_MAX = 1000


def check(record: Record, report: Report) -> None:
    """Tickets, players, order and limits, then the log over all of it. Raises: Lie."""
    tickets = check_tickets(record, report)
    check_players(record, report, tickets)
    for name, rule in (("order of bets", orderly), ("limits of the room", within_limits), ("typed numbers", well_typed)):
        report.rule(name, rule, record)
    check_log(record, report)


def count_of(item: Record) -> int:
    """How many tickets an item has; the last one is inclusive."""
    return 0 if item["tickets_start"] is None else item["tickets_end"] - item["tickets_start"] + 1


def check_tickets(record: Record, report: Report) -> int:
    """Ranges from 0 without gap or overlap, as many tickets as the room gives for the item; the answer is their number."""
    report.rule("tickets: rule", paid_in_full, record)
    tickets = 0
    for index, item in enumerate(record["items"]):
        count = due_tickets(item, record["rules"])
        due = (tickets, tickets + count - 1) if count else (None, None)
        if (item["tickets_start"], item["tickets_end"]) != due:
            report.same(f"tickets of item {index}", (item["tickets_start"], item["tickets_end"]), due)
        tickets += count
    report.same("tickets", (record["close"]["tickets"], record["outcome"]["tickets"]), (tickets, tickets), str(tickets))
    report.same("bank", record["bank"], sum(item["price"] for item in record["items"]))
    return tickets


def due_tickets(item: Record, rules: Record) -> int:
    """One per cent, one per item, or as many as were paid for."""
    if rules["tickets"] == "cent":
        return int(item["price"])
    if rules["tickets"] == "item":
        return 1
    return int(item["price"] // rules["raffle"]["ticket_price"])


def paid_in_full(record: Record) -> str:
    """In a raffle each purchase pays for whole tickets. Raises: Lie."""
    rules = record["rules"]
    if rules["raffle"] is not None:
        price = rules["raffle"]["ticket_price"]
        require(price > 0, "raffle tickets that cost nothing")
        require(all(item["price"] % price == 0 for item in record["items"]), f"a purchase of a fraction of a ticket at {price}")
    return f"one per {rules['tickets']}" if rules["raffle"] is None else "as many as were bought"


def check_players(record: Record, report: Report, tickets: int) -> None:
    """Everybody who bet, in the order of first bets, with his chance and whether he won."""
    own: dict[int, int] = {}
    for item in record["items"]:
        own[item["user_id"]] = own.get(item["user_id"], 0) + count_of(item)
    winners = {winner["user_id"] for winner in record["outcome"]["winners"]}
    found = [{"user_id": user, "chance": f"{count}/{tickets}", "is_winner": user in winners} for user, count in own.items()]
    report.same("players and their chances", record["players"], found, f"{len(found)} players")


def orderly(record: Record) -> str:
    """Bets are numbered from 1; all rows of one are of one user, one team and one moment; time does not run back."""
    moment, number = record["time_start"] or 0, 0
    require(not record["items"] or record["time_start"] is not None, "there are bets, but the game never began")
    for bet, rows in groupby(record["items"], key=lambda item: item["bet"]):
        first, *others = rows
        number += 1
        require(bet == number, f"bet {bet} stands where bet {number} is due")
        for name in ("user_id", "team", "time_ms", "client_seed"):
            require(all(row[name] == first[name] for row in others), f"bet {bet} has more than one {name}")
        require(first["time_ms"] >= moment, f"bet {bet} is older than the one before it")
        moment = first["time_ms"]
    require(record["close"]["close_ms"] >= moment, "the close is older than the last bet")
    deposits = [item["deposit_id"] for item in record["items"]]
    require(len(set(deposits)) == len(deposits), "a deposit was bet twice")
    return f"{number} bets, {len(deposits)} items"


def within_limits(record: Record) -> str:
    """Nothing stands in the pot that the room's limits had to refuse."""
    rules, items = record["rules"], record["items"]
    users, bets = _grouped(items, "user_id"), _grouped(items, "bet")
    require(_at_most(len(items), rules["item_limit_max"]), "more items than the pot holds")
    for user, rows in users.items():
        require(_at_most(len(rows), rules["bet_item_limit_max"]), f"user {user} has more items than a player may")
        require(_at_most(_worth(rows), rules["bet_value_max"]), f"user {user} bet more than a player may")
    for bet, rows in bets.items():
        require(_worth(rows) >= (rules["bet_value_min"] or 0), f"bet {bet} is below the least bet")
        require(any(count_of(row) for row in rows), f"bet {bet} has no ticket")
    allowed = rules["allowed_items"]
    require(allowed is None or all(item["item_id"] in allowed for item in items), "an item that the room does not allow")
    _check_teams(users, rules)
    _check_raffle(items, rules)
    return "kept"


def _check_teams(users: dict[int, list[Record]], rules: Record) -> None:
    """In team games each player is in one of two teams, and no team is over its limit; elsewhere there are no teams."""
    sides = {user: {row["team"] for row in rows} for user, rows in users.items()}
    if rules["mode"] != "teams":
        require(all(side == {0} for side in sides.values()), "a team in a room without teams")
        return
    require(all(len(side) == 1 and 0 not in side for side in sides.values()), "a player without a team, or in two")
    for team in (1, 2):
        require(sum(side == {team} for side in sides.values()) <= rules["team_limit"], f"team {team} is too large")


def _check_raffle(items: list[Record], rules: Record) -> None:
    """Raffle purchases are numbered from 1 and are all of the template; its ticket price covers price and commission."""
    raffle = rules["raffle"]
    if raffle is None:
        return
    require([item["deposit_id"] for item in items] == list(range(1, len(items) + 1)), "purchases are not numbered from 1")
    require(all(item["item_id"] == raffle["template"] for item in items), "a purchase of another template")
    full, tickets = raffle["price"] + raffle["commission"], raffle["tickets"]
    require(tickets > 0 and raffle["ticket_price"] == -(-full // tickets), "the ticket price does not follow from the template")
    require(sum(map(count_of, items)) <= tickets, "more tickets were sold than there are")


def well_typed(record: Record) -> str:
    """Typed numbers are digits, by two different operators, in the order of time, on their side of the close."""
    typed, close_ms = record["manual"], record["close"]["close_ms"]
    entropy = record["rules"]["entropy"]
    require(not typed or entropy.startswith("manual:"), "typed numbers in a room that draws by itself")
    after_close = entropy == "manual:direct"
    moment = record["outcome"]["opened_ms"] if after_close else max([item["time_ms"] for item in record["items"]], default=0)
    for entry in typed:
        digits = entry["digits"]
        require(digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX, "a typed number is not a number in digits")
        require(len({entry["operator1"], entry["operator2"]}) == OPERATORS, "one operator typed and confirmed a number")
        require(entry["time_ms"] >= moment, "a typed number is older than what it follows")
        moment = entry["time_ms"]
    require(after_close or not typed or moment <= close_ms, "a number was typed after the close")
    return f"{len(typed)} numbers" if typed else "none"


def check_log(record: Record, report: Report) -> None:
    """Chain every item, and in mixed mode every typed number, to the last value of the log."""
    value = record["log"]["start"]
    tickets = 0
    for index, item in enumerate(record["items"], 1):
        value = item_entry(value, index, item, tickets)
        tickets += count_of(item)
    if record["rules"]["entropy"] != "manual:direct":
        value = typed_log(value, record["manual"])
    report.same(f"log over {len(record['items'])} items", record["log"]["end"], value)


def item_entry(value: bytes, index: int, item: Record, first_ticket: int) -> bytes:
    """The log's next value after one item; this is also the receipt of who bet it."""
    numbers = ITEM_LAYOUT.pack(
        index,
        item["bet"],
        item["user_id"],
        item["item_id"],
        item["deposit_id"],
        item["price"],
        first_ticket,
        count_of(item),
        item["team"],
        item["time_ms"],
    )
    return sha256(TAG("lot1.item"), value, numbers, S(item["client_seed"]))


def typed_log(value: bytes, typed: list[Record]) -> bytes:
    """The log's value after these typed numbers."""
    for index, entry in enumerate(typed, 1):
        when = U64(entry["time_ms"]) + U64(entry["operator1"]) + U64(entry["operator2"])
        value = sha256(TAG("lot1.manual"), value, U32(index), S(entry["digits"]), when, S(entry["evidence"]))
    return value


def _grouped(rows: list[Record], name: str) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = {}
    for row in rows:
        found.setdefault(row[name], []).append(row)
    return found


def _worth(rows: list[Record]) -> int:
    return sum(row["price"] for row in rows)


def _at_most(value: int, limit: Any) -> bool:
    return limit is None or value <= limit
