"""`manage.py staff add NAME --role owner --link-file FILE`: the first of the staff. Later ones are invited in the office."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError

from website.engine.clock import wall_ms
from website.office import door, roles
from website.office.handing import good_name, new_file
from website.office.models import Staff


class Command(BaseCommand):
    help = "Members of the staff, for the office."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        add = parts.add_parser("add", help="somebody new, and the link by which they set a password")
        again = parts.add_parser("again", help="a new link for somebody who has lost the password or the telephone")
        add.add_argument("--role", action="append", required=True, choices=list(roles.WHAT), help="may be named several times")
        for part in (add, again):
            part.add_argument("name")
            part.add_argument("--link-file", required=True, type=Path, help="where the link is written; it must not exist")
        parts.add_parser("list", help="who there is")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        if options["what"] == "list":
            for row in Staff.objects.order_by("username"):
                self.stdout.write(f"{row.username}  {row.roles or '-'}  {'' if row.is_active else 'off'}")
            return
        name = good_name(options["name"])
        with new_file(options["link_file"]) as path:
            try:
                person = self._add(options) if options["what"] == "add" else Staff.objects.get(username=name)
            except IntegrityError:
                raise CommandError(f"there is somebody called {name} already") from None
            except Staff.DoesNotExist:
                raise CommandError(f"there is nobody called {name}") from None
            word = door.invite(person, wall_ms())
            path.write_text(f"{settings.SITE_ADDRESS}/office/join/{word}\n", encoding="utf-8")
        self.stdout.write(f"{person.username} ({person.roles}): the link to join is in {path}, for three days")

    def _add(self, options: dict[str, Any]) -> Staff:
        person = Staff(username=options["name"], roles=roles.text(frozenset(options["role"])))
        person.set_unusable_password()
        person.save(force_insert=True)
        return person
