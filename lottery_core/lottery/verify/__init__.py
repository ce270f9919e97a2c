"""The independent verifier: everything a sealed record claims, computed again from the record itself.

Written from the specification and not from the engine, with the slowest and plainest algorithms that finish; of the engine it
shares `lottery.encoding` alone. Read the modules in the order in which `STORY` calls them: that is the order of a round.
"""

from lottery.encoding import LP, TAG, canonical_json, sha256
from lottery.verify import bets, chance, closing, payouts, promise, rake, winners
from lottery.verify.report import Lie, Report
from lottery.verify.shape import Record, read
from lottery.verify.strict import Unreadable, parse

__all__ = ["Lie", "Report", "Unreadable", "verify", "verify_record"]

NEVER_PROVEN = (
    "that the close was public before its beacon: ask a witness who stored it (a player's client, a mirror, a time stamp)",
    "that the anchor of the chain and the previous seal are those that were published: compare them",
    "that the items exist, are held for the players, and were worth their prices",
    "who stands behind a user: the house may bet too, and may refuse bets before the close",
)
WHY_VOID = {True: "the reason is the operator's word", False: "drand's archive tells whether there was no beacon"}


def verify(text: bytes) -> Report:
    """Check a record as it was published, byte for byte. The report ends at the first lie.

    Raises: Unreadable when the text is no canonical record at all.
    """
    return verify_record(parse(text))


def verify_record(value: object) -> Report:
    """The same for a record that is parsed from JSON already, where the spelling of the text is not in question."""
    record, report = read(value), Report()
    try:
        for step in STORY:
            step(record, report)
        report.not_proven.extend(unproven(record))
    except Lie as lie:
        report.end_with(lie)
    return report


def check_seal(record: Record, report: Report) -> None:
    """One value over all of it, on which the next round builds."""
    opened = record["secret"] + record["salt"] + LP(record["entropy"])
    told = LP(canonical_json(record["outcome"]))
    report.same("seal", record["seal"], sha256(TAG("lot1.seal"), record["prev_seal"], record["close"]["hash"], opened, told))


def unproven(record: Record) -> list[str]:
    """What stays open in this record, in words."""
    found, outcome = list(NEVER_PROVEN), record["outcome"]
    if record["manual"]:
        found.append("that the typed numbers are those of the recording: watch it (its address stands in `evidence`)")
    if outcome["void"] is not None:
        found.append("that the round had to be void: " + WHY_VOID[closing.voided_before_close(record)])
    if outcome["rake"] is not None and outcome["rake"]["stock"]:
        found.append("that the house offered all of its stock as change")
    if outcome["referral"]:
        found.append("who invited whom")
    return found


STORY = (
    promise.check,
    bets.check,
    closing.check,
    chance.check,
    winners.check,
    rake.check,
    payouts.check,
    check_seal,
)
