"""Reports and heartbeats: the facts that a bot tells of an order, and what its worker says of itself every few seconds.

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
- settled / items_seen: ``assets``: list of ``{"deposit_id", "asset_id", "context_id", "matched", "name", "class_id",
  "phase"}``, matched one of ``id``, ``receipt``, ``fingerprint``, ``name``
- items_gone: ``deposit_ids``; not_settled: ``settles_at`` (unix s or null), ``reason``
- looked: ``seen``: list of ``{"trade_id", "offer_id", "sees", "changed_at"}``, one for each trade asked for: its offer, what
  that shows as a `TradeEvent` (offer_active, offer_declined, …; null: nothing clear), since when in Steam's unix s (or null).
  not_looked: ``reason`` (an error's code, expired, internal)
- offer_declined also has ``made_at`` and ``changed_at``, Steam's unix s
- inventory_read: ``steam_id``, ``assets`` (`HeldAsset` JSON), ``hold_days`` (int or null); inventory_failed: ``steam_id``,
  ``code``, ``reason``, ``retry_after_s``; both with ``bans``: whether each account that was asked for is banned from trading,
  as far as Steam said
- custody_read: ``steam_id`` (the bot's own), ``assets``: list of ``{"asset_id", "context_id", "class_id", "instance_id",
  "name", "fingerprint", "phase"?}`` of all that lies in contexts 2 and 16; custody_unread: ``reason`` (an error's code,
  inventory_half)
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

from dataclasses import dataclass, field
from typing import Any

from shared import strict
from shared.domain.status import TradeEvent
from shared.messages import NUMBER_MAX, dumps

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
REPORT_KINDS = frozenset(event.value for event in TradeEvent) | OTHER_REPORTS


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
        return dumps(self)

    @classmethod
    def loads(cls, text: bytes) -> Report:
        """The report that `dumps` wrote; what a later release says more is left out.

        Raises:
            ValueError, KeyError, TypeError: it is not a report, or of a kind that is not on the list.
        """
        data, known = strict.mapping(strict.parse_json(text, "report"), "report"), cls.__dataclass_fields__
        report = cls(**{name: value for name, value in data.items() if name in known})
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
    (`shared.domain.identity`); null before it was read, and of a worker of a release that does not read it. ``reads`` are the
    newer fields of orders that this worker knows (`shared.orders.NEW_FIELDS`).
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
    reads: list[str] = field(default_factory=list)

    def dumps(self) -> bytes:
        """UTF-8 JSON."""
        return dumps(self)

    @classmethod
    def loads(cls, text: bytes) -> Heartbeat:
        """The heartbeat that `dumps` wrote; what a later release says more is left out.

        Raises:
            ValueError, KeyError, TypeError: it is no heartbeat.
        """
        data, known = strict.mapping(strict.parse_json(text, "heartbeat"), "heartbeat"), cls.__dataclass_fields__
        return cls(**{name: value for name, value in data.items() if name in known})
