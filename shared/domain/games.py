"""Words of custody for games: how a lock stands, how each of its rows does, and what a line of credit is for."""

from __future__ import annotations

from enum import StrEnum


class LockState(StrEnum):
    HELD = "held"
    PART_MOVED = "part_moved"  # some of its rows were handed over, others are still under it
    USED = "used"  # none is under it any more, and at least one was handed over
    RELEASED = "released"
    RELEASED_UNSEEN = "released_unseen"  # it was released before it came: it never holds anything


class LockRowState(StrEnum):
    HELD = "held"
    MOVED = "moved"
    RELEASED = "released"


class CreditKind(StrEnum):
    REST = "rest"
    REFERRAL = "referral"
    CARRY = "carry"
    EXCHANGE = "exchange"
    MAKE_GOOD = "make_good"
    CORRECTION = "correction"


class CreditCall(StrEnum):
    """By which call a line was written: refs are unique within one kind of call."""

    CREDIT = "credit"
    TRANSFER = "transfer"
    EXCHANGE = "exchange"
