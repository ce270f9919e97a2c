"""A record beside others: the one before it, the anchor of its chain, the receipts of those who bet, or the whole lane.

One record alone can be good and still not be the one that was promised. What it hangs on, and what hangs on it, shows that.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, pairwise

from lottery.encoding import TAG, S, sha256
from lottery.verify import checked
from lottery.verify.bets import item_logs
from lottery.verify.reading.shape import LANE_BYTES, Record, hash32
from lottery.verify.reading.strict import Unreadable, fields, list_of, one_of, text_of, u64
from lottery.verify.report import GOOD, LIE, UNCHECKED, Lie, Report, require
from lottery.verify.unproven import ANCHOR, PREVIOUS, RECEIPTS

CHAIN_STEPS_MAX = 1 << 21
RECEIPT_ITEMS_MAX = 10_000
_ROWS = list_of(fields(item_id=u64, deposit_id=u64, price=u64, first_ticket=u64, tickets=u64), RECEIPT_ITEMS_MAX)
_RECEIPT = fields(
    format=one_of("lot2.receipt"),
    room=text_of(LANE_BYTES),
    round=u64,
    hash=hash32,
    log_start=hash32,
    bet=u64,
    user_id=u64,
    number=u64,
    items=_ROWS,
    logs=list_of(hash32, RECEIPT_ITEMS_MAX),
)


@dataclass(frozen=True)
class Beside:
    """What the reader has beside a record: seals and secrets that were published, receipts, and hashes that are trusted."""

    previous: Record | None = None
    anchor: bytes | None = None
    receipts: tuple[Record, ...] = ()
    trusted: frozenset[str] = frozenset()


def read_receipt(text: bytes) -> Record:
    """A receipt as the house gave it out, in whatever spelling of JSON. Raises: Unreadable."""
    try:
        found: Record = _RECEIPT(json.loads(text))
    except Unreadable as error:
        raise Unreadable(f"receipt{error}") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"receipt: {error}") from error
    return found


def check_beside(record: Record, beside: Beside) -> Report:
    """Check a record, and that it fits what the reader has beside it."""
    report = checked(record, beside.trusted)
    if report.verdict == LIE:
        return report
    try:
        if beside.previous is not None:
            report.rule("follows the round before", partial(follows, beside.previous), record)
            report.not_proven.remove(PREVIOUS)
        if beside.anchor is not None:
            report.rule("anchor", partial(anchored, beside.anchor), record)
            report.not_proven.remove(ANCHOR)
        for receipt in beside.receipts:
            report.rule(f"receipt of bet {receipt['bet']}", partial(receipted, receipt), record)
        if beside.receipts:
            report.not_proven.remove(RECEIPTS)
    except Lie as lie:
        report.end_with(lie)
    return report


def follows(before: Record, record: Record) -> str:
    """Number, seal, chain and time go on from the round before. Raises: Lie."""
    require(before["outcome"]["failure"] is None, "the lane ended with round {}, where the house failed", before["id"])
    require(record["room"] == before["room"], "the round before is of lane {!r}", before["room"])
    require(record["id"] == before["id"] + 1, "round {} does not follow round {}", record["id"], before["id"])
    require(record["prev_seal"] == before["seal"], "it hangs on another seal than that of round {}", before["id"])
    renew = before["outcome"]["renew"]
    value, last = (bytes.fromhex(renew["value"]), renew["last"]) if renew else (before["secret"], before["chain"]["last"])
    require(record["chain"] == {"value": value, "last": last}, "its chain does not go on from round {}", before["id"])
    start, opened = record["time_start"], before["outcome"]["opened_ms"]
    require(start is None or start >= opened, "it began before the round before was opened")
    return f"round {before['id']}" + (", on a new chain" if renew else "")


def anchored(anchor: bytes, record: Record) -> str:
    """The value before the secret leads back to the anchor, in no more steps than there were rounds. Raises: Lie."""
    value, link = record["chain"]["value"], TAG("lot2.chain") + S(record["room"])
    for steps in range(min(record["id"], CHAIN_STEPS_MAX)):
        if value == anchor:
            return f"{steps} steps before the secret's own"
        value = sha256(link, value)
    raise Lie(f"no value of this chain within {min(record['id'], CHAIN_STEPS_MAX)} steps is the anchor")


def receipted(receipt: Record, record: Record) -> str:
    """The bet stands in the record as the receipt says, with the same values of the log after each item. Raises: Lie."""
    require((receipt["room"], receipt["round"]) == (record["room"], record["id"]), "the receipt is of another round")
    require(receipt["hash"] == record["hash"], "the receipt is of a round with another commitment")
    require(receipt["log_start"] == record["log"]["start"], "the receipt is of a round that began otherwise")
    items, count, first = record["items"], len(receipt["items"]), receipt["number"] - 1
    rows = [place for place, bet in enumerate(items["bet"]) if bet == receipt["bet"]]
    require(rows == list(range(first, first + count)), "the bet is not in the record, or not at its place")
    for place, row in zip(rows, receipt["items"], strict=True):
        found = {name: items[name][place] for name in ("item_id", "deposit_id", "price")}
        tickets = {"first_ticket": record["pot"].firsts[place], "tickets": record["pot"].tickets[place]}
        require({**found, **tickets} == row and items["user_id"][place] == receipt["user_id"], "the bet was changed")
    logs = list(islice(item_logs(record["log"]["start"], record["pot"]), first, first + count))
    require(logs == receipt["logs"], "the log does not go through the values of the receipt")
    return f"{count} items of user {receipt['user_id']}"


# ---- a whole lane


@dataclass
class Lane:
    """What came out for the rounds of a lane, in their order, and for all of them together."""

    rounds: list[tuple[int, str, Report]] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    lie: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """The worst of all."""
        verdicts = {report.verdict for _, _, report in self.rounds}
        if self.lie is not None or LIE in verdicts or not self.rounds:
            return LIE
        return UNCHECKED if UNCHECKED in verdicts else GOOD


def verify_lane(records: Iterable[tuple[str, Record]], beside: Beside) -> Lane:
    """Check every record of a lane, given by name and in any order, and that they hang together without a gap."""
    lane, kept = Lane(), list[tuple[str, Record]]()
    for name, record in records:
        own = tuple(each for each in beside.receipts if (each["room"], each["round"]) == (record["room"], record["id"]))
        report = check_beside(record, Beside(receipts=own, trusted=beside.trusted))
        lane.rounds.append((record["id"], name, report))
        kept.append((name, slim(record)))
    lane.rounds.sort(key=lambda each: each[:2])
    kept.sort(key=lambda each: (each[1]["id"], each[0]))
    lane.ends.update(record["outcome"]["closed_by"] for _, record in kept)
    if lane.verdict != LIE:
        try:
            hang_together([record for _, record in kept], beside, lane)
        except Lie as lie:
            lane.lie = str(lie)
    return lane


def slim(record: Record) -> Record:
    """What a lane needs to know of a round, without its items."""
    kept = ("id", "room", "seal", "prev_seal", "secret", "chain", "time_start", "outcome", "close")
    return {name: record[name] for name in kept}


def hang_together(records: list[Record], beside: Beside, lane: Lane) -> None:
    """From the first round on: no gap, no fork, seal to seal, secret to secret; and no rest is collected twice. Raises: Lie."""
    first = records[0]
    if first["id"] == 1 and beside.anchor is not None:
        require(first["chain"]["value"] == beside.anchor, "round 1 does not hang on the anchor")
    if first["id"] > 1:
        lane.notes.append(f"the rounds before {first['id']} are not here")
    for before, record in pairwise(records):
        follows(before, record)
    for receipt in beside.receipts:
        here = any((receipt["room"], receipt["round"]) == (one["room"], one["id"]) for one in records)
        require(here, "round {} of {}, of which there is a receipt, is not here", receipt["round"], receipt["room"])
    lane.notes.extend(collected_once(records))


def collected_once(records: list[Record]) -> list[str]:
    """Each rest that was collected arose as it was said, and was still open; those of other lanes are listed. Raises: Lie."""
    open_rests: dict[str, tuple[Record, int, int]] = {}
    listed = []
    for record in records:
        for rest in record["close"]["rests"]:
            if rest["seal"] not in open_rests:
                listed.append(f"that user {rest['user_id']} owed {rest['cents']} from round {rest['round']} of {rest['room']}")
                continue
            arose, user, cents = open_rests[rest["seal"]]
            said = (rest["user_id"], rest["room"], rest["round"], rest["close_ms"])
            require(said == (user, arose["room"], arose["id"], arose["close"]["close_ms"]), "a rest that did not arise so")
            require(rest["cents"] <= cents, "user {} owed {} from round {}, not {}", user, cents, arose["id"], rest["cents"])
        rake = record["outcome"]["rake"]
        for paid in rake["carried"] if rake else ():
            if paid["seal"] in open_rests:
                arose, user, cents = open_rests[paid["seal"]]
                open_rests[paid["seal"]] = arose, user, cents - paid["cents"]
        if rake and rake["shortfall"]:
            seal, winner = record["seal"].hex(), record["outcome"]["winners"][0]["user_id"]
            open_rests[seal] = record, winner, rake["shortfall"]
    return listed
