"""The rake: the due by table, and the one choice of items that the rule allows (docs/record-format.md, "rake").

Sums of prices are sets written as one integer: bit s is set when some of the rows add up to s. `sums | sums << price` adds one.
"""

from collections.abc import Iterable
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from lottery.verify.closing import drawn
from lottery.verify.pot import DEPOSIT, ITEM, OWNER, PRICE, Row, totals
from lottery.verify.reading.shape import Record
from lottery.verify.report import Report

SPINE_TRIES = 7
BASE_REST = 65_536
ROWS_MAX = 256
SUMS_BITS = 1 << 24
WHOLE, WHOLE_BP = 100, 10_000
CHANGE_MAX = 65_535
CARRY_PART = 4


class Take(NamedTuple):
    """Rows that the house takes, and rows of its stock that it hands back."""

    rows: list[Row]
    back: list[Row]


def check(record: Record, report: Report) -> None:
    """Dues, target, and that exactly the rows were taken which the rule picks. Raises: Lie."""
    rake = record["outcome"]["rake"]
    if record["rules"]["rake"] is None or not drawn(record):
        report.same("rake", rake, None, "none in this round")
        return
    report.holds("rake", rake is not None, "by table", "missing")
    dues = due_list(record)
    report.same("rake: dues by table", rake["dues"], dues, ", ".join(f"{each['percent']} % of {each['base']}" for each in dues))
    report.same("rake: due", rake["due"], sum(each["due"] for each in dues))
    report.same("rake: carry of earlier rests", rake["carry"], carry(record))
    if record["rules"]["mode"] == "classic":
        check_choice(record, report)
    else:
        check_taken(record, report)
    report.same("rake: collected of rests", rake["carried"], carried(record))
    report.same("rake: shortfall", rake["shortfall"], max(0, rake["due"] - rake["net"]))


def due_list(record: Record) -> list[Record]:
    """What each winner owes: the pot's rate for that chance; in team games one for all, at most what the losers staked."""
    mode, table, total = record["rules"]["mode"], record["rules"]["rake"], record["close"]["tickets"]
    pot, users = record["pot"], [winner["user_id"] for winner in record["outcome"]["winners"]]
    if mode == "teams":
        sides = record["items"]["team"]
        own = totals(sides, pot.tickets)[sides[pot.users.index(users[0])]]
        due, staked = one_due(table, None, own, total, record["bank"]), sum(pot.tickets_of[user] for user in users)
        return [{**due, "due": min(due["due"], record["bank"] - staked)}]
    bases = parts(record) if mode == "pot" else [record["bank"]]
    return [one_due(table, user, pot.tickets_of[user], total, base) for user, base in zip(users, bases, strict=True)]


def one_due(table: list[list[int]], user: int | None, own: int, total: int, base: int) -> Record:
    """The first row of the table whose upper border the chance does not reach; a chance of 100 % is in the last row."""
    percent = next((rate for upper, rate in table if WHOLE * own < upper * total), table[-1][1])
    return {"user_id": user, "tickets": own, "percent": percent, "base": base, "due": base * percent // WHOLE}


def parts(record: Record) -> list[int]:
    """Global Pot: the bank by the shares of those drawn; cents that do not divide go to the first."""
    shares = [winner["share"] for winner in record["outcome"]["winners"]]
    found = [record["bank"] * share // sum(shares) for share in shares]
    found[0] += record["bank"] - sum(found)
    return found


def rests(record: Record) -> list[Record]:
    """What the winner of a classic room still owed, as the close bound it."""
    if record["rules"]["mode"] != "classic":
        return []
    winner = record["outcome"]["winners"][0]["user_id"]
    return [each for each in record["close"]["rests"] if each["user_id"] == winner]


def carry(record: Record) -> int:
    """Rests that are asked for: not more than the due, and with it not more than a quarter of what the others staked."""
    owed, due = sum(each["cents"] for each in rests(record)), record["outcome"]["rake"]["due"]
    if not owed:
        return 0
    others = record["bank"] - record["pot"].value_of[record["outcome"]["winners"][0]["user_id"]]
    return int(max(0, min(owed, due, others // CARRY_PART - due)))


def carried(record: Record) -> list[Record]:
    """What came in above the due pays the rests, in the order in which they were bound."""
    rake = record["outcome"]["rake"]
    over, found = max(0, rake["net"] - rake["due"]), []
    for each in rests(record):
        part = min(over, each["cents"])
        over -= part
        found += [{"seal": each["seal"], "cents": part}] if part else []
    return found


def change_max(record: Record) -> int:
    """How much may be handed back for one row that is too dear: a sum, or a part of the pot if that is more."""
    rules = record["rules"]
    return int(min(CHANGE_MAX, max(rules["rake_change_max"], record["bank"] * (rules["rake_change_max_bp"] or 0) // WHOLE_BP)))


def pieces(record: Record) -> Iterable[Row]:
    """The house's stock for change, each piece with its price."""
    return zip(record["stock"]["deposit_id"], record["stock"]["price"], strict=True)


def check_choice(record: Record, report: Report) -> None:
    """Classic: choose again, by the rule; the record must have chosen the same rows, and the same change."""
    rake = record["outcome"]["rake"]
    target = rake["due"] + rake["carry"]
    take = choose(record, target)
    net = worth(take.rows) - worth(take.back)
    report.same("rake: rows taken", rake["taken"], deposits(take.rows), listed(take.rows))
    report.same("rake: change from the house", rake["change"], sorted(deposits(take.back)), listed(take.back))
    report.same("rake: net", rake["net"], net)
    report.holds("rake: not above the due", 0 <= net <= target, f"{net} of {target}", f"{net} is above {target}")


def check_taken(record: Record, report: Report) -> None:
    """Teams and pots: rows of those who did not win, at most the due; claims and change make up the rest to the cent."""
    rake = record["outcome"]["rake"]
    winners = {winner["user_id"] for winner in record["outcome"]["winners"]}
    rows = preferred(record["pot"].dearest_first, record["rules"]["priority_items"])
    take = nearest([row for row in rows if row[OWNER] not in winners], rake["due"])
    report.same("rake: rows taken", rake["taken"], deposits(take), listed(take))
    change = sorted(row for each in record["outcome"]["payouts"] for row in each["change"])
    report.same("rake: change from the house", rake["change"], change, f"{len(change)} rows")
    report.same("rake: net", rake["net"], rake["due"])


def choose(record: Record, target: int) -> Take:
    """Rows of others first; the whole pot only if those do not make the target; else the best below it."""
    winners = {winner["user_id"] for winner in record["outcome"]["winners"]}
    rows = preferred(record["pot"].dearest_first, record["rules"]["priority_items"])
    others = [row for row in rows if row[OWNER] not in winners]
    for pool in (others, rows):
        take = exactly(pool, target) or with_change(pool, target, sorted(pieces(record)), change_max(record))
        if take is not None:
            return take
    below, below_whole = at_most(others, target), at_most(rows, target)
    return below_whole if worth(below_whole.rows) > worth(below.rows) else below


def nearest(pool: list[Row], target: int) -> list[Row]:
    """Rows that make the target to the cent, or else as near below it as they come."""
    return (exactly(pool, target) or at_most(pool, target)).rows


def preferred(rows: list[Row], priority: list[int]) -> list[Row]:
    """Rows of value, priority items before all others, else in the same order."""
    first, valued = set(priority), [row for row in rows if row[PRICE]]
    if not first:
        return valued
    return [row for row in valued if row[ITEM] in first] + [row for row in valued if row[ITEM] not in first]


def tries(pool: list[Row], target: int) -> list[list[Row]]:
    """The beginnings of the greedy spine that are kept, longest first; the base try is always among them, and the last one."""
    spine: list[Row] = []
    rest, base = target, 0
    for row in pool:
        if row[PRICE] <= rest:
            spine.append(row)
            base += rest >= BASE_REST
            rest -= row[PRICE]
    lengths = list(range(len(spine), base - 1, -1))[:SPINE_TRIES]
    if base not in lengths:
        lengths.append(base)
    return [spine[:count] for count in lengths]


def exactly(pool: list[Row], target: int) -> Take | None:
    """Keep some of the spine, and make up the rest to the cent."""
    for kept in tries(pool, target):
        rest = target - worth(kept)
        if rest >= BASE_REST:
            continue  # no row fits it, and nobody could list its sums
        rows = fitting(pool, kept, rest)
        reached = add_up(rows, rest, stop=rest)
        if reached[-1] >> rest & 1:
            return Take(kept + walk_back(rows, reached, rest), [])
    return None


def with_change(pool: list[Row], target: int, stock: list[Row], change_max: int) -> Take | None:
    """Take a little more than the rest, and hand the difference back from the house's stock, to the cent."""
    small = [piece for piece in stock if 0 < piece[PRICE] <= change_max]
    if not small:
        return None
    house = add_up(small, change_max)
    for kept in tries(pool, target):
        rest = target - worth(kept)
        if rest >= BASE_REST:
            gone = set(deposits(kept))
            take = one_dear_row([row for row in pool if row[DEPOSIT] not in gone], rest, small, house)
            if take is not None:
                return Take(kept + take.rows, take.back)
            continue
        rows = fitting(pool, kept, rest + change_max)
        reached = add_up(rows, rest + change_max)
        both = reached[-1] >> rest & house[-1]
        if both:
            back = lowest_bit(both)
            return Take(kept + walk_back(rows, reached, rest + back), walk_back(small, house, back))
    return None


def one_dear_row(rows: list[Row], rest: int, small: list[Row], house: list[int]) -> Take | None:
    """A rest too large for a set of sums, which no row fits: the cheapest row above it for which there is change."""
    for row in sorted(rows, key=itemgetter(PRICE)):
        back = row[PRICE] - rest
        if 0 < back < house[-1].bit_length() and house[-1] >> back & 1:
            return Take([row], walk_back(small, house, back))
    return None


def at_most(pool: list[Row], target: int) -> Take:
    """The greatest sum that does not pass the target and that the base try finds, or the whole spine where that is more."""
    beginnings = tries(pool, target)
    spine, kept = beginnings[0], beginnings[-1]
    rest = target - worth(kept)
    rows = fitting(pool, kept, rest)
    reached = add_up(rows, rest if rest < BASE_REST else 0)
    best = reached[-1].bit_length() - 1
    if worth(spine) > worth(kept) + best:
        return Take(spine, [])
    return Take(kept + walk_back(rows, reached, best), [])


def fitting(pool: list[Row], kept: list[Row], most: int) -> list[Row]:
    """The other rows of the pool that are not too dear; so many that nobody waits for them."""
    without, longest = set(deposits(kept)), min(ROWS_MAX, SUMS_BITS // (most + 1))
    return list(islice((row for row in pool if row[PRICE] <= most and row[DEPOSIT] not in without), longest))


def add_up(rows: list[Row], most: int, stop: int | None = None) -> list[int]:
    """Which sums up to `most` the first 0, 1, 2 … rows can make; it ends early when `stop` is made."""
    sums, reached, mask = 1, [1], (1 << most + 1) - 1
    for row in rows:
        if stop is not None and sums >> stop & 1:
            break
        sums = (sums | sums << row[PRICE]) & mask
        reached.append(sums)
    return reached


def walk_back(rows: list[Row], reached: list[int], value: int) -> list[Row]:
    """Rows that make `value`: from the last one on, leave each row without which it can be made as well."""
    taken: list[Row] = []
    for index in range(len(reached) - 1, 0, -1):
        if not reached[index - 1] >> value & 1:
            taken.insert(0, rows[index - 1])
            value -= rows[index - 1][PRICE]
    return taken


def dearest(row: Row) -> tuple[int, int]:
    """Dearest first, then the lower deposit."""
    return -row[PRICE], row[DEPOSIT]


def lowest_bit(bits: int) -> int:
    """The least sum in a set of sums."""
    return (bits & -bits).bit_length() - 1


def worth(rows: Iterable[Row]) -> int:
    """What the rows cost together, in cents."""
    return sum([row[PRICE] for row in rows])


def deposits(rows: Iterable[Row]) -> list[int]:
    """The deposits of the rows."""
    return [row[DEPOSIT] for row in rows]


def listed(rows: list[Row]) -> str:
    """Rows in words."""
    return f"{len(rows)} rows worth {worth(rows)}" if rows else "none"
