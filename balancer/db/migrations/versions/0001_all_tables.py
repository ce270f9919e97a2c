"""All tables, and the house as a user."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "alarms",
    "bots",
    "clients",
    "events",
    "idempotency",
    "items",
    "nonces",
    "sessions",
    "users",
    "client_keys",
    "deposits",
    "trades",
    "tokens",
    "trade_items",
)


def upgrade() -> None:
    _alarms()
    _bots()
    _clients()
    _events()
    _idempotency()
    _items()
    _nonces()
    _sessions()
    _users()
    _client_keys()
    _deposits()
    _trades()
    _tokens()
    _trade_items()
    users = sa.table("users", sa.column("user_id", sa.Text()), sa.column("created_at", UtcDateTime()))
    op.bulk_insert(users, [{"user_id": "house", "created_at": datetime(2026, 1, 1, tzinfo=UTC)}])


def downgrade() -> None:
    for name in reversed(TABLES):
        op.drop_table(name)


def _alarms() -> None:
    op.create_table(
        "alarms",
        sa.Column("alarm", sa.Text(), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("alarm", name=op.f("pk_alarms")),
    )


def _bots() -> None:
    op.create_table(
        "bots",
        sa.Column("color", sa.Text(), nullable=False),
        sa.Column("bot_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("steam_id", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), server_default="active", nullable=False),
        sa.Column("slots_held", sa.Integer(), server_default="0", nullable=False),
        sa.Column("slots_reserved", sa.Integer(), server_default="0", nullable=False),
        sa.Column("open_offers", sa.Integer(), server_default="0", nullable=False),
        sa.Column("frozen_by", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("touched", UtcDateTime(), nullable=False),
        sa.CheckConstraint("mode IN ('active', 'paused', 'draining')", name=op.f("ck_bots_mode")),
        sa.CheckConstraint("slots_held >= 0 AND slots_reserved >= 0 AND open_offers >= 0", name=op.f("ck_bots_counters")),
        sa.PrimaryKeyConstraint("color", "bot_id", name=op.f("pk_bots")),
    )


def _clients() -> None:
    op.create_table(
        "clients",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_clients")),
        sa.UniqueConstraint("name", name=op.f("uq_clients_name")),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("bot", sa.Text(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_trade_id", "events", ["trade_id"], unique=False)


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("trade_ids", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"], unique=False)


def _items() -> None:
    op.create_table(
        "items",
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("market_hash_name", sa.Text(), nullable=False),
        sa.Column("value_cents", sa.BigInteger(), nullable=True),
        sa.Column("value_source", sa.Text(), nullable=True),
        sa.Column("valued_at", UtcDateTime(), nullable=True),
        sa.Column("type", sa.Text(), server_default="", nullable=False),
        sa.Column("color", sa.Text(), server_default="", nullable=False),
        sa.Column("name_color", sa.Text(), server_default="", nullable=False),
        sa.Column("icon_url", sa.Text(), server_default="", nullable=False),
        sa.Column("icon_url_large", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_items")),
        sa.UniqueConstraint("market_hash_name", name=op.f("uq_items_market_hash_name")),
    )


def _nonces() -> None:
    op.create_table(
        "nonces",
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_nonces")),
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id_hash", sa.Text(), nullable=False),
        sa.Column("steam_id", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_sessions")),
    )


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("steam_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
        sa.UniqueConstraint("steam_id", name=op.f("uq_users_steam_id")),
    )


def _client_keys() -> None:
    op.create_table(
        "client_keys",
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["clients.client_id"], name=op.f("fk_client_keys_client_id_clients")),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_client_keys")),
    )
    op.create_index("ix_client_keys_client_id", "client_keys", ["client_id"], unique=False)


def _deposits() -> None:
    op.create_table(
        "deposits",
        sa.Column("deposit_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("color", sa.Text(), nullable=True),
        sa.Column("bot_id", sa.Integer(), nullable=True),
        sa.Column("app_id", sa.Integer(), nullable=True),
        sa.Column("context_id", sa.Text(), nullable=True),
        sa.Column("asset_id", sa.BigInteger(), nullable=True),
        sa.Column("from_steam_id", sa.BigInteger(), nullable=True),
        sa.Column("class_id", sa.Text(), nullable=True),
        sa.Column("instance_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("wear", sa.Text(), nullable=True),
        sa.Column("pattern", sa.Text(), nullable=True),
        sa.Column("name_tag", sa.Text(), nullable=True),
        sa.Column("inspect_link", sa.Text(), nullable=True),
        sa.Column("value_cents", sa.BigInteger(), nullable=False),
        sa.Column("settles_at", UtcDateTime(), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("locked_by", sa.Text(), nullable=True),
        sa.Column("frozen_by", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("touched", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "status IN ('deposit_pending', 'deposit_failure', 'active', 'withdraw_pending', "
            "'withdrawn', 'counter', 'reversed')",
            name=op.f("ck_deposits_status"),
        ),
        sa.CheckConstraint(
            "(asset_id IS NULL) = (bot_id IS NULL) AND (color IS NULL) = (bot_id IS NULL)",
            name=op.f("ck_deposits_asset_at_bot"),
        ),
        sa.CheckConstraint("value_cents >= 0", name=op.f("ck_deposits_value")),
        sa.ForeignKeyConstraint(["color", "bot_id"], ["bots.color", "bots.bot_id"], name=op.f("fk_deposits_color_bot_id_bots")),
        sa.ForeignKeyConstraint(["item_id"], ["items.item_id"], name=op.f("fk_deposits_item_id_items")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_deposits_user_id_users")),
        sa.PrimaryKeyConstraint("deposit_id", name=op.f("pk_deposits")),
    )
    op.create_index(
        "ix_deposits_over",
        "deposits",
        ["touched"],
        unique=False,
        sqlite_where=sa.text("status <> 'active'"),
        postgresql_where=sa.text("status <> 'active'"),
    )
    op.create_index("ix_deposits_user_id_status", "deposits", ["user_id", "status"], unique=False)
    op.create_index(
        "uq_deposits_held_asset",
        "deposits",
        ["color", "bot_id", "asset_id"],
        unique=True,
        sqlite_where=sa.text("status IN ('active', 'withdraw_pending') AND asset_id IS NOT NULL"),
        postgresql_where=sa.text("status IN ('active', 'withdraw_pending') AND asset_id IS NOT NULL"),
    )
    op.create_index(
        "uq_deposits_pending_asset",
        "deposits",
        ["from_steam_id", "asset_id"],
        unique=True,
        sqlite_where=sa.text("status = 'deposit_pending'"),
        postgresql_where=sa.text("status = 'deposit_pending'"),
    )


def _trades() -> None:
    op.create_table(
        "trades",
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("partner", sa.BigInteger(), nullable=False),
        sa.Column("trade_url_sealed", sa.Text(), nullable=False),
        sa.Column("color", sa.Text(), nullable=False),
        sa.Column("bot_id", sa.Integer(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=True),
        sa.Column("exchange_id", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("cancel_requested_at", UtcDateTime(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("player_message", sa.Text(), nullable=True),
        sa.Column("settles_at", UtcDateTime(), nullable=True),
        sa.Column("settle_asked_at", UtcDateTime(), nullable=True),
        sa.Column("items_awaited", sa.Integer(), server_default="0", nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("order_issued_at", UtcDateTime(), nullable=True),
        sa.Column("order_expires_at", UtcDateTime(), nullable=True),
        sa.Column("next_try_at", UtcDateTime(), nullable=True),
        sa.Column("cancel_asked_at", UtcDateTime(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("touched", UtcDateTime(), nullable=False),
        sa.CheckConstraint("direction IN ('deposit', 'withdraw', 'move')", name=op.f("ck_trades_direction")),
        sa.CheckConstraint(
            "status IN ('queued', 'sending', 'in_doubt', 'confirming', 'sent', 'held', 'accepted', "
            "'settled', 'declined', 'countered', 'expired', 'canceled', 'failed', 'reversed')",
            name=op.f("ck_trades_status"),
        ),
        sa.ForeignKeyConstraint(["color", "bot_id"], ["bots.color", "bots.bot_id"], name=op.f("fk_trades_color_bot_id_bots")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_trades_user_id_users")),
        sa.PrimaryKeyConstraint("trade_id", name=op.f("pk_trades")),
    )
    _trades_indexes()


def _trades_indexes() -> None:
    op.create_index(
        "ix_trades_items_awaited",
        "trades",
        ["touched"],
        unique=False,
        sqlite_where=sa.text("items_awaited > 0"),
        postgresql_where=sa.text("items_awaited > 0"),
    )
    op.create_index(
        "ix_trades_live",
        "trades",
        ["color", "bot_id"],
        unique=False,
        sqlite_where=sa.text("status IN ('queued', 'sending', 'in_doubt', 'confirming', 'sent', 'held')"),
        postgresql_where=sa.text("status IN ('queued', 'sending', 'in_doubt', 'confirming', 'sent', 'held')"),
    )
    op.create_index(
        "ix_trades_live_partner",
        "trades",
        ["partner"],
        unique=False,
        sqlite_where=sa.text("status IN ('queued', 'sending', 'in_doubt', 'confirming', 'sent', 'held')"),
        postgresql_where=sa.text("status IN ('queued', 'sending', 'in_doubt', 'confirming', 'sent', 'held')"),
    )
    op.create_index(
        "ix_trades_offer_id",
        "trades",
        ["offer_id"],
        unique=False,
        sqlite_where=sa.text("offer_id IS NOT NULL"),
        postgresql_where=sa.text("offer_id IS NOT NULL"),
    )
    op.create_index(
        "ix_trades_settling",
        "trades",
        ["settles_at"],
        unique=False,
        sqlite_where=sa.text("status = 'accepted'"),
        postgresql_where=sa.text("status = 'accepted'"),
    )
    op.create_index("ix_trades_user_id", "trades", ["user_id", "trade_id"], unique=False)


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("steam_id", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["trade_id"], ["trades.trade_id"], name=op.f("fk_tokens_trade_id_trades"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_tokens")),
    )
    op.create_index("ix_tokens_expires_at", "tokens", ["expires_at"], unique=False)
    op.create_index("ix_tokens_trade_id", "tokens", ["trade_id"], unique=False)


def _trade_items() -> None:
    op.create_table(
        "trade_items",
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("deposit_id", sa.Text(), nullable=False),
        sa.Column("market_hash_name", sa.Text(), nullable=False),
        sa.Column("value_cents", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("context_id", sa.Text(), nullable=False),
        sa.Column("asset_id", sa.BigInteger(), nullable=False),
        sa.Column("new_context_id", sa.Text(), nullable=True),
        sa.Column("new_asset_id", sa.BigInteger(), nullable=True),
        sa.Column("matched", sa.Text(), nullable=True),
        sa.CheckConstraint("matched IN ('id', 'receipt', 'fingerprint', 'name')", name=op.f("ck_trade_items_matched")),
        sa.ForeignKeyConstraint(["trade_id"], ["trades.trade_id"], name=op.f("fk_trade_items_trade_id_trades")),
        sa.PrimaryKeyConstraint("trade_id", "deposit_id", name=op.f("pk_trade_items")),
    )
    op.create_index("ix_trade_items_deposit_id", "trade_items", ["deposit_id"], unique=False)
