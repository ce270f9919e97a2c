"""From Steam's two inventory shapes to `HeldAsset`: joined with descriptions, wear and pattern, inspect link filled in.

The one place where inventories are read. A row whose identity cannot be read is left out, what else of a row cannot be read is
empty, and a page that is none is a `BadShape`; nothing else comes out of here, whatever Steam sends.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot_worker.steam import certificate
from shared import strict
from shared.domain import phases
from shared.domain.items import CONTEXT_NORMAL, CS2_APP_ID, Asset, HeldAsset
from shared.strict import BadShape

IMAGES = "https://community.akamai.steamstatic.com/economy/image/"
PATTERN, WEAR, NAME_TAG, INSPECT = 1, 2, 5, 6
NAME_MAX = 255
AMOUNT_MAX = 2**31
_NO_INSTANCE = "0"
_COLOR = re.compile(r"[0-9A-Fa-f]{6}")


@dataclass(slots=True)
class Page:
    """One page. ``amount`` of an asset is 0 where Steam's own cannot be read, its name empty where Steam tells none.

    ``left_out`` counts rows that are no asset of this inventory or cannot be read, by reason. ``unclear`` are those among them
    that may be one: what is not among ``held`` may be there all the same. ``start`` is where the next page begins.
    """

    held: list[HeldAsset] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    unclear: int = 0
    start: str | None = None


class _LeftOut(Exception):
    """A row that is not taken; ``unclear`` if it may be an asset all the same."""

    def __init__(self, reason: str, *, unclear: bool = False) -> None:
        self.reason = reason
        self.unclear = unclear
        super().__init__(reason)


def parse(data: object, owner: str, context_id: str) -> Page:
    """One page of ``/inventory`` or GetInventoryItemsWithDescriptions, asked for CS2 in this context.

    Raises:
        BadShape: it is no page: an empty inventory says how many assets it has, an empty answer is trouble.
    """
    about = strict.mapping(data, "inventory")
    if "assets" not in about and "total_inventory_count" not in about:
        raise BadShape("assets", "a list")
    rows = strict.rows(about.get("assets"), "assets")
    page = Page()
    asked = [row if isinstance(row, dict) else {} for row in rows]
    properties = {
        _id_or(each.get("assetid"), ""): each.get("asset_properties") for each in strict.objects(about.get("asset_properties"))
    }
    _fill(page, asked, _Descriptions(strict.objects(about.get("descriptions")), asked), properties, owner, context_id)
    page.start = _next_start(about, page)
    return page


def _next_start(about: Mapping[str, Any], page: Page) -> str | None:
    if not about.get("more_items"):
        return None
    try:
        return strict.number_id(about.get("last_assetid"), "last_assetid")
    except BadShape:
        # It is the id of the page's last asset, wherever it was looked at.
        if not page.held:
            raise
        return page.held[-1].asset.asset_id


def parse_legacy(data: object, owner: str, context_id: str) -> Page:
    """One page of ``partnerinventory``; its ``start`` is a number of rows. Steam writes empty maps as ``[]``.

    Raises:
        BadShape: it is no page.
    """
    about = strict.mapping(data, "inventory")
    if "rgInventory" not in about:
        raise BadShape("rgInventory", "an object")
    inventory, properties = _map(about["rgInventory"], "rgInventory"), _map_or_none(about.get("rgAssetProperties"))
    asked = [{**row, "assetid": row.get("id", key)} if isinstance(row, dict) else {} for key, row in inventory.items()]
    page = Page()
    described = strict.objects(about.get("rgDescriptions"))
    _fill(page, asked, _Descriptions(described, asked), properties, owner, context_id)
    if about.get("more"):
        page.start = str(strict.whole(about.get("more_start"), "more_start", 1, AMOUNT_MAX))
    return page


def _map(value: object, name: str) -> dict[str, Any]:
    return {} if value in ([], None) else strict.mapping(value, name)


def _map_or_none(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _fill(
    page: Page,
    rows: Sequence[dict[str, Any]],
    descriptions: _Descriptions,
    properties: Mapping[str, Any],
    owner: str,
    context_id: str,
) -> None:
    """Every row that can be taken, each asset once."""
    there: set[str] = set()
    for row in rows:
        about = descriptions.of(row)
        try:
            asset = _identity(row, context_id)
            if asset.asset_id in there:
                raise _LeftOut("doubled")
        except _LeftOut as error:
            page.left_out[error.reason] += 1
            page.unclear += error.unclear
            continue
        there.add(asset.asset_id)
        page.held.append(_held(asset, row, about, properties.get(asset.asset_id), owner))


def _identity(row: Mapping[str, Any], context_id: str) -> Asset:
    """Which asset the row is. Raises `_LeftOut` for what is no CS2 asset of this context, or is none at all."""
    if row.get("assetid") is None and row.get("currencyid") is not None:
        raise _LeftOut("currency")
    if row.get("appid", CS2_APP_ID) not in (CS2_APP_ID, str(CS2_APP_ID)):
        raise _LeftOut("other_app")
    if row.get("contextid", context_id) not in (context_id, int(context_id)):
        raise _LeftOut("other_context")
    try:
        asset_id = strict.number_id(row.get("assetid"), "assetid")
    except BadShape:
        raise _LeftOut("no_asset_id", unclear=True) from None
    return Asset(CS2_APP_ID, sys.intern(context_id), asset_id)


def class_key(row: Mapping[str, Any]) -> tuple[str, str]:
    """Class and instance; ids that cannot be read are empty, and an instance that is not told is 0."""
    return _id_or(row.get("classid"), ""), _id_or(row.get("instanceid"), _NO_INSTANCE)


def _id_or(value: object, otherwise: str) -> str:
    try:
        return strict.number_id(value, "id")
    except BadShape:
        return otherwise


class _Descriptions:
    """What Steam says about classes, or, since 2025, about single assets (node-steamcommunity#356).

    An asset's own description counts first: one that names it, else, if a class has as many as assets, the one at its place.
    Where that cannot be told apart, an asset is tradable only if all that are said of its class are.
    """

    def __init__(self, rows: Sequence[dict[str, Any]], assets: Sequence[Mapping[str, Any]]) -> None:
        self._own: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._of_class: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for each in rows:
            key = class_key(each)
            asset_id = _id_or(each.get("assetid"), "")
            if asset_id:
                self._own[(*key, asset_id)] = each
            self._of_class.setdefault(key, []).append(each)
        self._assets = Counter(class_key(row) for row in assets)
        self._place: Counter[tuple[str, str]] = Counter()

    def of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """To be called once for each row, in their order; empty where nothing is said."""
        key = class_key(row)
        known = self._of_class.get(key, [])
        place = self._place[key]
        self._place[key] += 1
        own = self._own.get((*key, _id_or(row.get("assetid"), "")))
        if own is not None or not known:
            return own or {}
        if len(known) == self._assets[key]:
            return known[place]
        return {**known[0], "tradable": all(_is_yes(each.get("tradable")) for each in known)}


def _held(asset: Asset, row: Mapping[str, Any], about: Mapping[str, Any], properties: Any, owner: str) -> HeldAsset:
    by_name = _properties(properties)
    class_id, instance_id = class_key(row)
    name = name_of(about)
    paint = certificate.paint_index(by_name.get(INSPECT), asset.asset_id, by_name.get(PATTERN)) if " Doppler" in name else None
    return HeldAsset(
        asset=asset,
        class_id=class_id,
        instance_id=instance_id,
        amount=_amount(row),
        # Interned: a thousand assets share a few hundred names.
        market_hash_name=sys.intern(name),
        # In context 16 the flag says nothing; what lies there cannot be traded.
        tradable=_is_yes(about.get("tradable")) and asset.context_id == CONTEXT_NORMAL,
        type=sys.intern(strict.maybe_text(about.get("type"))),
        color=_rarity_color(about.get("tags")),
        name_color=_color(about.get("name_color")),
        icon_url=_image(about.get("icon_url")),
        icon_url_large=_image(about.get("icon_url_large")),
        wear=by_name.get(WEAR),
        pattern=by_name.get(PATTERN),
        name_tag=by_name.get(NAME_TAG),
        inspect_link=_inspect_link(about, asset.asset_id, owner, by_name.get(INSPECT)),
        phase=None if paint is None else phases.of_paint(name, paint),
    )


def _amount(row: Mapping[str, Any]) -> int:
    """0 where it cannot be read: nothing that is taken has such an amount. One that is not told at all is 1."""
    try:
        return strict.whole(row.get("amount", 1), "amount", 1, AMOUNT_MAX)
    except BadShape:
        return 0


def name_of(about: Mapping[str, Any]) -> str:
    """The market's name, or what Steam tells in its place; empty where it tells none that can be kept."""
    names = (strict.maybe_text(about.get(each), NAME_MAX) for each in ("market_hash_name", "market_name", "name"))
    return next((name for name in names if name.strip()), "")


def _is_yes(value: object) -> bool:
    """Steam writes 1, true, and in some places "1"."""
    return value is True or value == "1" or (isinstance(value, int) and value == 1)


def _properties(value: object) -> dict[int, str]:
    """Property id to Steam's own text; values are strings in JSON."""
    result: dict[int, str] = {}
    for row in strict.objects(value):
        number = row.get("propertyid")
        candidates = (strict.number_text(row.get(name)) for name in ("int_value", "float_value", "string_value"))
        chosen = next((each for each in candidates if each is not None), None)
        if chosen is not None and isinstance(number, int):
            result[number] = chosen
    return result


def _rarity_color(tags: object) -> str:
    return next((_color(tag.get("color")) for tag in strict.objects(tags) if tag.get("category") == "Rarity"), "")


def _color(value: object) -> str:
    """Six hex digits, or nothing."""
    return sys.intern(value) if isinstance(value, str) and _COLOR.fullmatch(value) else ""


def _image(path: object) -> str:
    text = strict.maybe_text(path)
    return text if not text or text.startswith(("https://", "http://")) else sys.intern(IMAGES + text)


def _inspect_link(about: Mapping[str, Any], asset_id: str, owner: str, payload: str | None) -> str | None:
    """The link with owner, asset or payload filled in; ``None`` where the item has none or a part is unknown."""
    for action in strict.objects(about.get("actions")):
        link = strict.maybe_text(action.get("link"))
        if "csgo_econ_action_preview" not in link:
            continue
        link = link.replace("%owner_steamid%", owner).replace("%assetid%", asset_id)
        if "%propid:6%" in link:
            if payload is None:
                return None
            link = link.replace("%propid:6%", payload)
        return link
    return None
