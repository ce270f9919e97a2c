"""Deposits: items come in.

What the caller has checked before (`balancer.items.policy`, `balancer.items.inventory`) is not checked again; what only the
database knows is decided inside the transaction, so that requests at the same time agree. Deposits that come at the same moment
share one; orders go out after the commit.

Whether a deposit is granted is decided in one place (`_draft`), for those that come together and for one alone. Those for which
the snapshot of the bots has no room, and all of them if the transaction fails in any way, are tried again each in a transaction
of its own, which asks for the bots' own rows: so a request never fails for what another one asked.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import timedelta
from functools import partial
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
from shared.errors import DatabaseUnavailable, FleetError, FleetPaused, NoBotAvailable, NotAccepted, RateLimited

logger = log.get(__name__)

AT_ONCE = 2
REQUESTS_MAX = 32
CLIENT_RETRY_S = 30.0
# How long after a trade's end Steam may show an inventory without it: some minutes (ASF).
BROUGHT_S = 3600.0

Asked = tuple[Request, DepositWish]
Answer = Draft | FleetError | None  # the trades, why it is refused, or: try it in a transaction of its own


class Deposits:
    """Takes deposits; used in the event loop's thread."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._batch: Batch[Asked, Draft | FleetError | None] = Batch(
            self._share, most=REQUESTS_MAX, at_once=AT_ONCE, marks=_marks
        )

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
        made = await idempotency.once(self._ctx, request, self._drafted(request, wish), expectation)
        self._ctx.known_items.update(item_id_of(wanted.held.market_hash_name) for wanted in wish.wanted)
        return made

    async def _drafted(self, request: Request, wish: DepositWish) -> Draft:
        """The trades, committed; refuses what is over the client's share of the fleet."""
        ctx, limits, client_id = self._ctx, self._ctx.settings.limits, request.caller.client_id
        full: list[str] = await ctx.db.read(line.full_clients, limits, client_id) if limits.offers_per_client_max else []
        if full:
            raise RateLimited(
                f"a client may have {limits.offers_per_client_max} open offers here, over all bots and players",
                reason="client_offers",
                limit=limits.offers_per_client_max,
                retry_after_s=CLIENT_RETRY_S,
            )
        made = await self._batch.ask((request, wish))
        if isinstance(made, FleetError):
            raise made
        return made if made is not None else await ctx.db.run(make_alone, ctx, request, wish)

    async def _share(self, asked: list[Asked]) -> Sequence[Answer]:
        """One transaction for all of them."""
        try:
            return await self._ctx.db.run(make, self._ctx, asked)
        except (DatabaseUnavailable, FleetPaused):  # nobody is served better alone
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


class _NoRoom(Exception):
    """No bots have room by the snapshot, which may be wrong."""


Choose = Callable[[Context, Holdings, DepositWish, int], list[Part]]


def make(connection: Connection, ctx: Context, asked: Sequence[Asked]) -> list[Answer]:
    """What becomes of each of these deposits; those for which the snapshot has no room are to be tried alone.

    They have no user, partner or key in common. Users are locked before bots, each in their order, as in `make_alone`.

    Raises:
        FleetPaused.
        reserve.Stale, sqlalchemy.exc.DBAPIError: one of them cannot be granted; nothing of them all may be committed.
    """
    ctx.switches.check(switches.DEPOSITS)
    held = players.of_many(connection, asked)
    stale = _stale(connection, ctx, asked, held)
    made = [_tried(ctx, *one, has, stale) for one, has in zip(asked, held, strict=True)]
    granted = {wish.user_id: one for (_, wish), one in zip(asked, made, strict=True) if isinstance(one, Draft)}
    if granted:
        _know_items(connection, ctx, [wanted for _, wish in asked if wish.user_id in granted for wanted in wish.wanted])
        parts = [part for one in granted.values() for part in one.parts]
        writing = pipeline.inserting(connection, drafts.rows(list(granted.values())))
        reserve.take_many(connection, ctx.fleet.limits, parts, writing)
    return made


def make_alone(connection: Connection, ctx: Context, request: Request, wish: DepositWish) -> Draft:
    """The trades of this deposit, on bots that have room by the database's own word.

    Raises:
        FleetError: it is refused for good.
        IntegrityError: another request has been quicker.
    """
    ctx.switches.check(switches.DEPOSITS)
    held = players.bind(connection, wish.user_id, int(wish.trade_url.partner), request.now)
    stale = _stale(connection, ctx, [(request, wish)], [held])
    made = _draft(ctx, request, wish, held, stale, partial(_reserve, connection))
    _know_items(connection, ctx, wish.wanted)
    pipeline.insert_rows(connection, drafts.rows([made]))
    return made


def _tried(
    ctx: Context, request: Request, wish: DepositWish, held: Holdings | FleetError, stale: Mapping[str, list[str]]
) -> Answer:
    """What becomes of one of several deposits; a user who is new is written with its rows."""
    if isinstance(held, FleetError):
        return held
    try:
        made = _draft(ctx, request, wish, held, stale, _choose)
    except FleetError as refusal:
        return refusal
    except _NoRoom:
        return None
    if held.new:
        steam_id = int(wish.trade_url.partner)
        made.opened.users.append({"user_id": wish.user_id, "steam_id": steam_id, "created_at": request.now})
    return made


def _draft(
    ctx: Context, request: Request, wish: DepositWish, held: Holdings, stale: Mapping[str, list[str]], choose: Choose
) -> Draft:
    """The trades of this deposit, on the bots that ``choose`` finds.

    Raises:
        NotAccepted, PlayerMustAct: it is refused; whatever ``choose`` raises.
    """
    limits, n_items = ctx.settings.limits, len(wish.wanted)
    if held.items + n_items > limits.inventory_limit:
        raise NotAccepted(
            f"a player may have {limits.inventory_limit} items here",
            code="inventory_full",
            have=held.items,
            limit=limits.inventory_limit,
        )
    n_trades = ctx.fleet.limits.trades(n_items)  # at least: more if several bots share them
    _check_share(ctx, held, n_items, n_trades)
    if wish.user_id in stale:
        raise NotAccepted(
            "These items are no longer in the player's inventory: they were already deposited.",
            code="unknown_asset",
            assets=[{"asset_id": asset_id} for asset_id in stale[wish.user_id]],
        )
    made = _shared_out(ctx, request, wish, held, choose(ctx, held, wish, n_trades))
    _check_share(ctx, held, n_items, len(made.trade_ids))
    return made


def _check_share(ctx: Context, holdings: Holdings, n_items: int, n_trades: int) -> None:
    """
    Raises:
        PlayerMustAct: ``too_many_offers``, with the reason.
    """
    excess = shares.deposit_excess(ctx.settings.limits, holdings, n_items, n_trades)
    if excess is not None:
        raise excess


def _stale(
    connection: Connection, ctx: Context, asked: Sequence[Asked], held: Sequence[Holdings | FleetError]
) -> dict[str, list[str]]:
    """Users who want to bring what they have brought already, with those assets. Who has nothing here yet costs no look."""
    here = [one for one, has in zip(asked, held, strict=True) if isinstance(has, Holdings) and has.items > has.pending_items]
    if not here:
        return {}
    since = min(request.now for request, _ in here) - timedelta(seconds=BROUGHT_S + ctx.settings.trades.offer_timeout_s)
    brought = players.brought(connection, (wish.user_id for _, wish in here), since)
    stale = {
        wish.user_id: [asset_id for one in wish.wanted if (wish.user_id, int(asset_id := one.held.asset.asset_id)) in brought]
        for _, wish in here
    }
    return {user_id: assets for user_id, assets in stale.items() if assets}


def _shared_out(ctx: Context, request: Request, wish: DepositWish, holdings: Holdings, parts: list[Part]) -> Draft:
    """The trades of a deposit of which these bots take these parts."""
    request_of = (ctx, request, Direction.DEPOSIT, wish.user_id, wish.trade_url, wish.message)
    making = Draft(*request_of, holdings, parts, wish.color)
    left = iter(wish.wanted)
    for name, share in parts:
        for n_items in _chunks(share, ctx.fleet.limits.trade_items_max):
            trade_id = making.begin(BotName.parse(name), _why(holdings, name, share, len(parts)))
            for _ in range(n_items):
                making.take_in(trade_id, BotName.parse(name), next(left))
    return making


def _why(holdings: Holdings, bot: str, share: int, n_bots: int) -> dict[str, Any]:
    """Why this bot, as the story of a trade tells it; `balancer.fleet.choose` has the rules."""
    why = "split" if n_bots > 1 else "holds_most" if bot in holdings.by_bot else "most_room"
    offers = holdings.offers.get(bot, 0)
    return {"why": why, "items": share, "bots": n_bots, "holds": holdings.by_bot.get(bot, 0), "offers_to_player": offers}


def _choose(ctx: Context, holdings: Holdings, wish: DepositWish, n_trades: int) -> list[Part]:
    """Bots with room by the snapshot; their rows are yet to agree."""
    parts = ctx.fleet.choose(holdings.by_bot, len(wish.wanted), wish.color, barred(ctx, holdings, n_trades))
    if isinstance(parts, Refusal):
        raise _NoRoom
    return parts


def _reserve(connection: Connection, ctx: Context, holdings: Holdings, wish: DepositWish, n_trades: int) -> list[Part]:
    """Bots whose rows have room; it is taken.

    Raises:
        NoBotAvailable, PlayerMustAct: none has, or none for this player.
    """
    shut = barred(ctx, holdings, n_trades)
    try:
        return reserve.for_deposit(connection, ctx.fleet, holdings.by_bot, len(wish.wanted), wish.color, shut)
    except NoBotAvailable:
        # Only if a bot that takes nothing more of this player, by the database's word, has room otherwise.
        if reserve.any_has_room(connection, ctx.fleet, shut, wish.color):
            raise shares.barred_everywhere(ctx.settings.limits, holdings, shut, n_trades) from None
        raise


def barred(ctx: Context, holdings: Holdings, n_trades: int) -> list[str]:
    """Bots that open no such deposit to this player, for Steam's limit or for ours. The snapshot is good enough for that."""
    limits = ctx.settings.limits
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
    """Write items that the table may not have yet, and how those look that it has from a price list only."""
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
    there = pipeline.insert(connection, items)
    looks = {name: there.excluded[name] for name in ("type", "color", "name_color", "icon_url", "icon_url_large")}
    seen = there.on_conflict_do_update(index_elements=[items.c.item_id], set_=looks, where=items.c.icon_url == "")
    connection.execute(seen, rows)
