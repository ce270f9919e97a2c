"""Orders and reports: what the balancer asks of one bot, and the facts that a bot tells back.

Both travel sealed (`shared.wire`), both may come twice. An order names one bot, one kind and its payload:

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

A report's ``kind`` is a `TradeEvent` or one of `OTHER_REPORTS`. Its ``data`` by kind:

- confirmation_needed, offer_active, offer_held, offer_declined, …: ``offer_id``, ``state`` (Steam's number)
- offer_accepted: ``offer_id``, ``exchange_id``, ``settles_at`` (unix s or null), ``moved``: list of
  ``{"asset_id", "context_id", "new_asset_id", "new_context_id", "name", "class_id"}``; name and class are what this bot says
  that it received
- refused, bot_refused, try_later: ``code`` (style table), ``reason``, ``result`` (EResult or null), ``player_message``,
  ``retry_after_s``. bot_refused, because of the bot: ``code`` bot_restricted, ``reason`` one of `shared.domain.health`. A
  refused one with ``unclear`` may be because of the bot too
- exchange_reversed, exchange_failed: ``exchange_id``, ``exchange_status`` (Steam's number); ``offer_id`` when seen in a watch;
  ``rollback`` of a reversed one, when asked by a settle: null until Steam shows it, else ``{"exchange_id", "moved"}``,
  and ``reversed_by``, from every look: bot, partner, or null if nobody can tell
- offer_absent: ``reason``; find_inconclusive: ``reason`` (first_look, half_filled, list_incomplete, items_moved,
  items_not_in_place, inventory_private, exchange_not_done, offer_unclear, steam_maintenance, or an error's code): ask again
- offer_canceled may carry ``reason`` not_confirmed: the bot gave the offer up, as its phone could not confirm it
- answer_lost: ``reason``; order_dropped: ``reason`` "recalled" or "expired"
- settled / items_seen: ``assets``: list of ``{"deposit_id", "asset_id", "context_id", "matched", "name", "class_id"}``, matched
  one of ``id``, ``receipt``, ``fingerprint``, ``name``
- items_gone: ``deposit_ids``; not_settled: ``settles_at`` (unix s or null), ``reason``
- looked: ``seen``: list of ``{"trade_id", "offer_id", "sees", "changed_at"}``, one for each trade asked for: its offer, what
  that shows as a `TradeEvent` (offer_active, offer_declined, …; null: nothing clear), since when in Steam's unix s (or null).
  not_looked: ``reason`` (an error's code, expired, internal)
- offer_declined also has ``made_at`` and ``changed_at``, Steam's unix s
- inventory_read: ``steam_id``, ``assets`` (`HeldAsset` JSON), ``hold_days`` (int or null); inventory_failed: ``steam_id``,
  ``code``, ``reason``, ``retry_after_s``; both with ``bans``: whether each account that was asked for is banned from trading,
  as far as Steam said
- custody_read: ``steam_id`` (the bot's own), ``assets``: list of ``{"asset_id", "context_id", "class_id", "instance_id",
  "name", "fingerprint"}`` of all that lies in contexts 2 and 16; custody_unread: ``reason`` (an error's code, inventory_half)
- order_refused: ``reason``; nothing of the refused text is repeated
- order_failed: ``kind`` of the order, ``reason`` (an error's code, expired, offer_not_found, other_offer, internal, …),
  ``retryable``; nothing else was reported of this order
- offer_unknown, offer_unknown_canceled: ``offer_id``, ``state``, ``partner``: a sent offer that no watched trade knows, and
  that the bot canceled it
- offer_declined_by_us: ``offer_id``, ``partner``, ``counter_of`` (id of our offer that it answers, or null)
- gift_accepted: ``offer_id``, ``exchange_id``, ``partner``, ``moved`` (as in offer_accepted); told again after a restart
- items_left: ``offers``: list of ``{"offer_id", "sent", "partner", "asset_ids"}``: accepted offers that gave CS2 items away and
  that this run of the worker did not make; told again after a restart
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Self

from shared import strict
from shared.domain.items import Asset
from shared.domain.status import TradeEvent


def _dumps(message: object) -> bytes:
    return json.dumps(message, default=_fields, separators=(",", ":")).encode()


def _fields(part: Any) -> dict[str, Any]:
    """A message or a part of it, when its turn comes: `dataclasses.asdict` would copy all of it first, which costs more."""
    return {name: getattr(part, name) for name in part.__dataclass_fields__}


OTHER_REPORTS = frozenset(
    {
        "items_seen",
        "items_gone",
        "not_settled",
        "inventory_read",
        "inventory_failed",
        "custody_read",
        "custody_unread",
        "order_refused",
        "order_failed",
        "offer_unknown",
        "offer_unknown_canceled",
        "offer_declined_by_us",
        "gift_accepted",
        "items_left",
        "find_inconclusive",
        "looked",
        "not_looked",
        "steam_call",
    }
)

NUMBER_MAX = 2**53
REPORT_KINDS = frozenset(event.value for event in TradeEvent) | OTHER_REPORTS


# Types of fields, as they stand below, by their names.
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
}


def _check_types(message: Any) -> None:
    """Whether every field of a message, and of what it holds, has the type that it is declared with.

    Raises:
        TypeError: one has not.
    """
    for name, declared in message.__dataclass_fields__.items():
        value, kinds = getattr(message, name), _TYPES.get(declared.type)
        if kinds is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            raise TypeError(f"{name} has another type")
        for each in value if isinstance(value, list) else ():
            if not isinstance(each, str) and not _is_message(each):
                raise TypeError(f"{name} holds another type")
        for each in filter(_is_message, value if isinstance(value, list) else (value,)):
            _check_types(each)


def _is_message(value: object) -> bool:
    return hasattr(value, "__dataclass_fields__")


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


@dataclass(frozen=True, slots=True)
class Order:
    """One thing that one bot is asked to do. Times are Redis' server time in ms.

    ``run`` stands in the first order that is given for an attempt: the worker's process that is to carry it out. No process
    before it can have begun what was first asked of this one. An order that is given again names none.
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

    def dumps(self) -> bytes:
        """UTF-8 JSON."""
        return _dumps(self)

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
        _check_types(order)
        if not all(abs(each) < NUMBER_MAX for each in (order.attempt, order.issued_at_ms, order.expires_at_ms)):
            raise ValueError("a number of the order is too large")
        return order


@dataclass(frozen=True, slots=True)
class Report:
    """One fact that a bot tells. ``run`` names the worker's process, ``number`` counts its reports from 1 on.

    ``calls`` are the order's calls to Steam that led to it, with their answers' codes, as in ``send 200; ajaxop 500``.
    """

    bot: str
    run: str
    number: int
    kind: str
    order_id: str | None
    trade_id: str | None
    attempt: int
    at_ms: int
    data: dict[str, Any]
    calls: str = ""

    def dumps(self) -> bytes:
        """UTF-8 JSON."""
        return _dumps(self)

    @classmethod
    def loads(cls, text: bytes) -> Report:
        """The report that `dumps` wrote.

        Raises:
            ValueError, KeyError, TypeError: it is not a report, or of a kind that is not on the list.
        """
        report = cls(**strict.mapping(strict.parse_json(text, "report"), "report"))
        if report.kind not in REPORT_KINDS:
            raise ValueError("report of an unknown kind")
        texts, maybe_texts = (report.bot, report.run, report.calls), (report.order_id, report.trade_id)
        numbers = (report.number, report.attempt, report.at_ms)
        if not (
            all(isinstance(each, str) for each in texts)
            and all(each is None or isinstance(each, str) for each in maybe_texts)
            and all(isinstance(each, int) and abs(each) < NUMBER_MAX for each in numbers)
            and isinstance(report.data, dict)
        ):
            raise TypeError("a field of the report has another type")
        return report


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a worker says of itself every few seconds.

    ``state``: starting, waiting (another worker holds the lease), signing_in, online, restricted (online, but not for
    everything), unhealthy (not signed in), stopping. ``items`` is the number of CS2 assets seen in the bot's inventory (both
    contexts) when it was last read, ``offers`` its live sent offers at the last look; both null until known. ``reason`` and
    ``action`` say what is wrong and what an operator should do; a bot that is online with the reason steam_maintenance works
    on, but sends nothing. ``throttled`` counts Steam's "too many calls". ``look_calls`` are the calls of looks for the verify
    page, ``second_calls`` those of second readings of dear items; ``steam_calls`` are all others, of which ``deposit_calls``
    and ``withdraw_calls`` were for such trades: a call for several trades counts for each in equal parts. ``restrictions`` is a
    list of ``{"reason", "since_ms"}``; `shared.domain.health` has the reasons. ``egress`` names the address that Steam sees,
    which may read a player's inventory every ``read_every_s``. ``paused`` is null, or what Steam's last "too many calls" means
    for this address: ``{"reason", "since_ms", "until_ms", "asked_s"}``, the last being what Steam asked for, or null.
    ``identity`` is the account as players see it, ``{"name", "avatar", "level", "since"}`` without what is not known
    (`shared.domain.identity`); null before it was read, and of a worker of a release that does not read it.
    """

    bot: str
    run: str
    pid: int
    host: str
    steam_id: str
    state: str
    at_ms: int
    items: int | None = None
    offers: int | None = None
    orders_done: int = 0
    steam_calls: int = 0
    latency_ms: float | None = None
    reason: str | None = None
    action: str | None = None
    throttled: int = 0
    look_calls: int = 0
    second_calls: int = 0
    deposit_calls: float = 0.0
    withdraw_calls: float = 0.0
    restrictions: list[dict[str, Any]] = field(default_factory=list)
    egress: str = ""
    read_every_s: float = 0.0
    paused: dict[str, Any] | None = None
    identity: dict[str, Any] | None = None

    def dumps(self) -> bytes:
        """UTF-8 JSON."""
        return _dumps(self)

    @classmethod
    def loads(cls, text: bytes) -> Heartbeat:
        """The heartbeat that `dumps` wrote; what a later release says more is left out.

        Raises:
            ValueError, KeyError, TypeError: it is no heartbeat.
        """
        data, known = strict.mapping(strict.parse_json(text, "heartbeat"), "heartbeat"), cls.__dataclass_fields__
        return cls(**{name: value for name, value in data.items() if name in known})
