"""The game: each bet in the chained log, a ticket for each cent, and the limits of the room."""

import hashlib
import struct
from collections import Counter, deque
from collections.abc import Iterator, Sequence

from lottery.encoding import TAG, U32, U64, S, sha256
from lottery.verify.pot import Pot, totals
from lottery.verify.reading.rows import NO_TICKET
from lottery.verify.reading.shape import Record
from lottery.verify.report import Report, require

# The tag, the log's value, U32 i, U64 bet, user, item, deposit, price, first ticket, ticket count, U8 team, U64 time, and
# the length that begins the client seed's S: all big-endian, without gaps.
ITEM_LAYOUT = struct.Struct(">10s32sIQQQQQQQBQI")
ITEM_TAG = TAG("lot2.item")
OPERATORS = 2
DIGITS_MAX = 100
TICKETS_MAX = 10**18 - 1


def check(record: Record, report: Report) -> None:
    """Tickets, players, order and limits, then the log over all of it. Raises: Lie."""
    report.rule("tickets: rule", paid_in_full, record)
    record["pot"] = Pot(record["items"], record["rules"])
    check_tickets(record, report)
    check_players(record, report)
    for name, rule in (("order of bets", orderly), ("limits of the room", within_limits), ("typed numbers", well_typed)):
        report.rule(name, rule, record)
    check_log(record, report)


def paid_in_full(record: Record) -> str:
    """In a raffle each purchase pays for whole tickets. Raises: Lie."""
    rules = record["rules"]
    if rules["raffle"] is None:
        return f"one per {rules['tickets']}"
    full = rules["raffle"]["ticket_price"]
    require(all(price % full == 0 for price in record["items"]["price"]), "a purchase of a fraction of a ticket at {}", full)
    return "as many as were bought"


def check_tickets(record: Record, report: Report) -> None:
    """Ranges from 0 without gap or overlap, as many tickets as the room gives for the item, and their sums."""
    items, pot = record["items"], record["pot"]
    columns = zip(items["tickets_start"], items["tickets_end"], pot.firsts, pot.tickets, strict=True)
    for index, (start, end, first, count) in enumerate(columns):
        if not (count and start == first and end == first + count - 1):
            due = (first, first + count - 1) if count else (NO_TICKET, NO_TICKET)
            report.same(f"tickets of item {index}", (start, end), due)
    tickets = pot.all_tickets
    report.same("tickets", (record["close"]["tickets"], record["outcome"]["tickets"]), (tickets, tickets), str(tickets))
    report.same("bank", record["bank"], pot.bank)
    report.holds("bank: countable", max(pot.bank, tickets) <= TICKETS_MAX, "yes", "more than the decimal number can tell apart")


def check_players(record: Record, report: Report) -> None:
    """Everybody who bet, in the order of first bets, with the chance and whether they won."""
    own, tickets = record["pot"].tickets_of, record["pot"].all_tickets
    winners = {winner["user_id"] for winner in record["outcome"]["winners"]}
    found = {
        "user_id": list(own),
        "chance": [f"{count}/{tickets}" for count in own.values()],
        "is_winner": [user in winners for user in own],
    }
    report.same("players and their chances", record["players"], found, f"{len(own)} players")


def orderly(record: Record) -> str:
    """Bets are numbered from 1; all rows of one are of one user, one team and one moment; time does not run back."""
    items, times, pot = record["items"], record["items"]["time_ms"], record["pot"]
    numbers = pot.value_of_bet
    in_order = list(numbers) == list(range(1, len(numbers) + 1)) and rising(items["bet"])
    require(not times or record["time_start"] is not None, "there are bets, but the game never began")
    require(in_order, "bets are out of order")
    whole = set(zip(items["bet"], items["user_id"], times, items["team"], items["client_seed"], strict=True))
    require(len(whole) == len(numbers), "a bet has more than one user, moment, team or client seed")
    first, last = (times[0], times[-1]) if times else (record["close"]["close_ms"], record["time_start"] or 0)
    in_time = (record["time_start"] or 0) <= first and rising(times) and last <= record["close"]["close_ms"]
    require(in_time, "time runs back between the start, the bets and the close")
    require(len(pot.price_of) == pot.size, "a deposit was bet twice")
    house = (*record["guarantees"]["deposit_id"], *record["stock"]["deposit_id"])
    require(record["rules"]["raffle"] is not None or pot.price_of.keys().isdisjoint(house), "a piece of the house was bet")
    return f"{len(numbers)} bets, {pot.size} items"


def rising(values: Sequence[int]) -> bool:
    """None is smaller than the one before it."""
    return list(values) == sorted(values)


def within_limits(record: Record) -> str:
    """Nothing stands in the pot that the room's limits had to refuse."""
    rules, pot = record["rules"], record["pot"]
    full = rules["item_limit_max"]
    require(full is None or pot.size <= full, "more items than the pot holds")
    if rules["bet_item_limit_max"] is not None:
        most = max(Counter(pot.users).values(), default=0)
        require(most <= rules["bet_item_limit_max"], "more items of one player than allowed")
    if rules["bet_value_max"] is not None:
        most = max(pot.value_of.values(), default=0)
        require(most <= rules["bet_value_max"], "one player bet more than allowed")
    if rules["bet_value_min"]:
        least = min(pot.value_of_bet.values(), default=None)
        require(least is None or least >= rules["bet_value_min"], "a bet is below the least bet")
    require(all(pot.tickets) or all(totals(record["items"]["bet"], pot.tickets).values()), "a bet has no ticket")
    allowed = rules["allowed_items"]
    require(allowed is None or set(record["items"]["item_id"]) <= set(allowed), "an item that the room does not allow")
    _check_teams(record)
    _check_raffle(record)
    return "kept"


def _check_teams(record: Record) -> None:
    """In team games each player is in one of two teams, and no team is over its limit; elsewhere there are no teams."""
    items = record["items"]
    if record["rules"]["mode"] != "teams":
        require(not any(items["team"]), "a team in a room without teams")
        return
    members = set(zip(items["user_id"], items["team"], strict=True))
    sides = [team for _, team in members]
    require(0 not in sides and len({user for user, _ in members}) == len(members), "a player without a team, or in two")
    for team in (1, 2):
        require(sides.count(team) <= record["rules"]["team_limit"], "team {} is too large", team)


def _check_raffle(record: Record) -> None:
    """Raffle purchases are numbered from 1, are all of the template, and no more than it has tickets."""
    items, raffle = record["items"], record["rules"]["raffle"]
    if raffle is None:
        return
    deposits = items["deposit_id"]
    require(list(deposits) == list(range(1, len(deposits) + 1)), "purchases are not numbered from 1")
    require(set(items["item_id"]) <= {raffle["template"]}, "a purchase of another template")
    require(record["pot"].all_tickets <= raffle["tickets"], "more tickets were sold than there are")


def well_typed(record: Record) -> str:
    """Typed numbers are digits, by two different operators, in the order of time, on their side of the close."""
    typed, close_ms = record["manual"], record["close"]["close_ms"]
    entropy = record["rules"]["entropy"]
    require(not typed or entropy.startswith("manual:"), "typed numbers in a room that draws by itself")
    after_close = entropy == "manual:direct"
    opened = record["outcome"]["opened_ms"]
    require(not typed or not after_close or opened is not None, "numbers were typed before the secret was opened")
    moment = opened if after_close else max(record["items"]["time_ms"], default=0)
    for entry in typed:
        digits = entry["digits"]
        require(digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX, "a typed number is not a number in digits")
        require(len({entry["operator1"], entry["operator2"]}) == OPERATORS, "one operator typed and confirmed a number")
        require(entry["time_ms"] >= moment, "a typed number is older than what it follows")
        moment = entry["time_ms"]
    require(after_close or not typed or moment <= close_ms, "a number was typed after the close")
    require(all(entry["evidence"] for entry in typed), "a typed number cannot be seen anywhere")
    return f"{len(typed)} numbers" if typed else "none"


def check_log(record: Record, report: Report) -> None:
    """Chain every item, and in mixed mode every typed number, to the last value of the log."""
    value = item_log(record["log"]["start"], record["pot"])
    if record["rules"]["entropy"] != "manual:direct":
        value = typed_log(value, record["manual"])
    report.same(f"log over {record['pot'].size} items", record["log"]["end"], value)


def item_log(value: bytes, pot: Pot) -> bytes:
    """The log's value after these items."""
    return deque(item_logs(value, pot), maxlen=1)[0] if pot.size else value


def item_logs(value: bytes, pot: Pot) -> Iterator[bytes]:
    """The log's value after each item: the one after a bet's last item is also the receipt of who bet it."""
    items, pack, hash_of = pot.items, ITEM_LAYOUT.pack, hashlib.sha256
    who = (range(1, pot.size + 1), items["bet"], pot.users, items["item_id"], items["deposit_id"], pot.prices)
    what = (pot.firsts, pot.tickets, items["team"], items["time_ms"], map(str.encode, items["client_seed"]))
    for i, bet, user, item, deposit, price, first, count, team, time_ms, seed in zip(*who, *what, strict=True):
        told = pack(ITEM_TAG, value, i, bet, user, item, deposit, price, first, count, team, time_ms, len(seed))
        value = hash_of(told + seed).digest()
        yield value


def typed_log(value: bytes, typed: list[Record]) -> bytes:
    """The log's value after these typed numbers."""
    for index, entry in enumerate(typed, 1):
        when = U64(entry["time_ms"]) + U64(entry["operator1"]) + U64(entry["operator2"])
        value = sha256(TAG("lot2.manual"), value, U32(index), S(entry["digits"]), when, S(entry["evidence"]))
    return value
