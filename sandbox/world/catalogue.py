"""The items that exist in the sandbox: real names, invented prices, the same ones for the same seed."""

import hashlib
from dataclasses import dataclass, replace

from sandbox.world import catalogue_data as data

WEARS: tuple[tuple[str, str, float, float, float], ...] = (
    ("Factory New", "WearCategory0", 0.0, 0.07, 2.6),
    ("Minimal Wear", "WearCategory1", 0.07, 0.15, 1.35),
    ("Field-Tested", "WearCategory2", 0.15, 0.38, 0.9),
    ("Well-Worn", "WearCategory3", 0.38, 0.45, 0.8),
    ("Battle-Scarred", "WearCategory4", 0.45, 1.0, 0.7),
)
"""Exterior, Steam's internal tag, lowest and highest wear, factor on the price."""

ICON_PREFIX = "-9a81dlWLwJ2UUGcVs_nsVtzdOEdtWwKGZZLQHTxDZ7I56KU0Zwwo4NUX4oFJZEHLbXH"
COMMODITY_TYPES = frozenset({"Container", "Sticker", "Key"})


@dataclass(frozen=True)
class Kind:
    """One entry of the catalogue; `price_cents` is None for names without a price."""

    market_hash_name: str
    type: str
    rarity: str
    rarity_tag: str
    color: str
    weapon: str
    exterior: int | None
    quality: str
    price_cents: int | None
    classid: int
    tradable: bool = True
    app_id: int = 730
    def_index: int = 0
    """The game's numbers of the weapon and of its paint; real ones of weapons and phases, made up of other paints."""
    paint_index: int = 0
    phase: str = ""
    phases: tuple["Kind", ...] = ()
    """All copies of such a kind are one of these: of the same name, but another class, paint, picture and price."""

    @property
    def commodity(self) -> bool:
        return self.type in COMMODITY_TYPES

    @property
    def type_line(self) -> str:
        """The line under the name, such as `StatTrak™ Classified Rifle`."""
        prefix = {"strange": "StatTrak™ ", "tournament": "Souvenir ", "unusual": "★ "}.get(self.quality, "")
        return f"{prefix}{self.rarity} {self.type}"

    @property
    def name(self) -> str:
        """The name without its exterior."""
        if self.exterior is None:
            return self.market_hash_name
        return self.market_hash_name.removesuffix(f" ({WEARS[self.exterior][0]})")

    @property
    def context_id(self) -> int:
        """Where Steam keeps an item of this game: context 6 for Steam's own items, 2 for games."""
        return 6 if self.app_id == 753 else 2

    @property
    def icon_url(self) -> str:
        """The name of its picture: what comes after `/economy/image/` at the hosts of Steam's pictures."""
        return f"{ICON_PREFIX}{self.classid:x}"


class Catalogue:
    """All kinds of a seed, found by name."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.kinds = {kind.market_hash_name: kind for kind in _generate(seed)}
        phases = [phase for kind in self.kinds.values() for phase in kind.phases]
        self._phases = {f"{phase.market_hash_name} - {phase.phase}": phase for phase in phases}
        self._by_icon = {kind.icon_url: kind for kind in (*self.kinds.values(), *phases)}
        self.ordinary = [kind for kind in self.kinds.values() if kind.tradable]

    def kind(self, name: str, app_id: int = 730) -> Kind:
        """The kind of that name, which may have ` - Ruby` behind it; an unknown name becomes a plain kind without a price."""
        if app_id == 730 and (known := self.kinds.get(name) or self._phases.get(name)):
            return known
        key = f"{name}#{app_id}"
        if key not in self.kinds:
            self.kinds[key] = Kind(
                name, "Misc", "Base Grade", "Rarity_Common", "b0c3d9", "", None, "normal", None, _class(key), True, app_id
            )
            self._by_icon[self.kinds[key].icon_url] = self.kinds[key]
        return self.kinds[key]

    def by_icon(self, icon_url: str) -> Kind | None:
        """The kind whose picture has that name; None for a name that no kind has."""
        return self._by_icon.get(icon_url)

    def prices(self) -> dict[str, int]:
        """Integer cents of every priced name; of a phase it has the phase behind it, and the name alone the lowest price."""
        kinds = self.kinds | self._phases
        return {name: kind.price_cents for name, kind in kinds.items() if kind.price_cents is not None and kind.app_id == 730}


def _class(name: str) -> int:
    return 310_000_000 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:5], "big") % 6_000_000_000


def _share(seed: int, name: str, use: str) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.sha256(f"{seed}/{use}/{name}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def _generate(seed: int) -> list[Kind]:
    kinds: list[Kind] = []
    for line in data.FINISHES:
        kinds += _finish(seed, *line)
    for item_type, names in data.PLAIN.items():
        kinds += [_plain(seed, item_type, name) for name in names]
    for name in data.UNTRADABLE:
        kinds.append(
            Kind(
                name, "Collectible", "Extraordinary", "Rarity_Ancient", "eb4b4b", "", None, "normal", None, _class(name), False
            )
        )
    return kinds


def _finish(seed: int, weapon: str, kind: str, finish: str, rarity: str, wears: str, marks: str) -> list[Kind]:
    """Every exterior of one finish, with its StatTrak (`s`) or Souvenir (`v`) versions when `marks` says so."""
    label, tag, color, low, high = data.RARITIES[rarity]
    gold = rarity == "gold"
    base = low * (high / low) ** _share(seed, f"{weapon} | {finish}", "finish")
    made = []
    for exterior in (int(digit) for digit in wears):
        qualities = [("unusual" if gold else "normal", "", 1.0)]
        if "s" in marks:
            qualities.append(("strange", "StatTrak™ ", 2.4))
        if "v" in marks and exterior >= 2:
            qualities.append(("tournament", "Souvenir ", 3.5))
        for quality, prefix, factor in qualities:
            name = f"{prefix}{weapon} | {finish} ({WEARS[exterior][0]})"
            price = round(base * WEARS[exterior][4] * factor * (0.9 + 0.2 * _share(seed, name, "price")))
            unpriced = _share(seed, name, "unpriced") < 0.02
            plain = Kind(
                name, kind, label, tag, color, weapon, exterior, quality, None if unpriced else max(3, price), _class(name),
                def_index=data.DEF_INDEXES.get(weapon, 0), paint_index=2000 + _class(finish) % 1000,
            )  # fmt: skip
            made.append(replace(plain, phases=tuple(_phase(plain, *each) for each in data.PHASES.get(finish, ()))))
    return made


def _phase(kind: Kind, phase: str, paint_index: int, factor: float) -> Kind:
    price = None if kind.price_cents is None else round(kind.price_cents * factor)
    name = f"{kind.market_hash_name} - {phase}"
    return replace(kind, phase=phase, paint_index=paint_index, classid=_class(name), price_cents=price)


def _plain(seed: int, item_type: str, name: str) -> Kind:
    rarity = "holo" if "(Holo)" in name else "base" if item_type != "Agent" else "purple"
    label, tag, color, low, high = data.RARITIES[rarity]
    price = round(low * (high / low) ** _share(seed, name, "price"))
    return Kind(name, item_type, label, tag, color, "", None, "normal", max(3, price), _class(name))
