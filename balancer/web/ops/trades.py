"""Trades: a list of them, one trade's story, those in doubt, and withdrawals that wait for a second person."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import ColumnElement, Connection, func, or_, select

from balancer.context import Context
from balancer.db.tables import clients, deposits, trade_items, trades
from balancer.journal import story, views
from balancer.trades import approvals
from balancer.upkeep import search
from balancer.web.ops import gate, links, shell
from balancer.web.ops.gate import Visit
from shared.domain.ids import BotName
from shared.domain.status import FINAL, TradeStatus

LIST_MAX = 100
APPROVALS_MAX = 100
_FINAL = [status.value for status in FINAL]
# What a line of the story is colored by.
BAD = frozenset(
    {"alarm", "answer_lost", "offer_countered", "exchange_failed", "exchange_reversed", "items_missing", "items_gone"}
)
GOOD = frozenset({"offer_accepted", "settled", "offer_verified", "withdrawal_approved"})
NOW = frozenset({"offer_active", "confirmation_needed", "offer_held"})


@gate.signed_in
async def show_all(visit: Visit) -> web.StreamResponse:
    """The newest trades that fit everything that was asked for."""
    ctx, asked = visit.ctx, visit.request.query
    status, text = asked.get("status", "open")[:20], asked.get("q", "")[:100].strip()
    only: list[ColumnElement[bool]] = []
    if status == "open":
        only.append(trades.c.status.not_in(_FINAL))
    elif status != "all":
        only.append(trades.c.status == status)
    if text:
        only.append(_named(text))
    listed = await ctx.db.read(views.newest, LIST_MAX + 1, *only)
    shown = [view.without_token() for view in views.views(listed, ctx.master, ctx.settings, ctx.clock.now())]
    return await shell.page(
        visit,
        "trades.html",
        "/ops/trades",
        trades=shown[:LIST_MAX],
        more=len(shown) > LIST_MAX,
        filter={"status": status, "q": text},
        statuses=[each.value for each in TradeStatus],
    )


def _named(text: str) -> ColumnElement[bool]:
    """Whatever somebody may hold of a trade: its id, the offer's or the exchange's number, a bot, a player."""
    same = [trades.c.trade_id == text, trades.c.user_id == text]
    if text.isascii() and text.isdigit() and len(text) <= 18:
        same += [trades.c.offer_id == text, trades.c.exchange_id == text, trades.c.partner == int(text)]
    try:
        bot = BotName.parse(text)
    except ValueError:
        return or_(*same)
    return or_(*same, (trades.c.color == bot.color) & (trades.c.bot_id == bot.bot_id))


@gate.signed_in
async def show(visit: Visit) -> web.StreamResponse:
    """One trade's whole story, as it was written down when it happened."""
    ctx, trade_id = visit.ctx, visit.request.match_info["trade_id"]
    trades = await ctx.views.of([trade_id])
    if not trades:
        text = "Perhaps it is old, and its rows were removed."
        return gate.refused(visit.request, 404, "There is no such trade.", text, "/ops/trades")
    steps = await ctx.db.read(story.of_trade, trade_id)
    return await shell.page(
        visit,
        "trade.html",
        "/ops/trades",
        trade=trades[0].without_token(),
        client=await ctx.db.read(_client_name, trades[0].client_id),
        steps=[(step, _tone(step.kind), step.at - before) for step, before in zip(steps, _before(steps), strict=True)],
        is_over=trades[0].status in FINAL,
    )


def _before(steps: list[story.Step]) -> list[int]:
    times = [step.at for step in steps]
    return [*times[:1], *times[:-1]]


def _tone(kind: str) -> str:
    return "bad" if kind in BAD else "good" if kind in GOOD else "now" if kind in NOW else "plain"


def _client_name(connection: Connection, client_id: str) -> str:
    return connection.scalar(select(clients.c.name).where(clients.c.client_id == client_id)) or client_id


@gate.signed_in
async def show_doubts(visit: Visit) -> web.StreamResponse:
    """Trades of which nobody knows whether there is an offer."""
    ctx = visit.ctx
    doubts = await ctx.db.read(views.newest, LIST_MAX, trades.c.status == TradeStatus.IN_DOUBT.value)
    tries = {row.trade_id: row.find_tries for row in doubts[0]}
    shown = [view.without_token() for view in views.views(doubts, ctx.master, ctx.settings, ctx.clock.now())]
    return await shell.page(visit, "doubts.html", "/ops/doubts", trades=shown, tries=tries, tries_needed=search.ALARM_TRIES + 1)


@gate.signed_in
async def show_approvals(visit: Visit) -> web.StreamResponse:
    """Withdrawals that wait for a second person, with what that person wants to know first."""
    ctx = visit.ctx
    ids = await approvals.list_approvals(ctx, "", APPROVALS_MAX)
    shown = await _shown(ctx, ids)
    users = await ctx.db.read(_known_of, sorted({view.user_id for view in shown}))
    names = await ctx.db.read(_client_names, sorted({view.client_id for view in shown}))
    return await shell.page(visit, "approvals.html", "/ops/approvals", trades=shown, users=users, names=names)


async def _shown(ctx: Context, ids: list[str]) -> list[views.Trade]:
    return [view.without_token() for view in await ctx.views.of(ids)] if ids else []


def _client_names(connection: Connection, ids: list[str]) -> dict[str, str]:
    rows = connection.execute(select(clients.c.client_id, clients.c.name).where(clients.c.client_id.in_(ids)))
    return {row.client_id: row.name for row in rows}


def _known_of(connection: Connection, user_ids: list[str]) -> dict[str, tuple[int, int]]:
    """By user, how many items are in custody for it now, and what they were worth when they came."""
    query = select(deposits.c.user_id, func.count().label("n"), func.sum(deposits.c.value_cents).label("cents"))
    query = query.where(deposits.c.user_id.in_(user_ids), deposits.c.status.in_(["active", "withdraw_pending"]))
    return {row.user_id: (row.n, int(row.cents)) for row in connection.execute(query.group_by(deposits.c.user_id))}


def trade_of_deposit(connection: Connection, deposit_id: str) -> str | None:
    """The newest trade that this item was in."""
    query = select(trade_items.c.trade_id).where(trade_items.c.deposit_id == deposit_id)
    return connection.scalar(query.order_by(trade_items.c.trade_id.desc()).limit(1))


def path_of(trade_id: str) -> str:
    return links.within(f"/ops/trades/{trade_id}")
