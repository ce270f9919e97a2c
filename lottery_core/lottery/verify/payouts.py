"""Who gets which rows: each room's rule applied again, and then that no row and no cent appeared or vanished."""

from itertools import chain

from lottery.verify import rake
from lottery.verify.closing import drawn
from lottery.verify.pot import DEPOSIT, OWNER, PRICE, Row
from lottery.verify.reading.shape import Record
from lottery.verify.report import Report, require

LEVELS_MAX = 20
WHOLE = 100


def check(record: Record, report: Report) -> None:
    """Payouts, what stays with the house, conservation, referral credits. Raises: Lie."""
    outcome = record["outcome"]
    rule = RULES[record["rules"]["mode"]] if drawn(record) else refunds
    payouts, house = rule(record)
    if payouts and drawn(record):
        payouts[0]["guarantees"] = record["guarantees"]["deposit_id"]
    for index, (claimed, found) in enumerate(zip(outcome["payouts"], payouts, strict=False)):
        report.same(f"payout {index}, to user {found['user_id']}", claimed, found, said(found))
    report.same("payouts: number", len(outcome["payouts"]), len(payouts))
    report.same("house keeps", outcome["house"], house, f"{len(house)} rows")
    report.rule("rows in = rows out", conserve_rows, record)
    report.rule("value in = value out", conserve_value, record)
    report.rule("referral", referral, record)


def payout(user: int, claim: int, rows: list[int], credit: int = 0) -> Record:
    """What one winner gets, without guarantees and change."""
    return {"user_id": user, "claim": claim, "rows": rows, "guarantees": [], "change": [], "credit": credit}


def said(found: Record) -> str:
    """A payout in words."""
    parts = [f"{len(found['rows'])} rows", f"claim {found['claim']}"]
    parts += [f"credit {found['credit']}"] if found["credit"] else []
    parts += [f"{len(found[name])} of {name}" for name in ("guarantees", "change") if found[name]]
    return ", ".join(parts)


def refunds(record: Record) -> tuple[list[Record], list[int]]:
    """Void: everybody gets back what they bet; raffle tickets are paid back as credit."""
    items = record["items"]
    rows: dict[int, list[int]] = {user: [] for user in items["user_id"]}
    for user, deposit in zip(items["user_id"], items["deposit_id"], strict=True):
        rows[user].append(deposit)
    staked, paid = record["pot"].value_of, record["rules"]["mode"] == "raffle"
    return [
        payout(user, staked[user], [], staked[user]) if paid else payout(user, staked[user], rows[user]) for user in rows
    ], []


def classic(record: Record) -> tuple[list[Record], list[int]]:
    """The winner takes all but the rake: own rows, the others', and the change."""
    outcome = record["outcome"]
    winner, taken = outcome["winners"][0]["user_id"], outcome["rake"] or {"taken": [], "change": [], "net": 0}
    gone = set(taken["taken"])
    left = [row for row in record["pot"].dearest_first if row[DEPOSIT] not in gone]
    own = [row[DEPOSIT] for row in left if row[OWNER] == winner]
    others = [row[DEPOSIT] for row in left if row[OWNER] != winner]
    found = payout(winner, record["bank"] - taken["net"], own + others)
    found["change"] = taken["change"]
    return [found], taken["taken"]


def sitngo(record: Record) -> tuple[list[Record], list[int]]:
    """Shares are numbers of rows: first every winner's own rows, then the rest, in the order of the log."""
    winners, price = record["outcome"]["winners"], record["pot"].price_of
    wanted = row_counts(record["rules"]["shares"], len(winners))
    left = list(zip(record["items"]["deposit_id"], record["items"]["user_id"], strict=True))
    taken: list[list[int]] = []
    for winner, count in zip(winners, wanted, strict=True):
        own = [deposit for deposit, user in left if user == winner["user_id"]][:count]
        gone = set(own)
        left = [(deposit, user) for deposit, user in left if deposit not in gone]
        taken.append(own)
    for rows, count in zip(taken, wanted, strict=True):
        more = left[: count - len(rows)]
        left = left[len(more) :]
        rows += [deposit for deposit, _ in more]
    pairs = zip(winners, taken, strict=True)
    found = [payout(winner["user_id"], sum(price[row] for row in rows), rows) for winner, rows in pairs]
    return found, [deposit for deposit, _ in left]


def row_counts(shares: list[int], winners: int) -> list[int]:
    """Shares nobody won go to the winners in proportion to their own, what does not divide to the first."""
    won, spare = shares[:winners], sum(shares[winners:])
    extra = [spare * share // sum(won) for share in won]
    extra[0] += spare - sum(extra)
    return [share + more for share, more in zip(won, extra, strict=True)]


def giveaway(record: Record) -> tuple[list[Record], list[int]]:
    """The winner gets the prize and nothing else; in a raffle there are no rows at all."""
    house = [] if record["rules"]["mode"] == "raffle" else list(record["items"]["deposit_id"])
    return [payout(record["outcome"]["winners"][0]["user_id"], 0, [])], house


def pot(record: Record) -> tuple[list[Record], list[int]]:
    """Each winner gets a part less that winner's due."""
    winners = record["outcome"]["winners"]
    dues = record["outcome"]["rake"]["dues"] if record["outcome"]["rake"] else [{"due": 0} for _ in winners]
    claims = [part - each["due"] for part, each in zip(rake.parts(record), dues, strict=True)]
    return hand_out(record, claims)


def teams(record: Record) -> tuple[list[Record], list[int]]:
    """The survivors share the bank less the due in proportion to their bets; odd cents go to the largest bet."""
    winners, declared = record["outcome"]["winners"], record["outcome"]["rake"]
    bank = record["bank"] - (declared["due"] if declared else 0)
    bets = [winner["share"] for winner in winners]
    claims = [bank * bet // sum(bets) for bet in bets]
    claims[bets.index(max(bets))] += bank - sum(claims)
    return hand_out(record, claims)


def hand_out(record: Record, claims: list[int]) -> tuple[list[Record], list[int]]:
    """Own rows first, then the dearest row to the largest open claim; what fits nobody is the house's, the rest is credit."""
    taken = record["outcome"]["rake"]["taken"] if record["outcome"]["rake"] else []
    users = [winner["user_id"] for winner in record["outcome"]["winners"]]
    open_claims, given, gone = list(claims), [list[int]() for _ in users], set(taken)
    left = [row for row in record["pot"].dearest_first if row[DEPOSIT] not in gone]
    for index, user in enumerate(users):
        for row in [row for row in left if row[OWNER] == user]:
            if row[PRICE] <= open_claims[index]:
                give(row, index, open_claims, given)
    house, passed_on = list(taken), {deposit for rows in given for deposit in rows}
    for row in [row for row in left if row[DEPOSIT] not in passed_on]:
        index = open_claims.index(max(open_claims))
        if row[PRICE] <= open_claims[index]:
            give(row, index, open_claims, given)
        else:
            house.append(row[DEPOSIT])
    found = [payout(user, claim, rows) for user, claim, rows in zip(users, claims, given, strict=True)]
    hand_back(record, found, open_claims)
    return found, house


def hand_back(record: Record, found: list[Record], open_claims: list[int]) -> None:
    """What is open is met out of the house's stock, for one winner after the other, as near as it comes; the rest is credit."""
    most = rake.change_max(record)
    free = sorted([row for row in rake.pieces(record) if 0 < row[PRICE] <= most], key=rake.dearest)
    for each, cents in zip(found, open_claims, strict=True):
        given = rake.nearest(free, cents)
        free = [row for row in free if row not in given]
        each["change"], each["credit"] = sorted(rake.deposits(given)), cents - rake.worth(given)


def give(row: Row, index: int, open_claims: list[int], given: list[list[int]]) -> None:
    """One row to one winner."""
    given[index].append(row[DEPOSIT])
    open_claims[index] -= row[PRICE]


RULES = {"classic": classic, "sitngo": sitngo, "teams": teams, "pot": pot, "giveaway": giveaway, "raffle": giveaway}


def conserve_rows(record: Record) -> str:
    """Every deposit of the pot goes to exactly one place, change comes from the stock. Raises: Lie."""
    outcome = record["outcome"]
    rows_in = [] if record["rules"]["mode"] == "raffle" else record["items"]["deposit_id"]
    rows_out = [*chain.from_iterable([each["rows"] for each in outcome["payouts"]]), *outcome["house"]]
    require(sorted(rows_in) == sorted(rows_out), "some rows of the pot went nowhere, or to two places")
    change = [*chain.from_iterable([each["change"] for each in outcome["payouts"]])]
    require(len(set(change)) == len(change), "a piece of change goes to two places")
    require(set(change) <= set(record["stock"]["deposit_id"]), "change that is not of the stock")
    return f"{len(rows_in)} rows"


def conserve_value(record: Record) -> str:
    """Claims are met to the cent, and what came in goes to winners and house. Raises: Lie."""
    outcome, price = record["outcome"], record["pot"].price_of
    stock = dict(zip(record["stock"]["deposit_id"], record["stock"]["price"], strict=True))
    for each in outcome["payouts"]:
        met = sum(map(price.__getitem__, each["rows"])) + sum(map(stock.__getitem__, each["change"])) + each["credit"]
        require(met == each["claim"], "user {} is owed {} and gets {}", each["user_id"], each["claim"], met)
    claims = sum([each["claim"] for each in outcome["payouts"]])
    kept = money_kept(record) if record["rules"]["mode"] == "raffle" else rows_kept(record, price, stock)
    require(claims + kept == record["bank"], "{} came in, {} and {} went out", record["bank"], claims, kept)
    return f"{record['bank']} = {claims} to players + {kept} to the house"


def rows_kept(record: Record, price: dict[int, int], stock: dict[int, int]) -> int:
    """What the house keeps: its rows of the pot, less the change and the credit that it gave."""
    outcome = record["outcome"]
    given = sum([each["credit"] + sum([stock[row] for row in each["change"]]) for each in outcome["payouts"]])
    return sum([price[row] for row in outcome["house"]]) - int(given)


def money_kept(record: Record) -> int:
    """In a raffle there are no rows: the house keeps the money that it does not pay back, and never owes more."""
    credits = sum(int(each["credit"]) for each in record["outcome"]["payouts"])
    return int(record["bank"]) - credits


def referral(record: Record) -> str:
    """Each level gets its percent of the level before, from what the house collected from that winner. Raises: Lie."""
    above = {each["user_id"]: each["inviters"] for each in record["close"]["inviters"]}
    percent, due = record["rules"]["referral_percent"], []
    for user, base in referral_bases(record).items() if drawn(record) else ():
        if base > 0 and user in above:
            credits = levels(base, percent, len(above[user]))
            due.append({"user_id": user, "base": base, "inviters": above[user], "credits": credits})
    for claimed, found in zip(record["outcome"]["referral"], due, strict=False):
        require(claimed == found, "the credits of user {} are {}, not {}", found["user_id"], found, claimed)
    require(len(due) == len(record["outcome"]["referral"]), "{} winners were invited by somebody", len(due))
    return f"{sum(sum(entry['credits']) for entry in due)} cents to inviters"


def levels(base: int, percent: int, inviters: int) -> list[int]:
    """Credits from the nearest inviter outwards, until nothing is left to give."""
    found: list[int] = []
    while len(found) < min(inviters, LEVELS_MAX):
        base = base * percent // WHOLE
        if base == 0:
            break
        found.append(base)
    return found


def referral_bases(record: Record) -> dict[int, int]:
    """What the house collected from each winner."""
    outcome, mode = record["outcome"], record["rules"]["mode"]
    winners, declared = outcome["winners"], outcome["rake"]
    users, shares = [winner["user_id"] for winner in winners], [winner["share"] for winner in winners]
    collected = [0 for _ in users]
    if mode == "sitngo":
        price = record["pot"].price_of
        house = sum(price[row] for row in outcome["house"])
        counts = row_counts(record["rules"]["shares"], len(users))
        collected = [house * count // sum(counts) for count in counts]
    elif declared and mode == "classic":
        collected = [declared["net"]]
    elif declared and mode == "pot":
        collected = [each["due"] for each in declared["dues"]]
    elif declared and mode == "teams":
        collected = [declared["due"] * bet // sum(shares) for bet in shares]
    return dict(zip(users, collected, strict=True))
