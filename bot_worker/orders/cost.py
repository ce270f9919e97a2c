"""For which kind of trade an order asks Steam: what a call costs is divided equally among the trades that it is for. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from shared.domain.status import Direction
from shared.orders import (
    InventoryOrder,
    OfferOrder,
    Order,
    SendOrder,
    SettleCheck,
    SettleOrder,
    WatchedTrade,
    WatchOrder,
)

Shares = Mapping[Direction, float]


def of_order(order: Order) -> Shares:
    """Direction → its share of each call; empty for what no trade asks for: audits, looks for players, second readings."""
    payload = order.payload
    match payload:
        case SendOrder() | OfferOrder():
            return _equal([_of(payload)])
        case InventoryOrder() if payload.own_rows is None and not payload.second:
            return _equal([Direction.DEPOSIT])
        case WatchOrder() if order.kind != "look":
            return _equal(map(_of, payload.trades))
        case SettleOrder():
            return of_checks(payload.checks)
    return {}


def of_checks(checks: Iterable[SettleCheck]) -> Shares:
    """As `of_order`, for some checks of a settle order.

    To settle a withdrawal only its exchange is looked at, so the check names no items; without an exchange the items of a
    withdrawal that ended are looked for.
    """
    return _equal(
        Direction.DEPOSIT if check.exchange_id is not None and check.assets else Direction.WITHDRAW for check in checks
    )


def _of(trade: SendOrder | OfferOrder | WatchedTrade) -> Direction:
    return Direction.WITHDRAW if trade.give else Direction.DEPOSIT


def _equal(directions: Iterable[Direction]) -> Shares:
    counts = Counter(directions)
    return {direction: count / counts.total() for direction, count in counts.items()}
