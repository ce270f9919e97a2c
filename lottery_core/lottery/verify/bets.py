"""The game: each bet in the chained log, a ticket for each cent, and the limits of the room."""

import hashlib
import struct
from collections import Counter, defaultdict

from lottery.encoding import TAG, U32, U64, S, sha256
from lottery.verify.report import Lie, Report, require
from lottery.verify.shape import Record

# U32 i, U64 bet, user, item, deposit, price, first ticket, ticket count, U8 team, U64 time, and the length that begins the
# client seed's S: all big-endian, without gaps.
ITEM_LAYOUT = struct.Struct(">IQQQQQQQBQI")
ITEM_TAG = TAG("lot1.item")
OPERATORS = 2
DIGITS_MAX = 1000


def check(record: Record, report: Report) -> None:
    """Tickets, players, order and limits, then the log over all of it. Raises: Lie."""
    tickets = check_tickets(record, report)
    check_players(record, report, tickets)
    for name, rule in (("order of bets", orderly), ("limits of the room", within_limits), ("typed numbers", well_typed)):
        report.rule(name, rule, record)
    check_log(record, report)


def check_tickets(record: Record, report: Report) -> int:
    """Ranges from 0 without gap or overlap, as many tickets as the room gives for the item; the answer is their number."""
    report.rule("tickets: rule", paid_in_full, record)
    tickets = 0
    for index, (item, count) in enumerate(zip(record["items"], due_counts(record), strict=True)):
        start, end = (tickets, tickets + count - 1) if count else (None, None)
        if item["tickets_start"] != start or item["tickets_end"] != end:
            report.same(f"tickets of item {index}", (item["tickets_start"], item["tickets_end"]), (start, end))
        tickets += count
    report.same("tickets", (record["close"]["tickets"], record["outcome"]["tickets"]), (tickets, tickets), str(tickets))
    report.same("bank", record["bank"], sum(item["price"] for item in record["items"]))
    return tickets


def due_counts(record: Record) -> list[int]:
    """Tickets for each item: one per cent, one per item, or as many as were paid for."""
    kind, prices = record["rules"]["tickets"], [item["price"] for item in record["items"]]
    if kind == "cent":
        return prices
    if kind == "item":
        return [1 for _ in prices]
    return [price // record["rules"]["raffle"]["ticket_price"] for price in prices]


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
    own = _totals(record["items"], "user_id", "count")
    winners = {winner["user_id"] for winner in record["outcome"]["winners"]}
    found = [{"user_id": user, "chance": f"{count}/{tickets}", "is_winner": user in winners} for user, count in own.items()]
    report.same("players and their chances", record["players"], found, f"{len(found)} players")


def orderly(record: Record) -> str:
    """Bets are numbered from 1; all rows of one are of one user, one team and one moment; time does not run back."""
    items, number, moment, head = record["items"], 0, record["time_start"] or 0, None
    require(not items or record["time_start"] is not None, "there are bets, but the game never began")
    for item in items:
        user, time_ms = item["user_id"], item["time_ms"]
        of_bet = (user, time_ms, item["team"], item["client_seed"])
        if item["bet"] != number:
            number, head = number + 1, of_bet
            require(time_ms >= moment, "a bet is older than the one before it")
            moment = time_ms
        if item["bet"] != number or of_bet != head:
            raise Lie(f"bet {number} is out of order, or has more than one user, moment, team or client seed")
    require(record["close"]["close_ms"] >= moment, "the close is older than the last bet")
    require(len({item["deposit_id"] for item in items}) == len(items), "a deposit was bet twice")
    return f"{number} bets, {len(items)} items"


def within_limits(record: Record) -> str:
    """Nothing stands in the pot that the room's limits had to refuse."""
    rules, items = record["rules"], record["items"]
    full = rules["item_limit_max"]
    require(full is None or len(items) <= full, "more items than the pot holds")
    if rules["bet_item_limit_max"] is not None:
        most = max(Counter([item["user_id"] for item in items]).values(), default=0)
        require(most <= rules["bet_item_limit_max"], "more items of one player than he may bet")
    if rules["bet_value_max"] is not None:
        most = max(_totals(items, "user_id", "price").values(), default=0)
        require(most <= rules["bet_value_max"], "one player bet more than he may")
    if rules["bet_value_min"]:
        least = min(_totals(items, "bet", "price").values(), default=None)
        require(least is None or least >= rules["bet_value_min"], "a bet is below the least bet")
    with_tickets = {item["bet"] for item in items if item["count"]}
    require(with_tickets == {item["bet"] for item in items}, "a bet has no ticket")
    allowed = rules["allowed_items"]
    require(allowed is None or {item["item_id"] for item in items} <= set(allowed), "an item that the room does not allow")
    _check_teams(record)
    _check_raffle(items, rules)
    return "kept"


def _check_teams(record: Record) -> None:
    """In team games each player is in one of two teams, and no team is over its limit; elsewhere there are no teams."""
    if record["rules"]["mode"] != "teams":
        require({item["team"] for item in record["items"]} <= {0}, "a team in a room without teams")
        return
    members = {(item["user_id"], item["team"]) for item in record["items"]}
    sides = [team for _, team in members]
    require(0 not in sides and len({user for user, _ in members}) == len(members), "a player without a team, or in two")
    for team in (1, 2):
        require(sides.count(team) <= record["rules"]["team_limit"], f"team {team} is too large")


def _check_raffle(items: list[Record], rules: Record) -> None:
    """Raffle purchases are numbered from 1 and are all of the template; its ticket price covers price and commission."""
    raffle = rules["raffle"]
    if raffle is None:
        return
    require([item["deposit_id"] for item in items] == list(range(1, len(items) + 1)), "purchases are not numbered from 1")
    require(all(item["item_id"] == raffle["template"] for item in items), "a purchase of another template")
    full, tickets = raffle["price"] + raffle["commission"], raffle["tickets"]
    require(tickets > 0 and raffle["ticket_price"] == -(-full // tickets), "the ticket price does not follow from the template")
    require(sum(item["count"] for item in items) <= tickets, "more tickets were sold than there are")


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
    value, tickets = record["log"]["start"], 0
    for index, item in enumerate(record["items"], 1):
        value = item_entry(value, index, item, tickets)
        tickets += item["count"]
    if record["rules"]["entropy"] != "manual:direct":
        value = typed_log(value, record["manual"])
    report.same(f"log over {len(record['items'])} items", record["log"]["end"], value)


def item_entry(value: bytes, index: int, item: Record, first_ticket: int) -> bytes:
    """The log's next value after one item; this is also the receipt of who bet it."""
    seed = item["client_seed"].encode()
    numbers = ITEM_LAYOUT.pack(
        index,
        item["bet"],
        item["user_id"],
        item["item_id"],
        item["deposit_id"],
        item["price"],
        first_ticket,
        item["count"],
        item["team"],
        item["time_ms"],
        len(seed),
    )
    return hashlib.sha256(ITEM_TAG + value + numbers + seed).digest()


def typed_log(value: bytes, typed: list[Record]) -> bytes:
    """The log's value after these typed numbers."""
    for index, entry in enumerate(typed, 1):
        when = U64(entry["time_ms"]) + U64(entry["operator1"]) + U64(entry["operator2"])
        value = sha256(TAG("lot1.manual"), value, U32(index), S(entry["digits"]), when, S(entry["evidence"]))
    return value


def _totals(items: list[Record], whose: str, what: str) -> dict[int, int]:
    """Cents or tickets by user or by bet, in the order of the log."""
    found: defaultdict[int, int] = defaultdict(int)
    for item in items:
        found[item[whose]] += item[what]
    return found
