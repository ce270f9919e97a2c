"""Physical items, and the inventories they lie in; an item keeps its `item_uid` for ever and changes its asset id."""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sandbox.errors import NotFound
from sandbox.world.catalogue import WEARS, Kind

CS2 = 730
PROTECTED_CONTEXT = 16
CHANGES_MAX = 20_000
"""So many of the last changes are remembered, to show an inventory as it was."""
YOUNG_S = 40 * 86400
"""Items the world begins with count as owned for this long, so that everybody sees them."""

Place = tuple[int, int, int]
"""Owner's SteamID64, app id, context id."""


@dataclass(slots=True)
class Item:
    """One copy of a kind and where it lies now; `protected_until` is 0 or unix seconds."""

    item_uid: int
    kind: Kind
    tradable: bool
    wear: str | None
    pattern: int | None
    name_tag: str | None
    owner: int
    context_id: int
    asset_id: int
    acquired: float
    protected_until: int = 0
    in_escrow: bool = False

    @property
    def app_id(self) -> int:
        return self.kind.app_id

    @property
    def place(self) -> Place:
        return self.owner, self.kind.app_id, self.context_id

    @property
    def instanceid(self) -> int:
        """Differs between the ordinary, the bound and each protected variant, as descriptions are shared by it."""
        if self.context_id == PROTECTED_CONTEXT and self.app_id == CS2:
            return 8_000_000_000 + self.protected_until
        if self.kind.commodity or self.app_id != CS2:
            return 0 if self.tradable else 1
        return 302_028_390 if self.tradable else 302_028_391


@dataclass(frozen=True, slots=True)
class Change:
    """One item came to a place (`before` is None) or left it (`after` is None), or both."""

    at: float
    before: Item | None
    after: Item | None


class Inventories:
    """Every item of the world, indexed by place; new asset ids only ever grow."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._next_asset = 40_000_000_000 + chance.randrange(10**9)
        self._next_uid = 1
        self._places: dict[Place, dict[int, Item]] = {}
        self._changes: deque[Change] = deque(maxlen=CHANGES_MAX)
        self.now = 0.0
        """The time of what happens next; whoever lets time pass keeps it right."""
        self.by_uid: dict[int, Item] = {}
        self.origins: dict[int, tuple[int, str]] = {}
        self.removed: list[int] = []
        self.classes: dict[tuple[int, int, int], Item] = {}
        """One item as it was of every app, class and instance there ever was."""

    def new_asset_id(self) -> int:
        self._next_asset += self._chance.randrange(1, 5000)
        return self._next_asset

    def create(self, kind: Kind, owner: int, now: float, tradable: bool = True, name_tag: str | None = None) -> Item:
        """Put a new item into an inventory, with its own wear, pattern and phase where the kind has them."""
        wear = pattern = None
        if kind.exterior is not None:
            low, high = WEARS[kind.exterior][2:4]
            wear = f"{self._chance.uniform(low, high):.17f}"
            pattern = self._chance.randrange(1, 1001)
        uid, self._next_uid = self._next_uid, self._next_uid + 1
        kind = kind.phases[uid % len(kind.phases)] if kind.phases else kind
        item = Item(
            item_uid=uid,
            kind=kind,
            tradable=tradable and kind.tradable,
            wear=wear,
            pattern=pattern,
            name_tag=name_tag,
            owner=owner,
            context_id=kind.context_id,
            asset_id=self.new_asset_id(),
            acquired=now - YOUNG_S,
        )
        self.by_uid[uid] = item
        self.origins[uid] = (owner, kind.market_hash_name)
        self._put(item)
        self._changes.append(Change(now, None, replace(item)))
        return item

    def find(self, place: Place, asset_id: int) -> Item | None:
        return self._places.get(place, {}).get(asset_id)

    def at(self, place: Place) -> list[Item]:
        """Newest first, as Steam lists them."""
        return list(reversed(self._places.get(place, {}).values()))

    def at_time(self, place: Place, then: float) -> list[Item]:
        """The inventory as it was, newest first; changes made long ago are no longer known and count as older."""
        found = dict(self._places.get(place, {}))
        for change in reversed(self._changes):
            if change.at <= then:
                continue
            if change.after is not None and change.after.place == place:
                found.pop(change.after.asset_id, None)
            if change.before is not None and change.before.place == place:
                found[change.before.asset_id] = change.before
        return sorted(found.values(), key=lambda item: -item.asset_id)

    def count(self, owner: int, app_id: int) -> int:
        """How many items of a game lie with an owner, the protected ones included."""
        return sum(len(self._places.get((owner, app_id, context), ())) for context in (2, 6, PROTECTED_CONTEXT))

    def contexts(self, owner: int) -> dict[tuple[int, int], int]:
        """(App id, context id) -> number of items, of an owner's inventories that are not empty."""
        counts = {place[1:]: len(found) for place, found in self._places.items() if place[0] == owner and found}
        return {(app_id, context_id): count for (app_id, context_id), count in counts.items()}

    def take_out(self, item: Item) -> None:
        """Into escrow: no inventory shows the item until it is moved on."""
        self._changes.append(Change(self.now, replace(item), None))
        self._places[item.place].pop(item.asset_id, None)
        item.in_escrow = True

    def move(
        self, item: Item, owner: int, context_id: int, asset_id: int, acquired: float | None = None, protected_until: int = 0
    ) -> None:
        """Lay an item at its new place under its new asset id; `acquired` is told when it has come to a new owner."""
        before = None if item.in_escrow else replace(item)
        if before is not None:
            self._places[item.place].pop(item.asset_id, None)
        item.owner, item.context_id, item.asset_id, item.in_escrow = owner, context_id, asset_id, False
        item.protected_until = protected_until
        item.acquired = item.acquired if acquired is None else acquired
        self._put(item)
        self._changes.append(Change(self.now, before, replace(item)))

    def remove(self, place: Place, asset_id: int) -> Item:
        """Take an item out of the world. Raises: NotFound."""
        item = self.find(place, asset_id)
        if item is None:
            raise NotFound(f"no asset {asset_id} at {place}")
        self._changes.append(Change(self.now, replace(item), None))
        del self._places[place][asset_id]
        del self.by_uid[item.item_uid]
        self.removed.append(item.item_uid)
        return item

    def __iter__(self) -> Iterator[Item]:
        return iter(self.by_uid.values())

    def _put(self, item: Item) -> None:
        self._places.setdefault(item.place, {})[item.asset_id] = item
        self.classes.setdefault((item.app_id, item.kind.classid, item.instanceid), replace(item))
