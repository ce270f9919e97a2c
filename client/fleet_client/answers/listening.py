"""Answers about events, and about the addresses that they are sent to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleet_client.answers.record import Record


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
