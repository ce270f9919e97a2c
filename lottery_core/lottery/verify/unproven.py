"""What no record can prove: it stands in every report, so that nobody takes "good" for more than it is."""

from lottery.verify import rake
from lottery.verify.reading.shape import Record

NEVER_PROVEN = (
    "that the close was public before its beacon: ask a witness who stored it (a player's client, a mirror, a time stamp)",
    "that the items exist, are held for the players, and were worth their prices",
    "who stands behind a user: the house may bet too, and may refuse bets before the close",
)
ANCHOR = "that the chain hangs on the anchor that was published: compare it (--anchor)"
PREVIOUS = "that the seal of the round before is the one that was published: compare it (--previous, --lane)"
RECEIPTS = "that no bet was left out: whoever bet has a receipt (--receipt)"


def of(record: Record) -> list[str]:
    """What stays open in this record, in words."""
    found, outcome = [*NEVER_PROVEN, ANCHOR, PREVIOUS, RECEIPTS], record["outcome"]
    if record["rules"]["entropy"] == "none":
        found.append("that the house did not use the number: without a beacon it knows it from the start")
    if record["manual"]:
        found.append("that the typed numbers are those of the recording: watch it (its address stands in `evidence`)")
    if outcome["closed_by"] == "operator":
        found.append("that the round had to be void, and was before its end: that is the operator's word")
    paid = [each["seal"] for each in outcome["rake"]["carried"]] if outcome["rake"] else []
    owed = [each for each in rake.rests(record) if each["seal"] in paid] if paid else []
    for each in owed:
        found.append(f"that user {each['user_id']} owed {each['cents']} from round {each['round']} of {each['room']} (--lane)")
    if outcome["referral"]:
        found.append("who invited whom, but that it was said before the draw")
    return found
