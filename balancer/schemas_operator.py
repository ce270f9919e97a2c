"""What goes in and out of an operator's calls and of a trade's story; the forms are those of `balancer.schemas`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from balancer.schemas import Body, Query, RecordId, Time, Trade, UserId


class ApprovalPath(Query):
    """What is decided about one withdrawal."""

    trade_id: RecordId
    decision: Literal["approve", "reject"]


class UserPath(Query):
    """One user of the site."""

    user_id: UserId


class SwitchBody(Body):
    """Stop new deposits or withdrawals, or let them go on."""

    switch: Literal["deposits", "withdrawals"]
    paused: bool
    reason: Annotated[str, Field(max_length=200, pattern=r"^[^\u0000-\u001f\u007f]*$")] = ""


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
    """One kind of new trades that an operator has stopped."""

    switch: str
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
