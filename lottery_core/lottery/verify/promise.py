"""Before the game: the secret is the next one of its chain, and everything that decides the round was bound with it."""

from lottery.encoding import LP, TAG, U8, U64, ZERO_HASH, S, canonical_json, sha256
from lottery.verify.reading.shape import MODES, Record
from lottery.verify.report import Report, require
from lottery.verify.rules import TICKETS_MAX, sense

PIECE = b'{"deposit_id":%d,"item_id":%d,"price":%d}'


def check(record: Record, report: Report) -> None:
    """Chain, salt, commitment, rules, the house's pieces, and the start of the log over all of it. Raises: Lie."""
    check_chain(record, report)
    report.same("rules: mode", record["mode"], MODES[record["rules"]["mode"]], record["rules"]["mode"])
    report.rule("rules: sense", sense, record["rules"])
    report.rule("pieces of the house", pieces, record)
    if record["id"] == 1:
        report.same("previous seal of the first round", record["prev_seal"], ZERO_HASH)
    report.same("log start: rules, pieces, chain and beginning", record["log"]["start"], log_start(record))


def check_chain(record: Record, report: Report) -> None:
    """The secret hashes to the value of the chain before it; salt and commitment follow from the two."""
    link, secret = record["chain"], record["secret"]
    place = S(record["room"]) + U64(record["id"])
    report.holds("chain: place", 1 <= record["id"] <= link["last"], f"up to {link['last']}", "no round of this chain")
    report.holds("chain: lane", record["room"] != "", record["room"], "the lane has no name")
    report.same("salt", record["salt"], sha256(TAG("lot2.salt"), place, link["value"]))
    if secret is not None:
        report.same("chain: value before the secret", link["value"], sha256(TAG("lot2.chain"), S(record["room"]), secret))
        report.same("commitment", record["hash"], sha256(TAG("lot2.commit"), place, record["salt"], secret))


def pieces(record: Record) -> str:
    """A giveaway or a raffle has the one prize that it is about; change is for rooms with a rake. Raises: Lie."""
    mode, guarantees, stock = record["rules"]["mode"], record["guarantees"], record["stock"]
    prizes, change = guarantees["deposit_id"], stock["deposit_id"]
    require(mode not in ("giveaway", "raffle") or len(prizes) == 1, "{} prizes in a {}", len(prizes), mode)
    require(not change or record["rules"]["rake"] is not None, "a stock for change in a room without a rake")
    require(len(set(prizes + change)) == len(prizes + change), "a piece of the house stands twice")
    require(max(guarantees["price"] + stock["price"], default=0) <= TICKETS_MAX, "a piece of the house beyond all prices")
    return f"{len(prizes)} guarantees, {len(change)} for change"


def log_start(record: Record) -> bytes:
    """The first value of the log: whatever decides who gets what, and is fixed before the first bet."""
    rules = sha256(TAG("lot2.rules"), LP(canonical_json(record["rules"])))
    record["stock_text"] = pieces_text(record["stock"])
    promised = b'{"guarantees":%b,"stock":%b}' % (pieces_text(record["guarantees"]), record["stock_text"])
    house = sha256(TAG("lot2.house"), LP(promised))
    start = record["time_start"]
    began = U8(0) if start is None else U8(1) + U64(start)
    chain = record["chain"]["value"] + U64(record["chain"]["last"])
    place = S(record["room"]) + U64(record["id"])
    return sha256(TAG("lot2.open"), place, record["hash"], rules, record["prev_seal"], chain, house, began)


def pieces_text(pieces: Record) -> bytes:
    """Pieces of the house as canonical JSON."""
    rows = zip(pieces["deposit_id"], pieces["item_id"], pieces["price"], strict=True)
    return b"[%b]" % b",".join([PIECE % row for row in rows])
