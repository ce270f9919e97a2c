"""`manage.py lanes list|pause|resume`: how lanes stand, and the hand of an operator on one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from website.engine.models import Alarm
from website.office import operators
from website.rooms import lanes
from website.rooms.models import Lane, Round


class Command(BaseCommand):
    help = "How lanes stand; pause one after its round, or let it go on."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        parts.add_parser("list", help="every lane with its round, and the alarms that stand")
        for name, text in (("pause", "no new round, no new bets"), ("resume", "go on; refused transfers are tried again")):
            part = parts.add_parser(name, help=text)
            part.add_argument("lane")
            part.add_argument("--why", required=True)
            part.add_argument("--by", required=True, help="an operator")
            part.add_argument("--key-file", required=True, type=Path, help="the file with that operator's key")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        if options["what"] == "list":
            self._list()
            return
        try:
            by = operators.known(options["by"], options["key_file"])
            if options["what"] == "pause":
                lanes.pause(options["lane"], f"{by.username}: {options['why']}")
            else:
                lanes.resume(options["lane"], time.time_ns() // 1_000_000)
        except (OSError, operators.WrongKeyError) as error:
            raise CommandError(str(error)) from None
        except Lane.DoesNotExist:
            raise CommandError(f"there is no lane {options['lane']}") from None
        self._list()

    def _list(self) -> None:
        for lane in Lane.objects.order_by("name"):
            row = Round.objects.filter(lane=lane.name, round=lane.round).first()
            phase = "none yet" if row is None else f"{row.phase}, {row.items} items, {row.pot_cents} cents"
            waits = f"waits for {lane.waits_for}" if lane.waits_for else ""
            self.stdout.write(f"{lane.name}  {lane.state} {lane.paused_why}  round {lane.round}: {phase}  {waits}")
        for alarm in Alarm.objects.filter(ended_ms=None).order_by("at_ms"):
            self.stdout.write(f"alarm {alarm.kind} {alarm.about}: {alarm.text}")
