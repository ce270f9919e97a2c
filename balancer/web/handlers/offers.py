"""What requests for offers have in common: whose trade URL it is, sending items out, and waiting for the offers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from balancer.changes import Expectation
from balancer.context import Context
from balancer.items import policy
from balancer.trades.requests import Caller, HouseWish, Made, Request, WithdrawWish
from balancer.web import api, sentences
from balancer.web.schemas import answers
from shared import request_ids
from shared.domain.ids import SteamId, TradeUrl
from shared.domain.status import EARLY, TradeStatus, WaitsFor
from shared.errors import (
    Conflict,
    FleetPaused,
    Forbidden,
    NoBotAvailable,
    NotAccepted,
    NotFound,
    PlayerMustAct,
    RequestReused,
    SteamUnavailable,
)

# Until then there is no offer that the player could answer.
NOT_THERE_YET = frozenset({*(status.value for status in EARLY), TradeStatus.CONFIRMING.value})


# What a request for items to go out may be refused for, whoever gets them.
OUT = (
    (RequestReused, "idempotency_mismatch"),
    (NotAccepted, "item_not_accepted"),
    (NotAccepted, "message_too_long"),
    (NotAccepted, "partner_is_bot"),
    (NotFound, "not_found"),
    (Forbidden, "not_owner"),
    (PlayerMustAct, "too_many_offers"),
    (Conflict, "asset_in_trade"),
    (Conflict, "not_in_custody"),
    (Conflict, "item_unsettled"),
    (Conflict, "item_frozen"),
    (Conflict, "bot_frozen"),
    (NoBotAvailable, "no_bot_available"),
    (FleetPaused, "fleet_paused"),
    (SteamUnavailable, "steam_maintenance"),
)

_Wish = TypeVar("_Wish", WithdrawWish, HouseWish)


def steam_id_of(text: str) -> SteamId:
    """The account.

    Raises:
        InvalidRequest: not the id of an individual account.
    """
    try:
        return SteamId(text)
    except ValueError as error:
        raise api.invalid_field("body.steam_id", sentences.own(error)) from None


def trade_url_of(text: str, steam_id: SteamId) -> TradeUrl:
    """The trade URL of this very account.

    Raises:
        InvalidRequest: not a trade URL.
        NotAccepted: ``foreign_trade_url``, it is somebody else's: items would go to another account.
    """
    url = any_trade_url(text)
    if url.partner != steam_id:
        raise NotAccepted("The trade URL does not belong to this Steam account.", code="foreign_trade_url")
    return url


def any_trade_url(text: str) -> TradeUrl:
    """A trade URL, whoever's it is.

    Raises:
        InvalidRequest: not a trade URL.
    """
    try:
        return TradeUrl.parse(text)
    except ValueError as error:
        raise api.invalid_field("body.trade_url", sentences.own(error)) from None


def check_ids(ctx: Context, deposit_ids: list[str]) -> None:
    """
    Raises:
        InvalidRequest: too many, or one of them twice.
    """
    policy.check_count("deposit_ids", len(deposit_ids), ctx.settings.limits.request_items_max)
    seen: set[str] = set()
    for number, deposit_id in enumerate(deposit_ids):
        if deposit_id in seen:
            raise api.invalid_field(f"body.deposit_ids[{number}]", policy.REPEATED, "repeated")
        seen.add(deposit_id)


async def send_out(
    ctx: Context,
    caller: Caller,
    key: api.IdempotencyKey,
    wait_s: float,
    wish: _Wish,
    make: Callable[[Context, Request, _Wish, Expectation], Awaitable[Made]],
) -> web.Response:
    """Have these items offered, once per key, and answer as `answer_with_offers`."""
    check_ids(ctx, wish.deposit_ids)
    request = Request(caller, key.key, key.body_hash, ctx.clock.now(), request_ids.current())
    with ctx.changes.expect() as expectation:
        made = await make(ctx, request, wish, expectation)
        ctx.inventories.watch(made.trade_ids, wish.trade_url.partner)
        return await answer_with_offers(ctx, caller, made, wait_s, expectation)


async def answer_with_offers(ctx: Context, caller: Caller, made: Made, wait_s: float, expectation: Expectation) -> web.Response:
    """The trades as they are: 201 when every offer is there or over, 202 when ``wait_s`` ran out or the service is to stop."""
    until = ctx.clock.monotonic() + min(wait_s, ctx.settings.balancer.wait_max_s)
    expectation.add(made.trade_ids)
    # Trades of this very request are known as they were written, and every change since then is expected.
    views = made.views
    while True:
        if views is None:
            views = await ctx.views.of(made.trade_ids)
        missing = [view for view in views if view.status in NOT_THERE_YET]
        # Nobody waits on the line for an approval or a settlement; another bot is chosen at once, if there is one.
        complete = not any(view.waits_for in (None, WaitsFor.BOT) for view in missing)
        left_s = until - ctx.clock.monotonic()
        if complete or left_s <= 0 or ctx.changes.ended:
            seen = [view.as_seen_by(caller.client_id) for view in views]
            return api.answer(answers.Trades(seen), 202 if missing else 201)
        await expectation.wait(left_s)
        views = None
