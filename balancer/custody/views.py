"""What the custody audit of a bot said, as the site and `fleet audit` show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from balancer.custody.compare import Kind
from balancer.fields import Time
from shared.domain.status import AuditVerdict


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not add up between a bot's rows and its inventory."""

    kind: Kind
    bot: str
    deposit_id: str | None
    asset_id: str
    name: str
    text: Annotated[str, Field(description="As a sentence")]
    known: Annotated[bool, Field(description="An operator has seen it and has released the bot")]


@dataclass(frozen=True, slots=True)
class BotAudit:
    """What the last audit of one bot said. `differences` are those of the last one that could tell."""

    bot: str
    frozen_by: str | None
    audit_id: str | None
    running: bool
    looks: Annotated[int, Field(description="How many readings of a running audit have shown differences")]
    verdict: AuditVerdict | None
    reason: Annotated[str | None, Field(description="Why it could not tell, or why the last try failed")]
    finished_at: Time | None
    next_at: Time | None
    rows: Annotated[int | None, Field(description="How many items should be there")]
    assets: Annotated[int | None, Field(description="How many were")]
    differences: list[Difference]
