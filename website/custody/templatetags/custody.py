"""What pages of items have in common."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django import template

from website.custody.reading import Tile

register = template.Library()


@dataclass(frozen=True)
class Pile:
    """Items that are alike: one picture, how many of them there are, and how many of these are chosen."""

    tiles: Sequence[Tile]
    chosen: int

    @property
    def tile(self) -> Tile:
        return self.tiles[0]

    @property
    def count(self) -> int:
        return len(self.tiles)

    @property
    def value(self) -> str:
        """What a form sends of it."""
        return ",".join(tile.id for tile in self.tiles)


@register.simple_tag
def piles(tiles: Sequence[Tile], chosen: Collection[str] = ()) -> list[Pile]:
    """Tiles with what is alike put together, in the order of the first of each; what is chosen comes first in its pile."""
    found: dict[tuple[object, ...], list[Tile]] = {}
    for tile in tiles:
        key = (tile.market_hash_name, tile.phase, tile.cents, tile.mark, str(tile.why), tile.until, tile.link)
        found.setdefault(key, []).append(tile)
    return [_pile(alike, chosen) for alike in found.values()]


def _pile(alike: list[Tile], chosen: Collection[str]) -> Pile:
    in_order = sorted(alike, key=lambda tile: tile.id not in chosen)
    return Pile(in_order, sum(tile.id in chosen for tile in alike))
