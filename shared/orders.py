"""Orders: what the balancer asks of one bot. An order names one bot, one kind and its payload:

========== ================= ===========================================================================================
kind       payload           what the bot does; reports that may follow
========== ================= ===========================================================================================
send       `SendOrder`       makes the offer, confirms it if items are given: picked_up, then one of order_dropped, refused,
                             bot_refused, try_later, answer_lost, or confirmation_needed / offer_active (with ``offer_id``)
confirm    `OfferOrder`      confirms a pending offer by its id: offer_active, or nothing new
cancel     `OfferOrder`      asks Steam to cancel, then looks: whatever the offer's state is now
watch      `WatchOrder`      one look at the sent offers: one report per trade that it can say something about
look       `WatchOrder`      one look at the offers of these trades, as a player asks whether an offer is real: news as in a
                             watch, and then looked; or not_looked
find       `WatchOrder`      a full look, history included, for trades in doubt: exactly one report per trade: the state of its
                             offer as it is now, or find_inconclusive, or offer_absent
decline    `DeclineOrder`    one look at both sides of the offers; none is ever accepted but a gift: offer_declined_by_us,
                             gift_accepted, offer_unknown, items_left
inventory  `InventoryOrder`  reads a player's inventory and, with a trade URL, the hold: inventory_read or inventory_failed.
                             With ``own_rows`` all of the bot's own: custody_read or custody_unread
settle     `SettleOrder`     looks at exchanges and at the bot's own inventory: settled, exchange_reversed, not_settled,
                             items_seen, items_gone
========== ================= ===========================================================================================

The facts that a bot tells back are in `shared.reports`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from shared import strict
from shared.domain.items import Asset
from shared.messages import NUMBER_MAX, check_types, dumps


def _assets(rows: list[dict[str, object]]) -> list[Asset]:
    return [Asset.from_json(row) for row in rows]


@dataclass(frozen=True, slots=True)
class SendOrder:
    """Make one offer: ``give`` leaves the bot, ``take`` leaves the partner. ``message`` already holds the verify link."""

    token: str = field(repr=False)
    partner: str
    trade_token: str = field(repr=False)
    message: str = field(repr=False)
    give: list[Asset]
    take: list[Asset]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**{**data, "give": _assets(data["give"]), "take": _assets(data["take"])})


@dataclass(frozen=True, slots=True)
class OfferOrder:
    """Something about one offer of one trade; ``offer_id`` may be unknown for a cancel."""

    token: str = field(repr=False)
    partner: str
    offer_id: str | None
    give: list[Asset]
    take: list[Asset]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**{**data, "give": _assets(data["give"]), "take": _assets(data["take"])})


@dataclass(frozen=True, slots=True)
class WatchedTrade:
    """What a look must know to recognise a trade's offers: by token, partner and assets, not by id alone.

    ``trade_token`` is the partner's; a ``find`` reads the partner's inventory with it, as freshly traded items show only so.
    ``elsewhere`` are ids of assets that another trade has moved, maybe another bot's, as Steam's receipt for that one says.
    """

    trade_id: str
    attempt: int
    token: str = field(repr=False)
    partner: str
    offer_id: str | None
    status: str
    give: list[Asset]
    take: list[Asset]
    trade_token: str | None = field(default=None, repr=False)
    elsewhere: list[str] = field(default_factory=list)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**{**data, "give": _assets(data["give"]), "take": _assets(data["take"])})


@dataclass(frozen=True, slots=True)
class WatchOrder:
    """All live trades of one bot. ``since`` is the oldest creation among them in unix s, for Steam's cutoff."""

    trades: list[WatchedTrade]
    since: int

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls([WatchedTrade.from_json(row) for row in data["trades"]], data["since"])


@dataclass(frozen=True, slots=True)
class DeclineOrder:
    """Decline what others offer to the bot; with ``keep_gifts`` offers that ask nothing of us are accepted instead.

    ``idle``: the bot has no live trade, so nobody else looks at its sent offers, and each live one is a stranger's.
    """

    keep_gifts: bool
    idle: bool = False

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class InventoryOrder:
    """Read what ``steam_id`` could trade of CS2. With ``trade_token`` freshly traded items show too, and the hold is read.

    Without ``with_hold`` the hold is known already. ``bans_of`` are up to a hundred accounts whose trade bans are asked for in
    one call; the player's own account may be among them, or be known already.

    With ``own_rows`` it is the bot's own inventory that is read, whole, for an audit; the number is how many items should be
    there, so that a reading that looks too empty is not believed at once.

    ``second``: another host's bot has read this inventory already, and this reading is held against that one; its calls to
    Steam are counted apart.
    """

    steam_id: str
    trade_token: str | None = field(repr=False)
    own_rows: int | None = None
    with_hold: bool = True
    bans_of: list[str] = field(default_factory=list)
    second: bool = False
    with_level: bool = False  # the player's Steam level is read too

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class WantedAsset:
    """One item in custody that the bot shall look for among its own."""

    deposit_id: str
    asset: Asset
    market_hash_name: str
    fingerprint: str | None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**{**data, "asset": Asset.from_json(data["asset"])})


@dataclass(frozen=True, slots=True)
class SettleCheck:
    """One trade to look at.

    With an ``exchange_id`` the exchange must still be good and every asset in context 2: settled, exchange_reversed or
    not_settled. Without one only the assets are looked for: items_seen and items_gone. With ``reversal`` the exchange is known
    to be reversed: the assets are looked for with the help of Steam's record of what went back. What has no assets with the
    bot, such as a withdrawal, is settled only when Steam's settlement time is not after ``waited_until`` (unix s, 0: Steam
    told none); None means that its time has not come.
    """

    trade_id: str
    attempt: int
    exchange_id: str | None
    assets: list[WantedAsset]
    reversal: bool = False
    waited_until: int | None = None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**{**data, "assets": [WantedAsset.from_json(row) for row in data["assets"]]})


@dataclass(frozen=True, slots=True)
class SettleOrder:
    """Many checks, one inventory read. ``known`` are asset ids of the bot that belong to other rows: never match those."""

    checks: list[SettleCheck]
    known: list[str]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls([SettleCheck.from_json(row) for row in data["checks"]], data["known"])


Payload = SendOrder | OfferOrder | WatchOrder | DeclineOrder | InventoryOrder | SettleOrder


PAYLOADS: dict[str, type[Payload]] = {
    "send": SendOrder,
    "confirm": OfferOrder,
    "cancel": OfferOrder,
    "watch": WatchOrder,
    "look": WatchOrder,
    "find": WatchOrder,
    "decline": DeclineOrder,
    "inventory": InventoryOrder,
    "settle": SettleOrder,
}


# Fields of an order that the release before did not know: a worker says in its heartbeat that it reads them.
NEW_FIELDS = ("request_id",)


@dataclass(frozen=True, slots=True)
class Order:
    """One thing that one bot is asked to do. Times are Redis' server time in ms.

    ``run`` stands in the first order that is given for an attempt: the worker's process that is to carry it out. No process
    before it can have begun what was first asked of this one. An order that is given again names none.

    ``request_id``: the HTTP request that it is for, for the worker's log lines; only for a worker that says it reads it.
    """

    order_id: str
    kind: str
    bot: str
    trade_id: str | None
    attempt: int
    issued_at_ms: int
    expires_at_ms: int
    payload: Payload
    run: str | None = None
    request_id: str | None = None

    def dumps(self) -> bytes:
        """UTF-8 JSON."""
        return dumps(self)

    @classmethod
    def loads(cls, text: bytes) -> Order:
        """The order that `dumps` wrote.

        Raises:
            ValueError, KeyError, TypeError: it is not an order, or of a kind that is not on the list.
        """
        data = strict.mapping(strict.parse_json(text, "order"), "order")
        kind = data["kind"]
        if kind not in PAYLOADS:
            raise ValueError("order of an unknown kind")
        order = cls(**{**data, "payload": PAYLOADS[kind].from_json(data["payload"])})
        check_types(order)
        if not all(abs(each) < NUMBER_MAX for each in (order.attempt, order.issued_at_ms, order.expires_at_ms)):
            raise ValueError("a number of the order is too large")
        return order
