"""Every table, in a file for each room whose rows it holds.

Money is integer cents, times are aware UTC, Steam ids are 63-bit integers, statuses are short checked text.

Written as SQLAlchemy Core tables: the balancer works with rows, not with objects that stand for them. ``touched`` of a deposit
or trade moves with its every change. What a column means for the life of a trade stands in ``shared.domain.status``. Whoever
imports one table from here has all of them declared, so that `metadata` is whole.
"""

from __future__ import annotations

from balancer.db.tables.catalogue import item_values, items, price_feeds, price_lists
from balancer.db.tables.columns import UtcDateTime, metadata
from balancer.db.tables.custody import HOUSE, audits, decisions, deposits, users
from balancer.db.tables.fleet import bots, resumptions, switches
from balancer.db.tables.games import credit_calls, credits, exchanges, issues, lock_rows, locks, transfers
from balancer.db.tables.journal import alarm_acks, alarms, events, notice_targets
from balancer.db.tables.mode import kept_mode
from balancer.db.tables.trading import idempotency, tokens, trade_items, trades
from balancer.db.tables.web import client_keys, clients, nonces, operator_sessions, operators, sessions
from balancer.db.tables.webhooks import webhook_deliveries, webhook_targets
from balancer.db.tables.write_probe import probes

__all__ = [
    "HOUSE",
    "UtcDateTime",
    "alarm_acks",
    "alarms",
    "audits",
    "bots",
    "client_keys",
    "clients",
    "credit_calls",
    "credits",
    "decisions",
    "deposits",
    "events",
    "exchanges",
    "idempotency",
    "issues",
    "item_values",
    "items",
    "kept_mode",
    "lock_rows",
    "locks",
    "metadata",
    "nonces",
    "notice_targets",
    "operator_sessions",
    "operators",
    "price_feeds",
    "price_lists",
    "probes",
    "resumptions",
    "sessions",
    "switches",
    "tokens",
    "trade_items",
    "trades",
    "transfers",
    "users",
    "webhook_deliveries",
    "webhook_targets",
]
