"""Deposits: what the fleet holds for whom."""

from __future__ import annotations

from dataclasses import dataclass

from balancer.context import Context


@dataclass(frozen=True, slots=True)
class DepositView:
    """One item in custody, or on its way in or out. Times in unix seconds; ``bot`` and ``asset_id`` are ``None`` for house-issued items."""

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
    settles_at: int | None
    settled_at: int | None
    locked_by: str | None
    frozen_by: str | None
    created_at: int
    touched: int


async def list_deposits(
    ctx: Context,
    *,
    user_id: str | None = None,
    status: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[DepositView]:
    """Deposits ordered by id, from the one behind ``after`` on."""
    raise NotImplementedError
