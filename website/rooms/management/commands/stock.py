"""`manage.py stock guarantee|drop|list|change`: items of the house, set aside by operators for rounds, or there for change."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from fleet_client import Client, errors
from website.engine.models import Call
from website.office import operators
from website.rooms import guarantees
from website.rooms.models import Guarantee, Lane, Round


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
        change = parts.add_parser("change", help="free pieces as the fleet tells them, and those that rounds have bound")
        change.add_argument("--limit", type=int, default=50, help="free pieces to show, the smallest first")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        if options["what"] == "list":
            for row in Guarantee.objects.filter(state__in=Guarantee.OPEN).order_by("id"):
                self._tell(row)
            return
        if options["what"] == "change":
            self._change(options["limit"])
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

    def _change(self, limit: int) -> None:
        try:
            with Client(settings.SITE_FLEET_URLS, settings.SITE_FLEET_KEY) as fleet:
                free = fleet.stock(limit=limit).items
        except (errors.FleetError, ValueError) as error:
            raise CommandError(str(error)) from None
        for piece in free:
            self.stdout.write(f"free   {piece.value_cents:>8}  {piece.deposit_id}  {piece.market_hash_name}")
        for call in Call.objects.filter(kind=Call.LOCK, ref__startswith="stk_", state=Call.DONE).order_by("id"):
            if is_bound(call):
                self._bound(call)

    def _bound(self, call: Call) -> None:
        for row in json.loads(call.answer)["rows"]:
            value = "?" if row["value_cents"] is None else row["value_cents"]
            self.stdout.write(f"bound  {value:>8}  {row['deposit_id']}  {row['market_hash_name']}  {call.lane}/{call.round}")


def is_bound(call: Call) -> bool:
    """By a round that goes on, or for the lane's next one."""
    if Lane.objects.filter(name=call.lane, round__lt=call.round).exists():
        return True
    return Round.objects.filter(lane=call.lane, round=call.round, sealed_ms=None).exists()
