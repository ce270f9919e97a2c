"""The independent verifier: everything a sealed record claims, computed again from the record itself.

Written from the specification and not from the engine, with the slowest and plainest algorithms that finish; of the engine it
shares `lottery.encoding` alone. Read the modules in the order in which `STORY` calls them: that is the order of a round, and
all that decides whether a record is true. How text becomes values is in `reading`, how a verdict is said in `report` and
`unproven`, what several records show together in `lane`.
"""

from lottery.encoding import LP, TAG, canonical_json, sha256
from lottery.verify import bets, chance, closing, payouts, promise, rake, unproven, winners
from lottery.verify.reading.shape import Record, read
from lottery.verify.reading.strict import Unreadable, parse
from lottery.verify.report import GOOD, LIE, UNCHECKED, Lie, Report

__all__ = ["GOOD", "LIE", "UNCHECKED", "Lie", "Report", "Unreadable", "verify", "verify_record"]

FAILURE = "house's failure"


def verify(text: bytes, trusted: frozenset[str] = frozenset()) -> Report:
    """Check a record as it was published, byte for byte. The report ends at the first lie.

    `trusted` are hashes of drand chains, and blocks ("height:hash"), that the caller knows to be public ones.
    Raises: Unreadable when the text is no canonical record at all.
    """
    return verify_record(parse(text), trusted)


def verify_record(value: object, trusted: frozenset[str] = frozenset()) -> Report:
    """The same for a record that is parsed from JSON already, where the spelling of the text is not in question."""
    return checked(read(value), trusted)


def checked(record: Record, trusted: frozenset[str] = frozenset()) -> Report:
    """The same for a record that was read already."""
    report = Report(trusted)
    try:
        for step in STORY:
            step(record, report)
        report.not_proven.extend(unproven.of(record))
    except Lie as lie:
        report.end_with(lie)
    return report


def check_seal(record: Record, report: Report) -> None:
    """One value over all of it, on which the next round builds; where the house failed, another kind that nothing builds on."""
    told = LP(canonical_json(record["outcome"]))
    bound, drawn = record["prev_seal"] + record["close"]["hash"], record["salt"] + LP(record["entropy"])
    if record["outcome"]["failure"] is None:
        report.same("seal", record["seal"], sha256(TAG("lot2.seal"), bound, record["secret"], drawn, told))
    else:
        report.same("seal", record["seal"], sha256(TAG("lot2.failure"), bound, drawn, told))


def check_chain_goes_on(record: Record, report: Report) -> None:
    """A new chain that is bound here reaches beyond this round."""
    renew = record["outcome"]["renew"]
    if renew is not None:
        report.holds("next chain", renew["last"] > record["id"], f"up to round {renew['last']}", "it ends with this round")


def check_kept(record: Record, report: Report) -> None:
    """A house that failed kept no promise, however well it says so."""
    failure = record["outcome"]["failure"]
    if failure is not None:
        report.lied(FAILURE, f"the house says {failure!r}: nothing was drawn, all goes back, the lane ends here")


STORY = (
    promise.check,
    bets.check,
    closing.check,
    chance.check,
    winners.check,
    rake.check,
    payouts.check,
    check_chain_goes_on,
    check_seal,
    check_kept,
)
