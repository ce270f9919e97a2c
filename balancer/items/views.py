"""A player's inventory as the site sees it: every item with its value and, if it would not be taken, the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from balancer.fields import Time, unix
from balancer.items import policy
from balancer.items.readings import PlayerInventory
from shared.domain.items import HeldAsset
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Item:
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
    phase: Annotated[str | None, Field(description="Of a Doppler, where Steam says it; null for all others")]


_AS_HELD = (
    *("market_hash_name", "tradable", "amount", "type", "color", "name_color", "icon_url", "icon_url_large"),
    *("inspect_link", "wear", "pattern", "name_tag", "phase"),
)


@dataclass(frozen=True, slots=True)
class Inventory:
    """A player's items, as a bot saw them."""

    steam_id: str
    read_at: Time
    hold_days: Annotated[int | None, Field(description="Days that Steam would hold a trade; null when not known")]
    currency: str
    items: list[Item]


def of(inventory: PlayerInventory, value_of: policy.ValueOf, settings: Settings) -> Inventory:
    """What was read, with the values of now."""
    rules = policy.Rules.of(settings)
    return Inventory(
        steam_id=str(int(inventory.steam_id)),
        read_at=unix(inventory.read_at),
        hold_days=inventory.hold_days,
        currency=settings.balancer.currency,
        items=[_item(held, value_of, rules) for held in inventory.assets.values()],
    )


def _item(held: HeldAsset, value_of: policy.ValueOf, rules: policy.Rules) -> Item:
    cents = value_of(held.priced_name)
    reason = policy.refusal(held, cents, rules)
    return Item(
        asset_id=held.asset.asset_id,
        app_id=held.asset.app_id,
        context_id=held.asset.context_id,
        value_cents=cents,
        acceptable=reason is None,
        reason=reason,
        **{name: getattr(held, name) for name in _AS_HELD},
    )
