"""`manage.py recover list|forget`: after a database came back older than it was."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from fleet_client import Client, errors
from website.engine import recovery
from website.engine.marks import Marks
from website.engine.unit import end_alarms
from website.office import operators
from website.rooms.models import Lane


class Command(BaseCommand):
    help = "What a database lacks that is older than what was committed before; and a lane whose mark is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        parts.add_parser("list", help="lanes that lie behind, and what the fleet did for rounds that stand nowhere here")
        forget = parts.add_parser("forget", help="the mark of a lane is wrong: two people say so, and the lane may be resumed")
        forget.add_argument("lane")
        forget.add_argument("--why", required=True)
        for name, whose in (("by", "an operator"), ("second", "another operator")):
            forget.add_argument(f"--{name}", required=True, help=whose)
        forget.add_argument("--key-file", required=True, type=Path, help="the file with the first one's key")
        forget.add_argument("--second-key-file", required=True, type=Path, help="the file with the second one's key")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        marks = Marks(Path(settings.SITE_MARKS_DIR) if settings.SITE_MARKS_DIR else None)
        marks.share()
        try:
            found = self._missing()
            if options["what"] == "forget":
                self._forget(marks, found, options)
        except (OSError, operators.WrongKeyError, errors.FleetError, ValueError) as error:
            raise CommandError(str(error)) from None
        self._list(marks, found)

    def _missing(self) -> list[recovery.Missing]:
        with Client(settings.SITE_FLEET_URLS, settings.SITE_FLEET_KEY) as fleet:
            return recovery.missing(
                list(fleet.each_lock(state=["held", "part_moved"])), [row.ref for row in fleet.each_transfer()]
            )

    def _list(self, marks: Marks, found: list[recovery.Missing]) -> None:
        for lane, (at, mark) in recovery.behind(marks).items():
            self.stdout.write(f"{lane} is at round {at[0]}, message {at[1]}; round {mark[0]}, message {mark[1]} was committed")
        for each in found:
            self.stdout.write(f"{each.lane}/{each.round}: {each.ref} {each.what}, and stands nowhere here")

    def _forget(self, marks: Marks, found: list[recovery.Missing], options: dict[str, Any]) -> None:
        first = operators.known(options["by"], options["key_file"])
        second = operators.known(options["second"], options["second_key_file"])
        lane = options["lane"]
        if first.id == second.id:
            raise CommandError("two people say so, not one")
        if not Lane.objects.filter(name=lane).exists():
            raise CommandError(f"there is no lane {lane}")
        if any(each.lane == lane for each in found):
            raise CommandError(f"the fleet knows of rounds of {lane} that stand nowhere here: its mark is right")
        marks.forget(lane)
        end_alarms("older", lane, time.time_ns() // 1_000_000)
        self.stdout.write(f"the mark of {lane} is forgotten ({first.username}, {second.username}: {options['why']}); resume it")
