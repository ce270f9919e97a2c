"""A feed's bytes as prices: every row that can be used, and how many were left out, by reason. Pure.

Whatever the bytes are, nothing but `BadPrices` comes out of here, and a row that is bad leaves the good ones beside it. Of
several prices of one name the lowest counts: of most copies nobody knows why one price should be theirs, and one who brings
the cheapest should not be paid for the dearest. A price that a feed gives for one phase stands beside it, under the name with
that phase (`shared.domain.phases`), for copies whose phase is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from balancer.items.feeds import documents, money, paths
from balancer.items.feeds.documents import BrokenLine, Unreadable
from balancer.items.feeds.shapes import Shape
from balancer.items.price_list import NAME_MAX, BadPrices, PriceList
from shared import strict
from shared.domain import phases

MS_MAX = strict.TIME_MAX * 1000
# Why a row is left out.
ROW, NAME, VALUE, NO_PRICE, CURRENCY, PHASES = "row", "name", "value", "no_price", "currency", "phases"


def read(data: bytes, shape: Shape, rate: Decimal = Decimal(1)) -> PriceList:
    """What can be used of a feed. ``rate`` is what one unit of its currency is in the fleet's.

    Raises:
        BadPrices: it is no such document, its currency is another than was told, or nothing in it can be used.
    """
    try:
        rows, at = _opened(data, shape)
    except Unreadable as error:
        raise BadPrices(str(error)) from None
    collected = _Collected(shape, money.UNITS[shape.unit] * rate)
    for key, row in rows:
        if reason := collected.take(key, row):
            collected.left_out[reason] += 1
    return collected.result(at)


class _Collected:
    def __init__(self, shape: Shape, cents_each: Decimal) -> None:
        self._shape = shape
        self._cents_each = cents_each
        self._cents: dict[str, int] = {}
        self._with_phases: set[str] = set()
        self.left_out: Counter[str] = Counter()

    def take(self, key: str | None, row: Any) -> str | None:
        """Take one row; why it is left out, if it is."""
        shape = self._shape
        if isinstance(row, BrokenLine):
            return ROW
        if not (name := _name(shape, row, key)):
            return NAME
        if shape.currency_at is not None and not shape.currency_in_document and _other_currency(shape, row):
            return CURRENCY
        prices, reason = self._prices(shape.price, row)
        of_phases, _ = self._prices(shape.phases_at, row)
        if not prices and not of_phases:
            return reason
        name, phase = phases.split(name) or (name, None)
        lowest, known = min(cents for _, cents in [*prices, *of_phases]), self._cents.get(name)
        if phase or of_phases or known not in (None, lowest):
            self._with_phases.add(name)
        self._lower(name, lowest)
        for phase_name, cents in [(phase, lowest)] if phase else of_phases:
            if of_phase := phases.spelled(phase_name):
                self._lower(phases.priced_name(name, of_phase), cents)
        return None

    def _lower(self, name: str, cents: int) -> None:
        self._cents[name] = min(cents, self._cents.get(name, cents))

    def _prices(self, where: Iterable[paths.Path], row: Any) -> tuple[list[tuple[str | None, int]], str]:
        """The prices that stand at these places, each with the name it has there, and why there is none if there is none."""
        prices, reason = [], NO_PRICE
        for path in where:
            for name, value in path.find_named(row):
                try:
                    prices.append((name, money.cents_of(value, self._cents_each)))
                except money.NoPrice:
                    continue
                except money.BadPrice:
                    reason = VALUE
        return prices, reason

    def result(self, at: float | None) -> PriceList:
        """
        Raises:
            BadPrices: there is nothing.
        """
        if self._shape.phases == "leave_out":
            for name in self._with_phases & self._cents.keys():
                del self._cents[name]
                self.left_out[PHASES] += 1
        if not self._cents:
            most = self.left_out.most_common(1)
            raise BadPrices("no price in it can be used" + (f"; {most[0][1]} were left out: {most[0][0]}" if most else ""))
        return PriceList(self._cents, self.left_out, at)


def _opened(data: bytes, shape: Shape) -> tuple[Iterable[tuple[str | None, Any]], float | None]:
    """The rows, each with its key, and the time of all. Raises: Unreadable."""
    if shape.format == "csv":
        return ((None, line) for line in documents.of_table(data, shape.name.text.strip('"'))), None
    document = documents.of_json(data)
    return _rows(document, shape), _time(shape, document)


def _rows(document: Any, shape: Shape) -> Iterable[tuple[str | None, Any]]:
    if shape.currency_at is not None and shape.currency_in_document and _other_currency(shape, document):
        raise Unreadable(f"prices in {shape.currency} are wanted; it says another currency")
    places = shape.rows.find(document)
    n_rows = [len(place) for place in places if isinstance(place, dict | list)]
    if sum(n_rows) > documents.ROWS_MAX:
        raise Unreadable(f"at most {documents.ROWS_MAX} rows are wanted")
    if not n_rows:
        raise Unreadable(f"rows are wanted at {shape.rows.text or 'the top'!r}")
    return (entry for place in places for entry in paths.items_of(place))


def _time(shape: Shape, document: Any) -> float | None:
    """What time the prices are from, in unix seconds, if the document says so in a way that can be read: a number of seconds or
    milliseconds, or ISO 8601."""
    stated = shape.time_at.find(document) if shape.time_at is not None else []
    at = _seconds(stated[0]) if len(stated) == 1 else None
    return at / 1000 if at is not None and at > strict.TIME_MAX else at


def _seconds(value: Any) -> float | None:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
        return float(number) if number.is_finite() and 0 < number <= MS_MAX else None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _name(shape: Shape, row: Any, key: str | None) -> str:
    """Empty if there is none, several, or one that no item can have."""
    value = shape.name.find(row, key)
    return strict.maybe_text(value[0], NAME_MAX).strip() if len(value) == 1 else ""


def _other_currency(shape: Shape, thing: Any) -> bool:
    """Whether it says another currency than the shape. Nothing told is no contradiction."""
    assert shape.currency_at is not None
    stated = shape.currency_at.find(thing)
    return any(not isinstance(each, str) or each.strip().upper() != shape.currency for each in stated)


def reasons(left_out: Mapping[str, int]) -> str:
    """For people: ``12 no_price, 3 name``."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items(), key=lambda each: (-each[1], each[0])))
