"""`PUT /users/{user_id}`: the site names a user who has not traded yet."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.custody import users
from balancer.web import api
from balancer.web.handlers import offers
from balancer.web.schemas import games, operator
from shared.errors import Conflict


@api.operation(scope="play", answers={200: users.Bound, 201: users.Bound}, errors=((Conflict, "user_mismatch"),))
async def bind(ctx: Context, path: operator.UserPath, body: games.UserBody) -> web.Response:
    """Bind a user of yours to a Steam account without a trade: 201 at first, 200 when they are bound to each other already.

    Nothing can be handed to a user who is not known here.
    """
    steam_id = offers.steam_id_of(body.steam_id)
    new = await ctx.db.run(users.bind, path.user_id, int(steam_id), ctx.clock.now())
    return api.answer(users.Bound(path.user_id, str(int(steam_id))), 201 if new else 200)
