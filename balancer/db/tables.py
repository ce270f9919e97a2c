"""Every table. Money is integer cents, times are aware UTC, Steam ids are 63-bit integers, statuses are short checked text.

Written as SQLAlchemy Core tables: the balancer works with rows, not with objects that stand for them. ``touched`` of a deposit
or trade moves with its every change. What a column means for the life of a trade stands in ``shared.domain.status``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from shared.domain.games import CreditCall, CreditKind, LockRowState, LockState
from shared.domain.status import FINAL, AuditVerdict, BotMode, DepositStatus, Direction, TradeStatus

HOUSE = "house"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time. SQLite forgets time zones, so they are taken off and put on here; a naive time is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone")
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite numbers rows by itself only for a plain INTEGER key.
Number = BigInteger().with_variant(Integer(), "sqlite")


def one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    """The column holds one of these words."""
    listed = ", ".join(f"'{word.value}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _listed(*statuses: StrEnum) -> str:
    return ", ".join(f"'{status.value}'" for status in statuses)


def _partial(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


_LIVE = _listed(
    TradeStatus.QUEUED,
    TradeStatus.SENDING,
    TradeStatus.IN_DOUBT,
    TradeStatus.CONFIRMING,
    TradeStatus.SENT,
    TradeStatus.HELD,
)

users = Table(
    "users",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("steam_id", BigInteger, unique=True),  # null for the house only
    Column("created_at", UtcDateTime, nullable=False),
    Column("blocked_by", Text),  # the trade that was reversed: no new trades until an operator says so
    Column("blocked_at", UtcDateTime),
    # Offers in a row that stood for long and came to nothing: each makes the next ones' time shorter, an accepted one forgives.
    Column("unanswered", Integer, nullable=False, server_default="0"),
    Column("credit_cents", BigInteger, nullable=False, server_default="0"),  # the sum of this user's lines in `credits`
)

items = Table(
    "items",
    metadata,
    Column("item_id", Text, primary_key=True),
    Column("market_hash_name", Text, nullable=False, unique=True),
    Column("value_cents", BigInteger),  # null: no value known
    Column("value_source", Text),
    Column("valued_at", UtcDateTime),
    Column("type", Text, nullable=False, server_default=""),
    Column("color", Text, nullable=False, server_default=""),
    Column("name_color", Text, nullable=False, server_default=""),
    Column("icon_url", Text, nullable=False, server_default=""),
    Column("icon_url_large", Text, nullable=False, server_default=""),
)

bots = Table(
    "bots",
    metadata,
    Column("color", Text, nullable=False),
    Column("bot_id", Integer, nullable=False, autoincrement=False),
    Column("steam_id", BigInteger, nullable=False),
    Column("mode", Text, nullable=False, server_default=BotMode.ACTIVE.value),
    Column("slots_held", Integer, nullable=False, server_default="0"),
    Column("slots_reserved", Integer, nullable=False, server_default="0"),
    Column("open_offers", Integer, nullable=False, server_default="0"),
    Column("frozen_by", Text),  # what an operator has to look at first: nothing is withdrawn from this bot
    Column("health", Text),  # JSON: what was told last of what it may do; null: nothing yet, so everything
    Column("created_at", UtcDateTime, nullable=False),
    Column("touched", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("color", "bot_id"),
    one_of("mode", BotMode),
    CheckConstraint("slots_held >= 0 AND slots_reserved >= 0 AND open_offers >= 0", name="counters"),
)

deposits = Table(
    "deposits",
    metadata,
    Column("deposit_id", Text, primary_key=True),
    Column("item_id", Text, ForeignKey("items.item_id"), nullable=False),
    Column("user_id", Text, ForeignKey("users.user_id"), nullable=False),
    Column("status", Text, nullable=False),
    # A house-issued row (a ticket of a game) has neither bot nor asset.
    Column("color", Text),
    Column("bot_id", Integer),
    Column("app_id", Integer),
    Column("context_id", Text),
    Column("asset_id", BigInteger),
    Column("from_steam_id", BigInteger),  # whose inventory the asset lies in while the deposit is pending
    Column("class_id", Text),
    Column("instance_id", Text),
    Column("named_class", Text),  # the class under which the bot that holds the item has called it by this row's name
    Column("fingerprint", Text),
    Column("wear", Text),
    Column("pattern", Text),
    Column("name_tag", Text),
    Column("inspect_link", Text),
    Column("value_cents", BigInteger, nullable=False),  # when it was taken in
    Column("settles_at", UtcDateTime),  # Steam's word for when it may settle; null until it said so
    Column("settled_at", UtcDateTime),  # null: Steam may still reverse the exchange that brought it
    Column("locked_by", Text),  # "client_id:ref" of the lock that holds it
    Column("frozen_by", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("touched", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["color", "bot_id"], ["bots.color", "bots.bot_id"]),
    one_of("status", DepositStatus),
    CheckConstraint("(asset_id IS NULL) = (bot_id IS NULL) AND (color IS NULL) = (bot_id IS NULL)", name="asset_at_bot"),
    CheckConstraint("value_cents >= 0", name="value"),
    Index(
        "uq_deposits_pending_asset",
        "from_steam_id",
        "asset_id",
        unique=True,
        **_partial(f"status = '{DepositStatus.DEPOSIT_PENDING.value}'"),
    ),
    Index(
        "uq_deposits_held_asset",
        "color",
        "bot_id",
        "asset_id",
        unique=True,
        **_partial(f"status IN ({_listed(DepositStatus.ACTIVE, DepositStatus.WITHDRAW_PENDING)}) AND asset_id IS NOT NULL"),
    ),
    Index("ix_deposits_user_id_status", "user_id", "status"),
    Index(
        "ix_deposits_over",
        "touched",
        **_partial(f"status <> '{DepositStatus.ACTIVE.value}'"),
    ),
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
    Index("ix_trades_live", "color", "bot_id", **_partial(f"status IN ({_LIVE})")),
    Index("ix_trades_live_client", "client_id", **_partial(f"status IN ({_LIVE})")),
    Index("ix_trades_live_partner", "partner", **_partial(f"status IN ({_LIVE})")),
    Index("ix_trades_settling", "settles_at", **_partial(f"status = '{TradeStatus.ACCEPTED.value}'")),
    Index("ix_trades_items_awaited", "touched", **_partial("items_awaited > 0")),
    Index("ix_trades_find", "find_at", **_partial("find_at IS NOT NULL")),
    Index("ix_trades_waits", "next_try_at", **_partial("waits_for IS NOT NULL")),
    Index("ix_trades_offer_id", "offer_id", **_partial("offer_id IS NOT NULL")),
    Index("ix_trades_user_id", "user_id", "trade_id"),
    Index(
        "ix_trades_url_kept", "trade_id", **_partial(f"status IN ({_listed(*FINAL)}) AND trade_url_sealed <> ''")
    ),  # none but those that ended under a release that did not wipe them
    Index("ix_trades_gone_out", "begun_at", **_partial(f"direction = '{Direction.WITHDRAW.value}' AND begun_at IS NOT NULL")),
    Index("ix_trades_verified", "partner", "verified_at", **_partial("verified_at IS NOT NULL")),
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

events = Table(
    "events",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("trade_id", Text),
    Column("user_id", Text),
    Column("bot", Text),
    Column("who", Text, nullable=False),
    Column("data", Text, nullable=False),  # JSON
    Index("ix_events_trade_id", "trade_id"),
    sqlite_autoincrement=True,
)

clients = Table(
    "clients",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),  # words with one space between them
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

client_keys = Table(
    "client_keys",
    metadata,
    Column("key_hash", Text, primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Index("ix_client_keys_client_id", "client_id"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("client_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("trade_ids", Text, nullable=False),  # words with one space between them
    Column("created_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("client_id", "key"),
    Index("ix_idempotency_created_at", "created_at"),
)

nonces = Table(
    "nonces",
    metadata,
    Column("nonce", Text, primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id_hash", Text, primary_key=True),
    Column("steam_id", BigInteger, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

switches = Table(
    "switches",
    metadata,
    Column("switch", Text, primary_key=True),  # what is paused; a row that is not there pauses nothing
    Column("paused_at", UtcDateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

# When a switch was last turned back: limits of what goes out count from then on.
resumptions = Table(
    "resumptions",
    metadata,
    Column("switch", Text, primary_key=True),
    Column("resumed_at", UtcDateTime, nullable=False),
)

# One row per bot: an audit under way is one whose result has another id.
audits = Table(
    "audits",
    metadata,
    Column("color", Text, nullable=False),
    Column("bot_id", Integer, nullable=False, autoincrement=False),
    Column("audit_id", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),  # when the bot is asked to look, unless an order of it is out
    Column("looks", Integer, nullable=False, server_default="0"),  # that showed differences, in this audit
    Column("tries", Integer, nullable=False, server_default="0"),  # that came to nothing, in this audit
    Column("suspects", Text, nullable=False, server_default="[]"),  # JSON: keys of what the look before showed
    Column("looked_at", UtcDateTime),  # when that was
    Column("order_id", Text),  # the order that is out
    Column("asked_at", UtcDateTime),
    Column("silent_at", UtcDateTime),  # an order that has no answer by then will have none
    Column("mark", BigInteger),  # the last event before the order: what came later may be in the reading or not
    Column("result_id", Text),  # the audit that the rest is the result of
    Column("verdict", Text),
    Column("reason", Text),
    Column("finished_at", UtcDateTime),
    Column("rows", Integer),
    Column("assets", Integer),
    Column("differences", Text, nullable=False, server_default="[]"),  # JSON
    Column("known", Text, nullable=False, server_default="[]"),  # JSON: keys of those that an operator has seen
    PrimaryKeyConstraint("color", "bot_id"),
    ForeignKeyConstraint(["color", "bot_id"], ["bots.color", "bots.bot_id"]),
    one_of("verdict", AuditVerdict),
)

alarms = Table(
    "alarms",
    metadata,
    Column("alarm", Text, primary_key=True),  # what it is about, so that each is told once
    Column("raised_at", UtcDateTime, nullable=False),
)

# Price lists that were held back, each by its feed and the SHA-256 of its bytes.
price_lists = Table(
    "price_lists",
    metadata,
    Column("feed", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("names", Integer, nullable=False),
    Column("held_at", UtcDateTime, nullable=False),
    Column("accepted_at", UtcDateTime),  # null: nobody has
    Column("accepted_by", Text),
    PrimaryKeyConstraint("feed", "digest"),
)

# One row that is written again and again, to see whether the disk still takes anything.
probes = Table(
    "probes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("written_at", UtcDateTime, nullable=False),
    Column("filler", LargeBinary, nullable=False),
)

# --- custody for games ---------------------------------------------------------------------------------
#
# The refs of a client are kept for good: whatever comes a second time is answered as the first time.

locks = Table(
    "locks",
    metadata,
    Column("client_id", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("user_id", Text),  # null: it was released before it came
    Column("state", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("body_hash", Text),
    Column("answer", Text),  # JSON, as it was given
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),  # since when nothing is under it any more
    Column("ended_by", Text),
    Column("ended_event", BigInteger),
    PrimaryKeyConstraint("client_id", "ref"),
    one_of("state", LockState),
    Index("ix_locks_open", "created_at", **_partial(f"state IN ({_listed(LockState.HELD, LockState.PART_MOVED)})")),
)

lock_rows = Table(
    "lock_rows",
    metadata,
    Column("client_id", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("deposit_id", Text, nullable=False),
    Column("value_cents", BigInteger),  # of the item when it was locked; null: none was known
    Column("valued_at", UtcDateTime),
    Column("state", Text, nullable=False),
    PrimaryKeyConstraint("client_id", "ref", "deposit_id"),
    ForeignKeyConstraint(["client_id", "ref"], ["locks.client_id", "locks.ref"]),
    one_of("state", LockRowState),
    Index("uq_lock_rows_held", "deposit_id", unique=True, **_partial(f"state = '{LockRowState.HELD.value}'")),
)


def _answered(name: str) -> Table:
    """Calls of one kind by their refs, and what each was answered."""
    return Table(
        name,
        metadata,
        Column("client_id", Text, nullable=False),
        Column("ref", Text, nullable=False),
        Column("body_hash", Text, nullable=False),
        Column("answer", Text),  # JSON; null only within the transaction that writes it
        Column("at", UtcDateTime, nullable=False),
        PrimaryKeyConstraint("client_id", "ref"),
    )


transfers = _answered("transfers")
credit_calls = _answered("credit_calls")

# Append-only, by a trigger. Every line has its opposite on the house, so the whole table sums to zero.
credits = Table(
    "credits",
    metadata,
    Column("credit_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("call", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("line", Integer, nullable=False),  # from 1 on; the opposite of each has the same number below zero
    Column("user_id", Text, nullable=False),
    Column("cents", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("client_id", "call", "ref", "line"),
    one_of("call", CreditCall),
    one_of("kind", CreditKind),
    CheckConstraint("cents <> 0", name="cents"),
    Index("ix_credits_user_id_credit_id", "user_id", "credit_id"),
    Index("ix_credits_client_id_at", "client_id", "at"),
)
