"""Who won: each room's draws, made again with nothing but linear scans."""

from math import lcm

from lottery.verify import chance
from lottery.verify.closing import drawn as has_winners
from lottery.verify.reading.shape import Record
from lottery.verify.report import Report, require

SIDES = {1: "CT", 2: "T"}


def check(record: Record, report: Report) -> None:
    """Winners, their tickets and shares, and in team games who left. Raises: Lie."""
    outcome = record["outcome"]
    drawn: list[Record] = []
    gone: list[Record] = []
    report.rule("typed numbers used", typed_once, record)
    if has_winners(record):
        drawn, gone = survivors(record) if record["rules"]["mode"] == "teams" else (draws(record), [])
    report.same("eliminations", outcome["eliminations"], gone, ", ".join(str(each["user_id"]) for each in gone) or "none")
    report.same("winners", outcome["winners"], drawn, said(drawn))
    first = drawn[0]["ticket"] if drawn else None
    report.same("winning ticket", record["winning_ticket"], first, "none in this room" if first is None else None)


def said(winners: list[Record]) -> str:
    """Winners in words."""
    return ", ".join(f"{each['user_id']} with ticket {each['ticket']}" for each in winners) or "none, the round was not drawn"


def draws(record: Record) -> list[Record]:
    """One winner per share, nobody twice, until the shares or the tickets are used up."""
    found: list[Record] = []
    won: set[int] = set()
    for index, share in enumerate(shares_of(record)):
        if not tickets_left(record, won):
            break
        ticket, user = one_draw(record, won, index)
        won.add(user)
        found.append({"user_id": user, "ticket": ticket, "share": share})
    return found


def shares_of(record: Record) -> list[int]:
    """One entry per winner; rooms without shares have one winner."""
    rules = record["rules"]
    return list(rules["shares"]) if rules["mode"] in ("sitngo", "pot") else [1]


def tickets_left(record: Record, won: set[int]) -> int:
    """How many tickets there are of users who have not won."""
    own = record["pot"].tickets_of
    return int(record["pot"].all_tickets - sum([own[user] for user in won]))


def typed_once(record: Record) -> str:
    """There is one typed number for each draw; typed tickets are tickets, of somebody who has not won yet. Raises: Lie."""
    kind, typed = record["rules"]["entropy"], record["manual"]
    if not kind.startswith("manual:") or not has_winners(record):
        return "none"
    due, won = min(len(shares_of(record)), len(record["pot"].tickets_of)), set[int]()
    require(len(typed) == due, "{} numbers were typed for {} draws", len(typed), due)
    for entry in typed if kind == "manual:direct" else []:
        owner = owner_of_ticket(record, int(entry["digits"]))
        require(owner is not None and owner not in won, "{} is no ticket of anybody who could win", entry["digits"])
        won.add(owner or 0)
    return f"{due} numbers for {due} draws"


def one_draw(record: Record, won: set[int], index: int) -> tuple[int, int]:
    """Ticket and owner of one draw among the tickets of those who have not won."""
    kind, key, tickets = record["rules"]["entropy"], record["final"], tickets_left(record, won)
    if not kind.startswith("manual:"):
        return owner_of_place(record, won, chance.uniform(key, tickets, "winner", index))
    number = int(record["manual"][index]["digits"])
    if kind != "manual:direct":
        return owner_of_place(record, won, (chance.uniform(key, tickets, "manual", index) + number) % tickets)
    owner = owner_of_ticket(record, number)
    assert owner is not None
    return number, owner


def owner_of_place(record: Record, won: set[int], place: int) -> tuple[int, int]:
    """Walk over the tickets of those who have not won, in order, to the one at `place`: its number, and whose it is."""
    pot = record["pot"]
    for first, count, user in zip(pot.firsts, pot.tickets, pot.users, strict=True):
        if user in won:
            continue
        if place < count:
            return first + place, user
        place -= count
    raise ValueError("a draw beyond the last ticket")


def owner_of_ticket(record: Record, ticket: int) -> int | None:
    """Whose ticket this is, or None."""
    pot = record["pot"]
    columns = zip(pot.firsts, pot.tickets, pot.users, strict=True)
    return next((user for first, count, user in columns if first <= ticket < first + count), None)


def survivors(record: Record) -> tuple[list[Record], list[Record]]:
    """5v5: somebody leaves per draw until one team is empty; the answer is who stayed, and who left with which value."""
    bets, sides = seats(record)
    living, gone = list(bets), list[Record]()
    key, everyone = record["final"], lcm(*bets.values())
    while len({sides[user] for user in living}) == len(SIDES):
        weights = leaving_weights(record["rules"]["ranges"], {user: bets[user] for user in living}, everyone)
        value = chance.uniform(key, sum(weights.values()), "elim", len(gone))
        user = owner_of_weight(weights, value)
        living.remove(user)
        gone.append({"user_id": user, "value": value})
    return [{"user_id": user, "ticket": None, "share": bets[user]} for user in living], gone


def owner_of_weight(weights: dict[int, int], place: int) -> int:
    """Walk over the ranges in the order of seats to the one that holds `place`."""
    for user, weight in weights.items():
        if place < weight:
            return user
        place -= weight
    raise ValueError("a draw beyond the last weight")


def seats(record: Record) -> tuple[dict[int, int], dict[int, int]]:
    """Each player's bet in tickets, CT in the order of first bets and then T; and each player's side."""
    pot = record["pot"]
    sides = dict(zip(pot.users, record["items"]["team"], strict=True))
    return {user: bet for side in SIDES for user, bet in pot.tickets_of.items() if sides[user] == side}, sides


def leaving_weights(ranges: str, living: dict[int, int], everyone: int) -> dict[int, int]:
    """How likely each of the living is to leave: complement makes the game fair, inverse is the letter of the seed."""
    if ranges == "inverse":
        return {user: everyone // bet for user, bet in living.items()}
    total = sum(living.values())
    return {user: total - bet for user, bet in living.items()}
