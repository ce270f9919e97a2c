"""Alembic's revisions of the schema; `balancer.db.migrate` runs them."""
