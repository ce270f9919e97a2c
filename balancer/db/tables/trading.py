"""Trades with their items, tokens, and the keys under which a request may come again."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from balancer.db.tables.columns import UtcDateTime, listed, metadata, one_of, partial
from shared.domain.status import FINAL, Direction, TradeStatus

_LIVE = listed(
    TradeStatus.QUEUED,
    TradeStatus.SENDING,
    TradeStatus.IN_DOUBT,
    TradeStatus.CONFIRMING,
    TradeStatus.SENT,
    TradeStatus.HELD,
)

trades = Table(
    "trades",
    metadata,
    Column("trade_id", Text, primary_key=True),
    Column("direction", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("user_id", Text, ForeignKey("users.user_id"), nullable=False),
    Column("partner", BigInteger, nullable=False),
    Column("trade_url_sealed", Text, nullable=False),  # empty when the trade is over
    Column("color", Text, nullable=False),
    Column("bot_id", Integer, nullable=False),
    Column("offer_id", Text),
    Column("exchange_id", Text),
    Column("attempt", Integer, nullable=False),
    Column("cancel_requested_at", UtcDateTime),
    Column("failure_code", Text),
    Column("failure_reason", Text),
    Column("player_message", Text),
    Column("settles_at", UtcDateTime),
    Column("settle_asked_at", UtcDateTime),  # when a bot was last asked to look for settlement, a reversal or ended items
    Column("items_awaited", Integer, nullable=False, server_default="0"),  # rows a bot has still to look for after its end
    Column("expires_at", UtcDateTime, nullable=False),
    Column("order_issued_at", UtcDateTime),  # null: no order of this attempt is known to have reached Redis
    Column("order_expires_at", UtcDateTime),
    Column("next_try_at", UtcDateTime),  # set: no order before then
    Column("cancel_asked_at", UtcDateTime),  # when a bot was last asked to cancel the offer
    Column("find_at", UtcDateTime),  # set: from then on a bot is to search Steam for this trade's offers
    Column("find_tries", Integer, nullable=False, server_default="0"),
    Column("waits_for", Text),  # `WaitsFor`: no order is given before that, and no offer is taken
    Column("approved_at", UtcDateTime),  # by a second person; limits of what goes out do not count it
    Column("held_at", UtcDateTime),  # a pause has recalled the order of this attempt: once that is dropped it waits in line
    Column("spared", Integer, nullable=False, server_default="0"),  # attempts that a pause or a bot has cost: they do not count
    Column("begun_at", UtcDateTime),  # when its order was due and its offer taken: the times of offer and token count from here
    Column("wanted_color", Text),  # the request named it; another color's bot is none for this trade
    Column("refused_by", Text),  # bots, a space between them, that Steam did not let do this trade, each as often as it did
    Column("refused_at", UtcDateTime),  # when the first of them could not
    Column("message", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("verified_at", UtcDateTime),  # when its player was told that the offer is ours, which used the token up
    Column("created_at", UtcDateTime, nullable=False),
    Column("touched", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["color", "bot_id"], ["bots.color", "bots.bot_id"]),
    one_of("direction", Direction),
    one_of("status", TradeStatus),
    Index("ix_trades_live", "color", "bot_id", **partial(f"status IN ({_LIVE})")),
    Index("ix_trades_live_client", "client_id", **partial(f"status IN ({_LIVE})")),
    Index("ix_trades_live_partner", "partner", **partial(f"status IN ({_LIVE})")),
    Index("ix_trades_settling", "settles_at", **partial(f"status = '{TradeStatus.ACCEPTED.value}'")),
    Index("ix_trades_items_awaited", "touched", **partial("items_awaited > 0")),
    Index("ix_trades_find", "find_at", **partial("find_at IS NOT NULL")),
    Index("ix_trades_waits", "next_try_at", **partial("waits_for IS NOT NULL")),
    Index("ix_trades_offer_id", "offer_id", **partial("offer_id IS NOT NULL")),
    Index("ix_trades_user_id", "user_id", "trade_id"),
    Index(
        "ix_trades_url_kept", "trade_id", **partial(f"status IN ({listed(*FINAL)}) AND trade_url_sealed <> ''")
    ),  # none but those that ended under a release that did not wipe them
    Index("ix_trades_gone_out", "begun_at", **partial(f"direction = '{Direction.WITHDRAW.value}' AND begun_at IS NOT NULL")),
    Index("ix_trades_verified", "partner", "verified_at", **partial("verified_at IS NOT NULL")),
)

trade_items = Table(
    "trade_items",
    metadata,
    Column("trade_id", Text, ForeignKey("trades.trade_id"), nullable=False),
    Column("deposit_id", Text, nullable=False),
    # Copies of what it was when the trade was made; the deposit moves on.
    Column("market_hash_name", Text, nullable=False),
    Column("value_cents", BigInteger, nullable=False),
    Column("fingerprint", Text),
    Column("app_id", Integer, nullable=False),
    Column("context_id", Text, nullable=False),
    Column("asset_id", BigInteger, nullable=False),
    Column("new_context_id", Text),
    Column("new_asset_id", BigInteger),
    Column("matched", Text),
    PrimaryKeyConstraint("trade_id", "deposit_id"),
    CheckConstraint("matched IN ('id', 'receipt', 'fingerprint', 'name')", name="matched"),
    Index("ix_trade_items_deposit_id", "deposit_id"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("trade_id", Text, ForeignKey("trades.trade_id", ondelete="CASCADE"), nullable=False),
    Column("steam_id", BigInteger, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),  # as an earlier release told that it was used; now the row is deleted then
    Index("ix_tokens_trade_id", "trade_id"),
    Index("ix_tokens_expires_at", "expires_at"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("client_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("trade_ids", Text, nullable=False),  # words with one space between them; of `POST /webhooks` the target's
    Column("answer_sealed", Text),  # of `POST /webhooks` the secret, which the same request is answered again
    Column("created_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("client_id", "key"),
    Index("ix_idempotency_created_at", "created_at"),
)
