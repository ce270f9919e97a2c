"""The parts of a body that have names, and keys of requests."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class AssetRef:
    """One asset, when it is not of CS2's ordinary context."""

    asset_id: str
    app_id: int = 730
    context_id: str = "2"


@dataclass(frozen=True, slots=True)
class Move:
    """One item from its owner to another, or to the same: then it is freed only."""

    deposit_id: str
    from_user: str
    to_user: str


@dataclass(frozen=True, slots=True)
class Credit:
    """Cents for a user. ``reason`` belongs to a correction, and to nothing else."""

    user_id: str
    cents: int
    kind: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """What an exchange takes of the house: items by their ids, or ``count`` tickets of one name."""

    deposit_ids: Sequence[str] = ()
    market_hash_name: str | None = None
    count: int | None = None


def new_key() -> str:
    """A key for one request."""
    return uuid.uuid4().hex


def sent(**fields: object) -> dict[str, Any]:
    """A body of the fields that were given."""
    return {name: value for name, value in fields.items() if value is not None}


def plain_asset(asset: str | AssetRef) -> object:
    if isinstance(asset, str):
        return asset
    return {"app_id": asset.app_id, "context_id": asset.context_id, "asset_id": asset.asset_id}


def plain_take(take: Take) -> dict[str, Any]:
    return sent(deposit_ids=list(take.deposit_ids) or None, market_hash_name=take.market_hash_name, count=take.count)


def plain_credit(line: Credit) -> dict[str, Any]:
    return sent(user_id=line.user_id, cents=line.cents, kind=line.kind, reason=line.reason)
