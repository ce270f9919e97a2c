"""The story of one round in plain sentences, with its own numbers filled in."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from lottery import verify
from lottery.verify.reading.shape import MODES, read
from lottery.verify.reading.strict import parse

Record = dict[str, Any]
NAMES = {number: name for name, number in MODES.items()}
TEAMS = {1: "CT", 2: "T"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHOWN_DIGITS = 20
SHOWN_HEX = 16
SHOWN_PLAYERS = 20
CHANCE_STEP = Decimal("0.0001")
CLOSED = {
    "items": "the pot held as many items as it may",
    "bank": "the bank reached its limit",
    "time": "the clock ran out",
    "manual": "the last number was typed",
    "sold_out": "the last ticket was sold",
    "few": "there were too few players when it ended",
    "lonely": "one player had been alone for too long",
    "too_long": "it had been open for too long",
    "expired": "it was not sold out in time",
    "operator": "an operator ended it",
    "failure": "the house could not go on",
}


def story(text: bytes) -> tuple[list[str], str]:
    """Sentences about a record, and the verdict on it: a lie has no story. Raises: verify.Unreadable."""
    record = read(parse(text))
    report = verify.checked(record)
    if report.verdict == verify.LIE:
        wrong = report.checks[-1]
        return [
            f"This record lies, so there is no story to tell. The check “{wrong.name}” failed: {wrong.value}."
        ], report.verdict
    lines = [*beginning(record), *bets(record), *closing(record), *drawing(record), *paying(record)]
    lines.append(f"All {len(report.checks)} checks of this record hold.")
    lines += [f"The draw itself could not be checked here: {each}." for each in report.unchecked]
    lines += [f"The record does not prove {each}." for each in report.not_proven]
    return lines, report.verdict


def beginning(record: Record) -> Iterator[str]:
    """What was fixed before the first bet."""
    rules = record["rules"]
    yield f"This is round {record['id']} of “{record['room']}” ({NAMES[record['mode']]}, rules “{rules['name']}”)."
    yield (
        f"Before the first bet the house showed the hash {short(record['hash'])}. It fixed a secret that nobody could change "
        "afterwards; hashing it leads to the secret of the round before, or to the anchor of its chain."
    )
    for item, price in zip(record["guarantees"]["item_id"], record["guarantees"]["price"], strict=True):
        yield f"The house added item {item} worth {money(price)} as a prize; it has no tickets."


def bets(record: Record) -> Iterator[str]:
    """Who bet what."""
    items, players = record["items"], record["players"]
    if record["time_start"] is not None:
        yield f"The game began at {moment(record['time_start'])}."
    if not items["bet"]:
        yield "Nobody bet."
        return
    size = f"{many(len(players['user_id']), 'player')} bet {many(len(items['bet']), 'item')}"
    yield (
        f"{size} worth {money(record['bank'])} and got "
        f"{many(record['close']['tickets'], 'ticket')}, numbered from 0. Each item went into the log at once, so that nothing "
        "could be added, dropped or moved later."
    )
    for user, chance in list(zip(players["user_id"], players["chance"], strict=True))[:SHOWN_PLAYERS]:
        yield f"  User {user} {bet_of(record, user, chance)}"
    if len(players["user_id"]) > SHOWN_PLAYERS:
        yield f"  … and {many(len(players['user_id']) - SHOWN_PLAYERS, 'other player')}."


def bet_of(record: Record, user: int, chance: str) -> str:
    """One player's stake and chance."""
    items = record["items"]
    rows = zip(items["user_id"], items["price"], items["team"], strict=True)
    own = [(price, team) for owner, price, team in rows if owner == user]
    side = f" for team {TEAMS[own[0][1]]}" if own and own[0][1] in TEAMS else ""
    worth = money(sum(price for price, _ in own))
    return f"bet {many(len(own), 'item')} worth {worth}{side}: {chance} of the tickets, {percent(chance)}."


def closing(record: Record) -> Iterator[str]:
    """How the game ended, and what was to decide it."""
    outcome, close = record["outcome"], record["close"]
    yield f"It ended at {moment(close['close_ms'])} because {CLOSED[outcome['closed_by']]}."
    yield f"The close, over all that was fixed then, has the hash {short(close['hash'])}."
    if outcome["void"] is not None:
        yield f"The round is void ({outcome['void']}): everybody gets back what they bet."
        return
    told = SOURCES[record["rules"]["entropy"].partition(":")[0]]
    yield told.format(round=close["source_round"], entropy=short(record["entropy"]))
    late = outcome["opened_ms"] - close["close_ms"]
    yield f"The secret was opened {late} ms after the close, and it fits the hash shown at the start."


SOURCES = {
    "none": "The number was fixed by the secret alone before the first bet; the bets could not change it.",
    "drand": (
        "The number was to come from round {round} of the public beacon drand, which nobody could know at the close. "
        "Its entropy is {entropy}."
    ),
    "block": "The number was to come from the first Bitcoin block later than {round} (unix time). Its hash is {entropy}.",
    "manual": "Two operators typed numbers; they are in the record, chained to the bets.",
}


def drawing(record: Record) -> Iterator[str]:
    """Number, ticket, winner."""
    outcome = record["outcome"]
    if record["winning_number"] is not None:
        number = record["winning_number"][: SHOWN_DIGITS + 2]
        yield f"Secret, entropy and close together give the number {number}…"
    for gone in outcome["eliminations"]:
        yield f"  The draw {gone['value']} hits user {gone['user_id']}, who leaves."
    if record["winning_ticket"] is not None and record["winning_number"] is not None:
        yield f"{record['close']['tickets']} tickets times this number, rounded down, is ticket {record['winning_ticket']}."
    for winner in outcome["winners"]:
        how = "survives" if winner["ticket"] is None else f"owns ticket {winner['ticket']} and wins"
        yield f"User {winner['user_id']} {how}."


def paying(record: Record) -> Iterator[str]:
    """Rake, payouts, referral."""
    outcome = record["outcome"]
    if outcome["rake"] is not None:
        yield from raking(outcome["rake"])
    for each in outcome["payouts"]:
        extras = [f"{many(len(each[name]), word)}" for name, word in EXTRAS if each[name]]
        extras += [f"{money(each['credit'])} as credit"] if each["credit"] else []
        got = " and ".join([many(len(each["rows"]), "item"), *extras])
        yield f"User {each['user_id']} gets {got}; owed were {money(each['claim'])}."
    if outcome["house"]:
        yield f"{many(len(outcome['house']), 'item')} of the pot stay with the house."
    for entry in outcome["referral"]:
        paid = ", ".join(money(credit) for credit in entry["credits"]) or "nothing"
        yield f"Those who invited user {entry['user_id']} get, from the house's part: {paid}."
    yield f"The seal over all of it is {short(record['seal'])}; the next round builds on it."


EXTRAS = (("guarantees", "prize"), ("change", "item of change"))


def raking(rake: Record) -> Iterator[str]:
    """What the house was due and what it took."""
    for each in rake["dues"]:
        yield f"The table gives the house {each['percent']} % of {money(each['base'])}: {money(each['due'])}."
    handed_back = f", handed back {many(len(rake['change']), 'small item')}" if rake["change"] else ""
    missing = f" {money(rake['shortfall'])} could not be taken and are waived." if rake["shortfall"] else ""
    yield f"It took {many(len(rake['taken']), 'item')}{handed_back} and keeps {money(rake['net'])}.{missing}"


def many(count: int, noun: str) -> str:
    """A number with its noun."""
    first, _, rest = noun.partition(" of ")
    return f"{count} {first}{'' if count == 1 else 's'}{f' of {rest}' if rest else ''}"


def money(cents: int) -> str:
    """Cents as a decimal with two places."""
    return f"{cents // 100}.{cents % 100:02}"


def percent(chance: str) -> str:
    """A chance like 31663/45000 with four decimals, rounded down."""
    own, _, total = chance.partition("/")
    value = Decimal(100) * int(own) / int(total) if int(total) else Decimal(0)
    return f"{value.quantize(CHANCE_STEP, ROUND_FLOOR)} %"


def moment(unix_ms: int) -> str:
    """A time as people write it, in UTC; beyond the calendar, the plain number."""
    try:
        return f"{EPOCH + timedelta(milliseconds=unix_ms):%Y-%m-%d %H:%M:%S UTC}"
    except OverflowError:
        return f"{unix_ms} ms"


def short(data: bytes) -> str:
    """The beginning of a hash."""
    return f"{data.hex()[:SHOWN_HEX]}…" if data else "none"
