"""The part of the control API that causes trouble and ends it: single orders, and profiles of many."""

from typing import Any

from aiohttp import web

from sandbox.errors import BadRequest
from sandbox.faults import profiles
from sandbox.faults.orders import Faults
from sandbox.http import STEAM, json_object

routes = web.RouteTableDef()


def _faults(request: web.Request) -> Faults:
    return request.app[STEAM].faults


@routes.get("/control/faults")
async def list_faults(request: web.Request) -> web.Response:
    """The open orders; with `?all=1` also the last 500 that are used up or over."""
    faults = _faults(request)
    used = list(faults.used) if request.query.get("all") == "1" else []
    return web.json_response({"faults": [fault.view() for fault in (*used, *faults.open)]})


@routes.post("/control/faults")
async def add_fault(request: web.Request) -> web.Response:
    fault = _faults(request).add(await json_object(request), request.app[STEAM].clock.now())
    return web.json_response(fault.view(), status=201)


@routes.delete("/control/faults")
async def clear_faults(request: web.Request) -> web.Response:
    """End all trouble, a profile's too."""
    _faults(request).heal()
    return web.Response(status=204)


@routes.delete(r"/control/faults/{fault_id:\d{1,18}}")
async def remove_fault(request: web.Request) -> web.Response:
    _faults(request).remove(int(request.match_info["fault_id"]))
    return web.Response(status=204)


@routes.get("/control/profile")
async def read_profile(request: web.Request) -> web.Response:
    return web.json_response(_profile(_faults(request)))


def _profile(faults: Faults) -> dict[str, Any]:
    """`name` is null when no profile is at work."""
    orders = [fault.view() for fault in faults.open if fault.profile is not None]
    return {"name": faults.profile, "about": faults.about, "faults": orders, "available": profiles.names()}


@routes.post("/control/profile")
async def use_profile(request: web.Request) -> web.Response:
    """`{"name": "bad-day"}` for one that comes with the program, or `{"profile": {name, about?, fault: [orders]}}`."""
    faults, body = _faults(request), await json_object(request)
    if set(body) == {"name"} and isinstance(body["name"], str):
        profile = profiles.named(body["name"])
    elif set(body) == {"profile"} and isinstance(body["profile"], dict):
        profile = profiles.of(body["profile"])
    else:
        raise BadRequest("send name, a profile's name, or profile, an object with name, about and fault")
    profiles.apply(faults, profile, request.app[STEAM].clock.now())
    return web.json_response(_profile(faults), status=201)


@routes.delete("/control/profile")
async def heal(request: web.Request) -> web.Response:
    """End all trouble at once, orders given by hand included; answers kept back are let go."""
    _faults(request).heal()
    return web.Response(status=204)
