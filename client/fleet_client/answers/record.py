"""What every answer is: a frozen record that keeps what this package does not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.plain()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """``more``: fields of the answer that this package does not know. ``livemode``: whether the balancer that
    answered, or whose event it is, is live (false: it tests); null in what is only a part of an answer."""

    livemode: bool | None = field(default=None, repr=False, compare=False)
    more: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def plain(self) -> dict[str, Any]:
        """As JSON has it, for a browser: times as text, and without `more`, of which nobody knows who may see it."""
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self) if one.name not in ("more", "livemode")}
