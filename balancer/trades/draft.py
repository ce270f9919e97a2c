"""Trades in the making: what a request for trades is checked against in any case, and the rows and orders that come of it.

Everything is checked before anything is written, and a refusal takes the whole transaction back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Table

from balancer.context import Context
from balancer.db import pipeline
from balancer.db.tables import idempotency
from balancer.fleet.choose import Part
from balancer.journal import opening, views
from balancer.journal.opening import Opened
from balancer.journal.views import Trade
from balancer.orders.build import Moved, asset_of
from balancer.trades import shares
from balancer.trades.players import Holdings
from balancer.trades.requests import DepositWish, HouseWish, Request, Wanted, WithdrawWish
from shared.domain.ids import BotName, TradeUrl, bot_name
from shared.domain.items import Asset, item_id_of
from shared.domain.status import Direction, WaitsFor
from shared.errors import NotAccepted
from shared.orders import Order
from shared.sections import MESSAGE_MAX, TOKEN_CHARS

Waits = tuple[WaitsFor, datetime | None]


def check(ctx: Context, wish: DepositWish | WithdrawWish | HouseWish) -> None:
    """What can be said of a request without the database.

    Raises:
        NotAccepted: ``message_too_long``; ``partner_is_bot``, what a bot was given would be booked as a gift to the house.
    """
    whole = ctx.orders.message("x" * TOKEN_CHARS, wish.message)
    if len(whole) > MESSAGE_MAX:
        room = MESSAGE_MAX - len(whole) + len(wish.message)
        raise NotAccepted(f"a message may have at most {room} characters here", code="message_too_long", room=room)
    if ctx.fleet.is_bot(wish.trade_url.partner):
        raise NotAccepted("this Steam account is one of the bots", code="partner_is_bot")


@dataclass(slots=True)
class Draft:
    """Trades in the making, all of one request and one partner: their rows, and the orders that go out after the commit."""

    ctx: Context
    request: Request
    direction: Direction
    user_id: str
    trade_url: TradeUrl
    message: str
    held: Holdings
    parts: list[Part] = field(default_factory=list)
    color: str | None = None
    opened: Opened = field(init=False)

    def __post_init__(self) -> None:
        self.opened = Opened(self.request.who, self.request.now, self.request.request_id)

    def begin(self, bot: BotName, choice: dict[str, Any], waits: Waits | None = None) -> str:
        """Another trade with this bot, and why with this one; returns its id."""
        ctx, now, times = self.ctx, self.request.now, self.ctx.settings.trades
        trade_id, offer_s = ctx.new_id("trd"), shares.offer_timeout_s(times, self.held.unanswered)
        self.opened.add_trade(
            {
                "trade_id": trade_id,
                "direction": self.direction.value,
                "user_id": self.user_id,
                "partner": int(self.trade_url.partner),
                "trade_url_sealed": ctx.orders.seal_trade_token(trade_id, self.trade_url.trade_token),
                "color": bot.color,
                "bot_id": bot.bot_id,
                "attempt": 1,
                "expires_at": now + timedelta(seconds=offer_s),
                "begun_at": None if waits else now,
                "items_awaited": 0,
                "waits_for": waits[0].value if waits else None,
                "next_try_at": waits[1] if waits else None,
                "wanted_color": self.color,
                "message": self.message,
                "client_id": self.request.caller.client_id,
                "created_at": now,
                "touched": now,
            }
        )
        self.opened.tokens.append(
            {
                "token_hash": ctx.master.token_hash(ctx.master.verify_token(trade_id)),
                "trade_id": trade_id,
                "steam_id": int(self.trade_url.partner),
                "expires_at": now + timedelta(seconds=times.token_lifetime_s),
            }
        )
        self.opened.choices[trade_id] = choice
        return trade_id

    def take_in(self, trade_id: str, bot: BotName, wanted: Wanted) -> None:
        """One asset of a deposit: its row in custody, and its row in the trade."""
        held, asset, now = wanted.held, wanted.held.asset, self.request.now
        deposit_id = self.ctx.new_id("dep")
        self.opened.add_deposit(
            {
                "deposit_id": deposit_id,
                "item_id": item_id_of(held.market_hash_name),
                "user_id": self.user_id,
                "color": bot.color,
                "bot_id": bot.bot_id,
                "app_id": asset.app_id,
                "context_id": asset.context_id,
                "asset_id": int(asset.asset_id),
                "from_steam_id": int(self.trade_url.partner),
                "class_id": held.class_id,
                "instance_id": held.instance_id,
                "fingerprint": held.fingerprint,
                "wear": held.wear,
                "pattern": held.pattern,
                "name_tag": held.name_tag,
                "inspect_link": held.inspect_link,
                "phase": held.phase,
                "value_cents": wanted.value_cents,
                "created_at": now,
                "touched": now,
            }
        )
        self._move(trade_id, deposit_id, asset, held.market_hash_name, wanted.value_cents, held.fingerprint)

    def give_out(self, trade_id: str, row: Row[Any], value_cents: int) -> None:
        """One row of custody that goes out in this trade, as what it is worth; it is bound already."""
        asset = Asset(row.app_id, row.context_id, str(row.asset_id))
        self._move(trade_id, row.deposit_id, asset, row.market_hash_name, value_cents, row.fingerprint)

    def _move(
        self, trade_id: str, deposit_id: str, asset: Asset, market_hash_name: str, value_cents: int, fingerprint: str | None
    ) -> None:
        self.opened.trade_items.append(
            {
                "trade_id": trade_id,
                "deposit_id": deposit_id,
                "market_hash_name": market_hash_name,
                "value_cents": value_cents,
                "fingerprint": fingerprint,
                "app_id": asset.app_id,
                "context_id": asset.context_id,
                "asset_id": int(asset.asset_id),
            }
        )

    def orders(self) -> list[Order]:
        """To be given once all is written."""
        return [self._order(trade) for trade in self.opened.trades if trade["waits_for"] is None]

    def views(self) -> list[Trade] | None:
        """The trades as they are written; ``None`` if a bot's account is not known here."""
        bots = {bot_name(row) for row in self.opened.trades}
        known = {name: str(bot.steam_id) for name in bots if (bot := self.ctx.fleet.get(name))}
        return views.of_new(self.opened, known, self.ctx.master, self.ctx.settings) if known.keys() == bots else None

    @property
    def trade_ids(self) -> list[str]:
        return [trade["trade_id"] for trade in self.opened.trades]

    def _order(self, trade: dict[str, Any]) -> Order:
        mine = [row for row in self.opened.trade_items if row["trade_id"] == trade["trade_id"]]
        moved = Moved.of(self.direction, [asset_of(row) for row in mine])
        bot = bot_name(trade)
        url = self.trade_url
        token = url.trade_token
        return self.ctx.orders.send(
            bot,
            trade["trade_id"],
            1,
            str(url.partner),
            token,
            self.message,
            moved,
            run=self.ctx.fleet.run_of(bot),
            request_id=self.request.request_id,
        )


def rows(making: Sequence[Draft]) -> list[tuple[Table, pipeline.Rows]]:
    """All rows of all these requests, their keys first."""
    keys = [each.request.row(each.trade_ids) for each in making]
    return [(idempotency, keys), *opening.open_trades([each.opened for each in making])]
