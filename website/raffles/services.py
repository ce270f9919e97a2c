"""What changes templates: one operator drafts a version, another approves it; either turns the template on and off.

Nothing here reaches an instance that runs: it has a snapshot of its version in its first event (`lottery.raffle`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from django.db import transaction
from lottery.errors import RoomError

from website.live import hints
from website.office.models import Staff
from website.raffles import instances
from website.raffles.models import Template, TemplateVersion
from website.rooms.models import Lane
from website.rooms.services import TwoPeopleError

PARALLEL_MAX = 100
STEAM_LEVEL_MAX = 10_000
KINDS = (TemplateVersion.ITEM, TemplateVersion.KEY, TemplateVersion.HAND)
TIERS = (TemplateVersion.GOLD, TemplateVersion.SILVER, TemplateVersion.BRONZE)
GENRE_MAX = 60


class TemplateError(Exception):
    """This cannot be done to a template; `code` is for programs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Terms:
    """What a template is to sell. The names are those of `TemplateVersion`."""

    prize: str
    price_cents: int
    commission_cents: int
    tickets: int
    parallel: int = 1
    expires_s: int | None = None
    steam_level_min: int = 0
    share_max_percent: int = 50
    prize_kind: str = TemplateVersion.ITEM
    genre: str = ""
    tier: str = TemplateVersion.BRONZE
    entropy: str = "drand:quicknet"
    beacon: str = ""

    @property
    def ticket_price_cents(self) -> int:
        """What one ticket costs, rounded up; what is over goes to the house."""
        return -(-(self.price_cents + self.commission_cents) // self.tickets)

    @property
    def tickets_max(self) -> int:
        """How many tickets one player may have, rounded down."""
        return self.tickets * self.share_max_percent // 100


def draft(terms: Terms, by: Staff, why: str, now_ms: int, template_id: int | None = None) -> TemplateVersion:
    """The next version of a template, or the first of a new one, for somebody else to approve.

    Raises lottery.errors.RoomError for terms that make no sense, Template.DoesNotExist.
    """
    check(terms)
    with transaction.atomic():
        template = Template.objects.create() if template_id is None else _locked(template_id)
        newest = template.versions.order_by("-version").first()
        number = 1 if newest is None else newest.version + 1
        return TemplateVersion.objects.create(
            template=template, version=number, **asdict(terms), drafted_by=by, why=why, made_ms=now_ms
        )


def approve(template_id: int, version: int, by: Staff) -> TemplateVersion:
    """A second person lets a version be used, from the next instance on. Once.

    Raises TwoPeopleError, TemplateVersion.DoesNotExist when there is no such draft.
    """
    with transaction.atomic():
        drafts = TemplateVersion.objects.select_for_update().filter(state=TemplateVersion.DRAFT)
        row = drafts.get(template_id=template_id, version=version)
        if row.drafted_by_id == by.id:
            raise TwoPeopleError(f"version {version} of template {template_id} is {by.username}'s own: another approves it")
        row.state, row.approved_by = TemplateVersion.APPROVED, by
        row.save(update_fields=["state", "approved_by"])
        _lanes(Template.objects.get(id=template_id), row)
    return row


def activate(template_id: int, by: Staff, why: str, now_ms: int) -> Template:
    """Its instances are wanted from now on. One that is on already stays as it is.

    Raises TemplateError without an approved version, Template.DoesNotExist.
    """
    return _switch(template_id, True, by, why, now_ms)


def deactivate(template_id: int, by: Staff, why: str, now_ms: int) -> Template:
    """No new instance; those that run go on to their end. One that is off already stays as it is. Raises as `activate`."""
    return _switch(template_id, False, by, why, now_ms)


def newest(template_id: int) -> TemplateVersion | None:
    """The version that a new instance takes; None while none is approved."""
    approved = TemplateVersion.objects.filter(template_id=template_id, state=TemplateVersion.APPROVED)
    return approved.order_by("-version").first()


def _switch(template_id: int, on: bool, by: Staff, why: str, now_ms: int) -> Template:
    with transaction.atomic():
        template = _locked(template_id)
        if template.active == on:
            return template
        if on and newest(template_id) is None:
            raise TemplateError("not_approved", f"no version of template {template_id} is approved")
        template.active, template.switched_by, template.switched_why, template.switched_ms = on, by, why, now_ms
        template.save()
        if on:
            _lanes(template, newest(template_id))
    return template


def _lanes(template: Template, version: TemplateVersion | None) -> None:
    """A lane for each instance that runs beside others. Engines look at them once this is committed."""
    if version is None or not template.active:
        return
    room = instances.room_of(template.id)
    names = [instances.lane_of(template.id, number) for number in range(1, version.parallel + 1)]
    Lane.objects.bulk_create([Lane(name=name, room=room) for name in names], ignore_conflicts=True)
    # Not before: whoever works on a lane locks it first, and its template then.
    transaction.on_commit(lambda: _wake(room), robust=True)


def _wake(room: str) -> None:
    Lane.objects.filter(room=room).update(next_at_ms=0)
    hints.work()


def _locked(template_id: int) -> Template:
    return Template.objects.select_for_update().get(id=template_id)


def check(terms: Terms) -> None:
    """What makes sense, by the rules that an instance would have and what the core does not know of: who may buy how much.

    Raises RoomError.
    """
    try:
        json.loads(terms.beacon or "null")
    except ValueError:
        raise RoomError("beacon", "is no JSON") from None
    instances.rules_of(TemplateVersion(template_id=1, version=1, **asdict(terms)), 1)
    bounds = (("parallel", 1, PARALLEL_MAX), ("steam_level_min", 0, STEAM_LEVEL_MAX), ("share_max_percent", 1, 100))
    for name, least, most in bounds:
        value = getattr(terms, name)
        if type(value) is not int or not least <= value <= most:
            raise RoomError(name, f"a whole number from {least} to {most}, not {value!r}")
    if terms.tickets_max < 1:
        raise RoomError("share_max_percent", f"lets nobody buy one of {terms.tickets} tickets")
    if terms.prize_kind not in KINDS:
        raise RoomError("prize_kind", f"one of {', '.join(KINDS)}, not {terms.prize_kind!r}")
    if terms.tier not in TIERS:
        raise RoomError("tier", f"one of {', '.join(TIERS)}, not {terms.tier!r}")
    if len(terms.genre) > GENRE_MAX:
        raise RoomError("genre", f"at most {GENRE_MAX} signs")
