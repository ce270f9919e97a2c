"""Which of the bot's assets are the ones in custody. Pure.

Asset ids change with every exchange and perhaps when protection ends. An asset is found by its id, else by Steam's receipt of
an exchange, else by its fingerprint (name, wear, pattern, name tag), and as a last resort by its name. Copies that nothing
tells apart are taken in any order, but never one that belongs to another row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.items import Asset, HeldAsset
from shared.orders import WantedAsset


@dataclass(frozen=True, slots=True)
class Match:
    """One item found: where it is now and how it was recognised (``id``, ``receipt``, ``fingerprint``, ``name``)."""

    deposit_id: str
    held: HeldAsset
    matched: str

    def to_json(self) -> dict[str, Any]:
        asset = self.held.asset
        return {
            "deposit_id": self.deposit_id,
            "asset_id": asset.asset_id,
            "context_id": asset.context_id,
            "matched": self.matched,
            "name": self.held.market_hash_name or None,
            "class_id": self.held.class_id,
            "phase": self.held.phase,
        }


def match_assets(
    wanted: Sequence[WantedAsset],
    held: Iterable[HeldAsset],
    known: Iterable[str],
    receipts: Mapping[str, Asset],
) -> dict[str, Match]:
    """Deposit id to match; what is not found is missing.

    ``known`` are asset ids of other rows, never matched. ``receipts`` leads from an asset id before an exchange to the asset
    after it. Surer ways come first for *all* wanted items, so a guess never takes what another one knows by id.
    """
    taken = set(known)
    free = {each.asset.asset_id: each for each in held if each.asset.asset_id not in taken}
    matches: dict[str, Match] = {}

    def take(item: WantedAsset, asset_id: str, how: str) -> None:
        matches[item.deposit_id] = Match(item.deposit_id, free.pop(asset_id), how)

    for item in wanted:
        if item.asset.asset_id in free:
            take(item, item.asset.asset_id, "id")
    for item in _missing(wanted, matches):
        receipt = receipts.get(item.asset.asset_id)
        if receipt is not None and receipt.asset_id in free:
            take(item, receipt.asset_id, "receipt")
    for how in (_by_fingerprint, _by_name):
        for item in _missing(wanted, matches):
            asset_id = how(item, free)
            if asset_id is not None:
                take(item, asset_id, how.__name__.removeprefix("_by_"))
    return matches


def _missing(wanted: Sequence[WantedAsset], matches: Mapping[str, Match]) -> list[WantedAsset]:
    return [item for item in wanted if item.deposit_id not in matches]


def _by_fingerprint(item: WantedAsset, free: Mapping[str, HeldAsset]) -> str | None:
    if item.fingerprint is None:
        return None
    return _oldest(each for each in free.values() if each.fingerprint == item.fingerprint)


def _by_name(item: WantedAsset, free: Mapping[str, HeldAsset]) -> str | None:
    """Only among copies that could be the one: two known, different fingerprints are two different copies."""
    return _oldest(
        each
        for each in free.values()
        if each.market_hash_name == item.market_hash_name and (item.fingerprint is None or each.fingerprint is None)
    )


def _oldest(candidates: Iterable[HeldAsset]) -> str | None:
    """The lowest asset id, so that the same inventory always gives the same matches."""
    return min((each.asset.asset_id for each in candidates), key=lambda text: (len(text), text), default=None)
