"""Names of items with their values, now and before, and lists of prices: each feed's, and those that were held back."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text

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

# What an item was worth from a time on, and by which source; written when either changes.
item_values = Table(
    "item_values",
    metadata,
    Column("item_id", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("value_cents", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    PrimaryKeyConstraint("item_id", "at"),
    Index("ix_item_values_at", "at"),
)

# Each feed: the list that is in use, one that is held back (both packed JSON of names and cents), and its last trouble.
price_feeds = Table(
    "price_feeds",
    metadata,
    Column("source", Text, primary_key=True),
    Column("good", LargeBinary),  # null: none was good yet
    Column("good_digest", Text),
    Column("good_at", UtcDateTime),
    Column("names", Integer, nullable=False, server_default="0"),
    Column("left_out", Integer, nullable=False, server_default="0"),
    Column("held", LargeBinary),
    Column("held_digest", Text),
    Column("held_why", Text),
    Column("held_names", Integer),
    Column("held_at", UtcDateTime),
    Column("error", Text),
    Column("failing_since", UtcDateTime),
    Column("next_at", UtcDateTime, nullable=False),  # nobody fetches it before
)

# Lists of the price file that were held back, each by its feed and the SHA-256 of its bytes.
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
