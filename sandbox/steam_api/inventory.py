"""Inventories: the community endpoint, the legacy one, the partner's one of a trade page, and the Web API's."""

from collections.abc import Sequence
from typing import Any

from sandbox.answers import Answer, as_json, key_page, null, response
from sandbox.steam_api import session, views
from sandbox.steam_api.call import Call
from sandbox.world.accounts import Account
from sandbox.world.items import CS2, PROTECTED_CONTEXT, Item
from sandbox.world.trading import ACCESS_DENIED, INVALID_PARAM, is_free

LEGACY_PAGE = 2500


def community(call: Call) -> Answer:
    """inventory/<id>/<app>/<context>: 400 for a count above 2000, 403 for a private one, `null` both.

    Context 16 is shown to its owner only; other people's recently traded items are left out for ten days.
    """
    count = call.number("count", 75)
    owner = call.world.accounts.by_id.get(int(call.args["steam_id"]))
    if owner is None or not 1 <= count <= call.world.settings.inventory_count_max:
        return null(400)
    viewer = session.signed_in(call)
    app_id, context_id = int(call.args["app"]), int(call.args["context"])
    if viewer is not owner and (owner.private or context_id == PROTECTED_CONTEXT):
        return null(403)
    items = call.items_at((owner.steam_id, app_id, context_id))
    total = len(items)
    if viewer is not owner:
        items = _without_young(call, items)
    page, more = _page(items, call.number("start_assetid"), count)
    content: dict[str, Any] = {}
    if page:
        bbcode = call.flag("preserve_bbcode")
        content["assets"] = [views.inventory_asset(item) for item in page]
        content["descriptions"] = views.descriptions(call.world, page, viewer is owner, bbcode)
        content["asset_properties"] = views.asset_properties(page)
    if more:
        content |= {"more_items": 1, "last_assetid": str(page[-1].asset_id)}
    return as_json(content | {"total_inventory_count": total, "success": 1, "rwgrsn": -2})


def _without_young(call: Call, items: Sequence[Item]) -> list[Item]:
    limit = call.now - call.world.settings.young_items_hidden_s
    return [item for item in items if item.acquired <= limit]


def _page(items: Sequence[Item], start_assetid: int, count: int) -> tuple[list[Item], bool]:
    """The items after the asset that ended the page before, and whether more follow."""
    place = next((n for n, item in enumerate(items, 1) if item.asset_id == start_assetid), None)
    older = [item for item in items if item.asset_id < start_assetid] if start_assetid else list(items)
    rest = older if place is None else list(items[place:])
    return rest[:count], len(rest) > count


def own(call: Call) -> Answer:
    """IEconService/GetInventoryItemsWithDescriptions: one's own inventory by access token, contexts 2 and 16."""
    account = session.token_account(call)
    if account is None:
        return key_page(401)
    if call.number("steamid") != account.steam_id:
        return response({}, ACCESS_DENIED)
    count = call.number("count", 100)
    if not 1 <= count <= call.world.settings.inventory_count_max:
        return response({}, INVALID_PARAM)
    items = call.items_at((account.steam_id, call.number("appid", CS2), call.number("contextid", 2)))
    total = len(items)
    if call.flag("for_trade_offer_verification"):
        items = [item for item in items if is_free(item)]
    page, more = _page(items, call.number("start_assetid"), count)
    content: dict[str, Any] = {}
    if page:
        content["assets"] = [views.inventory_asset(item) for item in page]
        if call.flag("get_descriptions"):
            content["descriptions"] = views.descriptions(call.world, page, owner=True, bbcode=True)
        if call.flag("get_asset_properties"):
            content["asset_properties"] = views.asset_properties(page)
    if more:
        content |= {"more_items": True, "last_assetid": str(page[-1].asset_id)}
    return response(content | {"total_inventory_count": total})


def partner(call: Call) -> Answer:
    """tradeoffer/new/partnerinventory: what the other side may put in, young items included, never context 16."""
    if session.signed_in(call) is None:
        return null(401)
    referer = call.headers.get("referer", "")
    if not session.form_is_ours(call) or not referer.startswith("https://steamcommunity.com/tradeoffer/"):
        return null(400)
    owner = call.world.accounts.by_id.get(call.number("partner"))
    if owner is None or owner.private:
        return as_json({"success": False, "error": "This profile is private."})
    if call.number("contextid") == PROTECTED_CONTEXT:
        return as_json({"success": False, "error": "Invalid context."})
    place = owner.steam_id, call.number("appid"), call.number("contextid")
    items = [item for item in call.items_at(place) if is_free(item)]
    return as_json(_old_shape(call, items, owner, call.world.settings.partner_page_size))


def legacy(call: Call) -> Answer:
    """profiles/<id>/inventory/json/<app>/<context>: the old shape, strings and `[]` for empty maps."""
    owner = call.world.accounts.by_id.get(int(call.args["steam_id"]))
    viewer = session.signed_in(call)
    app_id, context_id = int(call.args["app"]), int(call.args["context"])
    if owner is None or (viewer is not owner and (owner.private or context_id == PROTECTED_CONTEXT)):
        return as_json({"success": False, "Error": "This profile is private."})
    items = call.items_at((owner.steam_id, app_id, context_id))
    if viewer is not owner:
        items = _without_young(call, items)
    if call.flag("trading"):
        items = [item for item in items if is_free(item)]
    return as_json(_old_shape(call, items, owner, LEGACY_PAGE))


def _old_shape(call: Call, items: Sequence[Item], owner: Account, page_size: int) -> dict[str, Any]:
    start = max(0, call.number("start"))
    page = items[start : start + page_size]
    more = len(items) > start + page_size
    owner_view = call.known_as is owner
    inventory = {
        str(item.asset_id): {
            "id": str(item.asset_id),
            "classid": str(item.kind.classid),
            "instanceid": str(item.instanceid),
            "amount": "1",
            "hide_in_china": 0,
            "pos": position,
        }
        for position, item in enumerate(page, start + 1)
    }
    shared = {
        f"{item.kind.classid}_{item.instanceid}": views.description(call.world, item, owner_view, legacy=True) for item in page
    }
    return {
        "success": True,
        "rgInventory": inventory or [],
        "rgCurrency": [],
        "rgDescriptions": shared or [],
        # Younger than the rest, and maps even when they are empty: aiosteampy reads them so.
        "rgAssetProperties": {str(i.asset_id): found for i in page if (found := views.properties(i))},
        "rgAssetAccessories": {},
        "more": more,
        "more_start": start + page_size if more else False,
    }
