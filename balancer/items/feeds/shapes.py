"""What a feed looks like, and the shapes of the feeds that many use. Pure.

A shape says where the rows of a document stand, and where in a row its name and its prices are, in the language of
`balancer.items.feeds.paths`. ``price`` has one path or several: the lowest price that they give counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from balancer.items.feeds import paths
from balancer.items.feeds.money import UNITS
from balancer.items.feeds.paths import Path

Format = Literal["json", "csv"]
Phases = Literal["lowest", "leave_out"]


class BadShape(ValueError):
    """A shape that cannot be; the text says which part, and what is wrong."""


_TOP = paths.parse(paths.SELF)


@dataclass(frozen=True, slots=True)
class Shape:
    """``phases_at`` are further prices of the same name, one for each phase. ``currency_at`` is checked where it is told: in
    the row, or, with ``/`` before it, once in the document. ``time_at`` is where the document says what time it is from."""

    name: Path
    price: tuple[Path, ...]
    rows: Path = _TOP
    format: Format = "json"
    unit: str = "dollars"
    currency: str = "USD"
    currency_at: Path | None = None
    currency_in_document: bool = False
    time_at: Path | None = None
    phases_at: tuple[Path, ...] = ()
    phases: Phases = "lowest"


# By preset what it is made of, as an operator would write it. Where each shape is from:
#
# skinport      https://docs.skinport.com (`/v1/items`): a list; `min_price` is the lowest offer, null without one. One offer
#               says little, and its maker decides it, so the lower of it and Skinport's own estimate counts.
# market_csgo   https://market.csgo.com/api/v2/prices/USD.json: prices as text, in whole units; the currency stands above the
#               list.
# csgotrader    https://prices.csgotrader.app/latest/csgotrader.json, as gergelyszabo94/csgo-trader-extension reads it
#               (`extension/src/utils/pricing.js`): by name `{"price": …, "doppler": {"Phase 1": …}}`, in dollars;
#               csmoney.json, cstrade.json and lisskins.json have the same shape.
# csgotrader_market    … buff163.json, youpin898.json, csfloat.json: the same one level lower, below `starting_at`.
# csgotrader_steam     … steam.json: averages of the last 24 hours, 7, 30 and 90 days.
# csgotrader_skinport  … skinport.json: `starting_at` and `suggested_price`.
# csgotrader_names     … csgotm.json, lootfarm.json, swapgg.json: by name a price in dollars, some of them as text.
# pricempire    https://pricempire.com/docs, API v4 `/items/prices`: a list, with the prices of each market by `provider_key`.
# pricempire_v3 API v3 `/items/prices`: by name the markets, each with `price` in cents.
# steamanalyst  https://api.steamanalyst.com/v2/KEY, as the package `steamanalyst-api` types it: a list; rare items have no
#               average, but `suggested_amount_avg_raw`; `phases` has min, max and avg of each, or is 0.
# plain         what the fleet's own price file is: names and whole cents, at the top or below `prices`.
# table         a table with the columns `market_hash_name` and `price`.
PRESETS: dict[str, dict[str, Any]] = {
    "skinport": {"name": "market_hash_name", "price": ["min_price", "suggested_price"], "currency_at": "currency"},
    "market_csgo": {
        "rows": "items",
        "name": "market_hash_name",
        "price": ["price"],
        "currency_at": "/currency",
        "time_at": "time",
    },
    "csgotrader": {"name": "@key", "price": ["price"], "phases_at": ["doppler.*"]},
    "csgotrader_market": {"name": "@key", "price": ["starting_at.price"], "phases_at": ["starting_at.doppler.*"]},
    "csgotrader_steam": {"name": "@key", "price": ["last_7d|last_30d|last_24h|last_90d"]},
    "csgotrader_skinport": {"name": "@key", "price": ["starting_at", "suggested_price"]},
    "csgotrader_names": {"name": "@key", "price": ["@"]},
    "pricempire": {
        "name": "market_hash_name",
        "price": ["prices[provider_key=buff163].price"],
        "unit": "cents",
    },
    "pricempire_v3": {"name": "@key", "price": ["buff163.price|buff.price"], "unit": "cents"},
    "steamanalyst": {
        "name": "market_name",
        "price": ["safe_price_raw|avg_price_7_days_raw|suggested_amount_avg_raw"],
        "phases_at": ["phases.*.avg"],
    },
    "plain": {"rows": "prices|@", "name": "@key", "price": ["@"], "unit": "cents"},
    "table": {"format": "csv", "name": "market_hash_name", "price": ["price"]},
}
PARTS = ("rows", "name", "price", "format", "unit", "currency", "currency_at", "time_at", "phases_at", "phases")


def of(preset: str, parts: Mapping[str, Any]) -> Shape:
    """The shape of a preset (or of none), with what is told otherwise laid over it.

    Raises:
        BadShape: no such preset, unit or part; no name or price; a path that is none.
    """
    if preset and preset not in PRESETS:
        raise BadShape(f"there is no preset {preset!r}; there are {', '.join(PRESETS)}")
    fields = {**PRESETS.get(preset, {}), **parts}
    if unknown := sorted(fields.keys() - set(PARTS)):
        raise BadShape(f"{unknown[0]} is no part of a shape; there are {', '.join(PARTS)}")
    for part in ("name", "price"):
        if not fields.get(part):
            raise BadShape(f"{part} is missing: write where it stands in a row, or a preset")
    if (unit := fields.get("unit", "dollars")) not in UNITS:
        raise BadShape(f"unit {unit!r} is none of {', '.join(UNITS)}")
    return _made(fields)


def _made(fields: Mapping[str, Any]) -> Shape:
    currency_at = fields.get("currency_at") or ""
    made = Shape(name=_path(fields, "name"), price=_several(fields, "price"), phases_at=_several(fields, "phases_at"))
    return replace(
        made,
        rows=_path(fields, "rows"),
        currency_at=_path({"currency_at": currency_at.removeprefix("/")}, "currency_at") if currency_at else None,
        time_at=_path(fields, "time_at") if fields.get("time_at") else None,
        currency_in_document=currency_at.startswith("/"),
        **{part: fields[part] for part in ("format", "unit", "currency", "phases") if part in fields},
    )


def _path(fields: Mapping[str, Any], part: str) -> Path:
    try:
        return paths.parse(str(fields.get(part) or ""))
    except paths.BadPath as error:
        raise BadShape(f"{part}: {error}") from None


def _several(fields: Mapping[str, Any], part: str) -> tuple[Path, ...]:
    written = fields.get(part) or []
    return tuple(_path({part: each}, part) for each in ([written] if isinstance(written, str) else written))
