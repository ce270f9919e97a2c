"""What goes out over HTTP around the views of the rooms below: lists with what belongs to them, and what only HTTP has.

OpenAPI and JSON are made from these and from the views themselves; `balancer.fields` says how times are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from balancer.custody.deposits import Deposit
from balancer.custody.locks.show import Lock
from balancer.custody.stock import CatalogueItem, StockRow
from balancer.custody.transfers import Transfer
from balancer.custody.views import BotAudit
from balancer.fields import Time
from balancer.fleet.bot import Bot
from balancer.fleet.capacity import Capacity
from balancer.fleet.identity import BotIdentity
from balancer.fleet.switches import Pause
from balancer.journal.events import Event
from balancer.journal.story import Step
from balancer.journal.views import Trade
from balancer.webhooks.deliveries import Delivery
from balancer.webhooks.targets import Target
from shared.domain.status import Direction, TradeStatus


@dataclass(frozen=True, slots=True)
class Trades:
    """Trades, in the order asked for."""

    trades: list[Trade]


@dataclass(frozen=True, slots=True)
class TradePage:
    """One page of trades; `next` goes into `after`."""

    trades: list[Trade]
    next: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """A trade from its request to where it stands now."""

    trade: Trade
    story: list[Step]


@dataclass(frozen=True, slots=True)
class Deposits:
    """Items in custody or on their way; `next` goes into `after`."""

    currency: str
    deposits: list[Deposit]
    next: str | None


@dataclass(frozen=True, slots=True)
class LockPage:
    """One page of locks; `next` goes into `after`."""

    locks: list[Lock]
    next: str | None


@dataclass(frozen=True, slots=True)
class TransferPage:
    """One page of transfers; `next` goes into `after`."""

    transfers: list[Transfer]
    next: str | None


@dataclass(frozen=True, slots=True)
class Stock:
    """Items of the house that are free to be played with."""

    currency: str
    items: list[StockRow]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Known items; `next` goes into `after`."""

    currency: str
    items: list[CatalogueItem]
    next: str | None


@dataclass(frozen=True, slots=True)
class Bots:
    """The fleet."""

    bots: list[Bot]
    capacity: Capacity


@dataclass(frozen=True, slots=True)
class Events:
    """A stretch of the feed; `next` goes into `after`."""

    events: list[Event]
    next: int


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Where events are sent."""

    webhooks: list[Target]


@dataclass(frozen=True, slots=True)
class WebhookRemoved:
    """A target that is gone."""

    target_id: str


@dataclass(frozen=True, slots=True)
class WebhookTest:
    """An event for one target alone."""

    target_id: str
    number: int


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """One page of deliveries; `next` goes into `after`."""

    deliveries: list[Delivery]
    next: int | None


@dataclass(frozen=True, slots=True)
class Redelivery:
    """How many events are sent again."""

    target_id: str
    events: int


@dataclass(frozen=True, slots=True)
class AuditStarted:
    """An audit under way: it is over for a bot whose `audit_id` is this one and that is no longer `running`."""

    audit_id: str
    bots: list[str]


@dataclass(frozen=True, slots=True)
class Audits:
    """The last audit of every bot."""

    bots: list[BotAudit]


@dataclass(frozen=True, slots=True)
class Switches:
    """Everything that is stopped; `steam_maintenance` stops all new trades by itself."""

    paused: list[Pause]
    steam_maintenance: bool


@dataclass(frozen=True, slots=True)
class User:
    """A user that trades again."""

    user_id: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class Health:
    """The process answers."""

    status: Literal["ok"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether this balancer can do its work, part by part."""

    ready: bool
    checks: dict[str, dict[str, Any]]


class VerifyAnswer(BaseModel):
    """Whether the offer is really ours, meant for this player, and open now. A token is good for one `ok`."""

    ok: bool
    reason: Literal["unknown", "expired", "used", "not_yet", "in_hold", "over", "cannot_tell"] | None = None
    retryable: bool = Field(False, description="Ask again in a moment; the player should accept nothing before")
    player_message: str | None = None
    trade_id: str | None = None
    direction: Direction | None = None
    status: TradeStatus | None = Field(None, description="The trade's present status; of an offer that has ended, how it ended")
    bot: str | None = None
    bot_steam_id: str | None = None
    bot_identity: BotIdentity | None = Field(None, description="The bot as the player sees it in Steam; null: nobody knows yet")
    items: int | None = None
    offer_id: str | None = None
    offer_url: str | None = Field(None, description="Opens our offer and no other; a copy would have another number")
    seen_at: Time | None = Field(None, description="When the bot saw the offer")
    verified_at: Time | None = Field(None, description="When the answer was `ok`")
    ended_at: Time | None = None


class Page(BaseModel):
    """A page or a file."""


class EventStream(BaseModel):
    """Server-sent events, one for each event of the feed."""


class AnyObject(BaseModel):
    """A JSON object."""

    model_config = ConfigDict(extra="allow")


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str
    kind: str
    message: str


class Problem(BaseModel):
    """RFC 9457. `code` is for programs; `actor` says who can do something about it."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    actor: Literal["site", "player", "operator", "steam"]
    reason: str | None = None
    player_message: str | None = None
    retry_after_s: float | None = None
    errors: list[FieldError] | None = None
    request_id: str | None = None
