"""`manage.py rooms load|approve|list`: the rules of rooms, proposed by one operator and approved by another."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from lottery import rooms as rules_of_rooms
from lottery.errors import RoomError

from website.office import operators
from website.office.models import Staff
from website.rooms import definitions, services
from website.rooms.models import RoomVersion


class Command(BaseCommand):
    help = "Rules of rooms, by version."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        load = parts.add_parser("load", help="propose rules: a TOML file, or the name of a room of the seed (rooms.toml)")
        load.add_argument("rules")
        load.add_argument("--why", required=True)
        load.add_argument("--not-before-ms", type=int, default=0)
        approve = parts.add_parser("approve", help="let a version be used, from the next round on")
        approve.add_argument("room")
        approve.add_argument("version", type=int)
        for part in (load, approve):
            part.add_argument("--by", required=True, help="an operator")
            part.add_argument("--key-file", required=True, type=Path, help="the file with that operator's key")
        parts.add_parser("list", help="what there is")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        if options["what"] == "list":
            for row in RoomVersion.objects.order_by("room", "version"):
                self.stdout.write(f"{row.room}  {row.version}  {row.state}  {bytes(row.rules_hash).hex()[:16]}  {row.why}")
            return
        try:
            by = operators.known(options["by"], options["key_file"])
            row = self._load(options, by) if options["what"] == "load" else self._approve(options, by)
        except (OSError, operators.WrongKeyError, services.TwoPeopleError, RoomError) as error:
            raise CommandError(str(error)) from None
        except RoomVersion.DoesNotExist:
            raise CommandError(f"no draft {options['version']} of {options['room']} waits for approval") from None
        self.stdout.write(f"{row.room} version {row.version} is {row.state}, rules {bytes(row.rules_hash).hex()}")

    def _load(self, options: dict[str, Any], by: Staff) -> RoomVersion:
        path = Path(options["rules"])
        if path.is_file():
            room = rules_of_rooms.from_toml(path.read_text(encoding="utf-8"))
        else:
            room = definitions.load(options["rules"])
        return services.draft(room, by, options["why"], time.time_ns() // 1_000_000, options["not_before_ms"])

    def _approve(self, options: dict[str, Any], by: Staff) -> RoomVersion:
        return services.approve(options["room"], options["version"], by)
