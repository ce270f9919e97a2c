"""How alembic gets at the database: over the connection that `balancer.db.migrate` opened."""

from __future__ import annotations

from typing import Literal

from alembic import context
from sqlalchemy import Connection

from balancer.db.tables import UtcDateTime, metadata


def _render(kind: str, value: object, _autogenerate: object) -> str | Literal[False]:
    """Our own column type is written into revisions under its own name."""
    return "UtcDateTime()" if kind == "type" and isinstance(value, UtcDateTime) else False


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=_render,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
