"""`manage.py rooms load|approve|list` for rules, `void|fail|make-good|agree|drop|orders` for rounds.

Two operators each: one proposes, another approves or agrees.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from lottery import rooms as rules_of_rooms
from lottery.errors import RoomError

from website.office import operators
from website.office.handing import text_of
from website.office.models import Staff
from website.rooms import definitions, orders, services
from website.rooms.models import Order, RoomVersion


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
        void = parts.add_parser("void", help="propose that a round which is not closed yet ends without a draw")
        void.add_argument("lane")
        void.add_argument("round", type=int)
        void.add_argument("--why", required=True, help="stands in the record")
        fail = parts.add_parser(
            "fail", help="propose that a lane ends whose secret is lost: all goes back, as the house's failure"
        )
        fail.add_argument("lane")
        fail.add_argument("round", type=int)
        fail.add_argument("--why", required=True, help="stands in the record")
        good = parts.add_parser("make-good", help="propose a credit for an item of a sealed round that was lost on the way")
        good.add_argument("lane")
        good.add_argument("round", type=int)
        good.add_argument("deposit_id")
        good.add_argument("--why", required=True)
        agree = parts.add_parser("agree", help="let an order of somebody else be carried out")
        drop = parts.add_parser("drop", help="an order that waits for a second person is not to be carried out")
        for part in (agree, drop):
            part.add_argument("order", type=int)
        parts.add_parser("orders", help="what was ordered, and what became of it")
        for part in (load, approve, void, fail, good, agree, drop):
            part.add_argument("--by", required=True, help="an operator")
            part.add_argument("--key-file", required=True, type=Path, help="the file with that operator's key")
        parts.add_parser("list", help="what there is")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        if options["what"] == "list":
            for row in RoomVersion.objects.order_by("room", "version"):
                self.stdout.write(f"{row.room}  {row.version}  {row.state}  {bytes(row.rules_hash).hex()[:16]}  {row.why}")
            return
        if options["what"] == "orders":
            for order in Order.objects.select_related("proposed_by", "agreed_by").order_by("id"):
                self._tell(order)
            return
        try:
            by = operators.known(options["by"], options["key_file"])
            if options["what"] in ("void", "fail", "make-good", "agree", "drop"):
                self._tell(self._order(options, by))
                return
            row = self._load(options, by) if options["what"] == "load" else self._approve(options, by)
        except (OSError, operators.WrongKeyError, services.TwoPeopleError, orders.OrderError, RoomError) as error:
            raise CommandError(str(error)) from None
        except RoomVersion.DoesNotExist:
            raise CommandError(f"no draft {options['version']} of {options['room']} waits for approval") from None
        self.stdout.write(f"{row.room} version {row.version} is {row.state}, rules {bytes(row.rules_hash).hex()}")

    def _order(self, options: dict[str, Any], by: Staff) -> Order:
        now_ms = time.time_ns() // 1_000_000
        if options["what"] in ("void", "fail"):
            propose = orders.propose_void if options["what"] == "void" else orders.propose_fail
            return propose(options["lane"], options["round"], by, options["why"], now_ms)
        if options["what"] == "make-good":
            lost = (options["lane"], options["round"], options["deposit_id"])
            return orders.propose_make_good(*lost, by, options["why"], now_ms)
        return orders.agree(options["order"], by) if options["what"] == "agree" else orders.drop(options["order"])

    def _tell(self, order: Order) -> None:
        second = order.agreed_by.username if order.agreed_by else "nobody yet"
        what = f"{order.kind} {order.lane}/{order.round}"
        if order.kind == Order.MAKE_GOOD:
            what += f" {order.deposit_id}: {order.cents} cents to {order.player_id}"
        who = f"{order.proposed_by.username}, {second}: {order.why}"
        self.stdout.write(f"{order.id}  {what}  {order.state} {order.code}  {who}")

    def _load(self, options: dict[str, Any], by: Staff) -> RoomVersion:
        path = Path(options["rules"])
        room = rules_of_rooms.from_toml(text_of(path)) if path.is_file() else definitions.load(options["rules"])
        return services.draft(room, by, options["why"], time.time_ns() // 1_000_000, options["not_before_ms"])

    def _approve(self, options: dict[str, Any], by: Staff) -> RoomVersion:
        return services.approve(options["room"], options["version"], by)
