"""Names of items with their values, and price lists that were held back."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, Table, Text

from balancer.db.tables.columns import UtcDateTime, metadata

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
