"""Trade offers as records, and the book that finds them by account, by item and by age."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from sandbox.world.catalogue import Kind
from sandbox.world.items import Item


class State(IntEnum):
    """ETradeOfferState."""

    INVALID = 1
    ACTIVE = 2
    ACCEPTED = 3
    COUNTERED = 4
    EXPIRED = 5
    CANCELED = 6
    DECLINED = 7
    INVALID_ITEMS = 8
    NEEDS_CONFIRMATION = 9
    CANCELED_BY_SECOND_FACTOR = 10
    IN_ESCROW = 11
    REVERTED = 12


LIVE = frozenset({State.ACTIVE, State.NEEDS_CONFIRMATION})
"""States that count against the limits and claim items."""


@dataclass(frozen=True, slots=True)
class AssetRef:
    """An asset as the offer named it; it stays as it was when the item has moved on."""

    item_uid: int
    kind: Kind
    context_id: int
    asset_id: int
    instanceid: int
    tradable: bool
    protected_until: int

    @classmethod
    def of(cls, item: Item) -> "AssetRef":
        return cls(
            item.item_uid,
            item.kind,
            item.context_id,
            item.asset_id,
            item.instanceid,
            item.tradable,
            item.protected_until,
        )


TRADE = 2
"""EMobileConfirmationType of a trade offer; `sandbox/world/phone.py` has the others."""


@dataclass(slots=True)
class Confirmation:
    """What the phone of `owner` is asked: for `creator_id`, which of a trade is its offer.

    `accepting` tells an answer to an offer from an offer of one's own. Headline and summary are of the other kinds.
    """

    confirmation_id: int
    nonce: int
    creator_id: int
    owner: int
    accepting: bool
    created: int
    visible_at: float
    kind: int = TRADE
    headline: str = ""
    summary: tuple[str, ...] = ()


@dataclass(slots=True)
class Offer:
    """One trade offer seen from its sender: `give` leaves the sender, `receive` comes to it."""

    offer_id: int
    sender: int
    recipient: int
    give: tuple[AssetRef, ...]
    receive: tuple[AssetRef, ...]
    message: str
    state: State
    created: int
    updated: int
    expires: int
    tradeid: int | None = None
    escrow_end: int = 0
    needs_phone: bool = False
    accepting_needs_phone: bool = False
    """Whether the recipient has accepted and must confirm, or had to."""
    confirmation: Confirmation | None = None
    promised_tradeid: int | None = None
    """The exchange id already told to an accepting account whose phone has not confirmed yet."""
    seen_by_recipient: bool = False

    def partner_of(self, steam_id: int) -> int:
        return self.recipient if steam_id == self.sender else self.sender

    def given_by(self, steam_id: int) -> tuple[AssetRef, ...]:
        return self.give if steam_id == self.sender else self.receive

    def concerns(self, steam_id: int) -> bool:
        """Whether that account may see the offer: a recipient does not before the sender's phone confirmed it."""
        return steam_id == self.sender or (steam_id == self.recipient and self.seen_by_recipient)


@dataclass(slots=True)
class _Shelf:
    """One account's offers, the most recently changed last."""

    all: dict[int, Offer] = field(default_factory=dict)
    live: dict[int, Offer] = field(default_factory=dict)


class OfferBook:
    """Every offer; the indexes make a poll cost what it returns, not what was ever sent."""

    def __init__(self) -> None:
        self.by_id: dict[int, Offer] = {}
        self.confirmations: dict[int, Confirmation] = {}
        self._shelves: dict[int, _Shelf] = {}
        self._claims: dict[int, set[int]] = {}
        self._latest = 0
        self._in_order = True
        """Whether changes were made in order of time; not so once the clock was moved back."""

    def __iter__(self) -> Iterator[Offer]:
        return iter(self.by_id.values())

    def add(self, offer: Offer) -> None:
        self.by_id[offer.offer_id] = offer
        self.set_state(offer, offer.state, offer.created)

    def set_state(self, offer: Offer, state: State, now: float) -> None:
        """Change the state and keep the indexes; a confirmation waiting for a state that is left behind is dropped."""
        offer.state, offer.updated = state, int(now)
        self._in_order = self._in_order and offer.updated >= self._latest
        self._latest = offer.updated
        if state == State.ACTIVE:
            offer.seen_by_recipient = True
        if state not in LIVE and offer.confirmation is not None:
            self.drop_confirmation(offer)
        for steam_id in (offer.sender, offer.recipient):
            shelf = self._shelves.setdefault(steam_id, _Shelf())
            shelf.all.pop(offer.offer_id, None)
            shelf.all[offer.offer_id] = offer
            if state in LIVE:
                shelf.live[offer.offer_id] = offer
            else:
                shelf.live.pop(offer.offer_id, None)
        for ref in (*offer.give, *offer.receive):
            claims = self._claims.setdefault(ref.item_uid, set())
            if state in LIVE:
                claims.add(offer.offer_id)
            else:
                claims.discard(offer.offer_id)

    def ask_phone(self, offer: Offer, confirmation: Confirmation) -> None:
        offer.confirmation = confirmation
        self.confirmations[confirmation.confirmation_id] = confirmation

    def drop_confirmation(self, offer: Offer) -> None:
        if offer.confirmation is not None:
            self.confirmations.pop(offer.confirmation.confirmation_id, None)
            offer.confirmation = None

    def confirmations_of(self, steam_id: int, now: float) -> list[Confirmation]:
        """What the phone of that account shows now, newest first."""
        waiting = [offer.confirmation for offer in self.live(steam_id) if offer.confirmation is not None]
        shown = [c for c in waiting if c.owner == steam_id and c.visible_at <= now]
        return sorted(shown, key=lambda c: -c.confirmation_id)

    def live(self, steam_id: int) -> Iterable[Offer]:
        shelf = self._shelves.get(steam_id)
        return list(shelf.live.values()) if shelf else []

    def changed_since(self, steam_id: int, cutoff: float) -> Iterator[Offer]:
        """Newest change first, down to the cutoff."""
        shelf = self._shelves.get(steam_id)
        newest_first: Iterable[Offer] = reversed(shelf.all.values()) if shelf else ()
        if not self._in_order:
            newest_first = sorted(newest_first, key=lambda offer: -offer.updated)
        return itertools.takewhile(lambda offer: offer.updated >= cutoff, newest_first)

    def claiming(self, item_uid: int) -> list[Offer]:
        """Live offers that name the item, on either side."""
        return [self.by_id[offer_id] for offer_id in sorted(self._claims.get(item_uid, ()))]

    def live_sent(self, sender: int) -> list[Offer]:
        return [offer for offer in self.live(sender) if offer.sender == sender]


@dataclass(slots=True)
class KeyRequest:
    """Somebody asks for a Web API key of an account; `confirmed` is None until the phone has answered."""

    request_id: int
    owner: int
    domain: str
    confirmed: bool | None = None
