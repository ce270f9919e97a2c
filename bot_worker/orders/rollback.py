"""Where the items of a reversed exchange are now. Pure.

A reversal is a new exchange that carries everything back under new asset ids; public sources disagree about which of the two
names the other as its ``rollback_trade``, so both are understood. Once it is known, an item's way is followed through both
receipts; no copy of the same name is ever taken for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot_worker.orders.matching import Match, match_assets
from bot_worker.steam.shapes import Exchange, Moved
from shared.domain.items import Asset, HeldAsset
from shared.orders import WantedAsset


def rollbacks_of(reversed_ones: Iterable[Exchange], history: Iterable[Exchange]) -> dict[str, Exchange]:
    """Exchange id to the exchange that took it back, as far as the history shows it."""
    wanted = {exchange.exchange_id: exchange for exchange in reversed_ones}
    by_original = {exchange.rolls_back: exchange_id for exchange_id, exchange in wanted.items() if exchange.rolls_back}
    rollbacks: dict[str, Exchange] = {}
    for exchange in history:
        if exchange.exchange_id in wanted:
            continue
        named = exchange.rolls_back if exchange.rolls_back in wanted else by_original.get(exchange.exchange_id)
        if named is not None:
            rollbacks[named] = exchange
    return rollbacks


def rollback_json(rollback: Exchange | None) -> dict[str, Any] | None:
    """As the report ``exchange_reversed`` carries it."""
    if rollback is None:
        return None
    return {"exchange_id": rollback.exchange_id, "moved": rollback.moved_json()}


def find_items(
    items: Sequence[WantedAsset],
    exchange: Exchange | None,
    rollback: Exchange | None,
    held: Sequence[HeldAsset],
    known: Iterable[str],
) -> dict[str, Match]:
    """Deposit id to where the item is with us now; what is not there has gone, or has not come back yet."""
    if exchange is None or rollback is None:
        receipts = _receipts(exchange.moved if exchange else ())
        return match_assets(items, held, known, receipts)
    by_id = {each.asset.asset_id: each for each in held}
    first, second = _receipts(exchange.moved), _receipts(rollback.moved)
    restored = {}
    for item in items:
        start = item.asset.asset_id
        way = start if start in second else _now(first, start)
        end = _now(second, way)
        if end in by_id:
            how = "id" if end == start else "receipt"
            restored[item.deposit_id] = Match(item.deposit_id, by_id[end], how)
    return restored


def _receipts(moved: Iterable[Moved]) -> Mapping[str, Asset]:
    return {each.asset_id: each.now for each in moved if each.now is not None}


def _now(receipts: Mapping[str, Asset], asset_id: str) -> str:
    after = receipts.get(asset_id)
    return after.asset_id if after is not None else asset_id
