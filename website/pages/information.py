"""Pages that explain: odds, rules by version, fairness, help, what is open now. All of them are read without signing in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from website import proof
from website.engine.clock import wall_ms
from website.office import log, texts
from website.pages import facts
from website.pages.parameters import described
from website.proof import program as programs

TEXTS = ("help", "types", "contacts", "terms", "privacy")
"""Pages that are only text; each has its template."""
BINDING = ("terms", "privacy")


def page(request: HttpRequest, name: str, **more: Any) -> HttpResponse:
    return render(request, f"pages/{name}.html", {"contact": settings.SITE_CONTACT, **more})


@require_safe
def odds(request: HttpRequest) -> HttpResponse:
    """The table of each room, and what the house really took in the last thirty days."""
    taken = facts.collected(wall_ms())
    rooms = [(version, taken.get(version.room, facts.Collected())) for version in facts.newest(facts.versions())]
    return page(request, "odds", rooms=rooms, days=facts.COLLECTED_DAYS)


@require_safe
def fairness(request: HttpRequest) -> HttpResponse:
    shown = {"relays": settings.SITE_BEACON_RELAYS, "offline": proof.page(), "program": programs.published()}
    shown |= {"staff_days": log.days()}
    return page(request, "fairness", section="fairness", source=settings.SITE_SOURCE_URL, **shown)


@require_safe
def program(request: HttpRequest) -> HttpResponse:
    """The checking program as one file."""
    headers = {"Content-Disposition": f'attachment; filename="{programs.NAME}"', "Cache-Control": "public, max-age=3600"}
    return HttpResponse(programs.program(), content_type="application/zip", headers=headers)


@require_safe
def scripts(request: HttpRequest) -> HttpResponse:
    """The hashes of the scripts that check rounds, for whoever compares them with those of the public release."""
    files = {"page": asdict(proof.page()), "program": asdict(programs.published())}
    return JsonResponse({**files, "scripts": [asdict(each) for each in proof.scripts()]})


@require_safe
def custody(request: HttpRequest) -> HttpResponse:
    """What is bound for rounds at the fleet, against what rounds say: the last looks, newest first."""
    looks = facts.custody()
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"looks": [asdict(look) for look in looks]})
    return page(request, "custody", looks=looks, newest=looks[0] if looks else None)


@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """Every version of every room that ever counted or will."""
    rooms: dict[str, list[facts.Version]] = {}
    for version in facts.versions():
        rooms.setdefault(version.room, []).append(version)
    return page(request, "rules", rooms=rooms)


@require_safe
def rules_of(request: HttpRequest, room: str, number: int) -> HttpResponse:
    found = next((version for version in facts.versions(room) if version.number == number), None)
    if found is None:
        raise Http404
    return page(request, "rules_of", version=found, rows=described(found.rules))


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    return page(request, "status", now=facts.now(wall_ms()))


@require_safe
def text(request: HttpRequest, name: str) -> HttpResponse:
    """A page that is only text: help, types, contacts, terms, privacy. What staff have written and approved goes before.

    While the database is away, help is what its template says; of what binds somebody nothing is said that was not approved.
    """
    try:
        written = texts.shown(name)
    except (OperationalError, InterfaceError):
        if name in BINDING:
            raise
        written = None
    return page(request, name) if written is None else render(request, "office/public_text.html", {"text": written})


@require_safe
def news(request: HttpRequest) -> HttpResponse:
    return render(request, "office/public_news.html", {"news": texts.news()})
