"""`manage.py grants`: brings roles in PostgreSQL to what `website.roles` says. Run it as the owner of the tables."""

from __future__ import annotations

import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from website import roles

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


class Command(BaseCommand):
    help = "Gives the processes with pages, those of staff and the engines what each of them needs in PostgreSQL, and no more."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--prefix", default="site", help="what names of roles begin with (site: site_web, site_engine, …)")
        parser.add_argument(
            "--create", action="store_true", help="make roles that are missing; they cannot sign in until you let them"
        )

    def handle(self, *_: Any, prefix: str, create: bool, **__: Any) -> None:
        if connection.vendor != "postgresql":
            raise CommandError("only PostgreSQL has roles: with SQLite whoever can write the file can write everything")
        if not NAME.fullmatch(prefix):
            raise CommandError("a prefix has small letters, digits and underscores")
        with transaction.atomic(), connection.cursor() as cursor:
            names = [f"{prefix}_{role}" for role in roles.ROLES]
            cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [names])
            there = {row[0] for row in cursor.fetchall()}
            for name in [name for name in names if name not in there]:
                if not create:
                    raise CommandError(f"there is no role {name}: CREATE ROLE {name} LOGIN PASSWORD '…', or --create")
                cursor.execute(f'CREATE ROLE "{name}" NOLOGIN')
            tables = connection.introspection.table_names(cursor)
            for statement in roles.statements(tables, prefix):
                cursor.execute(statement)
        self.stdout.write(f"{', '.join(names)}: {len(tables)} tables")
