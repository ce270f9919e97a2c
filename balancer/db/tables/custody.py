"""Who owns what: users, deposits, and what the audit of each bot has found."""

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
from shared.domain.status import AuditVerdict, Decision, DepositStatus

HOUSE = "house"

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
    Column("phase", Text),  # of a Doppler, by the word of a bot that read the copy itself; null: not known, or it has none
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
        **partial(f"status = '{DepositStatus.DEPOSIT_PENDING.value}'"),
    ),
    Index(
        "uq_deposits_held_asset",
        "color",
        "bot_id",
        "asset_id",
        unique=True,
        **partial(f"status IN ({listed(DepositStatus.ACTIVE, DepositStatus.WITHDRAW_PENDING)}) AND asset_id IS NOT NULL"),
    ),
    Index("ix_deposits_user_id_status", "user_id", "status"),
    Index(
        "ix_deposits_over",
        "touched",
        **partial(f"status <> '{DepositStatus.ACTIVE.value}'"),
    ),
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

# What operators want done with frozen rows. It is done by the bot's next reading after a second person agreed, and gone then.
decisions = Table(
    "decisions",
    metadata,
    Column("deposit_id", Text, primary_key=True),
    Column("decision", Text, nullable=False),
    Column("asset_id", BigInteger),  # the item to be released, if it is another asset than the row says
    Column("reason", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("agreed_by", Text),
    Column("agreed_at", UtcDateTime),
    one_of("decision", Decision),
)
