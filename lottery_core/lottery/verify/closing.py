"""The close: a game ends at one moment and for one reason, and one public event, which nobody knows then, decides it."""

from typing import NamedTuple

from lottery import drand
from lottery.encoding import LP, TAG, U8, U32, U64, S, canonical_json, sha256
from lottery.verify.reading.shape import Record
from lottery.verify.report import Lie, Report, require
from lottery.verify.rules import BLOCK, CHAINED, DIRECT, MIXED, NONE, entropy_mode

NETWORKS = {"quicknet": drand.QUICKNET, "default": drand.DEFAULT}
MS = 1000
DAY_MS = 24 * 3600 * MS
REST_DAYS = 30
VOIDS = {"few": "too few players", "lonely": "one player only", "too_long": "open too long", "expired": "expired"}
"""Ends without a draw that the rules bring about, and the reason that the record then gives."""


class End(NamedTuple):
    """What ends the bets, and when (unix ms)."""

    by: str
    time_ms: int


def check(record: Record, report: Report) -> None:
    """Deadline, reason and moment of the close, what it binds, its source of entropy, its hash. Raises: Lie."""
    report.same("deadline", record["outcome"]["deadline"], deadline(record))
    report.rule("reason of the close", reason, record)
    report.same("items at the close", record["close"]["items"], record["pot"].size)
    report.same("stock at the close", record["close"]["stock"], record["stock"], "as promised")
    report.rule("inviters and rests at the close", brought_along, record)
    report.rule("source of entropy", named_source, record)
    report.same("close hash", record["close"]["hash"], close_hash(record))


def drawn(record: Record) -> bool:
    """The round has winners: it is not void, and the house did not fail."""
    return record["outcome"]["void"] is None and record["outcome"]["failure"] is None


def undrawn_close(record: Record) -> bool:
    """The game ended without waiting for any source of entropy."""
    return record["outcome"]["closed_by"] in (*VOIDS, "operator", "failure")


# ---- when a game ends


def deadline(record: Record) -> int | None:
    """The clock runs from the start, or from the bet that brought the last missing player; then it is never reset."""
    rules, start = record["rules"], record["time_start"]
    if not rules["time_enable"] or start is None:
        return None
    limit_ms = rules["time_limit"] * MS
    if rules["player_limit"] is None:
        return int(start + limit_ms)
    items, users = record["items"], set()
    for user, time_ms in zip(items["user_id"], items["time_ms"], strict=True):
        users.add(user)
        if len(users) >= rules["player_limit"]:
            return int(time_ms + limit_ms)
    return None


def clocks(record: Record) -> list[End]:
    """Everything that ends a game if no bet does, of equal moments the clock first."""
    rules, times, end = record["rules"], record["items"]["time_ms"], record["outcome"]["deadline"]
    found = [] if end is None else [End("time", end)]
    if times and rules["lonely_void_s"] is not None and len(record["pot"].tickets_of) == 1:
        found.append(End("lonely", times[0] + rules["lonely_void_s"] * MS))
    if times and rules["open_max_s"] is not None:
        found.append(End("too_long", times[0] + rules["open_max_s"] * MS))
    return sorted(found, key=lambda each: each.time_ms)


def in_time(record: Record) -> None:
    """No bet came at or after a moment that had ended the game. Raises: Lie."""
    items, lonely_s = record["items"], record["rules"]["lonely_void_s"]
    last = items["time_ms"][-1]
    require(all(last < each.time_ms for each in clocks(record)), "a bet at or after the end of the game")
    first = items["user_id"][0]
    second = next((time for time, user in zip(items["time_ms"], items["user_id"], strict=True) if user != first), None)
    late = lonely_s is not None and second is not None and second >= items["time_ms"][0] + lonely_s * MS
    require(not late, "a second player after the first one had been alone for too long")


def full(record: Record) -> str | None:
    """The limit that the last bet reached. Raises: Lie if one was reached before it."""
    rules, pot, bets = record["rules"], record["pot"], record["items"]["bet"]
    if not pot.size:
        return None
    if rules["raffle"] is not None:
        return "sold_out" if pot.all_tickets == rules["raffle"]["tickets"] else None
    bank_limit, before = rules["global_pot_limit"], pot.bank - pot.value_of_bet[bets[-1]]
    require(bank_limit is None or before < bank_limit, "a bet after the bank was full")
    if pot.size == rules["item_limit_max"]:
        return "items"
    return "bank" if bank_limit is not None and pot.bank >= bank_limit else None


def end_of_bets(record: Record) -> End | None:
    """What ended the bets: the limit that was reached, or else the first clock; None where nothing does. Raises: Lie."""
    if record["pot"].size:
        in_time(record)
    by = full(record)
    if by is not None:
        return End(by, record["items"]["time_ms"][-1])
    return next(iter(clocks(record)), None)


def due_end(record: Record) -> End | None:
    """How this round had to end, and when, if nobody ended it by hand. Raises: Lie."""
    stop = end_of_bets(record)
    if stop is None or stop.by in VOIDS:
        return stop
    if record["rules"]["raffle"] is not None and stop.by == "time":
        return End("expired", stop.time_ms)
    if not playable(record):
        return End("few", stop.time_ms)
    return typed_end(record, stop) if entropy_mode(record["rules"]["entropy"])[0] == MIXED else stop


def playable(record: Record) -> bool:
    """Enough players, and something to draw among."""
    pot = record["pot"]
    return bool(len(pot.tickets_of) >= record["rules"]["min_players"] and pot.all_tickets > 0)


def typed_end(record: Record, stop: End) -> End | None:
    """Numbers are typed after the bets and before the round is open for too long; the last one closes it. Raises: Lie."""
    typed = [entry["time_ms"] for entry in record["manual"]]
    longest = next((each for each in clocks(record) if each.by == "too_long"), None)
    require(not typed or typed[0] >= stop.time_ms, "a number was typed while bets were taken")
    require(longest is None or not typed or typed[-1] < longest.time_ms, "a number was typed after the round was void")
    if len(typed) == min(len(record["rules"]["shares"]), len(record["pot"].tickets_of)):
        return End("manual", typed[-1])
    return longest


def reason(record: Record) -> str:
    """The round ended as it had to, or was ended by hand before that. Raises: Lie."""
    outcome, close_ms = record["outcome"], record["close"]["close_ms"]
    due, by = due_end(record), outcome["closed_by"]
    over = f"{due.by} at {due.time_ms} ms" if due else "nothing"
    if by == "operator":
        require(due is None or close_ms < due.time_ms, "ended by hand, but the round was over: {}", over)
        require(bool(outcome["void"]), "void without a reason")
    elif by == "failure":
        require(outcome["failure"] is not None, "no failure ended this round")
    else:
        require((by, close_ms) == due, "the record says {} at {} ms, it was {}", by, close_ms, over)
    require(by == "operator" or outcome["void"] == VOIDS.get(by), "void for {!r}, not {!r}", outcome["void"], VOIDS.get(by))
    return f"{by} at {close_ms} ms"


# ---- what the close binds


def brought_along(record: Record) -> str:
    """Inviters and rests are of players, in the order of first bets; rests only where rules collect them. Raises: Lie."""
    close, users = record["close"], list(record["pot"].tickets_of)
    inviting = [each["user_id"] for each in close["inviters"]]
    require(in_order(inviting, users) and len(set(inviting)) == len(inviting), "inviters of nobody who bet, or out of order")
    for each in close["inviters"]:
        above, user = each["inviters"], each["user_id"]
        require(bool(above) and len({user, *above}) == len(above) + 1, "the inviters of user {} form a circle", user)
    rests = close["rests"]
    require(not rests or record["rules"]["rake_carry"], "rests of earlier rounds are not collected in this room")
    require(in_order([each["user_id"] for each in rests], users), "rests of nobody who bet, or out of order")
    require(len({(each["user_id"], each["seal"]) for each in rests}) == len(rests), "one rest twice")
    items = record["items"]
    for each in rests:
        age = items["time_ms"][list(items["user_id"]).index(each["user_id"])] - each["close_ms"]
        fresh = 0 <= age <= REST_DAYS * DAY_MS and each["cents"] > 0
        require(fresh, "a rest of user {} is too old, or of nothing", each["user_id"])
    return f"{len(inviting)} players with inviters, {len(rests)} rests"


def in_order(some: list[int], everybody: list[int]) -> bool:
    """All of some are of everybody, and in their order."""
    place = {user: index for index, user in enumerate(everybody)}
    places = [place.get(user, -1) for user in some]
    return -1 not in places and places == sorted(places)


# ---- what decides


def named_source(record: Record) -> str:
    """The close names the one source that it may. Raises: Lie."""
    close, due = record["close"], source(record)
    claimed = (close["mode"], close["source"], close["source_round"])
    require(claimed == due, "mode, source and round are {}, {} are due", claimed, due)
    return f"{due[1]}, round {due[2]}" if due[1] else "none"


def source(record: Record) -> tuple[int, str, int]:
    """Mode, source and round of the entropy, as they follow from the rules and the time of the close alone. Raises: Lie."""
    rules, close_s = record["rules"], record["close"]["close_ms"] // MS
    mode, _ = entropy_mode(rules["entropy"])
    assert mode is not None
    if undrawn_close(record):
        return mode, "void", 0
    if mode in (NONE, DIRECT):
        return mode, "", 0
    after_s = close_s + rules["entropy_margin_s"]
    if mode == BLOCK:
        return mode, "bitcoin", after_s
    chain = network(record)
    return mode, chain.hash, beacon_round(chain, after_s)


def network(record: Record) -> drand.Chain:
    """The drand network that the rules name, by a word or by its terms."""
    named, terms = entropy_mode(record["rules"]["entropy"])[1] or "", record["rules"]["beacon"]
    if terms is None:
        return NETWORKS[named]
    key, group = bytes.fromhex(terms["public_key"]), bytes.fromhex(terms["group_hash"])
    return drand.Chain(terms["beacon_id"], named, key, terms["period"], terms["genesis"], group, terms["scheme"] == CHAINED)


def beacon_round(chain: drand.Chain, unix_s: int) -> int:
    """The first round that becomes public after `unix_s`. Raises: Lie before the network began."""
    try:
        return drand.round_at(chain, unix_s) + 1
    except drand.BadBeacon as error:
        raise Lie(str(error)) from error


def close_hash(record: Record) -> bytes:
    """Everything that was fixed when the game ended, in one value; its stock is the promised one, which was written already."""
    close = record["close"]
    counted = U32(close["items"]) + U64(close["tickets"]) + U64(close["close_ms"]) + U8(close["mode"])
    chosen = S(close["source"]) + U64(close["source_round"])
    people = canonical_json(close["inviters"]), canonical_json(close["rests"])
    bound = b'{"inviters":%b,"rests":%b,"stock":%b}' % (*people, record["stock_text"])
    return sha256(TAG("lot2.close"), record["log"]["end"], counted, chosen, LP(bound))
