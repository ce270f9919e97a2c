"""Orders for bots, made from rows: with their times, their token and what they move. `balancer.orders.outbox` gives them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, select

from balancer.db.tables import trade_items
from shared import request_ids
from shared.clock import Clock, ServerClock
from shared.domain.ids import bot_name, record_id
from shared.domain.items import Asset
from shared.domain.status import Direction
from shared.orders import OfferOrder, Order, Payload, SendOrder, WatchedTrade
from shared.sealing import MasterKey, seal, unseal
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Moved:
    """What an offer moves."""

    give: list[Asset]
    take: list[Asset]

    @classmethod
    def of(cls, direction: str, assets: list[Asset]) -> Moved:
        return cls([], assets) if direction == Direction.DEPOSIT else cls(assets, [])


def asset_of(row: Mapping[Any, Any] | RowMapping) -> Asset:
    """The asset in a row of ``trade_items``."""
    return Asset(row["app_id"], row["context_id"], str(row["asset_id"]))


def moved_of(connection: Connection, rows: Iterable[Row[Any]]) -> dict[str, Moved]:
    """What each of these trades moves, by trade id."""
    directions = {trade.trade_id: trade.direction for trade in rows}
    assets: dict[str, list[Asset]] = {trade_id: [] for trade_id in directions}
    columns = trade_items.c
    query = (
        select(columns.trade_id, columns.app_id, columns.context_id, columns.asset_id)
        .where(columns.trade_id.in_(directions))
        .order_by(columns.trade_id, columns.deposit_id)
    )
    for row in connection.execute(query):
        assets[row.trade_id].append(asset_of(row._mapping))
    return {trade_id: Moved.of(direction, assets[trade_id]) for trade_id, direction in directions.items()}


def new_id(clock: Clock, prefix: str) -> str:
    """A fresh record id, as in ``trd_01j…``."""
    return record_id(prefix, clock.now_ms(), secrets.token_bytes(7))


class Orders:
    """Makes orders. ``run_of`` says in which run of its worker a bot is, as far as that is known; ``reads``, whether that
    worker knows this newer field of an order."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        server_clock: ServerClock,
        master: MasterKey,
        run_of: Callable[[str], str | None],
        reads: Callable[[str, str], bool],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._server_clock = server_clock
        self._master = master
        self._run_of = run_of
        self._reads = reads

    def build(
        self,
        kind: str,
        bot: str,
        payload: Payload,
        *,
        trade_id: str | None = None,
        attempt: int = 0,
        order_id: str | None = None,
        lifetime_s: float | None = None,
        run: str | None = None,
        given_at: datetime | None = None,
        request_id: str | None = None,
    ) -> Order:
        """An order with its times; it expires ``lifetime_s`` from now, by default after the setting ``order_expiry_s``.

        ``given_at``: the same order may have gone out then already, so it counts as issued then. ``request_id``: the HTTP
        request that it is for.
        """
        now_ms = self._server_clock.now_ms()
        given_ms = now_ms if given_at is None else int(given_at.timestamp() * 1000) + (self._server_clock.offset_ms or 0)
        lifetime_ms = int((lifetime_s or self._settings.trades.order_expiry_s) * 1000)
        return Order(
            order_id=order_id or new_id(self._clock, kind),
            kind=kind,
            bot=bot,
            trade_id=trade_id,
            attempt=attempt,
            issued_at_ms=min(given_ms, now_ms),
            expires_at_ms=now_ms + lifetime_ms,
            payload=payload,
            run=run,
            request_id=request_id if self._reads(bot, request_ids.NAME) else None,
        )

    def message(self, token: str, message: str) -> str:
        """What the offer says: the verify link first, then what the site wants to say."""
        return f"{self._settings.balancer.verify_url(token)} {message}".rstrip()

    def send(
        self,
        bot: str,
        trade_id: str,
        attempt: int,
        partner: str,
        trade_token: str,
        message: str,
        moved: Moved,
        *,
        run: str | None,
        given_at: datetime | None = None,
        request_id: str | None = None,
    ) -> Order:
        """The order to make a trade's offer. Its id is made of trade and attempt, so that giving it again is no second order.

        ``run``: the worker's run that it is for, if no order of this attempt was ever given.
        """
        token = self._master.verify_token(trade_id)
        payload = SendOrder(
            token=token,
            partner=partner,
            trade_token=trade_token,
            message=self.message(token, message),
            give=moved.give,
            take=moved.take,
        )
        order_id = f"send-{trade_id}-{attempt}"
        return self.build(
            "send",
            bot,
            payload,
            trade_id=trade_id,
            attempt=attempt,
            order_id=order_id,
            run=run,
            given_at=given_at,
            request_id=request_id,
        )

    def send_again(self, trade: Row[Any], moved: Moved, request_id: str | None) -> Order:
        """The send order of a trade's present attempt, from its row; one that waits for its next try was never given.

        Of another one nobody knows whether Redis took it. Since then Redis may have forgotten order and marker, and a worker
        that has begun it may be dead: it counts as issued when the row was last touched, so that a later worker looks first.
        """
        bot, first = bot_name(trade), trade.next_try_at is not None
        return self.send(
            bot,
            trade.trade_id,
            trade.attempt,
            str(trade.partner),
            self.open_trade_token(trade.trade_id, trade.trade_url_sealed),
            trade.message,
            moved,
            run=self._run_of(bot) if first else None,
            given_at=None if first else trade.touched,
            request_id=request_id,
        )

    def cancel(self, trade: Row[Any], moved: Moved) -> Order:
        """The order to ask Steam to cancel a trade's offer, whatever its id."""
        payload = OfferOrder(
            token=self._master.verify_token(trade.trade_id),
            partner=str(trade.partner),
            offer_id=trade.offer_id,
            give=moved.give,
            take=moved.take,
        )
        bot = bot_name(trade)
        asked_by = request_ids.current()
        return self.build("cancel", bot, payload, trade_id=trade.trade_id, attempt=trade.attempt, request_id=asked_by)

    def watched(self, trade: Row[Any], moved: Moved, *, with_trade_token: bool = False) -> WatchedTrade:
        """What a bot must know to recognise this trade's offers; with the partner's token only where it is needed."""
        # Of a trade that is over it is not kept.
        with_trade_token = with_trade_token and bool(trade.trade_url_sealed)
        return WatchedTrade(
            trade_id=trade.trade_id,
            attempt=trade.attempt,
            token=self._master.verify_token(trade.trade_id),
            partner=str(trade.partner),
            offer_id=trade.offer_id,
            status=trade.status,
            give=moved.give,
            take=moved.take,
            trade_token=self.open_trade_token(trade.trade_id, trade.trade_url_sealed) if with_trade_token else None,
        )

    def seal_trade_token(self, trade_id: str, trade_token: str) -> str:
        """What stands in ``trades.trade_url_sealed``; partner and token make up the URL."""
        return seal(self._master.at_rest, trade_token.encode(), purpose=f"trade-url:{trade_id}")

    def open_trade_token(self, trade_id: str, sealed: str) -> str:
        return unseal(self._master.at_rest, sealed, purpose=f"trade-url:{trade_id}").decode()
