"""What has to be done outside because of an event; nothing of it has been done yet."""

from typing import NamedTuple

from lottery.commitments import Close, Link
from lottery.pot import Entry


class Started(NamedTuple):
    """Bets are taken now. The start of the log, over all that is fixed by then, is to be published before the first one."""

    time_ms: int
    log_start: bytes


class TimerStarted(NamedTuple):
    deadline_ms: int


class Receipt(NamedTuple):
    """What a bettor gets back: the items as they are in the pot, and the log value after each; `number` is the first's place.

    With it the bettor can show later that the bet was accepted exactly so. Its rows are now locked to the round.
    """

    bet: int
    user_id: int
    number: int
    entries: tuple[Entry, ...]
    logs: tuple[bytes, ...]


class Debit(NamedTuple):
    user_id: int
    cents: int


class Stopped(NamedTuple):
    """No more bets; `numbers` numbers are to be typed."""

    time_ms: int
    numbers: int


class Closed(NamedTuple):
    """The close record, to be published at once; open the secret from `open_after_ms` on and before `beacon_ms`."""

    close: Close
    open_after_ms: int
    beacon_ms: int | None


class Opened(NamedTuple):
    """The secret is public; `late` when the beacon could already be known by then."""

    secret: bytes
    late: bool


class Drawn(NamedTuple):
    winners: tuple[int, ...]


class Payout(NamedTuple):
    """What one user gets: rows of the pot, guarantees, small items of the house's stock (deposit ids each), cents of credit.

    `claim` is the value owed without guarantees: value(rows) + value(change) + credit.
    """

    user_id: int
    claim: int
    rows: tuple[int, ...]
    guarantees: tuple[int, ...]
    change: tuple[int, ...]
    credit: int


class Settle(NamedTuple):
    """What has to be moved now: nothing has been yet."""

    payouts: tuple[Payout, ...]
    house: tuple[int, ...]
    referral: tuple[tuple[int, int], ...]


class Refund(NamedTuple):
    payouts: tuple[Payout, ...]
    reason: str


class Sealed(NamedTuple):
    """The round is over: unlock its rows, publish its record, the next round of the lane may be created.

    `left` is how many rounds the lane's chain has secrets for; renew it before there are none.
    """

    seal: bytes
    left: int


class Renewed(NamedTuple):
    """The anchor of the lane's next chain, to be published; it stands in this round's record and under its seal."""

    link: Link


class LaneEnded(NamedTuple):
    """The house failed: publish the record, which says so and never verifies as good. No round follows on this lane."""

    seal: bytes
    reason: str


Effect = (
    Started
    | TimerStarted
    | Receipt
    | Debit
    | Stopped
    | Closed
    | Opened
    | Drawn
    | Settle
    | Refund
    | Sealed
    | Renewed
    | LaneEnded
)
Effects = tuple[Effect, ...]
