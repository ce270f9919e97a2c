"""What a test knows of a value and its type does not say: that it is there, and of which kind an order's payload is."""

from __future__ import annotations

from typing import TypeVar

from shared.orders import Order

T = TypeVar("T")


def known(value: T | None) -> T:
    assert value is not None
    return value


def payload(order: Order, kind: type[T]) -> T:
    assert isinstance(order.payload, kind), order.kind
    return order.payload
