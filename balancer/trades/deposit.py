"""Deposits: items come in.

What the caller has checked before (`balancer.items.policy`, `balancer.items.inventory`) is not checked again; what only the
database knows is decided inside the transaction, so that requests at the same time agree. Deposits that come at the same moment
share one; orders go out after the commit.

Only what goes well goes together. A request that cannot be granted as it stands, and all of them if the transaction fails in
any way, are tried again each in a transaction of its own, so that a request never fails for what another one asked.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from balancer.batching import Batch
from balancer.changes import Expectation
from balancer.context import Context
from balancer.db import pipeline
from balancer.db.tables import items
from balancer.fleet import reserve, switches
from balancer.fleet.choose import Part, Refusal
from balancer.trades import draft as drafts
from balancer.trades import idempotency, line, players, shares
from balancer.trades.draft import Draft
from balancer.trades.players import Holdings
from balancer.trades.requests import DepositWish, Made, Request, Wanted
from shared import log
from shared.domain.ids import BotName
from shared.domain.items import item_id_of
from shared.domain.status import Direction
from shared.errors import DatabaseUnavailable, NoBotAvailable, NotAccepted, RateLimited

logger = log.get(__name__)

AT_ONCE = 2
REQUESTS_MAX = 32
CLIENT_RETRY_S = 30.0
# How long after a trade's end Steam may show an inventory without it: some minutes (ASF).
BROUGHT_S = 3600.0

Asked = tuple[Request, DepositWish]


class Deposits:
    """Takes deposits; used in the event loop's thread."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._batch: Batch[Asked, Draft | None] = Batch(self._share, most=REQUESTS_MAX, at_once=AT_ONCE, marks=_marks)

    async def make(self, request: Request, wish: DepositWish, expectation: Expectation | None = None) -> Made:
        """Make the trades that bring these items in, and order the bots to send their offers.

        The same key and body again, also at the same time, gives the same trades and makes nothing. ``expectation`` waits for
        the trades from before their orders go out.

        Raises:
            RequestReused, NotAccepted (inventory_full, message_too_long, partner_is_bot), PlayerMustAct (too_many_offers),
            Conflict (user_mismatch, partner_blocked, asset_in_trade), NoBotAvailable, FleetPaused, SteamUnavailable,
            RateLimited (client_offers).
        """
        drafts.check(self._ctx, wish)
        made = await idempotency.once(self._ctx, request, self._draft(request, wish), expectation)
        self._ctx.known_items.update(item_id_of(wanted.held.market_hash_name) for wanted in wish.wanted)
        return made

    async def _draft(self, request: Request, wish: DepositWish) -> Draft:
        """The trades, committed; refuses what is over the client's share of the fleet."""
        ctx, limits, client_id = self._ctx, self._ctx.settings.limits, request.caller.client_id
        full: list[str] = await ctx.db.look(line.full_clients, limits, client_id) if limits.offers_per_client_max else []
        if full:
            raise RateLimited(
                f"a client may have {limits.offers_per_client_max} open offers here, over all bots and players",
                reason="client_offers",
                limit=limits.offers_per_client_max,
                retry_after_s=CLIENT_RETRY_S,
            )
        made = await self._batch.ask((request, wish))
        return made if made is not None else await ctx.db.run(make, ctx, request, wish)

    async def _share(self, asked: list[Asked]) -> Sequence[Draft | None]:
        """One transaction; ``None`` for each that is to be tried in a transaction of its own."""
        try:
            return await self._ctx.db.run(make_many, self._ctx, asked)
        except DatabaseUnavailable:  # nobody is served better alone
            raise
        except Exception as error:  # whatever it was, each is told its own
            logger.info(
                "shared transaction failed; each request is tried alone",
                action="deposit",
                requests=len(asked),
                reason=type(error).__name__,
            )
            return [None] * len(asked)


def _marks(asked: Asked) -> set[Hashable]:
    """Requests that have one of these in common must see each other's rows, so they do not go together."""
    request, wish = asked
    return {wish.user_id, wish.trade_url.partner, (request.caller.client_id, request.key)}


# --- inside a transaction -----------------------------------------------------------------------------------


def make(connection: Connection, ctx: Context, request: Request, wish: DepositWish) -> Draft:
    ctx.switches.check(switches.DEPOSITS)
    partner = int(wish.trade_url.partner)
    holdings = players.bind(connection, wish.user_id, partner, request.now)
    n_items, limits = len(wish.wanted), ctx.settings.limits
    if holdings.items + n_items > limits.inventory_limit:
        raise NotAccepted(
            f"a player may have {limits.inventory_limit} items here",
            code="inventory_full",
            have=holdings.items,
            limit=limits.inventory_limit,
        )
    _check_share(ctx, holdings, n_items, ctx.fleet.limits.trades(n_items))
    if stale := _stale(connection, ctx, [(request, wish, holdings)]):
        raise NotAccepted(
            "These items are no longer in the player's inventory: they were already deposited.",
            code="unknown_asset",
            assets=[{"asset_id": asset_id} for asset_id in stale[wish.user_id]],
        )
    _know_items(connection, ctx, wish.wanted)
    parts = _reserve(connection, ctx, holdings, n_items, wish.color)
    making = _shared_out(ctx, request, wish, holdings, parts)
    _check_share(ctx, holdings, n_items, len(making.trade_ids))
    pipeline.insert_rows(connection, drafts.rows([making]))
    return making


def _check_share(ctx: Context, holdings: Holdings, n_items: int, n_trades: int) -> None:
    """
    Raises:
        PlayerMustAct: ``too_many_offers``, with the reason.
    """
    excess = shares.deposit_excess(ctx.settings.limits, holdings, n_items, n_trades)
    if excess is not None:
        raise excess


def make_many(connection: Connection, ctx: Context, asked: Sequence[tuple[Request, DepositWish]]) -> list[Draft | None]:
    """Those of several deposits that can be granted as they stand; ``None`` for each of which more is to be said or tried.

    They have no user, partner or key in common. Users and bots are locked in the order in which `make` locks them.

    Raises:
        reserve.Stale, sqlalchemy.exc.DBAPIError: one of them cannot be granted; nothing of them all may be committed.
    """
    ctx.switches.check(switches.DEPOSITS)
    held = players.of_many(connection, asked)
    stale = _stale(connection, ctx, [(request, wish, has) for (request, wish), has in zip(asked, held, strict=True)])
    making = [
        None if wish.user_id in stale else _granted(ctx, request, wish, has)
        for (request, wish), has in zip(asked, held, strict=True)
    ]
    granted = [one for one in making if one is not None]
    if granted:
        wishes = [wish for one, (_, wish) in zip(making, asked, strict=True) if one is not None]
        _know_items(connection, ctx, [wanted for wish in wishes for wanted in wish.wanted])
        writing = pipeline.inserting(connection, drafts.rows(granted))
        reserve.take_many(connection, ctx.fleet.limits, [part for one in granted for part in one.parts], writing)
    return making


def _stale(
    connection: Connection, ctx: Context, asked: Sequence[tuple[Request, DepositWish, Holdings | None]]
) -> dict[str, list[str]]:
    """Users who want to bring what they have brought already, with those assets. Who has nothing here yet costs no look."""
    here = [(request, wish) for request, wish, has in asked if has is not None and has.items > has.pending_items]
    if not here:
        return {}
    since = min(request.now for request, _ in here) - timedelta(seconds=BROUGHT_S + ctx.settings.trades.offer_timeout_s)
    brought = players.brought(connection, (wish.user_id for _, wish in here), since)
    found = {
        wish.user_id: [asset_id for one in wish.wanted if (wish.user_id, int(asset_id := one.held.asset.asset_id)) in brought]
        for _, wish in here
    }
    return {user_id: assets for user_id, assets in found.items() if assets}


def _granted(ctx: Context, request: Request, wish: DepositWish, holdings: Holdings | None) -> Draft | None:
    """The trades of this deposit if the snapshot has room for it."""
    limits, n_items = ctx.settings.limits, len(wish.wanted)
    if holdings is None or holdings.items + n_items > limits.inventory_limit:
        return None
    parts = ctx.fleet.choose(holdings.by_bot, n_items, wish.color, barred(ctx, holdings, n_items))
    if isinstance(parts, Refusal):
        return None
    making = _shared_out(ctx, request, wish, holdings, parts)
    if shares.deposit_excess(limits, holdings, n_items, len(making.trade_ids)) is not None:
        return None
    if holdings.new:
        steam_id = int(wish.trade_url.partner)
        making.opened.users.append({"user_id": wish.user_id, "steam_id": steam_id, "created_at": request.now})
    return making


def _shared_out(ctx: Context, request: Request, wish: DepositWish, holdings: Holdings, parts: list[Part]) -> Draft:
    """The trades of a deposit of which these bots take these parts."""
    request_of = (ctx, request, Direction.DEPOSIT, wish.user_id, wish.trade_url, wish.message)
    making = Draft(*request_of, holdings, parts, wish.color)
    left = iter(wish.wanted)
    for name, share in parts:
        for n_items in _chunks(share, ctx.fleet.limits.trade_items_max):
            trade_id = making.begin(BotName.parse(name), _why(holdings, name, share, len(parts)))
            for _ in range(n_items):
                _take_in(making, trade_id, BotName.parse(name), next(left))
    return making


def _why(holdings: Holdings, bot: str, share: int, n_bots: int) -> dict[str, Any]:
    """Why this bot, as the story of a trade tells it; `balancer.fleet.choose` has the rules."""
    why = "split" if n_bots > 1 else "holds_most" if bot in holdings.by_bot else "most_room"
    offers = holdings.offers.get(bot, 0)
    return {"why": why, "items": share, "bots": n_bots, "holds": holdings.by_bot.get(bot, 0), "offers_to_player": offers}


def _reserve(connection: Connection, ctx: Context, holdings: Holdings, n_items: int, color: str | None) -> list[Part]:
    shut = barred(ctx, holdings, n_items)
    try:
        return reserve.for_deposit(connection, ctx.fleet, holdings.by_bot, n_items, color, shut)
    except NoBotAvailable:
        # Only if a bot that takes nothing more of this player, by the database's word, has room otherwise.
        if reserve.any_has_room(connection, ctx.fleet, shut, color):
            limits, n_trades = ctx.settings.limits, ctx.fleet.limits.trades(n_items)
            raise shares.barred_everywhere(limits, holdings, shut, n_trades) from None
        raise


def barred(ctx: Context, holdings: Holdings, n_items: int) -> list[str]:
    """Bots that open no such deposit to this player, for Steam's limit or for ours. The snapshot is good enough for that."""
    limits, n_trades = ctx.settings.limits, ctx.fleet.limits.trades(n_items)
    return [
        bot
        for bot in holdings.offers
        if shares.full_towards(limits, holdings, bot, n_trades)
        or ctx.fleet.open_offers(bot) + n_trades > shares.offers_of_bot(limits, holdings, bot)
    ]


def _chunks(n_items: int, most: int) -> list[int]:
    """``n_items`` in as few chunks as ``most`` allows."""
    return [min(most, n_items - start) for start in range(0, n_items, most)]


def _know_items(connection: Connection, ctx: Context, wanted: list[Wanted]) -> None:
    """Write items that the table may not have yet."""
    new = {item_id_of(one.held.market_hash_name): one.held for one in wanted}
    new = {item_id: held for item_id, held in new.items() if item_id not in ctx.known_items}
    if not new:
        return
    rows = [
        {
            "item_id": item_id,
            "market_hash_name": held.market_hash_name,
            "type": held.type,
            "color": held.color,
            "name_color": held.name_color,
            "icon_url": held.icon_url,
            "icon_url_large": held.icon_url_large,
        }
        for item_id, held in sorted(new.items())
    ]
    connection.execute(pipeline.insert(connection, items).on_conflict_do_nothing(), rows)


def _take_in(making: Draft, trade_id: str, bot: BotName, wanted: Wanted) -> None:
    """One asset of a deposit: its row in custody, and its row in the trade."""
    held, now = wanted.held, making.request.now
    deposit_id = making.ctx.new_id("dep")
    making.opened.add_deposit(
        {
            "deposit_id": deposit_id,
            "item_id": item_id_of(held.market_hash_name),
            "user_id": making.user_id,
            "color": bot.color,
            "bot_id": bot.bot_id,
            "app_id": held.asset.app_id,
            "context_id": held.asset.context_id,
            "asset_id": int(held.asset.asset_id),
            "from_steam_id": int(making.trade_url.partner),
            "class_id": held.class_id,
            "instance_id": held.instance_id,
            "fingerprint": held.fingerprint,
            "wear": held.wear,
            "pattern": held.pattern,
            "name_tag": held.name_tag,
            "inspect_link": held.inspect_link,
            "value_cents": wanted.value_cents,
            "created_at": now,
            "touched": now,
        }
    )
    making.opened.trade_items.append(
        {
            "trade_id": trade_id,
            "deposit_id": deposit_id,
            "market_hash_name": held.market_hash_name,
            "value_cents": wanted.value_cents,
            "fingerprint": held.fingerprint,
            "app_id": held.asset.app_id,
            "context_id": held.asset.context_id,
            "asset_id": int(held.asset.asset_id),
        }
    )
