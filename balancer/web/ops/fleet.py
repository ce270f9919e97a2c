"""The fleet at a glance, and one bot."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web
from sqlalchemy import Connection

from balancer.db.tables import events as journal
from balancer.db.tables import trades
from balancer.fleet import capacity
from balancer.journal import events, story, views
from balancer.journal.events import Event
from balancer.trades import line
from balancer.web.ops import gate, looks, shell
from balancer.web.ops.gate import Visit
from shared.domain.ids import BotName, bot_name, group_of
from shared.domain.status import LIVE, WaitsFor

# Of one bot: events are looked for among so many of the newest, as they are found by no index.
EVENTS_BACK = 100_000
EVENTS_SHOWN = 40
TRADES_SHOWN = 25
_OPEN = [status.value for status in LIVE]


@gate.signed_in
async def show(visit: Visit) -> web.StreamResponse:
    """Every bot, ten in a row, by health; those that the filter leaves."""
    ctx, asked = visit.ctx, visit.request.query
    limits, bots = ctx.fleet.limits, ctx.fleet.bots()
    every = [looks.tile(bot, limits) for bot in bots]
    health, color, text = (asked.get(name, "")[:50].strip() for name in ("health", "color", "q"))
    shown = [
        tile
        for tile in every
        if (not health or tile.health == health)
        and (not color or tile.bot.color == color)
        and (not text or text.lower() in f"{tile.name} {tile.bot.host or ''} {tile.bot.steam_id} {tile.why}".lower())
    ]
    groups: dict[tuple[str, int], list[looks.Tile]] = {}
    for tile in shown:
        groups.setdefault((tile.bot.color, group_of(tile.bot.bot_id)), []).append(tile)
    can = capacity.of(bots, ctx.fleet.lanes, limits, ctx.inventories.waiting, ctx.fleet.groups_known)
    return await shell.page(
        visit,
        "fleet.html",
        "/ops",
        groups=groups,
        shown=shown,
        counts=looks.counted(every),
        known=len(every),
        can=can,
        can_limits=limits,
        rooms={"items": limits.items_max * len(every), "offers": limits.offers_max * len(every)},
        used={"items": sum(tile.bot.used for tile in every), "offers": sum(tile.bot.open_offers for tile in every)},
        filter={"health": health, "color": color, "q": text},
        colors=sorted({tile.bot.color for tile in every}),
        health=looks.HEALTH,
        maintenance=ctx.fleet.maintenance,
        forecasts=await ctx.forecasts.read(),
    )


@gate.signed_in
async def show_bot(visit: Visit) -> web.StreamResponse:
    """One bot: what it may do and why not, its trades, what happened to it."""
    ctx, named = visit.ctx, visit.request.match_info["bot"]
    bot = ctx.fleet.get(named)
    if bot is None:
        return gate.refused(visit.request, 404, "There is no such bot.", "No balancer has heard of it.")
    waits = (await ctx.db.read(line.per_bot)).get(bot.name, {})
    bot = replace(bot, waiting=sum(waits.values()), in_line=waits.get(WaitsFor.OFFER, 0))
    listed, happened = await ctx.db.read(_of_bot, BotName.parse(bot.name), ctx.settings.balancer.livemode)
    shown = views.views(listed, ctx.master, ctx.settings, ctx.clock.now())
    return await shell.page(
        visit,
        "bot.html",
        "/ops",
        bot=bot,
        tile=looks.tile(bot, ctx.fleet.limits),
        limits=ctx.fleet.limits,
        waits=waits,
        trades=[view.without_token() for view in shown],
        events=[(event, story.sentence(event.kind, event.bot, event.data)) for event in happened],
        health=looks.HEALTH,
    )


def _of_bot(connection: Connection, name: BotName, livemode: bool) -> tuple[views.TradeRows, list[Event]]:
    """Its newest trades, open ones first, and its newest events."""
    mine = (trades.c.color == name.color, trades.c.bot_id == name.bot_id)
    listed = views.newest(connection, TRADES_SHOWN, *mine, trades.c.status.in_(_OPEN))
    since = events.newest(connection) - EVENTS_BACK
    happened = events.last(connection, EVENTS_SHOWN, livemode, journal.c.bot == str(name), journal.c.number > since)
    seen = {event.trade_id for event in happened if event.trade_id} - {row.trade_id for row in listed[0]}
    rows, items = views.by_ids(connection, sorted(seen, reverse=True)[:TRADES_SHOWN]) if seen else ([], [])
    rows = [row for row in rows if bot_name(row) == str(name)]
    return ([*listed[0], *sorted(rows, key=lambda row: row.trade_id, reverse=True)], [*listed[1], *items]), happened[::-1]
