"""Who gets which rows: each room's rule applied again, and then that no row and no cent appeared or vanished."""

from lottery.verify import rake
from lottery.verify.report import Report, require
from lottery.verify.shape import Record

LEVELS_MAX = 20
WHOLE = 100


def check(record: Record, report: Report) -> None:
    """Payouts, what stays with the house, conservation, referral credits. Raises: Lie."""
    outcome = record["outcome"]
    rule = refunds if outcome["void"] is not None else RULES[record["rules"]["mode"]]
    payouts, house = rule(record)
    if payouts and outcome["void"] is None:
        payouts[0]["guarantees"] = rake.numbers(outcome["guarantees"])
    for index, (claimed, found) in enumerate(zip(outcome["payouts"], payouts, strict=False)):
        report.same(f"payout {index}, to user {found['user_id']}", claimed, found, said(found))
    report.same("payouts: number", len(outcome["payouts"]), len(payouts))
    report.same("house keeps", outcome["house"], house, f"{len(house)} rows")
    report.rule("rows in = rows out", conserve_rows, record)
    report.rule("value in = value out", conserve_value, record)
    report.rule("referral", referral, record)


def payout(user: int, claim: int, rows: list[Record], credit: int = 0) -> Record:
    """What one winner gets, without guarantees and change."""
    return {"user_id": user, "claim": claim, "rows": rake.numbers(rows), "guarantees": [], "change": [], "credit": credit}


def said(found: Record) -> str:
    """A payout in words."""
    parts = [f"{len(found['rows'])} rows", f"claim {found['claim']}"]
    parts += [f"credit {found['credit']}"] if found["credit"] else []
    parts += [f"{len(found[name])} of {name}" for name in ("guarantees", "change") if found[name]]
    return ", ".join(parts)


def refunds(record: Record) -> tuple[list[Record], list[int]]:
    """Void: everybody gets back what he bet; raffle tickets are paid back as credit."""
    found = []
    for player in record["players"]:
        rows = [item for item in record["items"] if item["user_id"] == player["user_id"]]
        value = rake.worth(rows)
        paid = record["rules"]["mode"] == "raffle"
        found.append(payout(player["user_id"], value, [], value) if paid else payout(player["user_id"], value, rows))
    return found, []


def classic(record: Record) -> tuple[list[Record], list[int]]:
    """The winner takes all but the rake: his own rows, the others', and the change."""
    outcome = record["outcome"]
    user, taken = outcome["winners"][0]["user_id"], outcome["rake"] or {"taken": [], "change": [], "net": 0}
    gone = set(taken["taken"])
    left = [item for item in record["items"] if item["deposit_id"] not in gone]
    left = rake.dearest_first(left)
    rows = [row for row in left if row["user_id"] == user] + [row for row in left if row["user_id"] != user]
    found = payout(user, record["bank"] - taken["net"], rows)
    found["change"] = list(taken["change"])
    return [found], list(taken["taken"])


def sitngo(record: Record) -> tuple[list[Record], list[int]]:
    """Shares are numbers of rows: first everybody his own, then of the rest, in the order of the log."""
    winners, left = record["outcome"]["winners"], list(record["items"])
    wanted = row_counts(record["rules"]["shares"], len(winners))
    taken: list[list[Record]] = []
    for winner, count in zip(winners, wanted, strict=True):
        own = [row for row in left if row["user_id"] == winner["user_id"]][:count]
        gone = set(rake.numbers(own))
        left = [row for row in left if row["deposit_id"] not in gone]
        taken.append(own)
    for rows, count in zip(taken, wanted, strict=True):
        more = left[: count - len(rows)]
        left = left[len(more) :]
        rows += more
    pairs = zip(winners, taken, strict=True)
    return [payout(winner["user_id"], rake.worth(rows), rows) for winner, rows in pairs], rake.numbers(left)


def row_counts(shares: list[int], winners: int) -> list[int]:
    """Shares nobody won go to the winners in proportion to their own, what does not divide to the first."""
    won, spare = shares[:winners], sum(shares[winners:])
    extra = [spare * share // sum(won) for share in won]
    extra[0] += spare - sum(extra)
    return [share + more for share, more in zip(won, extra, strict=True)]


def giveaway(record: Record) -> tuple[list[Record], list[int]]:
    """The winner gets the prize and nothing else; in a raffle there are no rows at all."""
    house = [] if record["rules"]["mode"] == "raffle" else rake.numbers(record["items"])
    return [payout(record["outcome"]["winners"][0]["user_id"], 0, [])], house


def pot(record: Record) -> tuple[list[Record], list[int]]:
    """Each winner his part less his own due."""
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
    winners, taken = record["outcome"]["winners"], (record["outcome"]["rake"] or {"taken": []})["taken"]
    open_claims, given, gone = list(claims), [list[Record]() for _ in winners], set(taken)
    left = rake.dearest_first([item for item in record["items"] if item["deposit_id"] not in gone])
    for index, winner in enumerate(winners):
        for row in [row for row in left if row["user_id"] == winner["user_id"]]:
            if row["price"] <= open_claims[index]:
                give(row, index, open_claims, given)
    house = list(taken)
    passed_on = {row["deposit_id"] for rows in given for row in rows}
    for row in [row for row in left if row["deposit_id"] not in passed_on]:
        index = open_claims.index(max(open_claims))
        if row["price"] <= open_claims[index]:
            give(row, index, open_claims, given)
        else:
            house.append(row["deposit_id"])
    each = zip(winners, claims, given, open_claims, strict=True)
    return [payout(winner["user_id"], claim, rows, credit) for winner, claim, rows, credit in each], house


def give(row: Record, index: int, open_claims: list[int], given: list[list[Record]]) -> None:
    """One row to one winner."""
    given[index].append(row)
    open_claims[index] -= row["price"]


RULES = {"classic": classic, "sitngo": sitngo, "teams": teams, "pot": pot, "giveaway": giveaway, "raffle": giveaway}


def conserve_rows(record: Record) -> str:
    """Every deposit of the pot goes to exactly one place, guarantees and change come from outside it. Raises: Lie."""
    outcome = record["outcome"]
    rows_in = [] if record["rules"]["mode"] == "raffle" else rake.numbers(record["items"])
    rows_out = [deposit for each in outcome["payouts"] for deposit in each["rows"]] + outcome["house"]
    require(sorted(rows_in) == sorted(rows_out), "some rows of the pot went nowhere, or to two places")
    guarantees = rake.numbers(outcome["guarantees"])
    require(len({*guarantees, *rows_in}) == len(guarantees) + len(rows_in), "a guarantee is counted twice, or is in the pot")
    return f"{len(rows_in)} rows"


def conserve_value(record: Record) -> str:
    """Claims are met to the cent, and what came in goes to winners and house. Raises: Lie."""
    outcome, price = record["outcome"], {item["deposit_id"]: item["price"] for item in record["items"]}
    stock = dict((outcome["rake"] or {"stock": []})["stock"])
    for each in outcome["payouts"]:
        met = sum([price[row] for row in each["rows"]]) + sum([stock[row] for row in each["change"]]) + each["credit"]
        require(met == each["claim"], f"user {each['user_id']} is owed {each['claim']} and gets {met}")
    claims = sum(each["claim"] for each in outcome["payouts"])
    kept = money_kept(record) if record["rules"]["mode"] == "raffle" else rows_kept(record, price, stock)
    require(claims + kept == record["bank"], f"{record['bank']} came in, {claims} and {kept} went out")
    return f"{record['bank']} = {claims} to players + {kept} to the house"


def rows_kept(record: Record, price: dict[int, int], stock: dict[int, int]) -> int:
    """What the house keeps: its rows of the pot, less the change and the credit that it gave."""
    outcome = record["outcome"]
    given = sum(each["credit"] + sum(stock[row] for row in each["change"]) for each in outcome["payouts"])
    return sum(price[row] for row in outcome["house"]) - int(given)


def money_kept(record: Record) -> int:
    """In a raffle there are no rows: the house keeps the money that it does not pay back, and never owes more."""
    credits = sum(int(each["credit"]) for each in record["outcome"]["payouts"])
    return int(record["bank"]) - credits


def referral(record: Record) -> str:
    """Each level gets its percent of the level before, from what the house collected from that winner. Raises: Lie."""
    outcome, bases = record["outcome"], referral_bases(record)
    credited = [entry["user_id"] for entry in outcome["referral"]]
    order = [user for user in bases if user in credited]
    require(credited == order, "credits for somebody who did not win, twice, or out of order")
    for entry in outcome["referral"]:
        user, inviters = entry["user_id"], entry["inviters"]
        require(entry["base"] == bases[user] > 0, f"the base of user {user} is {bases[user]}, not {entry['base']}")
        require(bool(inviters) and len({user, *inviters}) == len(inviters) + 1, f"the inviters of user {user} form a circle")
        due = levels(entry["base"], record["rules"]["referral_percent"], len(inviters))
        require(entry["credits"] == due, f"credits for user {user} are {due}, not {entry['credits']}")
    return f"{sum(sum(entry['credits']) for entry in outcome['referral'])} cents to inviters"


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
        price = {item["deposit_id"]: item["price"] for item in record["items"]}
        house = sum(price[row] for row in outcome["house"])
        collected = [house * share // sum(shares) for share in shares]
    elif declared and mode == "classic":
        collected = [declared["net"]]
    elif declared and mode == "pot":
        collected = [each["due"] for each in declared["dues"]]
    elif declared and mode == "teams":
        collected = [declared["due"] * bet // sum(shares) for bet in shares]
    return dict(zip(users, collected, strict=True))
