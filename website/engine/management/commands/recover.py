"""`manage.py recover list|rebuild|fleet|end|forget`: after this database, or the fleet's, came back older than it was."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from fleet_client import AsyncClient, Client, errors
from fleet_client.answers import Event
from website.engine import older_fleet, rebuild, recovery, witness
from website.engine.chains import ChainKey, Chains
from website.engine.feed import identity
from website.engine.marks import Marks, behind
from website.engine.rebuild import Fleet, Hands
from website.engine.unit import end_alarms
from website.office import operators
from website.office.models import Staff
from website.rooms.models import Lane


class Command(BaseCommand):
    help = "What a database lacks that is older than what was committed before, and how its lanes go on."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        looked = parts.add_parser("list", help="lanes that lie behind, and what only the fleet knows of")
        again = parts.add_parser("rebuild", help="two people have every lane that lies behind rebuilt from the witness")
        for part in (looked, again):
            part.add_argument(
                "--witness", action="append", type=Path, default=[], help="a folder of another host's engines too; repeatable"
            )
        fleet = parts.add_parser("fleet", help="the fleet is the older one: two people have it asked again for all since then")
        end = parts.add_parser("end", help="a lane that cannot be rebuilt ends as it is, nothing of it is voided or paid")
        forget = parts.add_parser("forget", help="the mark of a lane is wrong: two people say so, and the lane may be resumed")
        for part in (end, forget):
            part.add_argument("lane")
        for part in (again, fleet, end, forget):
            part.add_argument("--why", required=True)
            for name, whose in (("by", "an operator"), ("second", "another operator")):
                part.add_argument(f"--{name}", required=True, help=whose)
            part.add_argument("--key-file", required=True, type=Path, help="the file with the first one's key")
            part.add_argument("--second-key-file", required=True, type=Path, help="the file with the second one's key")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        marks = Marks(outside())
        marks.share()
        try:
            if options["what"] == "fleet":
                self._ask_again(options)
                return
            fleet = self._fleet()
            if options["what"] == "rebuild":
                self._rebuild(marks, fleet, options)
            elif options["what"] in ("forget", "end"):
                {"forget": self._forget, "end": self._end}[options["what"]](marks, fleet, options)
            self._list(marks, fleet, options)
        except (OSError, operators.WrongKeyError, errors.FleetError, ValueError) as error:
            raise CommandError(str(error)) from None

    def _fleet(self) -> Fleet:
        with Client(settings.SITE_FLEET_URLS, settings.SITE_FLEET_KEY) as client:
            locks = list(client.each_lock(state=["held", "part_moved"]))
            done = list(client.each_transfer())
            newest = max([0, *(lock.event or 0 for lock in locks), *(row.event for row in done)])
            return Fleet(locks, [row.ref for row in done], newest)

    def _list(self, marks: Marks, fleet: Fleet, options: dict[str, Any]) -> None:
        told = witness.read(folders(options.get("witness", [])))
        lanes = behind(marks)
        for lane, (at, mark) in lanes.items():
            lines = len(told.lines.get(lane, ()))
            has = f"the witness has {lines} transactions of it" if lines else "the witness has nothing of it"
            text = f"{lane} is at round {at[0]}, message {at[1]}; round {mark[0]}, message {mark[1]} was committed; {has}"
            self.stdout.write(text)
        for lane in sorted(lane for lane in told.lines if lane not in lanes and rebuild.lacks(told, lane)):
            self.stdout.write(f"{lane} ends before the witness does")
        if told.torn:
            self.stdout.write(f"{told.torn} lines of the witness are torn, as a full disk or a crash leaves them")
        for each in recovery.missing(fleet.locks, fleet.transfers):
            self.stdout.write(f"{each.lane}/{each.round}: {each.ref} {each.what}, and stands nowhere here")

    def _rebuild(self, marks: Marks, fleet: Fleet, options: dict[str, Any]) -> None:
        people = two_people(options)
        chains = Chains(ChainKey.read(settings.SITE_CHAIN_KEY), settings.SITE_CHAIN_LENGTH)
        told = witness.read(folders(options["witness"]))
        for each in rebuild.everything(told, fleet, Hands(chains, marks, people, now_ms())):
            if each.why_not:
                self.stdout.write(f"{each.lane} cannot be rebuilt and stays paused: {each.why_not}")
            else:
                freed = f", {len(each.freed)} locks of bets that were never taken are freed" if each.freed else ""
                self.stdout.write(f"{each.lane} is rebuilt to round {each.round} with {each.events} events{freed}")

    def _ask_again(self, options: dict[str, Any]) -> None:
        """S9: by the engine's own calls and refs, in their order. What the fleet refuses ends it; all stays paused."""
        first, second = two_people(options)
        mine = older_fleet.seen()
        if mine is None or not older_fleet.known():
            raise CommandError("the fleet is not known to be older than this database")
        with Client(settings.SITE_FLEET_URLS, settings.SITE_FLEET_KEY) as client:

            def behind_it(number: int) -> Event | None:
                return next(iter(client.events(after=number, limit=1).events), None)

            common = older_fleet.last_common(mine, behind_it)
        asked = older_fleet.since(common)

        async def again() -> str:
            async with AsyncClient(settings.SITE_FLEET_URLS, settings.SITE_FLEET_KEY) as fleet:
                return await older_fleet.again(fleet, asked)

        if no := asyncio.run(again()):
            raise CommandError(f"the fleet does not do again what it has forgotten: {no}")
        number = 0 if common is None else common.number
        older_fleet.over(number, "" if common is None else f"{number}|{identity(common)}", now_ms())
        said = f"{first.username}, {second.username}: {options['why']}"
        self.stdout.write(f"{len(asked)} calls were asked for again and done ({said}); the feed is read on from event {number}")

    def _end(self, marks: Marks, _fleet: Fleet, options: dict[str, Any]) -> None:
        """What its items are bound to stays bound: who is to have them two people decide at the fleet."""
        first, second = two_people(options)
        with transaction.atomic():
            lane = known(options["lane"])
            if lane.name not in behind(marks):
                raise CommandError(f"{lane.name} does not lie behind: it can be paused (manage.py lanes)")
            lane.state, lane.paused_why = Lane.RETIRED, f"{first.username}, {second.username}: {options['why']}"[:200]
            lane.save(update_fields=["state", "paused_why"])
            end_alarms("older", lane.name, now_ms())
            if not behind(marks):
                rebuild.go_on(now_ms())
        self.stdout.write(f"{lane.name} has ended; what the fleet holds for it is listed below")

    def _forget(self, marks: Marks, fleet: Fleet, options: dict[str, Any]) -> None:
        first, second = two_people(options)
        lane = known(options["lane"]).name
        if any(each.lane == lane for each in recovery.missing(fleet.locks, fleet.transfers)):
            raise CommandError(f"the fleet knows of rounds of {lane} that stand nowhere here: its mark is right")
        marks.forget(lane)
        end_alarms("older", lane, now_ms())
        self.stdout.write(f"the mark of {lane} is forgotten ({first.username}, {second.username}: {options['why']}); resume it")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def outside() -> Path | None:
    return Path(settings.SITE_MARKS_DIR) if settings.SITE_MARKS_DIR else None


def folders(more: list[Path]) -> list[Path]:
    own = outside()
    return [*([own] if own is not None else []), *more]


def known(name: str) -> Lane:
    row = Lane.objects.filter(name=name).first()
    if row is None:
        raise CommandError(f"there is no lane {name}")
    return row


def two_people(options: dict[str, Any]) -> tuple[Staff, Staff]:
    """Both, by their keys. Raises WrongKeyError, CommandError."""
    first = operators.known(options["by"], options["key_file"])
    second = operators.known(options["second"], options["second_key_file"])
    if first.id == second.id:
        raise CommandError("two people say so, not one")
    return first, second
