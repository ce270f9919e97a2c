"""Alembic's revisions of the schema; `balancer.migrate` runs them."""
