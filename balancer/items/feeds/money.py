"""What a price of a feed is in the fleet's cents. Pure and exact.

A price is multiplied by the cents of its unit and by the rate of its currency, and rounded once, to the nearest cent; half a
cent goes up. What is then no whole cent is no price: an item that is worth nothing is not told from one without a price.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

VALUE_MAX_CENTS = 10**12
# How many cents one of each is. `dollars` are whole units of whatever the currency is, `mills` thousandths of one.
UNITS = {"cents": Decimal(1), "dollars": Decimal(100), "mills": Decimal("0.1")}
NONE_TOLD = ("", "null", "none", "n/a", "-")

_EXACT = Context(prec=100)
_CENT = Decimal(1)
_TEXT = re.compile(r"\d{1,20}(\.\d{1,20})?", re.ASCII)


class NoPrice(ValueError):
    """There is no price: nothing, null, zero, or less than half a cent."""


class BadPrice(ValueError):
    """What stands there is no price."""


def cents_of(value: Any, cents_each: Decimal) -> int:
    """A price in whole cents, of which the unit has ``cents_each``: 1 to `VALUE_MAX_CENTS`.

    Raises:
        NoPrice.
        BadPrice: another type, a text other than digits with a point, NaN, or more than any item is worth.
    """
    number = _number_of(value)
    if not number.is_finite() or number > VALUE_MAX_CENTS:
        raise BadPrice
    if number <= 0:
        raise NoPrice
    cents = _EXACT.multiply(number, cents_each)
    if cents > VALUE_MAX_CENTS:
        raise BadPrice
    whole = int(cents.quantize(_CENT, ROUND_HALF_UP, _EXACT))
    if whole == 0:
        raise NoPrice
    return whole


def _number_of(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if value is None:
        raise NoPrice
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in NONE_TOLD:
            raise NoPrice
        if _TEXT.fullmatch(text):
            return Decimal(text)
    raise BadPrice
