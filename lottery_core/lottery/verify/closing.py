"""The close: when and why the game ended, and which public event, not known then, would decide it."""

from lottery import drand
from lottery.encoding import TAG, U8, U32, U64, S, sha256
from lottery.verify.promise import ENTROPIES
from lottery.verify.report import Lie, Report, require
from lottery.verify.shape import Record

NETWORKS = {"quicknet": drand.QUICKNET, "default": drand.DEFAULT}
BEACONS = [name for name in ENTROPIES if name not in ("none", "manual:direct")]
MS = 1000


def check(record: Record, report: Report) -> None:
    """Deadline, reason and moment of the close, its source of entropy, its hash, and whether it had to be void. Raises: Lie."""
    outcome = record["outcome"]
    report.same("time of the start", record["time_start"], outcome["time_start"])
    report.same("deadline", outcome["deadline"], deadline(record))
    report.rule("reason of the close", reason, record)
    report.rule("enough players, or void", enough, record)
    report.same("items at the close", record["close"]["items"], record["pot"].size)
    report.rule("source of entropy", named_source, record)
    report.same("close hash", record["close"]["hash"], close_hash(record))


def voided_before_close(record: Record) -> bool:
    """Void in warmup or game, or for too few players: such a round has no source of entropy."""
    return bool(record["outcome"]["void"] is not None and record["close"]["source"] == "void")


def deadline(record: Record) -> int | None:
    """The clock runs from the start, or from the bet that brought the last missing player; then it is never reset."""
    rules, start = record["rules"], record["time_start"]
    if not rules["time_enable"] or start is None:
        return None
    limit_ms = rules["time_limit"] * MS
    if rules["player_limit"] is None:
        return int(start + limit_ms)
    teams: dict[int, set[int]] = {}
    items = record["items"]
    for team, user, time_ms in zip(items["team"], items["user_id"], items["time_ms"], strict=True):
        teams.setdefault(team, set()).add(user)
        full = rules["mode"] != "teams" or all(len(teams.get(side, ())) == rules["team_limit"] for side in (1, 2))
        if full and sum(map(len, teams.values())) >= rules["player_limit"]:
            return int(time_ms + limit_ms)
    return None


def reason(record: Record) -> str:
    """What ended the game is true, and the close is of that very moment. Raises: Lie."""
    rules, items, pot, close_ms = record["rules"], record["items"], record["pot"], record["close"]["close_ms"]
    closed_by, last_bet = record["outcome"]["closed_by"], items["time_ms"][-1] if pot.size else None
    bank_before = record["bank"] - pot.value_of_bet[items["bet"][-1]] if pot.size else 0
    bank_limit, full_pot = rules["global_pot_limit"], pot.size == rules["item_limit_max"]
    full = full_pot or (bank_limit is not None and record["bank"] >= bank_limit)
    require(bank_limit is None or bank_before < bank_limit, "a bet after the bank was full")
    end = record["outcome"]["deadline"]
    require(end is None or (last_bet or 0) < end, "a bet at or after the deadline")
    if closed_by == "items":
        require(full_pot and close_ms == last_bet, "the pot was not full then")
    elif closed_by == "bank":
        require(bank_limit is not None and record["bank"] >= bank_limit and close_ms == last_bet, "the bank was not full then")
    elif closed_by == "sold_out":
        sold = rules["raffle"] is not None and pot.all_tickets == rules["raffle"]["tickets"]
        require(sold and close_ms == last_bet, "the raffle was not sold out then")
    elif closed_by == "time":
        require(close_ms == record["outcome"]["deadline"], "the close is not at the deadline")
    elif closed_by == "manual":
        typed = record["manual"]
        require(bool(typed) and typed[-1]["time_ms"] == close_ms and full, "no typed number ended the game then")
    else:
        require(record["outcome"]["void"] is not None, "the game was never closed")
    typing, raffle = rules["entropy"].startswith("manual:mixed"), rules["raffle"] is not None
    require(closed_by in ("manual", "void") or not typing, "the close did not wait for the typed numbers")
    require(closed_by in ("sold_out", "void") or not raffle, "the raffle ended before it was sold out")
    return f"{closed_by} at {close_ms} ms"


def enough(record: Record) -> str:
    """A playable round is void only by an operator before its end, or for want of a beacon. Raises: Lie."""
    players, closed_by = len(record["pot"].tickets_of), record["outcome"]["closed_by"]
    playable = players >= record["rules"]["min_players"] and record["close"]["tickets"] > 0
    void = record["outcome"]["void"] is not None
    if not voided_before_close(record):
        require(playable, "a round without enough players was not void")
        require(not void or closed_by != "void", "voided before its close, yet it has a source of entropy")
        require(not void or record["rules"]["entropy"] in BEACONS, "void after the close, though no beacon was awaited")
    elif playable:
        require(closed_by == "void", "void for too few players, but there were enough")
        require(not over(record), "void after its end: the game was closed by then")
    return f"{players} players" + (", void" if void else "")


def over(record: Record) -> bool:
    """The game had ended when it was voided, by time or full; typed numbers and a raffle's expiry come after that."""
    rules, pot = record["rules"], record["pot"]
    if rules["entropy"].startswith("manual:mixed"):
        return False
    if rules["raffle"] is not None:
        return bool(pot.all_tickets == rules["raffle"]["tickets"])
    end, bank_limit = record["outcome"]["deadline"], rules["global_pot_limit"]
    late = end is not None and record["close"]["close_ms"] >= end
    return bool(late or pot.size == rules["item_limit_max"] or (bank_limit is not None and record["bank"] >= bank_limit))


def named_source(record: Record) -> str:
    """The close names the one source that it may. Raises: Lie."""
    close, due = record["close"], source(record)
    claimed = (close["mode"], close["source"], close["source_round"])
    require(claimed == due, "mode, source and round are {}, {} are due", claimed, due)
    return f"{due[1]}, round {due[2]}" if due[1] else "none"


def source(record: Record) -> tuple[int, str, int]:
    """Mode, source and round of the entropy, as they follow from the rules and the time of the close alone. Raises: Lie."""
    rules, close_s = record["rules"], record["close"]["close_ms"] // MS
    mode, network = ENTROPIES[rules["entropy"]], rules["entropy"].rpartition(":")[2]
    if voided_before_close(record):
        return mode, "void", 0
    if network in NETWORKS:
        return mode, NETWORKS[network].hash, beacon_round(NETWORKS[network], close_s + rules["entropy_margin_s"])
    if rules["entropy"] == "block:bitcoin":
        return mode, "bitcoin", close_s + rules["entropy_margin_s"]
    return mode, "", 0


def beacon_round(network: drand.Chain, unix_s: int) -> int:
    """The first round that becomes public after `unix_s`. Raises: Lie before the network began."""
    try:
        return drand.round_at(network, unix_s) + 1
    except drand.BadBeacon as error:
        raise Lie(str(error)) from error


def close_hash(record: Record) -> bytes:
    """Everything that was fixed when the game ended, in one value."""
    close = record["close"]
    counted = U32(close["items"]) + U64(close["tickets"]) + U64(close["close_ms"]) + U8(close["mode"])
    chosen = S(close["source"]) + U64(close["source_round"])
    return sha256(TAG("lot1.close"), record["log"]["end"], counted, chosen)
