"""What the API answers, as dataclasses; named and documented as in the document at `/openapi.json`.

Words such as ``status`` are plain text, so that a word which a newer balancer says is no error. What this package does not know
stands in ``more``. Times are aware, in UTC; money is whole cents; 64-bit ids are text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

# A trade's statuses at its end; of the others `accepted` is the good one, which may still become `reversed`.
FINAL = frozenset({"settled", "declined", "countered", "expired", "canceled", "failed", "reversed"})


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.plain()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """``more``: fields of the answer that this package does not know. ``livemode``: whether the balancer that
    answered, or whose event it is, is live (false: it tests); null in what is only a part of an answer."""

    livemode: bool | None = field(default=None, repr=False, compare=False)
    more: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def plain(self) -> dict[str, Any]:
        """As JSON has it, for a browser: times as text, and without `more`, of which nobody knows who may see it."""
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self) if one.name not in ("more", "livemode")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address(Record):
    """One address from which bots ask Steam."""

    address: str  # A host's name, or a proxy's host and port
    bots: int
    reads_per_minute: float | None  # Inventories of players; null: no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditStarted(Record):
    """An audit under way: it is over for a bot whose `audit_id` is this one and that is no longer `running`."""

    audit_id: str
    bots: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Record):
    """One thing that does not add up between a bot's rows and its inventory."""

    kind: str
    bot: str
    deposit_id: str | None
    asset_id: str
    name: str
    text: str  # As a sentence
    known: bool  # An operator has seen it and has released the bot


@dataclass(frozen=True, slots=True, kw_only=True)
class BotAudit(Record):
    """What the last audit of one bot said. `differences` are those of the last one that could tell."""

    bot: str
    frozen_by: str | None
    audit_id: str | None
    running: bool
    looks: int  # How many readings of a running audit have shown differences
    verdict: str | None
    reason: str | None  # Why it could not tell, or why the last try failed
    finished_at: datetime | None
    next_at: datetime | None
    rows: int | None  # How many items should be there
    assets: int | None  # How many were
    differences: list[Difference]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audits(Record):
    """The last audit of every bot."""

    bots: list[BotAudit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance(Record):
    """What the house owes a user."""

    user_id: str
    cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BotMay(Record):
    """What a bot may do now, asked apart: look (watch, find, settle, audit, read), take items in, give items out."""

    look: bool
    take: bool
    give: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BotWhyNot(Record):
    """One reason why a bot may not do everything."""

    reason: str  # As in bot_locked, bot_banned, own_hold, offline, paused; docs/operations.md has them all
    since: datetime | None
    forbids: list[str]
    action: str  # What an operator should do


@dataclass(frozen=True, slots=True, kw_only=True)
class BotPause(Record):
    """Until when Steam's last "too many calls" keeps a bot from calling it."""

    reason: str  # `steam_throttled`, or `sign_in_throttled`: of sign-ins only
    since: datetime
    until: datetime
    asked_s: int | None  # Seconds that Steam asked for; a pause is cut to a quarter of an hour


@dataclass(frozen=True, slots=True, kw_only=True)
class BotIdentity(Record):
    """A bot as players see it in Steam, as far as anybody knows. Anybody can copy it: it proves nothing."""

    name: str | None  # At most 32 characters, without any that are invisible; escape it
    avatar_url: str | None  # Its picture, at the address in `balancer.avatars_url`
    level: int | None  # Its Steam level
    since: datetime | None  # When the account was made


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot(Record):
    """One bot, as its worker last reported."""

    bot: str  # As in red-7
    color: str
    bot_id: int
    steam_id: str
    mode: str
    state: str  # `restricted`: it is online and goes on reading, but Steam keeps it from trading
    reason: str | None
    action: str | None  # What an operator should do
    may: BotMay
    why_not: list[BotWhyNot]  # Empty when it may do everything
    slots_held: int
    slots_reserved: int
    open_offers: int
    waiting: int  # Withdrawals that wait, for any reason; they take no open offer
    in_line: int  # Those of them that only wait for a free open offer
    heartbeat_age_s: float | None
    # What an operator has to check first, as in `audit`; the bot gives and takes nothing until `unfreeze`
    frozen_by: str | None
    host: str | None
    orders_done: int
    steam_calls: int  # Its calls to Steam since it started, without those of the next two fields
    look_calls: int  # Calls for looks at offers that players check
    second_calls: int  # Calls for second readings of valuable items, which bots of two hosts read
    deposit_calls: float  # What of `steam_calls` was for deposits; a call for several trades is shared
    withdraw_calls: float  # The same for withdrawals; the rest is for no trade: signing in, audits
    paused: BotPause | None  # Why Steam allows no calls from its address now; null: it may call
    latency_ms: float | None
    identity: BotIdentity | None = None  # As players see it in Steam; null: nobody knows yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity(Record):
    """What the fleet can serve at the moment."""

    slots_free: int  # Items that bots which take deposits have room for
    offers_free: int  # Open offers that deposits may still make
    reads_per_minute: float | None  # Inventories of players, over all addresses; null: no limit
    reads_waiting: int  # How many of these this balancer has begun or keeps in line
    groups: int  # Groups of bots that are not paused; with two or more, bots of two groups read valuable items
    addresses: list[Address]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bots(Record):
    """The fleet."""

    bots: list[Bot]
    capacity: Capacity


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound(Record):
    """A user of the site and the Steam account that is theirs."""

    user_id: str
    steam_id: str  # SteamID64


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueItem(Record):
    """A known item. `value_cents` is null when nobody knows what it is worth."""

    item_id: str
    market_hash_name: str
    value_cents: int | None
    value_source: str | None  # Where the value is from; `house`: a kind that the house issues
    valued_at: datetime | None
    type: str
    color: str
    name_color: str
    icon_url: str
    icon_url_large: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue(Record):
    """Known items; `next` goes into `after`."""

    currency: str
    items: list[CatalogueItem]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditLine(Record):
    """One line of a user's credits. `ref` is that of the call which wrote it."""

    credit_id: str
    call: str
    ref: str
    cents: int
    kind: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits(Record):
    """What the house owes a user, and one page of how it came about."""

    user_id: str
    balance_cents: int
    lines: list[CreditLine]
    next: str | None  # Goes into `after`; null: this was the last page


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit(Record):
    """One item in custody, or on its way in or out."""

    deposit_id: str
    item_id: str
    user_id: str
    status: str
    bot: str | None
    asset_id: str | None
    context_id: str | None
    market_hash_name: str
    value_cents: int
    color: str
    name_color: str
    icon_url: str
    icon_url_large: str
    type: str
    wear: str | None
    pattern: str | None
    name_tag: str | None
    inspect_link: str | None
    settles_at: datetime | None  # When Steam's protection ends; null until Steam has said so
    settled_at: datetime | None  # Null: it can neither be withdrawn nor locked yet
    locked_by: str | None
    frozen_by: str | None
    created_at: datetime
    touched: int
    touched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Record):
    """Where a decision stands."""

    deposit_id: str
    decision: str
    asset_id: str | None  # The asset to release, if another than the row names
    proposed_by: str
    proposed_at: datetime
    agreed_by: str | None  # Null: a second person has still to say the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposits(Record):
    """Items in custody or on their way; `next` goes into `after`."""

    currency: str
    deposits: list[Deposit]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Record):
    """One fact of the journal. Numbers grow; there may be gaps."""

    number: int
    at: datetime
    kind: str
    trade_id: str | None
    user_id: str | None
    bot: str | None
    who: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events(Record):
    """A stretch of the feed; `next` goes into `after`."""

    events: list[Event]
    next: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange(Record):
    """Rows given and taken. `rest_cents` is `value_in_cents` without `value_out_cents` and `fee_cents`, to the cent."""

    ref: str
    gave: list[str]
    took: list[str]
    value_in_cents: int
    value_out_cents: int
    fee_bp: int
    fee_cents: int
    rest_cents: int
    credit_id: str | None
    event: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Record):
    """Why a trade failed, in the code words of problem documents."""

    code: str
    reason: str | None
    player_message: str | None
    retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(Record):
    """The process answers."""

    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued(Record):
    """Tickets that the house has issued; they are the house's."""

    ref: str
    item_id: str
    market_hash_name: str
    value_cents: int
    deposit_ids: list[str]
    event: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Record):
    """One thing that could keep a player from trading. `ok` is null when it is not known."""

    check: str
    ok: bool | None
    code: str | None  # That of the refusal which a deposit would get; null: none
    player_message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Precheck(Record):
    """Whether a player may deposit. `may_trade` is false when a check failed, and null when one that matters is not known."""

    user_id: str
    steam_id: str
    may_trade: bool | None
    checks: list[Check]
    free_slots: int  # How many more items this player may have here
    hold_days: int | None
    level: int | None  # Steam level; null when nobody asked or the profile does not show it


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(Record):
    """One item of a player's inventory. `reason` says why it would not be taken."""

    asset_id: str
    app_id: int
    context_id: str
    market_hash_name: str
    value_cents: int | None
    acceptable: bool
    reason: str | None
    tradable: bool
    amount: int
    type: str
    color: str
    name_color: str
    icon_url: str
    icon_url_large: str
    inspect_link: str | None
    wear: str | None
    pattern: str | None
    name_tag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory(Record):
    """A player's items, as a bot saw them."""

    steam_id: str
    read_at: datetime
    hold_days: int | None  # Days that Steam would hold a trade; null when not known
    currency: str
    items: list[Item]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRow(Record):
    """One item under a lock. `value_cents` is what it was worth when it was locked; null: nobody knew."""

    deposit_id: str
    item_id: str
    market_hash_name: str
    status: str
    state: str
    value_cents: int | None
    valued_at: datetime | None
    taken_in_value_cents: int  # What it was worth when it came
    settled_at: datetime | None  # Null: Steam may still take it back
    settles_at: datetime | None
    inspect_link: str | None
    icon_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock(Record):
    """Items bound to a game. Of one that was released before it came only `ref`, `state` and `locked_at` say anything."""

    ref: str
    user_id: str | None
    state: str
    note: str
    locked_at: datetime
    rows: list[LockRow]
    event: int | None  # The number of its event in the feed


@dataclass(frozen=True, slots=True, kw_only=True)
class LockPage(Record):
    """One page of locks; `next` goes into `after`."""

    locks: list[Lock]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Record):
    """A row that changed hands although its item is gone, going, or not what it was: the site makes it good."""

    deposit_id: str
    status: str
    reason: str | None  # Why it is frozen; null: it is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Record):
    """One kind of trades that an operator or a limit has stopped."""

    switch: str
    client: str | None  # Of this client only; null: of all
    paused_at: datetime
    who: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted(Record):
    """Lines that were written, in the order in which they were sent, and the balances of their users after them."""

    ref: str
    credits: list[str]
    balances: list[Balance]
    event: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness(Record):
    """Whether this balancer can do its work, part by part."""

    ready: bool
    checks: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Record):
    """A lock that holds nothing any more: what was freed, and what had been handed over before."""

    ref: str
    state: str
    released: list[str]
    moved: list[str]
    event: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Record):
    """One thing that happened to a trade, in words and as data."""

    number: int
    at: datetime
    who: str
    kind: str
    text: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StockRow(Record):
    """An item of the house that is free: settled, not frozen, in no game."""

    deposit_id: str
    item_id: str
    market_hash_name: str
    value_cents: int
    valued_at: datetime | None
    bot: str
    icon_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock(Record):
    """Items of the house that are free to be played with."""

    currency: str
    items: list[StockRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeItem(Record):
    """One item of a trade. `new_asset_id` is known once the trade is accepted; `matched` says how it was found."""

    deposit_id: str
    deposit_status: str | None
    market_hash_name: str
    value_cents: int
    asset_id: str
    new_asset_id: str | None
    matched: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade(Record):
    """One movement of items between a bot and a player."""

    trade_id: str
    direction: str
    status: str
    user_id: str
    steam_id: str
    bot: str  # As in red-7
    color: str
    bot_id: int
    bot_steam_id: str
    offer_id: str | None
    # The secret token while it is valid, for the client that made the trade; show it to this player only
    token: str | None = field(repr=False)
    verify_url: str | None = field(repr=False)
    expires_at: datetime
    created_at: datetime
    touched: int  # Unix seconds of the last change
    touched_at: datetime
    attempt: int
    failure: Failure | None
    settles_at: datetime | None
    cancel_requested: bool
    verified_at: datetime | None  # When the player was told that the offer is ours
    # No order is given before that; `offer`: in line for a free open offer of its bot, or of the player's share; `bot`: one
    # that Steam lets do it
    waits_for: str | None
    approval_needed: bool
    next_try_at: datetime | None  # When a trade that waits is tried again
    currency: str
    items: list[TradeItem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story(Record):
    """A trade from its request to where it stands now."""

    trade: Trade
    story: list[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches(Record):
    """Everything that is stopped; `steam_maintenance` stops all new trades by itself."""

    paused: list[Pause]
    steam_maintenance: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePage(Record):
    """One page of trades; `next` goes into `after`."""

    trades: list[Trade]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trades(Record):
    """Trades, in the order asked for."""

    trades: list[Trade]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Record):
    """Rows that changed hands, and what was freed and credited with them."""

    ref: str
    at: datetime
    moved: int
    released: list[str]
    lost: list[Lost]
    credits: list[str]
    event: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferPage(Record):
    """One page of transfers; `next` goes into `after`."""

    transfers: list[Transfer]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Record):
    """A user that trades again."""

    user_id: str
    blocked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyAnswer(Record):
    """Whether the offer is really ours, meant for this player, and open now. A token is good for one `ok`."""

    ok: bool
    reason: str | None = None
    retryable: bool = False  # Ask again in a moment; the player should accept nothing before
    player_message: str | None = None
    trade_id: str | None = None
    direction: str | None = None
    status: str | None = None  # The trade's present status; of an offer that has ended, how it ended
    bot: str | None = None
    bot_steam_id: str | None = None
    bot_identity: BotIdentity | None = None  # The bot as the player sees it in Steam; null: nobody knows yet
    items: int | None = None
    offer_id: str | None = None
    offer_url: str | None = None  # Opens our offer and no other; a copy would have another number
    seen_at: datetime | None = None  # When the bot saw the offer
    verified_at: datetime | None = None  # When the answer was `ok`
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Record):
    """One address that events are sent to."""

    target_id: str
    url: str
    kinds: list[str]  # Only events of these kinds are sent; none: all
    status: str
    disabled_at: datetime | None
    disabled_why: str | None  # `gave_up` after days without success, `gone`: it answered 410
    created_at: datetime
    created_by: str
    sent_to: int  # Number of the last event that was looked at for it
    waiting: int  # Events that it is still owed, of those
    failing_since: datetime | None
    next_try_at: datetime | None  # While the receiver seems to be away
    rotating_until: datetime | None  # Until then the secret before signs too


@dataclass(frozen=True, slots=True, kw_only=True)
class WithSecret(Record):
    """A target and its new secret, which is never shown again."""

    target: Target
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks(Record):
    """Where events are sent."""

    webhooks: list[Target]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRemoved(Record):
    """A target that is gone."""

    target_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTest(Record):
    """An event for one target alone."""

    target_id: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Record):
    """One event for one target. Of the answer nothing but its status is kept."""

    number: int
    kind: str
    trade_id: str | None
    state: str
    tries: int
    status: int | None  # Of the last answer
    error: str | None  # Why there was none: timeout, connection, tls, protocol, refused
    tried_at: datetime | None
    delivered_at: datetime | None
    next_try_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage(Record):
    """One page of deliveries; `next` goes into `after`."""

    deliveries: list[Delivery]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redelivery(Record):
    """How many events are sent again."""

    target_id: str
    events: int
