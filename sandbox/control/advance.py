"""`POST /sandbox/advance`: so many seconds later, for this world and for all that was started with it."""

from aiohttp import web

from sandbox.errors import BadRequest
from sandbox.http import STEAM, json_object
from sandbox.world import timeline

MOST_S = 366 * 86400
LATEST = 4_102_444_800
"""The year 2100, as for the clock."""
routes = web.RouteTableDef()


@routes.post("/sandbox/advance")
async def advance(request: web.Request) -> web.Response:
    """`{"seconds": n}` → `{now, moved_s, fleet}`; what becomes due in between has happened before the answer.

    The parts of the fleet are moved first, by the file that they map, and the world in the same breath: nobody can ask Steam in
    between. Time only goes on, as it does for an order that was given and a token that was made.
    """
    steam, body = request.app[STEAM], await json_object(request)
    seconds = body.get("seconds")
    if set(body) != {"seconds"} or isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise BadRequest('send {"seconds": n}, a number, and nothing else')
    if not 0 < seconds <= MOST_S:
        raise BadRequest(f"seconds is more than 0 and at most {MOST_S}, a year: time only goes on")
    if steam.clock.now() + seconds > LATEST:
        raise BadRequest("the clock goes to 2100")
    if steam.moved is not None:
        steam.moved.advance(seconds)
    steam.clock.advance(seconds)
    timeline.advance(steam.world, steam.clock.now())
    moved_s = steam.moved.seconds if steam.moved is not None else steam.clock.offset_s
    return web.json_response({"now": steam.clock.now(), "moved_s": moved_s, "fleet": steam.moved is not None})
