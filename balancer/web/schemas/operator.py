"""What comes in of an operator's calls."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from balancer.web import visible
from balancer.web.schemas.forms import (
    AssetIdText,
    Body,
    BotNameText,
    Message,
    OfferId,
    Query,
    RecordId,
    TradeUrlText,
    UserId,
    whole,
)
from balancer.web.schemas.requests import ITEMS_MAX, KINDS_MAX, MAX_NUMBER, KindText
from shared.domain.status import Decision

Line = Annotated[str, AfterValidator(visible.checked), Field(max_length=200, examples=["seen in the bot's inventory on Steam"])]


class ApprovalsQuery(Query):
    """One page of what waits for an approval."""

    after: RecordId | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 200


class ApprovalPath(Query):
    """What is decided about one withdrawal."""

    trade_id: Annotated[RecordId, Field(examples=["trd_06bq4e0w9k2n8d3v7h1r"])]
    decision: Literal["approve", "reject"]


class UserPath(Query):
    """One user of the site."""

    user_id: UserId


class SwitchBody(Body):
    """Stop deposits, withdrawals or locks for games, or let them go on."""

    switch: Literal["deposits", "withdrawals", "locks"]
    client: Annotated[Line, Field(min_length=1)] | None = Field(None, description="Only withdrawals of the client of this name")
    paused: bool
    reason: Line = ""


class DoubtBody(Body):
    """What an operator has found out about a trade in doubt."""

    offer_id: OfferId | None = Field(description="The trade's offer; null: there is none")
    reason: Annotated[Line, Field(min_length=1, description="How it was found out; it is shown in the trade's story")]


class WebhookBody(Body):
    """Where events are to be sent."""

    url: Annotated[str, Field(min_length=1, max_length=2048, description="https, on port 443 or 8443")]
    kinds: list[KindText] = Field(default_factory=list, max_length=KINDS_MAX, description="Only these; none: all")
    after: int | None = Field(
        default=None, ge=0, le=MAX_NUMBER, description="Also the events behind this number; else from now on"
    )


class WebhookPath(Query):
    """One target of webhooks."""

    target_id: Annotated[RecordId, Field(examples=["whk_06bq4e0w9k2n8d3v7h1r"])]


class DeliveriesQuery(Query):
    """Which deliveries."""

    after: Annotated[int, Field(ge=0, description="Number of the last event that was read"), BeforeValidator(whole)] = 0
    limit: Annotated[int, Field(ge=1, le=1000), BeforeValidator(whole)] = 100
    state: Literal["waiting", "delivered"] | None = None


class RedeliverBody(Body):
    """Which events to send again."""

    first: int = Field(ge=1, le=MAX_NUMBER, description="Number of an event")
    last: int | None = Field(default=None, ge=1, le=MAX_NUMBER, description="Up to this one; else only the first")


class DepositPath(Query):
    """One item in custody."""

    deposit_id: Annotated[RecordId, Field(examples=["dep_06bq4e0w9k2n8d3v7h1r"])]


class GiveBody(Body):
    """Items of the house that an account shall get."""

    trade_url: TradeUrlText = Field(repr=False)
    deposit_ids: list[RecordId] = Field(min_length=1, max_length=ITEMS_MAX)
    reason: Annotated[Line, Field(min_length=1, description="It is shown in the event feed")]
    message: Message = ""


class ThawBody(Body):
    """Why a frozen item may be used again."""

    reason: Annotated[Line, Field(min_length=1, description="What was seen; it is shown in the event feed")]


class DecisionBody(Body):
    """What is to become of an item that stays frozen."""

    decision: Decision
    asset_id: AssetIdText | None = Field(None, description="The asset to release, if another than the row names")
    reason: Annotated[Line, Field(min_length=1, description="What was seen; it is shown in the event feed")]


class AuditBody(Body):
    """Which bots to audit; all of them if none are named."""

    bots: Annotated[list[BotNameText], Field(min_length=1, max_length=1000)] | None = None
