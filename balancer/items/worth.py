"""What a row of custody is worth now, in SQL: the value of its phase if that is known and has one, else of its name.

A phase has its own line in the table of items, under the market's name with the phase behind it
(`shared.domain.phases.priced_name`). Its value comes with its own source and time.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, case

from balancer.db.tables import deposits, items

_phased = items.alias("phased")
_by_phase = _phased.c.value_cents.is_not(None)

value_cents: ColumnElement[Any] = case((_by_phase, _phased.c.value_cents), else_=items.c.value_cents)
value_source: ColumnElement[Any] = case((_by_phase, _phased.c.value_source), else_=items.c.value_source)
valued_at: ColumnElement[Any] = case((_by_phase, _phased.c.valued_at), else_=items.c.valued_at)


def of(rows: FromClause) -> FromClause:
    """Rows of deposits with their items; `value_cents` and its source and time can be asked of these."""
    joined = rows.join(items, items.c.item_id == deposits.c.item_id)
    its_phase = _phased.c.market_hash_name == items.c.market_hash_name.concat(" - ").concat(deposits.c.phase)
    return joined.outerjoin(_phased, its_phase)
