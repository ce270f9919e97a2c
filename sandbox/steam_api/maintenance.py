"""Steam's weekly maintenance: the community and IEconService answer with anything but the truth."""

from collections.abc import Callable

from sandbox.answers import API, COMMUNITY, Answer, as_json, html, response
from sandbox.errors import Refused
from sandbox.faults.kinds import GROUPS, INVENTORIES, SHAPES
from sandbox.faults.orders import Fault
from sandbox.steam_api import offers
from sandbox.steam_api.call import Call

SERVICE_UNAVAILABLE = 20
BUSY_PAGE = (
    "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Sorry!</h1>"
    "The Steam Community is currently unavailable. Please try again later.</body></html>"
)
ITEM_SERVERS = {"success": False, "error": f"EYldRefreshAppIfNecessary failed with EResult {SERVICE_UNAVAILABLE}"}
NEED_AUTH = {"success": False, "needauth": True, "message": "", "detail": ""}
NOTHING = {"total_inventory_count": 0, "success": 1, "rwgrsn": -2}
NOTHING_OLD = {"success": True, "rgInventory": [], "rgCurrency": [], "rgDescriptions": [], "more": False, "more_start": False}

ACTIONS = frozenset(GROUPS["@offers"].split())
ECON = frozenset(GROUPS["@econ"].split())
PHONE = frozenset(GROUPS["@phone"].split())
OLD_INVENTORIES = ("legacy_inventory", "partnerinventory")


def answer(fault: Fault, call: Call) -> Answer | None:
    """A page with 502 or 503, result 20, or nothing where there is something; sign-in and player data go on working."""
    if call.host != COMMUNITY and not (call.host == API and call.route in ECON):
        return None
    shapes = SHAPES["maintenance"]
    shape = fault.shape or shapes[int(fault.throw("shape", call.route) * len(shapes))]
    return MAKES[shape](call)


def _unavailable(call: Call) -> Answer:
    """Result 20 in the form that the route has for it; the phone is told to sign in although its session is good."""
    if call.route in ECON:
        return response({}, SERVICE_UNAVAILABLE)
    if call.route in ACTIONS:
        return offers.refusal(call, Refused(SERVICE_UNAVAILABLE))
    if call.route in PHONE:
        return as_json(NEED_AUTH)
    return as_json(ITEM_SERVERS, 500) if call.route in INVENTORIES.split() else html(BUSY_PAGE, 503)


def _empty(call: Call) -> Answer:
    """No items and no offers, with every sign of success."""
    if call.route == "GetTradeOffers":
        return response({"next_cursor": 0})
    if call.route == "GetInventoryItemsWithDescriptions":
        return response({"total_inventory_count": 0})
    if call.route in OLD_INVENTORIES:
        return as_json(NOTHING_OLD)
    return as_json(NOTHING) if call.route == "inventory" else _unavailable(call)


MAKES: dict[str, Callable[[Call], Answer]] = {
    "502": lambda _: html(BUSY_PAGE, 502),
    "503": lambda _: html(BUSY_PAGE, 503),
    "20": _unavailable,
    "empty": _empty,
}
