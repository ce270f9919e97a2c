"""From Steam's two inventory shapes to `HeldAsset`: joined with descriptions, wear and pattern, inspect link filled in."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from shared.domain.items import CONTEXT_NORMAL, CS2_APP_ID, Asset, HeldAsset

IMAGES = "https://community.akamai.steamstatic.com/economy/image/"
PATTERN, WEAR, NAME_TAG, INSPECT = 1, 2, 5, 6


def parse(data: dict[str, Any], owner: str) -> list[HeldAsset]:
    """One page of ``/inventory`` or GetInventoryItemsWithDescriptions: ``assets``, ``descriptions``, ``asset_properties``."""
    descriptions = {_class_key(each): each for each in data.get("descriptions") or []}
    properties = {str(each.get("assetid")): each.get("asset_properties") or [] for each in data.get("asset_properties") or []}
    return [
        _held(row, descriptions.get(_class_key(row)), properties.get(str(row["assetid"]), []), owner)
        for row in data.get("assets") or []
    ]


def parse_legacy(data: dict[str, Any], owner: str, context_id: str) -> list[HeldAsset]:
    """One page of ``partnerinventory``. Steam writes empty maps as ``[]``."""
    descriptions = _map(data.get("rgDescriptions"))
    properties = _map(data.get("rgAssetProperties"))
    found = []
    for asset_id, row in _map(data.get("rgInventory")).items():
        asset = {**row, "assetid": row.get("id", asset_id), "appid": CS2_APP_ID, "contextid": context_id}
        found.append(_held(asset, descriptions.get(_class_key(row)), properties.get(asset_id) or [], owner))
    return found


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _class_key(row: dict[str, Any]) -> str:
    return f"{row.get('classid')}_{row.get('instanceid') or '0'}"


def _held(row: dict[str, Any], description: dict[str, Any] | None, properties: Any, owner: str) -> HeldAsset:
    about = description or {}
    asset = Asset(int(row["appid"]), sys.intern(str(row["contextid"])), str(row["assetid"]))
    told = _properties(properties)
    return HeldAsset(
        asset=asset,
        class_id=str(row.get("classid", "")),
        instance_id=str(row.get("instanceid") or "0"),
        amount=int(row.get("amount", 1)),
        # Interned: a thousand assets share a few hundred names.
        market_hash_name=sys.intern(str(about.get("market_hash_name", ""))),
        # In context 16 the flag says nothing; what lies there cannot be traded.
        tradable=bool(about.get("tradable")) and asset.context_id == CONTEXT_NORMAL,
        type=sys.intern(str(about.get("type", ""))),
        color=_rarity_color(about.get("tags") or []),
        name_color=sys.intern(str(about.get("name_color", ""))),
        icon_url=_image(about.get("icon_url")),
        icon_url_large=_image(about.get("icon_url_large")),
        wear=told.get(WEAR),
        pattern=told.get(PATTERN),
        name_tag=told.get(NAME_TAG),
        inspect_link=_inspect_link(about, asset.asset_id, owner, told.get(INSPECT)),
    )


def _properties(rows: Iterable[dict[str, Any]]) -> dict[int, str]:
    """Property id to Steam's own text; values are strings in JSON."""
    told = {}
    for row in rows or []:
        for name in ("int_value", "float_value", "string_value"):
            if row.get(name) not in (None, ""):
                told[int(row["propertyid"])] = str(row[name])
                break
    return told


def _rarity_color(tags: list[dict[str, Any]]) -> str:
    color = next((tag.get("color") for tag in tags if tag.get("category") == "Rarity"), "")
    return sys.intern(str(color or ""))


def _image(path: Any) -> str:
    text = str(path or "")
    return text if not text or text.startswith("http") else sys.intern(IMAGES + text)


def _inspect_link(about: dict[str, Any], asset_id: str, owner: str, payload: str | None) -> str | None:
    """The link with owner, asset or payload filled in; ``None`` where the item has none or a part is unknown."""
    for action in about.get("actions") or []:
        link = str(action.get("link", ""))
        if "csgo_econ_action_preview" not in link:
            continue
        link = link.replace("%owner_steamid%", owner).replace("%assetid%", asset_id)
        if "%propid:6%" in link:
            if payload is None:
                return None
            link = link.replace("%propid:6%", payload)
        return link
    return None
