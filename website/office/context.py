"""What every page of the office knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from website.engine.clock import wall_ms
from website.office import guard, operations, roles

SECTIONS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("start", gettext_noop("Overview"), roles.ALL),
    ("rooms", gettext_noop("Rooms"), roles.ALL),
    ("raffles", gettext_noop("Raffles"), roles.ALL),
    ("players", gettext_noop("Players"), roles.PERSONAL),
    ("texts", gettext_noop("Texts"), roles.ALL),
    ("approvals", gettext_noop("Approvals"), roles.ALL),
    ("ledger", gettext_noop("Ledger"), roles.PERSONAL),
    ("stock", gettext_noop("Stock"), frozenset((roles.ROOMS, roles.MONEY))),
    ("typing", gettext_noop("Typing desk"), frozenset((roles.ROOMS,))),
    ("log", gettext_noop("Staff log"), roles.ALL - {roles.LOOK}),
    ("lists", gettext_noop("Lists"), roles.ALL),
    ("staff", gettext_noop("Staff"), frozenset((roles.OWNER,))),
)
"""The sections of the office in their order, and who sees each."""


@dataclass(frozen=True)
class Link:
    name: str
    title: str
    here: bool

    @property
    def address(self) -> str:
        return f"office:{self.name}"


def of_the_office(request: HttpRequest) -> dict[str, Any]:
    known: dict[str, Any] = {"site_name": settings.SITE_NAME, "site_address": settings.SITE_ADDRESS}
    person = guard.staff_of(request) if hasattr(request, "user") else None
    if person is None:
        return known
    here = request.resolver_match.url_name if request.resolver_match else ""
    sections = [Link(name, _(title), name == here) for name, title, who in SECTIONS if who & person.role_set]
    waits = [each for each in operations.waiting(wall_ms()) if operations.TABLE[each.operation].may(person)]
    return known | {"me": person, "sections": sections, "waits": sum(each.by_id != person.id for each in waits)}
