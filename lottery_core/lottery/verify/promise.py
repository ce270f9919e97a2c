"""Before the game: the secret belongs to the published chain, the commitment holds it, and the rules were fixed."""

from lottery.encoding import LP, TAG, U64, ZERO_HASH, S, canonical_json, sha256
from lottery.verify.report import Report, require
from lottery.verify.shape import MODES, Record

CHAIN_STEPS_MAX = 10_000_000
MARGIN_MIN_S = 3
CHANGE_MAX = 1_000_000
NETWORKS = ("quicknet", "default")
ENTROPIES = {
    "none": 0,
    **{f"drand:{network}": 1 for network in NETWORKS},
    "block:bitcoin": 2,
    **{f"manual:mixed:{network}": 3 for network in NETWORKS},
    "manual:direct": 4,
}


def check(record: Record, report: Report) -> None:
    """Chain, commitment, rules and the start of the log. Raises: Lie."""
    check_chain(record, report)
    check_commitment(record, report)
    check_rules(record, report)
    check_log_start(record, report)


def check_chain(record: Record, report: Report) -> None:
    """Hash the secret back to the earlier value of the chain that was published."""
    published, steps = record["chain"], record["id"] - record["chain"]["round"]
    report.holds("chain: place", 1 <= steps <= CHAIN_STEPS_MAX, f"{steps} steps back", f"{steps} steps is no distance to check")
    value, link = record["secret"], TAG("lot1.chain") + S(record["room"])
    for _ in range(steps):
        value = sha256(link, value)
    report.same(f"chain: secret of round {record['id']} leads to value {published['round']}", published["value"], value)


def check_commitment(record: Record, report: Report) -> None:
    """The hash shown before the first bet is the hash of this secret."""
    place = S(record["room"]) + U64(record["id"])
    found = sha256(TAG("lot1.commit"), place, record["salt"], record["secret"])
    report.same("commitment", record["hash"], found)


def check_rules(record: Record, report: Report) -> None:
    """The rules make sense, and name the mode that was played."""
    rules = record["rules"]
    report.same("rules: mode", record["mode"], MODES[rules["mode"]], rules["mode"])
    report.rule("rules: sense", sense, rules)


def sense(rules: Record) -> str:
    """Rules that contradict themselves, or leave the outcome open, are refused. Raises: Lie."""
    require(rules["entropy"] in ENTROPIES, "{!r} is no mode of entropy", rules["entropy"])
    low, high = rules["bet_value_min"], rules["bet_value_max"]
    require(low is None or high is None or low <= high, "the least bet is above the greatest")
    mode = rules["mode"]
    require((mode == "teams") == (rules["ranges"] is not None), "ranges belong to team games, and only there")
    require((mode == "teams") == (rules["team_limit"] is not None), "a team limit belongs to team games, and only there")
    require((mode == "raffle") == (rules["raffle"] is not None), "a raffle has its template, no other room has one")
    require((mode == "raffle") == (rules["tickets"] == "bought"), "tickets are bought in raffles, and only there")
    if mode == "teams":
        require(rules["player_limit"] == 2 * rules["team_limit"], "the player limit is not two teams")
    if mode in ("sitngo", "pot"):
        require(bool(rules["shares"]) and all(rules["shares"]), "a room with several winners needs their shares")
    if rules["entropy"].startswith("manual"):
        require(mode == "pot", "numbers are typed for the Global Pot only")
    if rules["entropy"] not in ("none", "manual:direct"):
        require(rules["entropy_margin_s"] >= MARGIN_MIN_S, "the beacon may be known before the close is public")
    require(rules["time_enable"] == bool(rules["time_limit"]), "a clock without a limit, or a limit without a clock")
    if rules["rake"] is not None:
        require(mode in ("classic", "teams", "pot"), "a rake table in a room that pays no rake")
        uppers = [upper for upper, _ in rules["rake"]]
        require(uppers == sorted(set(uppers)) and uppers[-1:] == [100], "the rake table does not rise to 100")
    require(rules["rake_change_max"] <= CHANGE_MAX, "the house may hand back more than anybody can check")
    return f"{rules['name']}: {mode}, entropy {rules['entropy']}"


def check_log_start(record: Record, report: Report) -> None:
    """The log begins with the commitment, the rules and the seal of the round before."""
    if record["id"] == 1:
        report.same("previous seal of the first round", record["prev_seal"], ZERO_HASH)
    rules_hash = sha256(TAG("lot1.rules"), LP(canonical_json(record["rules"])))
    place = S(record["room"]) + U64(record["id"])
    found = sha256(TAG("lot1.open"), place, record["hash"], rules_hash, record["prev_seal"])
    report.same("log start, with the rules' hash", record["log"]["start"], found)
