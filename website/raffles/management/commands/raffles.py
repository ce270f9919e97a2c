"""`manage.py raffles …`: templates of raffles, their keys and what was won, for operators."""

from __future__ import annotations

import time
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from lottery.errors import RoomError

from website.office import operators
from website.office.handing import text_of
from website.raffles import audit, instances, prizes, services
from website.raffles.models import Prize, Template, TemplateVersion
from website.raffles.prizes import PrizeError
from website.raffles.services import TemplateError, Terms
from website.rooms.models import Lane, Round
from website.rooms.services import TwoPeopleError

REFUSED = (*(OSError, operators.WrongKeyError, RoomError, TemplateError, PrizeError, TwoPeopleError),)
ABSENT = (Template.DoesNotExist, TemplateVersion.DoesNotExist)


class Command(BaseCommand):
    help = "Raffles: what is raffled off again and again, keys in stock, prizes to send."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        draft = parts.add_parser("draft", help="propose a template, or its next version, from a TOML file with its terms")
        draft.add_argument("file", type=Path, help="prize, price_cents, commission_cents, tickets, …: the names of `Terms`")
        draft.add_argument("--template", type=int, help="the template that gets a new version; none: a new template")
        approve = parts.add_parser("approve", help="let a version be used from the next raffle on; a second person")
        approve.add_argument("template", type=int)
        approve.add_argument("version", type=int)
        for name, about in (("on", "raffles of it come again and again"), ("off", "no new one; those that run go on")):
            switch = parts.add_parser(name, help=about)
            switch.add_argument("template", type=int)
        keys = parts.add_parser("keys", help="put keys of games into stock: a file with one a line")
        keys.add_argument("template", type=int)
        keys.add_argument("file", type=Path)
        drop = parts.add_parser("drop-key", help="take a key out of stock for good")
        drop.add_argument("prize", type=int)
        sent = parts.add_parser("sent", help="say that a prize was sent, and how")
        sent.add_argument("prize", type=int)
        sent.add_argument("note")
        for part in (draft, approve, keys, drop, sent, *(parts.choices[name] for name in ("on", "off"))):
            part.add_argument("--by", required=True, help="an operator")
            part.add_argument("--key-file", required=True, type=Path, help="the file with that operator's key")
        for part in (draft, keys, drop, *(parts.choices[name] for name in ("on", "off"))):
            part.add_argument("--why", required=True)
        for part in (draft, keys):
            part.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        parts.add_parser("list", help="templates, what runs, and keys in stock")
        parts.add_parser("owed", help="prizes that somebody has to send")
        parts.add_parser("check", help="hold raffles against the books of coins")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        try:
            getattr(self, "_" + options["what"].replace("-", "_"))(options)
        except REFUSED as error:
            raise CommandError(str(error)) from None
        except ABSENT:
            which = f" version {options['version']}" if "version" in options else ""
            raise CommandError(f"there is no template {options['template']}{which}") from None

    # ---- what changes something

    def _draft(self, options: dict[str, Any]) -> None:
        by, terms = _by(options), _terms(options["file"])
        if options["dry_run"]:
            services.check(terms)
            self.stdout.write(f"{terms.prize}: {terms.tickets} tickets of {terms.ticket_price_cents}; nothing was written")
            return
        row = services.draft(terms, by, options["why"], _now_ms(), options["template"])
        self.stdout.write(f"template {row.template_id} version {row.version} is drafted; another person approves it")

    def _approve(self, options: dict[str, Any]) -> None:
        row = services.approve(options["template"], options["version"], _by(options))
        self.stdout.write(f"template {row.template_id} version {row.version} is used from the next raffle on")

    def _on(self, options: dict[str, Any]) -> None:
        services.activate(options["template"], _by(options), options["why"], _now_ms())
        self.stdout.write(f"template {options['template']} is on")

    def _off(self, options: dict[str, Any]) -> None:
        services.deactivate(options["template"], _by(options), options["why"], _now_ms())
        self.stdout.write(f"template {options['template']} is off; what runs goes on to its end")

    def _keys(self, options: dict[str, Any]) -> None:
        lines = [line for line in text_of(options["file"]).splitlines() if line.strip()]
        by, template = _by(options), options["template"]
        rows = prizes.add_keys(template, lines, by, options["why"], _now_ms(), dry_run=options["dry_run"])
        self.stdout.write(f"{len(rows)} keys were added; template {template} has {prizes.in_stock(template)} in stock")

    def _drop_key(self, options: dict[str, Any]) -> None:
        prizes.drop_key(options["prize"], _by(options), options["why"], _now_ms())
        self.stdout.write(f"prize {options['prize']} is out of stock")

    def _sent(self, options: dict[str, Any]) -> None:
        row = prizes.mark_sent(options["prize"], _by(options), options["note"], _now_ms())
        self.stdout.write(f"prize {row.id} was sent to player {row.player_id}, who is to confirm it")

    # ---- what only tells

    def _list(self, _options: dict[str, Any]) -> None:
        for template in Template.objects.order_by("id"):
            version = services.newest(template.id)
            said = "nothing approved" if version is None else f"version {version.version}: {version.prize}"
            keys = f", {prizes.in_stock(template.id)} keys" if version is not None and version.prize_kind == "key" else ""
            self.stdout.write(f"{template.id}  {'on' if template.active else 'off'}  {said}{keys}")
            for lane in Lane.objects.filter(room=instances.room_of(template.id)).order_by("name"):
                row = Round.objects.filter(lane=lane.name, round=lane.round).first()
                state = "none yet" if row is None else f"raffle {row.round} {row.phase}, {row.tickets} sold"
                self.stdout.write(f"    {lane.name}  {lane.state}  {state}  {lane.waits_for}")

    def _owed(self, _options: dict[str, Any]) -> None:
        late = set(prizes.overdue(_now_ms()).values_list("id", flat=True))
        for row in prizes.owed().select_related("player"):
            said = "overdue" if row.id in late else "owed"
            self.stdout.write(f"{row.id}  {said}  {row.lane}/{row.round}  player {row.player_id}  {_name(row)}")

    def _check(self, _options: dict[str, Any]) -> None:
        found = audit.differences()
        for text in found:
            self.stdout.write(text)
        if found:
            raise CommandError(f"{len(found)} differences")
        self.stdout.write("raffles and coins agree")


def _name(row: Prize) -> str:
    return "" if row.piece is None else row.piece.kind.market_hash_name


def _terms(file: Path) -> Terms:
    """What the file sells. Raises CommandError, which names the file and what is wrong in it."""
    try:
        given = tomllib.loads(text_of(file))
    except tomllib.TOMLDecodeError as error:
        raise CommandError(f"{file}: {error}") from None
    known = fields(Terms)
    names = {each.name for each in known}
    wanted = {each.name for each in known if each.default is MISSING and each.default_factory is MISSING}
    if strange := sorted(given.keys() - names):
        raise CommandError(f"{file}: no such terms: {', '.join(strange)}; there are {', '.join(sorted(names))}")
    if missing := sorted(wanted - given.keys()):
        raise CommandError(f"{file}: these are missing: {', '.join(missing)}")
    return Terms(**given)


def _by(options: dict[str, Any]) -> Any:
    return operators.known(options["by"], options["key_file"])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
