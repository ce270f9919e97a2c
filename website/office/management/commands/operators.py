"""`manage.py operators add NAME`: somebody who may propose or approve; their key goes into a file that only they read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError

from website.office import operators
from website.office.handing import good_name, new_file


class Command(BaseCommand):
    help = "Operators at the command line."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        add = parts.add_parser("add", help="a new operator")
        add.add_argument("name")
        add.add_argument("--key-file", required=True, type=Path, help="where their key is written; it must not exist")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        name = good_name(options["name"])
        with new_file(options["key_file"]) as path:
            try:
                _, key = operators.add(name)
            except IntegrityError:
                raise CommandError(f"there is an operator {name} already") from None
            path.write_text(key + "\n", encoding="utf-8")
        self.stdout.write(f"{name} may propose and approve; the key is in {path}")
