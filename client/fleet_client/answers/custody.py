"""Answers about what lies in custody, and what games do with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fleet_client.answers.record import Record


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
    phase: str | None  # Of a Doppler, where Steam says it; its value is that of the phase
    inspect_link: str | None
    settles_at: datetime | None  # When Steam's protection ends; null until Steam has said so
    settled_at: datetime | None  # Null: it can neither be withdrawn nor locked yet
    locked_by: str | None
    frozen_by: str | None
    bot_restricted: str | None  # Why its bot cannot give it now, so it can't be locked; null: it can
    created_at: datetime
    touched: int
    touched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposits(Record):
    """Items in custody or on their way; `next` goes into `after`."""

    currency: str
    deposits: list[Deposit]
    next: str | None


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
class Release(Record):
    """A lock that holds nothing any more: what was freed, and what had been handed over before."""

    ref: str
    state: str
    released: list[str]
    moved: list[str]
    event: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Record):
    """A row that changed hands although its item is gone, going, or not what it was: the site makes it good."""

    deposit_id: str
    status: str
    reason: str | None  # Why it is frozen; null: it is not


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
class Issued(Record):
    """Tickets that the house has issued; they are the house's."""

    ref: str
    item_id: str
    market_hash_name: str
    value_cents: int
    deposit_ids: list[str]
    event: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance(Record):
    """What the house owes a user."""

    user_id: str
    cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted(Record):
    """Lines that were written, in the order in which they were sent, and the balances of their users after them."""

    ref: str
    credits: list[str]
    balances: list[Balance]
    event: int


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
