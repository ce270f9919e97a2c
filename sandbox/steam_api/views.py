"""Steam's JSON shapes of items, offers and exchanges."""

import time
from collections.abc import Iterable
from typing import Any

from sandbox.settings import SandboxSettings
from sandbox.steam_api.certificates import certificate
from sandbox.world.accounts import STEAM_ID_BASE
from sandbox.world.catalogue import WEARS, Kind
from sandbox.world.exchanges import Exchange, Move
from sandbox.world.items import CS2, PROTECTED_CONTEXT, Item
from sandbox.world.offers import AssetRef, Offer
from sandbox.world.state import World

INSPECT_LINKS = {
    "payload": "steam://run/730//+csgo_econ_action_preview%20%propid:6%",
    "classic": "steam://rungame/730/76561202255233023/+csgo_econ_action_preview%20S%owner_steamid%A%assetid%D{number}",
}
"""The form of 2026, which leads to property 6 of the asset, and the one before."""


def description(
    world: World, ref: AssetRef | Item, owner_view: bool = False, bbcode: bool = False, legacy: bool = False
) -> dict[str, Any]:
    """What the assets of one `classid_instanceid` have in common; protected ones carry `sealed` and a date line."""
    kind = ref.kind
    sealed = kind.app_id == CS2 and ref.context_id == PROTECTED_CONTEXT
    tradable = ref.tradable and (not sealed or world.settings.tradable_in_16)
    content: dict[str, Any] = {
        "appid": str(kind.app_id) if legacy else kind.app_id,
        "classid": str(kind.classid),
        "instanceid": str(ref.instanceid),
        "currency": 0,
        "background_color": "",
        "icon_url": kind.icon_url,
        "descriptions": _lines(kind),
        "owner_descriptions": [{"type": "html", "value": " "}],
        "tradable": int(tradable),
        "actions": [] if kind.commodity or kind.app_id != CS2 else [_inspect(world, ref)],
        "name": kind.name,
        "name_color": {"strange": "CF6A32", "unusual": "8650AC", "tournament": "FFD700"}.get(kind.quality, "D2D2D2"),
        "type": kind.type_line,
        "market_name": kind.market_hash_name,
        "market_hash_name": kind.market_hash_name,
        "market_actions": [],
        "commodity": int(kind.commodity),
        "market_tradable_restriction": "7" if legacy else 7,
        "market_marketable_restriction": 7,
        "marketable": int(ref.tradable and not sealed),
        "tags": [_tag(*tag, legacy=legacy) for tag in _tags(kind)],
    }
    if kind.app_id == CS2:
        content["sealed"] = int(sealed)
    if sealed:
        content["sealed_type"] = 0
        if owner_view:
            content["owner_descriptions"] = [_protection_line(ref.protected_until, bbcode)]
    return content


def _inspect(world: World, ref: AssetRef | Item) -> dict[str, str]:
    link = INSPECT_LINKS[world.settings.inspect_links].format(number=10**15 + ref.kind.classid)
    return {"link": link, "name": "Inspect in Game..."}


def _protection_line(until: int, bbcode: bool) -> dict[str, Any]:
    when = f"[date]{until}[/date]" if bbcode else time.strftime("%b %d, %Y (%H:%M:%S) GMT", time.gmtime(until))
    text = f"⇆ This item is trade-protected and cannot be consumed, modified, or transferred until {when}"
    return {"type": "bbcode" if bbcode else "html", "value": text, "color": "ff4040"}


def _lines(kind: Kind) -> list[dict[str, str]]:
    lines = []
    if kind.exterior is not None:
        lines.append({"type": "html", "value": f"Exterior: {WEARS[kind.exterior][0]}", "name": "exterior_wear"})
    lines.append({"type": "html", "value": " ", "name": "blank"})
    return lines


def _tags(kind: Kind) -> list[tuple[str, str, str, str, str]]:
    """Category, internal name, category shown, tag shown, colour."""
    quality = {"strange": "StatTrak™", "tournament": "Souvenir", "unusual": "★"}.get(kind.quality, "Normal")
    tags = [
        ("Type", f"CSGO_Type_{kind.type.replace(' ', '')}", "Type", kind.type, ""),
        ("Quality", kind.quality, "Category", quality, ""),
        ("Rarity", kind.rarity_tag, "Quality", kind.rarity, kind.color),
    ]
    if kind.weapon:
        tags.insert(1, ("Weapon", f"weapon_{kind.weapon.lower().replace('-', '')}", "Weapon", kind.weapon, ""))
    if kind.exterior is not None:
        tags.append(("Exterior", WEARS[kind.exterior][1], "Exterior", WEARS[kind.exterior][0], ""))
    return tags


def _tag(category: str, internal: str, category_name: str, name: str, color: str, legacy: bool) -> dict[str, str]:
    tag = {"category": category, "internal_name": internal}
    if legacy:
        tag |= {"category_name": category_name, "name": name}
    else:
        tag |= {"localized_category_name": category_name, "localized_tag_name": name}
    return tag | ({"color": color} if color else {})


def descriptions(world: World, refs: Iterable[AssetRef | Item], owner: bool = False, bbcode: bool = False) -> list[Any]:
    """One description per `classid_instanceid`, in order of first appearance."""
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for ref in refs:
        key = ref.kind.classid, ref.instanceid
        if key not in found:
            found[key] = description(world, ref, owner, bbcode)
    return list(found.values())


def inventory_asset(item: Item) -> dict[str, Any]:
    return {
        "appid": item.app_id,
        "contextid": str(item.context_id),
        "assetid": str(item.asset_id),
        "classid": str(item.kind.classid),
        "instanceid": str(item.instanceid),
        "amount": "1",
    }


def properties(item: Item) -> list[dict[str, Any]]:
    """Pattern 1, wear 2, name tag 5, certificate 6; some items in context 16 lack them (csfloat/extension)."""
    if item.kind.commodity or item.app_id != CS2:
        return []
    if item.context_id == PROTECTED_CONTEXT and item.item_uid % 5 == 0:
        return []
    found: list[dict[str, Any]] = []
    if item.pattern is not None:
        found.append({"propertyid": 1, "int_value": str(item.pattern), "name": "Pattern Template"})
    if item.wear is not None:
        found.append({"propertyid": 2, "float_value": item.wear, "name": "Wear Rating"})
    if item.name_tag is not None:
        found.append({"propertyid": 5, "string_value": item.name_tag, "name": "Name Tag"})
    found.append({"propertyid": 6, "string_value": certificate(item), "name": "Item Certificate"})
    return found


def asset_properties(items: Iterable[Item]) -> list[dict[str, Any]]:
    """One entry per asset that has any."""
    return [
        {
            "appid": item.app_id,
            "contextid": str(item.context_id),
            "assetid": str(item.asset_id),
            "asset_properties": found,
        }
        for item in items
        if (found := properties(item))
    ]


def offer(world: World, offer: Offer, viewer: int) -> dict[str, Any]:
    """An offer as one side sees it: ids of accounts are 32 bits here, empty lists of items are left out."""
    ours = viewer == offer.sender
    mine, theirs = (offer.give, offer.receive) if ours else (offer.receive, offer.give)
    content: dict[str, Any] = {
        "tradeofferid": str(offer.offer_id),
        "accountid_other": offer.partner_of(viewer) - STEAM_ID_BASE,
        "message": offer.message,
        "expiration_time": offer.expires,
        "trade_offer_state": int(offer.state),
    }
    if mine:
        content["items_to_give"] = [_offer_asset(world, ref, viewer) for ref in mine]
    if theirs:
        content["items_to_receive"] = [_offer_asset(world, ref, offer.partner_of(viewer)) for ref in theirs]
    content |= {
        "is_our_offer": ours,
        "time_created": offer.created,
        "time_updated": offer.updated,
        "from_real_time_trade": False,
        "escrow_end_date": offer.escrow_end,
        "confirmation_method": 2 if (offer.needs_phone if ours else offer.accepting_needs_phone) else 0,
        "eresult": 1,
    }
    if offer.tradeid is not None:
        content["tradeid"] = str(offer.tradeid)
    made = world.exchanges.get(offer.tradeid or 0)
    if made is not None and made.time_settlement and world.settings.offers_tell_settlement:
        content |= {"delay_settlement": True, "settlement_date": made.time_settlement}
    return content


def _offer_asset(world: World, ref: AssetRef, owner: int) -> dict[str, Any]:
    here = world.items.find((owner, ref.kind.app_id, ref.context_id), ref.asset_id)
    return {
        "appid": ref.kind.app_id,
        "contextid": str(ref.context_id),
        "assetid": str(ref.asset_id),
        "classid": str(ref.kind.classid),
        "instanceid": str(ref.instanceid),
        "amount": "1",
        "missing": here is None,
        "est_usd": str(ref.kind.price_cents or 0),
    }


def exchange(exchange: Exchange, viewer: int, now: float, settings: SandboxSettings) -> dict[str, Any]:
    """A trade as one side sees it; the partner's id has 64 bits here, new ids are missing until they are known."""
    partner = exchange.recipient if viewer == exchange.sender else exchange.sender
    content: dict[str, Any] = {
        "tradeid": str(exchange.tradeid),
        "steamid_other": str(partner),
        "time_init": exchange.time_init,
        "time_mod": exchange.time_mod,
        "status": int(exchange.status_at(now)),
    }
    if exchange.time_escrow_end:
        content["time_escrow_end"] = str(exchange.time_escrow_end)
    if exchange.time_settlement:
        content["time_settlement"] = exchange.time_settlement
    if other := _rollback_trade(exchange, settings):
        content["rollback_trade"] = str(other)
    for name, moves in (
        ("assets_received", [m for m in exchange.moves if m.taker == viewer]),
        ("assets_given", [m for m in exchange.moves if m.giver == viewer]),
    ):
        if moves:
            content[name] = [_trade_asset(move, exchange.shows_ids(now)) for move in moves]
    return content


def _rollback_trade(exchange: Exchange, settings: SandboxSettings) -> int | None:
    """Which end of a reversal names the other; public sources disagree, so it is a setting."""
    if exchange.rollback_of is not None:
        return exchange.rollback_of if settings.rollback_trade_on in ("rollback", "both") else None
    return exchange.rolled_back_by if settings.rollback_trade_on in ("original", "both") else None


def _trade_asset(move: Move, shows_ids: bool) -> dict[str, Any]:
    content: dict[str, Any] = {
        "appid": move.ref.kind.app_id,
        "contextid": str(move.ref.context_id),
        "assetid": str(move.ref.asset_id),
        "amount": "1",
        "classid": str(move.ref.kind.classid),
        "instanceid": str(move.ref.instanceid),
    }
    if shows_ids and move.new_asset_id is not None:
        content |= {"new_assetid": str(move.new_asset_id), "new_contextid": str(move.new_context_id)}
    if move.rollback_asset_id is not None:
        content["rollback_new_assetid"] = str(move.rollback_asset_id)
        content["rollback_new_contextid"] = str(move.rollback_context_id)
    return content
