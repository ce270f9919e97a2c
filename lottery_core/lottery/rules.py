"""What makes sense as the rules of a room. The first parameter that does not is named, with the reason.

Rules that contradict themselves, or that a round would silently ignore, are refused before anybody bets: the verifier refuses
the same ones (`verify/promise.py`), and on all others it agrees with the engine. The rules come as plain JSON values.
"""

from collections.abc import Mapping
from typing import Any

from lottery import sources
from lottery.encoding import U64_MAX
from lottery.errors import RoomError, shown
from lottery.sources import BeaconTerms, EntropyMode

MODES = {"classic": 1, "sitngo": 2, "teams": 3, "pot": 4, "giveaway": 5, "raffle": 6}
TICKETS = ("cent", "item", "bought")
RANGES = ("complement", "inverse")
TICKETS_MAX = 10**18 - 1
"""Up to here the published decimal number gives the exact ticket (commitments.winning_number)."""
REFERRAL_PERCENT_MAX = 40
MARGIN_MIN_S = 3
OPEN_MIN_S = 3_600
TEAM_MAX = 32
"""With more, the weights of rule inverse could outgrow the field of the record that a draw among them is written to."""
SHARES_MAX = 100
"""Each winner is a walk over the pot for whoever checks the record."""
LIST_MAX = 10_000
NAME_BYTES = 200
PRIZE_BYTES = 1_000
RAKE_CHANGE_MAX_CENTS = 65_535
"""The change that a rake gives is a sum of pieces; sets of greater sums would take too long to go through."""
BASIS_POINTS = 10_000
U32_MAX = 2**32 - 1

Rules = Mapping[str, Any]


def check(rules: Rules) -> None:
    """Raises RoomError naming the field and the reason; returns nothing when the rules make sense."""
    _text("name", rules["name"], NAME_BYTES)
    for field, allowed in (("mode", tuple(MODES)), ("tickets", TICKETS)):
        if type(rules[field]) is not str or rules[field] not in allowed:
            raise RoomError(field, f"one of {', '.join(allowed)}, not {shown(rules[field])}")
    _check_numbers(rules)
    _check_lists(rules)
    _check_clock(rules)
    _check_entropy(rules)
    _check_rake(rules)
    _check_mode(rules)
    _check_end(rules)


def _check_numbers(rules: Rules) -> None:
    for field in ("item_limit_max", "bet_item_limit_max", "time_limit", "lonely_void_s", "open_max_s"):
        _whole(field, rules[field], 0, U32_MAX, optional=True)
    for field in ("bet_value_min", "bet_value_max", "global_pot_limit"):
        _whole(field, rules[field], 0, U64_MAX, optional=True)
    _whole("player_limit", rules["player_limit"], 1, U32_MAX, optional=True)
    _whole("team_limit", rules["team_limit"], 1, TEAM_MAX, optional=True)
    _whole("min_players", rules["min_players"], 1, U32_MAX)
    _whole("rake_change_max", rules["rake_change_max"], 0, RAKE_CHANGE_MAX_CENTS)
    _whole("rake_change_max_bp", rules["rake_change_max_bp"], 0, BASIS_POINTS, optional=True)
    _whole("referral_percent", rules["referral_percent"], 0, U32_MAX)
    if rules["referral_percent"] > REFERRAL_PERCENT_MAX:
        raise RoomError("referral_percent", f"at most {REFERRAL_PERCENT_MAX}, so that all levels stay below the rake")
    for field in ("time_enable", "unsettled", "rake_carry"):
        if type(rules[field]) is not bool:
            raise RoomError(field, f"true or false, not {shown(rules[field])}")
    for field in ("item_limit_max", "bet_item_limit_max", "global_pot_limit"):
        if rules[field] == 0:
            raise RoomError(field, "0 would refuse every bet; leave it out for no limit")
    _check_order(rules, "bet_value_min", "bet_value_max")
    _check_order(rules, "bet_item_limit_max", "item_limit_max")
    _check_order(rules, "min_players", "item_limit_max")


def _check_order(rules: Rules, small: str, great: str) -> None:
    low, high = rules[small], rules[great]
    if low is not None and high is not None and low > high:
        raise RoomError(small, f"{low} is above {great} {high}")


def _text(field: str, value: Any, bytes_max: int) -> None:
    if not value or type(value) is not str:
        raise RoomError(field, "a text that is not empty")
    try:
        length = len(value.encode())
    except UnicodeEncodeError as error:
        raise RoomError(field, "half of a surrogate pair is no text that could be hashed") from error
    if length > bytes_max:
        raise RoomError(field, f"at most {bytes_max} bytes")


def _whole(field: str, value: Any, least: int, most: int = U64_MAX, optional: bool = False) -> None:
    if value is None and optional:
        return
    if type(value) is not int or not least <= value <= most:
        raise RoomError(field, f"a whole number from {least} to {most}, not {shown(value)}")


def _check_lists(rules: Rules) -> None:
    for field, most in (("allowed_items", LIST_MAX), ("shares", SHARES_MAX), ("priority_items", LIST_MAX)):
        values = rules[field]
        if values is None and field != "priority_items":
            continue
        if type(values) is not list or len(values) > most:
            raise RoomError(field, f"a list of at most {most} whole numbers, not {shown(values)}")
        for value in values:
            _whole(field, value, 1 if field == "shares" else 0)
    if rules["shares"] == []:
        raise RoomError("shares", "at least one winner")
    if rules["allowed_items"] == []:
        raise RoomError("allowed_items", "an empty list would refuse every bet; leave it out to allow all")


def _check_clock(rules: Rules) -> None:
    if rules["time_enable"] and not rules["time_limit"]:
        raise RoomError("time_limit", "is needed (and above 0) because time_enable is true")
    if not rules["time_enable"] and rules["time_limit"] is not None:
        raise RoomError("time_limit", "is set but time_enable is false")
    if not rules["time_enable"] and rules["player_limit"] is not None:
        raise RoomError("player_limit", "is the number of players that starts the clock, and time_enable is false")
    if rules["lonely_void_s"] is not None and (rules["lonely_void_s"] < 1 or rules["min_players"] < 2):
        raise RoomError("lonely_void_s", "a second at least, and for rooms where one player is too few")
    if rules["open_max_s"] is not None and rules["open_max_s"] < OPEN_MIN_S:
        raise RoomError("open_max_s", f"at least {OPEN_MIN_S} seconds; leave it out for no limit")


# ---- entropy


def _check_entropy(rules: Rules) -> None:
    mode = _entropy_mode(rules["entropy"])
    _whole("entropy_margin_s", rules["entropy_margin_s"], 0, U32_MAX)
    if mode.waits and rules["entropy_margin_s"] < MARGIN_MIN_S:
        raise RoomError("entropy_margin_s", f"at least {MARGIN_MIN_S} seconds, so that the close is public before the beacon")
    if mode.manual and rules["mode"] != "pot":
        raise RoomError("entropy", "typed numbers are for mode pot")
    by_hash = mode.chain is not None and sources.is_chain_hash(mode.chain)
    if by_hash != (rules["beacon"] is not None):
        raise RoomError("beacon", "the terms of a drand chain are needed where entropy names one by its hash, and only there")
    if by_hash:
        _check_beacon(rules["beacon"], mode.chain or "")


def _entropy_mode(name: Any) -> EntropyMode:
    try:
        return sources.entropy_mode(name if type(name) is str else "")
    except KeyError as error:
        raise RoomError(
            "entropy", f"none, drand:…, block:bitcoin, manual:mixed:… or manual:direct, not {shown(name)}"
        ) from error


def _check_beacon(terms: Any, chain: str) -> None:
    """Key, period and genesis are those that the hash was made of; scheme and key fit each other."""
    if type(terms) is not dict or set(terms) != set(BeaconTerms.__dataclass_fields__):
        raise RoomError("beacon", f"has {', '.join(BeaconTerms.__dataclass_fields__)}")
    scheme = sources.SCHEMES.get(terms["scheme"]) if type(terms["scheme"]) is str else None
    if scheme is None:
        raise RoomError("beacon.scheme", f"one of {', '.join(sources.SCHEMES)}, not {shown(terms['scheme'])}")
    _whole("beacon.period", terms["period"], 1, U32_MAX)
    _whole("beacon.genesis", terms["genesis"], 0, U32_MAX)
    _text("beacon.beacon_id", terms["beacon_id"], NAME_BYTES)
    for field, length in (("public_key", scheme.key_bytes), ("group_hash", 32)):
        value = terms[field]
        if type(value) is not str or len(value) != 2 * length or set(value) - set("0123456789abcdef"):
            raise RoomError(f"beacon.{field}", f"{length} bytes in lower-case hex")
    if BeaconTerms(**terms).chain_hash != chain:
        raise RoomError("beacon", "key, period, genesis, group hash and id do not give the hash that entropy names")


# ---- rake


def _check_rake(rules: Rules) -> None:
    if rules["rake"] is None:
        if rules["rake_carry"]:
            raise RoomError("rake_carry", "needs a rake table")
        return
    if rules["mode"] not in ("classic", "teams", "pot"):
        raise RoomError("rake", f"mode {rules['mode']} has no rake table")
    if rules["rake_carry"] and rules["mode"] != "classic":
        raise RoomError("rake_carry", "is for mode classic")
    if type(rules["rake"]) is not list:
        raise RoomError("rake", f"rows of [upper, percent], not {shown(rules['rake'])}")
    upper_before = 0
    for row in rules["rake"]:
        upper_before = _check_row(row, upper_before)
    if upper_before != 100:
        raise RoomError("rake", "the last border is 100")


def _check_row(row: Any, upper_before: int) -> int:
    if type(row) is not list or len(row) != 2 or any(type(value) is not int for value in row):
        raise RoomError("rake", f"rows of [upper, percent] in whole numbers, not {shown(row)}")
    upper, percent = row
    if not upper_before < upper <= 100:
        raise RoomError("rake", f"borders rise to 100: {shown(upper)} after {upper_before}")
    if not 0 <= percent <= 100:
        raise RoomError("rake", f"{shown(percent)} is not a percentage")
    return int(upper)


# ---- modes


def _check_mode(rules: Rules) -> None:
    mode = rules["mode"]
    if mode in ("sitngo", "pot") and rules["shares"] is None:
        raise RoomError("shares", f"is needed in mode {mode}")
    if mode not in ("sitngo", "pot") and rules["shares"] is not None:
        raise RoomError("shares", f"has no meaning in mode {mode}")
    for field in ("team_limit", "ranges"):
        if (mode == "teams") != (rules[field] is not None):
            raise RoomError(field, "is needed in mode teams, and only there")
    if (mode == "raffle") != (rules["raffle"] is not None):
        raise RoomError("raffle", "terms are needed in mode raffle, and only there")
    if (mode == "raffle") != (rules["tickets"] == "bought"):
        raise RoomError("tickets", "are bought in mode raffle, and only there")
    if mode == "sitngo":
        _check_sitngo(rules)
    if mode == "teams":
        _check_teams(rules)
    if mode == "raffle":
        _check_raffle(rules)


def _check_sitngo(rules: Rules) -> None:
    shares, pot = sum(rules["shares"]), rules["item_limit_max"]
    if rules["tickets"] != "item":
        raise RoomError("tickets", "one per item in mode sitngo, whose shares are numbers of items")
    if pot is None or shares > pot:
        raise RoomError("shares", f"{shares} items are shared out of a pot of {pot}")


def _check_teams(rules: Rules) -> None:
    both = 2 * rules["team_limit"]
    if type(rules["ranges"]) is not str or rules["ranges"] not in RANGES:
        raise RoomError("ranges", f"one of {', '.join(RANGES)}, not {shown(rules['ranges'])}")
    for field in ("player_limit", "min_players"):
        if rules[field] != both:
            raise RoomError(field, f"both teams together: {both}, not {rules[field]}")
    if not rules["time_enable"]:
        raise RoomError("time_enable", "a 5v5 ends by its clock")
    if rules["tickets"] != "cent":
        raise RoomError("tickets", "one per cent in mode teams, where the pot is shared by value")


def _check_raffle(rules: Rules) -> None:
    """The ticket price is what it must be: price and commission over the tickets, rounded up.

    No limit of bets has a meaning.
    """
    terms = rules["raffle"]
    if type(terms) is not dict or set(terms) != {"template", "prize", "price", "commission", "tickets", "ticket_price"}:
        raise RoomError("raffle", f"terms of a raffle, not {shown(terms)}")
    _text("raffle.prize", terms["prize"], PRIZE_BYTES)
    for field, least in (("template", 0), ("price", 0), ("commission", 0), ("tickets", 1), ("ticket_price", 1)):
        _whole(f"raffle.{field}", terms[field], least)
    due = -(-(terms["price"] + terms["commission"]) // terms["tickets"])
    if terms["ticket_price"] != due:
        raise RoomError("raffle.ticket_price", f"{due}, so that all tickets together pay for price and commission")
    if terms["tickets"] * terms["ticket_price"] > TICKETS_MAX:
        raise RoomError("raffle.tickets", f"all together bring more than {TICKETS_MAX}")
    for field in ("item_limit_max", "bet_item_limit_max", "bet_value_min", "bet_value_max", "allowed_items", "player_limit"):
        if rules[field] is not None:
            raise RoomError(field, "limits bets of items, and a raffle sells tickets")
    if rules["global_pot_limit"] is not None:
        raise RoomError("global_pot_limit", "a raffle ends when its tickets are sold")
    if rules["min_players"] != 1:
        raise RoomError("min_players", "1 in a raffle, which one buyer may sell out")


def _check_end(rules: Rules) -> None:
    ends = (rules["item_limit_max"], rules["global_pot_limit"], rules["time_limit"], rules["raffle"])
    if all(end is None for end in ends):
        raise RoomError("item_limit_max", "nothing would ever end a round: no limit of items or bank, no clock")
