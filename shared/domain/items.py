"""Items, assets, and how two copies of one item are told apart.

An *item* is a thing with a name and a price; an *asset* is one copy of it, named by app, context and asset id. Asset ids
change with every exchange, so a copy is recognised by Steam's receipt first and by its fingerprint second.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from shared.domain import phases

CS2_APP_ID = 730
CONTEXT_NORMAL = "2"
CONTEXT_PROTECTED = "16"


@dataclass(frozen=True, slots=True, order=True)
class Asset:
    """One copy of an item at one moment: where Steam keeps it and under which id."""

    app_id: int
    context_id: str
    asset_id: str

    def to_json(self) -> dict[str, object]:
        return {"app_id": self.app_id, "context_id": self.context_id, "asset_id": self.asset_id}

    @classmethod
    def from_json(cls, data: dict[str, object]) -> Asset:
        app_id = data["app_id"]
        if not isinstance(app_id, int):
            raise ValueError("app_id is an integer")
        return cls(app_id, str(data["context_id"]), str(data["asset_id"]))


@lru_cache(maxsize=20_000)
def item_id_of(market_hash_name: str) -> str:
    """Our id of an item, made from its name, so that two balancers agree without asking."""
    return "itm_" + hashlib.sha256(market_hash_name.encode()).hexdigest()[:20]


def fingerprint(market_hash_name: str, wear: str | None, pattern: str | None, name_tag: str | None) -> str | None:
    """What stays the same when an asset id changes: name, wear, pattern template and name tag; ``None`` if none is known.

    Wear and pattern are Steam's own decimal strings (``asset_properties`` 2 and 1), compared as text. Copies without any of
    the three cannot be told apart, so they have no fingerprint.
    """
    if wear is None and pattern is None and name_tag is None:
        return None
    return "|".join((market_hash_name, wear or "", pattern or "", name_tag or ""))


@dataclass(frozen=True, slots=True)
class HeldAsset:
    """One asset as an inventory shows it, joined with its description.

    ``tradable`` is false for everything in context 16. ``color`` is the rarity's colour and ``name_color`` the name's, both
    six hex digits. ``inspect_link`` is ready to use (owner and asset filled in) or ``None``. ``phase`` is one of
    `phases.PHASES`, of those few names that have some, or ``None``: not known.
    """

    asset: Asset
    class_id: str
    instance_id: str
    amount: int
    market_hash_name: str
    tradable: bool
    type: str = ""
    color: str = ""
    name_color: str = ""
    icon_url: str = ""
    icon_url_large: str = ""
    wear: str | None = None
    pattern: str | None = None
    name_tag: str | None = None
    inspect_link: str | None = None
    phase: str | None = None

    @property
    def priced_name(self) -> str:
        """Under which name its value is looked up."""
        return phases.priced_name(self.market_hash_name, self.phase)

    @property
    def fingerprint(self) -> str | None:
        return fingerprint(self.market_hash_name, self.wear, self.pattern, self.name_tag)

    def to_json(self) -> dict[str, object]:
        """Plain values for a report; absent optional values are left out."""
        data: dict[str, object] = {
            "asset": self.asset.to_json(),
            "class_id": self.class_id,
            "instance_id": self.instance_id,
            "amount": self.amount,
            "market_hash_name": self.market_hash_name,
            "tradable": self.tradable,
        }
        for name in ("type", "color", "name_color", "icon_url", "icon_url_large"):
            if value := getattr(self, name):
                data[name] = value
        for name in ("wear", "pattern", "name_tag", "inspect_link", "phase"):
            if (value := getattr(self, name)) is not None:
                data[name] = value
        return data

    @classmethod
    def from_json(cls, data: dict[str, object]) -> HeldAsset:
        """What a later release says more is left out."""
        fields = {name: value for name, value in dict(data).items() if name in cls.__dataclass_fields__}
        asset = fields.pop("asset", None)
        if not isinstance(asset, dict):
            raise ValueError("asset is an object")
        held = cls(asset=Asset.from_json(asset), **fields)  # type: ignore[arg-type]
        texts = (
            *(held.class_id, held.instance_id, held.market_hash_name, held.type),
            *(held.color, held.name_color, held.icon_url, held.icon_url_large),
        )
        maybe_texts = (held.wear, held.pattern, held.name_tag, held.inspect_link, held.phase)
        if not (
            all(isinstance(text, str) for text in texts)
            and all(text is None or isinstance(text, str) for text in maybe_texts)
            and phases.known(held.phase) == held.phase
            and isinstance(held.amount, int)
            and isinstance(held.tradable, bool)
        ):
            raise ValueError("a field of the asset has another type")
        return held
