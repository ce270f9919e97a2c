"""How items look: the name of their picture at Steam, and the colour of their rarity, by what bots have seen of them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from balancer.db.tables import items

_ICON = re.compile(r".*/economy/image/([A-Za-z0-9_-]{1,400})(?:/[A-Za-z0-9]*)?")
_COLOR = re.compile(r"[0-9A-Fa-f]{6}")


@dataclass(frozen=True, slots=True)
class Appearance:
    """``icon`` is what stands behind `/economy/image/`; ``color`` six digits in hex. Both are empty where nothing is known."""

    icon: str = ""
    color: str = ""


NOTHING = Appearance()


def of(connection: Connection, names: Collection[str]) -> dict[str, Appearance]:
    """The looks of items by name; a name that nobody has seen is left out."""
    columns = (items.c.market_hash_name, items.c.color, items.c.icon_url, items.c.icon_url_large)
    rows = connection.execute(select(*columns).where(items.c.market_hash_name.in_(list(names))))
    return {row.market_hash_name: _made(row.icon_url_large or row.icon_url, row.color) for row in rows}


def _made(address: str, color: str) -> Appearance:
    """Only what has the form of such a thing: both came from a bot's host, and end up in a page."""
    icon, digits = _ICON.fullmatch(address), color.removeprefix("#")
    return Appearance("" if icon is None else icon[1], digits if _COLOR.fullmatch(digits) else "")
