"""Named points at which a process can be made to die, as if it were killed there: `SITE_CRASH_AT=lane.before_commit`.

For tests and chaos runs. Nothing is flushed, closed or rolled back. `NAME:3` dies when the point is reached for the third time.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "bet.before_lock",  # the bet and the call for its lock are committed, the call is not sent
    "bet.after_lock",  # the fleet has locked the items, nothing of it is written
    "bet.locked",  # that they are locked is written, the bet is not placed
    "lane.before_commit",  # a lane's transaction is whole, and not committed
    "lane.after_commit",  # it is committed, nobody was told
    "call.sent",  # the fleet has done what it was asked for, its answer is thrown away
    "call.answered",  # the answer is read, and not written
    "settle.before_event",  # all rows have moved, the round does not know
    "stock.locked",  # the house's pieces are locked, the round is not created
    "unlock.answered",  # the fleet has freed the items, the bet is not refused yet
    "raffle.refund",  # a raffle is void, its refunds are not booked
    "feed.before_commit",  # events are applied, and not committed
    "feed.after_commit",
)
_armed: list[str | int] = ["", 0]


def arm(where: str) -> None:
    """Raises ValueError for a point that there is not."""
    name, _, count = where.partition(":")
    if name and name not in POINTS:
        raise ValueError(f"no crash point {name!r}; there are {', '.join(POINTS)}")
    _armed[:] = [name, int(count or 1)]


def at(name: str) -> None:
    """Dies here if this is the point and its time has come."""
    assert name in POINTS, name
    if _armed[0] != name:
        return
    _armed[1] = int(_armed[1]) - 1
    if not _armed[1]:
        os.kill(os.getpid(), signal.SIGKILL)
