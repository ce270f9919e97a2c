"""`manage.py type number|list`: a number of a draw before the camera, typed by two operators, each with a key."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from website.office import operators
from website.rooms import numbers
from website.rooms.models import Lane, TypedNumber


class Command(BaseCommand):
    help = "Numbers that are typed by hand."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        number = parts.add_parser("number", help="what you have seen; it counts when a second operator types the same")
        number.add_argument("lane")
        number.add_argument("number", type=int, help="which number of the draw, from 1")
        number.add_argument("digits")
        number.add_argument("--evidence", required=True, help="address and hash of the recording")
        number.add_argument("--by", required=True, help="an operator")
        number.add_argument("--key-file", required=True, type=Path, help="the file with that operator's key")
        listed = parts.add_parser("list", help="what was typed and has been decided; never what still waits")
        listed.add_argument("lane")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        if options["what"] == "list":
            rows = TypedNumber.objects.filter(lane=options["lane"]).exclude(state=TypedNumber.WAITING)
            for row in rows.select_related("operator").order_by("id"):
                who = row.operator.username
                self.stdout.write(f"round {row.round}  number {row.number}  {row.digits}  {who}  {row.state} {row.code}")
            return
        try:
            by = operators.known(options["by"], options["key_file"])
            now_ms = time.time_ns() // 1_000_000
            numbers.type_in(options["lane"], options["number"], options["digits"], options["evidence"], by, now_ms)
        except Lane.DoesNotExist:
            raise CommandError(f"there is no lane {options['lane']}") from None
        except (OSError, operators.WrongKeyError, numbers.NumberError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write("kept; it counts when a second operator has typed the same")
