"""What goes in and out of an operator's calls and of a trade's story; the forms are those of `balancer.web.schemas.answers`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from balancer.custody.compare import Kind, Verdict
from balancer.web import visible
from balancer.web.schemas.answers import Body, BotNameText, OfferId, Query, RecordId, Time, Trade, UserId, example

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
    """Stop deposits or withdrawals, or let them go on."""

    model_config = example(switch="deposits", paused=True, reason="Steam updates its servers")
    switch: Literal["deposits", "withdrawals"]
    client: Annotated[Line, Field(min_length=1)] | None = Field(None, description="Only withdrawals of the client of this name")
    paused: bool
    reason: Line = ""


class DoubtBody(Body):
    """What an operator has found out about a trade in doubt."""

    model_config = example(offer_id="7123456789", reason="seen in the bot's sent offers")
    offer_id: OfferId | None = Field(description="The trade's offer; null: there is none")
    reason: Annotated[Line, Field(min_length=1, description="How it was found out; it stands in the trade's story")]


class DepositPath(Query):
    """One item in custody."""

    deposit_id: Annotated[RecordId, Field(examples=["dep_06bq4e0w9k2n8d3v7h1r"])]


class ThawBody(Body):
    """Why a frozen item may be used again."""

    model_config = example(reason="seen in the bot's inventory on Steam")
    reason: Annotated[Line, Field(min_length=1, description="What was seen; it stands in the feed")]


class AuditBody(Body):
    """Which bots to audit; all of them if none are named."""

    model_config = example(bots=["red-1"])
    bots: Annotated[list[BotNameText], Field(min_length=1, max_length=1000)] | None = None


class AuditStarted(BaseModel):
    """An audit under way: it is over for a bot whose `audit_id` is this one and that is no longer `running`."""

    audit_id: str
    bots: list[str]


class Difference(BaseModel):
    """One thing that does not add up between a bot's rows and its inventory."""

    kind: Kind
    bot: str
    deposit_id: str | None
    asset_id: str
    name: str
    text: str = Field(description="As a sentence")
    known: bool = Field(description="An operator has seen it and let the bot go on")


class BotAudit(BaseModel):
    """What the last audit of one bot said. `differences` are those of the last one that could tell."""

    bot: str
    frozen_by: str | None
    audit_id: str | None
    running: bool
    looks: int = Field(description="How many looks of an audit under way have shown differences")
    verdict: Verdict | None
    reason: str | None = Field(description="Why it could not tell, or why the last try came to nothing")
    finished_at: Time | None
    next_at: Time | None
    rows: int | None = Field(description="How many items had to be there")
    assets: int | None = Field(description="How many were")
    differences: list[Difference]


class Audits(BaseModel):
    """The last audit of every bot."""

    bots: list[BotAudit]


class Step(BaseModel):
    """One thing that happened to a trade, in words and as data."""

    number: int
    at: Time
    who: str
    kind: str
    text: str
    data: dict[str, Any]


class Story(BaseModel):
    """A trade from its request to where it stands now."""

    trade: Trade
    story: list[Step]


class Pause(BaseModel):
    """One kind of trades that an operator or a limit has stopped."""

    switch: str
    client: str | None = Field(description="Of this client only; null: of all")
    paused_at: Time
    who: str
    reason: str


class Switches(BaseModel):
    """Everything that is stopped; `steam_maintenance` stops all new trades by itself."""

    paused: list[Pause]
    steam_maintenance: bool


class User(BaseModel):
    """A user that trades again."""

    user_id: str
    blocked: bool
