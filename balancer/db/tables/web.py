"""Who may call: clients with their keys, players signed in at the pages, and operators with what their codes are made from."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from balancer.db.tables.columns import UtcDateTime, metadata

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

operators = Table(
    "operators",
    metadata,
    Column("steam_id", BigInteger, primary_key=True, autoincrement=False),
    Column("secret_sealed", Text, nullable=False),  # what the one-time codes are made from
    Column("last_step", BigInteger, nullable=False, server_default="0"),  # of the last code that was taken: each works once
    Column("wrong", Integer, nullable=False, server_default="0"),  # codes in a row
    Column("locked_until", UtcDateTime),
    Column("enrolled_at", UtcDateTime, nullable=False),
)

operator_sessions = Table(
    "operator_sessions",
    metadata,
    Column("id_hash", Text, primary_key=True),
    Column("steam_id", BigInteger, nullable=False),
    Column("code_at", UtcDateTime),  # null: Steam has vouched for the account, and the code is still wanted
    Column("seen_at", UtcDateTime, nullable=False),  # the last click, to the minute
    Column("said", Text),  # what the last action came to, until it was shown
    Column("expires_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
