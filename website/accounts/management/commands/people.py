"""`manage.py people`: who was forgotten here and not yet by the fleet; `manage.py people done NUMBER` when it was."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from website.care.models import Forgotten


class Command(BaseCommand):
    help = "People who have asked to be forgotten."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", nargs="?", choices=("list", "done"), default="list")
        parser.add_argument("number", nargs="?", type=int)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        left = Forgotten.objects.filter(fleet_forgot=False)
        if options["what"] == "list":
            for number in left.order_by("at_ms").values_list("player_id", flat=True):
                self.stdout.write(f"fleet users forget {number}   # then: manage.py people done {number}")
        elif options["number"] is None:
            raise CommandError("say whose number; `manage.py people` lists who waits")
        elif not left.filter(player=options["number"]).update(fleet_forgot=True):
            raise CommandError(f"nobody of number {options['number']} waits for the fleet to forget them")
