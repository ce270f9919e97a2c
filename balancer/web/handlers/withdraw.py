"""`POST /withdraw`: items go out."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.trades import withdraw
from balancer.trades.requests import Caller, WithdrawWish
from balancer.web import api
from balancer.web.handlers import offers
from balancer.web.schemas import answers, requests
from shared.errors import Conflict, NotAccepted


@api.operation(
    scope="trade",
    answers={201: answers.Trades, 202: answers.Trades},
    errors=(
        *offers.OUT,
        (NotAccepted, "foreign_trade_url"),
        (Conflict, "user_mismatch"),
        (Conflict, "partner_blocked"),
        (Conflict, "item_locked"),
    ),
)
async def create(
    ctx: Context, caller: Caller, key: api.IdempotencyKey, query: requests.WaitQuery, body: requests.WithdrawBody
) -> web.Response:
    """Give items back to a player.

    The bots that hold these deposits make one offer each. Either all rows are reserved or none; then each trade ends
    independently. 201 when every offer exists, else 202 after `wait` seconds; at once if a trade waits for an approval or, with
    `when_settled`, for its items to settle.
    """
    url = offers.trade_url_of(body.trade_url, offers.steam_id_of(body.steam_id))
    wish = WithdrawWish(body.user_id, url, body.deposit_ids, body.message, body.when_settled)
    return await offers.send_out(ctx, caller, key, query.wait, wish, withdraw.withdraw)
