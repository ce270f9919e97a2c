"""Answers about the bots, and what an operator stops and decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fleet_client.answers.record import Record


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
class Decided(Record):
    """Where a decision stands."""

    deposit_id: str
    decision: str
    asset_id: str | None  # The asset to release, if another than the row names
    proposed_by: str
    proposed_at: datetime
    agreed_by: str | None  # Null: a second person has still to say the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Record):
    """One kind of trades that an operator or a limit has stopped."""

    switch: str
    client: str | None  # Of this client only; null: of all
    paused_at: datetime
    who: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches(Record):
    """Everything that is stopped; `steam_maintenance` stops all new trades by itself."""

    paused: list[Pause]
    steam_maintenance: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Record):
    """A user that trades again."""

    user_id: str
    blocked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(Record):
    """The process answers."""

    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness(Record):
    """Whether this balancer can do its work, part by part."""

    ready: bool
    checks: dict[str, Any]
