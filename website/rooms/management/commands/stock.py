"""`manage.py stock guarantee|drop|list`: items of the house that operators set aside for rounds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from website.office import operators
from website.rooms import guarantees
from website.rooms.models import Guarantee


class Command(BaseCommand):
    help = "Guarantees: what the house puts into rounds."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        aside = parts.add_parser("guarantee", help="put items of the house into a room's next round")
        aside.add_argument("room")
        aside.add_argument("deposit_ids", nargs="+")
        aside.add_argument("--why", required=True)
        drop = parts.add_parser("drop", help="take back a guarantee that waits, or that the fleet would not bind")
        drop.add_argument("guarantee", type=int)
        for part in (aside, drop):
            part.add_argument("--by", required=True, help="an operator")
            part.add_argument("--key-file", required=True, type=Path, help="the file with that operator's key")
        parts.add_parser("list", help="what is set aside")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        if options["what"] == "list":
            for row in Guarantee.objects.filter(state__in=Guarantee.OPEN).order_by("id"):
                self._tell(row)
            return
        now_ms = time.time_ns() // 1_000_000
        try:
            by = operators.known(options["by"], options["key_file"])
            if options["what"] == "drop":
                row = guarantees.drop(options["guarantee"], now_ms)
            else:
                row = guarantees.set_aside(options["room"], options["deposit_ids"], by, options["why"], now_ms)
        except (OSError, operators.WrongKeyError, guarantees.GuaranteeError) as error:
            raise CommandError(str(error)) from None
        self._tell(row)

    def _tell(self, row: Guarantee) -> None:
        where = f"{row.lane} round {row.round}" if row.lane else "next round"
        self.stdout.write(f"{row.id}  {row.room}  {where}  {row.state} {row.code}  {row.deposit_ids}  {row.why}")
