"""Rules that make sense: nothing in them contradicts itself, is ignored by a game, or leaves its outcome open.

The rules of a record were bound before its first bet. What is refused here no honest house plays.
"""

from hashlib import sha256

from lottery.encoding import U32, U64
from lottery.verify.reading.shape import WINNERS_MAX, Record
from lottery.verify.report import require

MARGIN_MIN_S = 3
OPEN_MIN_S = 3_600
CHANGE_MAX = 65_535
WHOLE_BP = 10_000
REFERRAL_MAX = 40
TICKETS_MAX = 10**18 - 1
KNOWN_NETWORKS = ("quicknet", "default")
# scheme: bytes of a key
SCHEMES = {"pedersen-bls-chained": 48, "pedersen-bls-unchained": 48, "bls-unchained-g1-rfc9380": 96}
CHAINED = "pedersen-bls-chained"
NONE, DRAND, BLOCK, MIXED, DIRECT = range(5)


def sense(rules: Record) -> str:
    """Each rule by itself, and together. Raises: Lie."""
    check_limits(rules)
    check_clock(rules)
    check_entropy(rules)
    check_rake(rules)
    check_shares(rules)
    if rules["mode"] == "teams":
        check_teams(rules)
    else:
        require(rules["ranges"] is None and rules["team_limit"] is None, "teams belong to team games only")
    if rules["mode"] == "raffle":
        check_raffle(rules)
    else:
        require(rules["raffle"] is None and rules["tickets"] != "bought", "tickets are bought in raffles only")
    ends = [rules[name] for name in ("item_limit_max", "global_pot_limit", "time_limit", "raffle")]
    require(any(end is not None for end in ends), "nothing would ever end a round")
    return f"{rules['name']}: {rules['mode']}, entropy {rules['entropy']}"


def check_limits(rules: Record) -> None:
    """Limits that refuse everything, or contradict each other."""
    for name in ("item_limit_max", "bet_item_limit_max", "global_pot_limit", "team_limit", "player_limit", "min_players"):
        require(rules[name] != 0, "{} is 0", name)
    for small, great in (
        ("bet_value_min", "bet_value_max"),
        ("bet_item_limit_max", "item_limit_max"),
        ("min_players", "item_limit_max"),
    ):
        low, high = rules[small], rules[great]
        require(low is None or high is None or low <= high, "{} is above {}", small, great)
    require(rules["name"] != "", "the room has no name")
    require(rules["allowed_items"] != [], "no item is allowed")
    require(rules["referral_percent"] <= REFERRAL_MAX, "inviters could get more than the rake")


def check_clock(rules: Record) -> None:
    """A clock has a limit, and what starts it; the other ends are long enough, and for rooms that need them."""
    require(rules["time_enable"] == bool(rules["time_limit"]), "a clock without a limit, or a limit without a clock")
    require(rules["time_limit"] is None or rules["time_enable"], "a limit without a clock")
    require(rules["player_limit"] is None or rules["time_enable"], "players that start no clock")
    lonely, longest = rules["lonely_void_s"], rules["open_max_s"]
    require(lonely is None or (lonely >= 1 and rules["min_players"] > 1), "one player is enough, yet may not stay alone")
    require(longest is None or longest >= OPEN_MIN_S, "a round may not be open long enough to be played")


def check_entropy(rules: Record) -> None:
    """A known mode; a chain that is named by its hash has the terms that this hash is made of."""
    mode, named = entropy_mode(rules["entropy"])
    require(mode is not None, "{!r} is no mode of entropy", rules["entropy"])
    if mode in (MIXED, DIRECT):
        require(rules["mode"] == "pot", "numbers are typed for the Global Pot only")
    if mode not in (NONE, DIRECT):
        require(rules["entropy_margin_s"] >= MARGIN_MIN_S, "the beacon may be known before the close is public")
    by_hash = named is not None and named not in KNOWN_NETWORKS
    terms = rules["beacon"]
    require(by_hash == (terms is not None), "a chain is named by its hash and its terms together, or by neither")
    if terms is not None:
        require(len(terms["public_key"]) == 2 * SCHEMES.get(terms["scheme"], 0), "the key does not fit the scheme")
        require(terms["period"] >= 1 and terms["beacon_id"] != "", "the chain has no period, or no id")
        require(chain_hash(terms) == named, "key, period and genesis do not give the hash of the chain")


def entropy_mode(name: str) -> tuple[int | None, str | None]:
    """The number of a mode, and the network that it waits for."""
    fixed = {"none": NONE, "block:bitcoin": BLOCK, "manual:direct": DIRECT}
    if name in fixed:
        return fixed[name], None
    for prefix, mode in (("drand:", DRAND), ("manual:mixed:", MIXED)):
        rest = name.removeprefix(prefix)
        is_hash = len(rest) == 64 and not set(rest) - set("0123456789abcdef")
        if name.startswith(prefix) and (rest in KNOWN_NETWORKS or is_hash):
            return mode, rest
    return None, None


def chain_hash(terms: Record) -> str:
    """What drand calls a chain: the hash of period, genesis, key, group and, unless it is "default", id."""
    named = b"" if terms["beacon_id"] == "default" else terms["beacon_id"].encode()
    key, group = bytes.fromhex(terms["public_key"]), bytes.fromhex(terms["group_hash"])
    return sha256(U32(terms["period"]) + U64(terms["genesis"]) + key + group + named).hexdigest()


def check_rake(rules: Record) -> None:
    """A table rises to 100, in rooms that pay a rake; change and rests of earlier rounds are bounded."""
    table = rules["rake"]
    if table is not None:
        require(rules["mode"] in ("classic", "teams", "pot"), "a rake table in a room that pays no rake")
        uppers = [0, *[upper for upper, _ in table]]
        require(uppers == sorted(set(uppers)) and uppers[-1] == 100, "the rake table does not rise to 100")
    carried = rules["mode"] == "classic" and table is not None
    require(carried or not rules["rake_carry"], "rests of a rake that is not collected")
    require(rules["rake_change_max"] <= CHANGE_MAX, "the house may hand back more than anybody can check")
    require((rules["rake_change_max_bp"] or 0) <= WHOLE_BP, "the house may hand back more than the pot")


def check_shares(rules: Record) -> None:
    """Rooms with several winners have their shares; in a Sit-n-Go they are numbers of items."""
    shares, several = rules["shares"], rules["mode"] in ("sitngo", "pot")
    require((shares is not None) == several, "shares belong to rooms with several winners, and only there")
    if several:
        require(0 < len(shares) <= WINNERS_MAX and all(shares), "a share of nothing")
    if rules["mode"] == "sitngo":
        require(rules["tickets"] == "item", "a Sit-n-Go shares items, and gives a ticket for each")
        require(sum(shares) <= (rules["item_limit_max"] or 0), "more is shared than the pot can hold")


def check_teams(rules: Record) -> None:
    """Two teams, a clock, and tickets by value, which the pot is shared by."""
    require(rules["ranges"] is not None and rules["team_limit"] is not None, "a team game without teams")
    both = 2 * rules["team_limit"]
    require(rules["player_limit"] == both == rules["min_players"], "the players are not two teams")
    require(rules["time_enable"] and rules["tickets"] == "cent", "a team game has a clock, and a ticket for each cent")


def check_raffle(rules: Record) -> None:
    """Tickets that pay for price and commission; no limit of bets, for there are none."""
    terms = rules["raffle"]
    require(terms is not None and rules["tickets"] == "bought", "a raffle without its terms")
    require(terms["prize"] != "" and terms["tickets"] > 0 and terms["ticket_price"] > 0, "a raffle of nothing")
    full = terms["price"] + terms["commission"]
    require(terms["ticket_price"] == -(-full // terms["tickets"]), "the ticket price does not follow from the template")
    require(terms["tickets"] * terms["ticket_price"] <= TICKETS_MAX, "the tickets bring more than can be counted")
    for name in ("item_limit_max", "bet_item_limit_max", "bet_value_min", "bet_value_max", "allowed_items", "player_limit"):
        require(rules[name] is None, "{} limits bets, and a raffle sells tickets", name)
    require(rules["global_pot_limit"] is None and rules["min_players"] == 1, "a raffle ends when its tickets are sold")
