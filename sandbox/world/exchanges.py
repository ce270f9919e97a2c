"""Exchanges and reversals as records: what Steam writes down once an offer is accepted; `delivery` moves the items."""

from dataclasses import dataclass, field
from enum import IntEnum

from sandbox.world.offers import AssetRef


class Status(IntEnum):
    """ETradeStatus."""

    INIT = 0
    PRE_COMMITTED = 1
    COMMITTED = 2
    COMPLETE = 3
    FAILED = 4
    IN_ESCROW = 10
    ESCROW_ROLLBACK = 11
    PROTECTION_ROLLBACK = 12


@dataclass(slots=True)
class Move:
    """One item on its way from one account to the other; the new ids are None while it is held."""

    ref: AssetRef
    giver: int
    taker: int
    new_context_id: int | None = None
    new_asset_id: int | None = None
    rollback_context_id: int | None = None
    rollback_asset_id: int | None = None


@dataclass(slots=True)
class Exchange:
    """Steam's trade; times are unix seconds, 0 where there is none; only a rollback has no offer."""

    tradeid: int
    offer_id: int | None
    sender: int
    recipient: int
    status: Status
    time_init: int
    time_mod: int
    time_settlement: int = 0
    time_escrow_end: int = 0
    ids_visible_at: float = 0.0
    moves: list[Move] = field(default_factory=list)
    settled: bool = False
    rollback_of: int | None = None
    rolled_back_by: int | None = None
    reversed_by: int | None = None
    """The account that reversed, in both the original and the rollback."""

    def concerns(self, steam_id: int) -> bool:
        return steam_id in (self.sender, self.recipient)

    @property
    def is_protected(self) -> bool:
        """Whether either side can still reverse it."""
        delivered = self.status in (Status.COMPLETE, Status.COMMITTED)
        return delivered and self.time_settlement > 0 and not self.settled

    def shows_ids(self, now: float) -> bool:
        return self.status not in (Status.COMPLETE, Status.COMMITTED) or now >= self.ids_visible_at

    def status_at(self, now: float) -> Status:
        """Committed until the ids are known, and for good when the exchange was left there."""
        return self.status if self.shows_ids(now) else Status.COMMITTED


@dataclass(frozen=True, slots=True)
class Reversal:
    """What one account took back at one moment; the two lists of exchanges have the same order."""

    steam_id: int
    at: int
    exchanges: tuple[int, ...]
    rollbacks: tuple[int, ...]
