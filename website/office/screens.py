"""What the office shows. Nothing is changed here: buttons lead to operations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from fleet_client import errors
from website import fleet
from website.accounts.models import Player
from website.care import services as care
from website.engine.clock import wall_ms
from website.engine.models import Call
from website.ledger import services as ledger
from website.ledger.models import Account, Entry
from website.office import chart, door, figures, guard, log, operations, roles, state, texts
from website.office.acts import rooms as acts_of_rooms
from website.office.guard import asker, staff_of, staff_only
from website.office.models import Line, Staff, Text
from website.office.operation import RefusedError
from website.office.operations import TABLE
from website.pages.parameters import described
from website.raffles import prizes
from website.raffles import services as raffle_services
from website.raffles.models import Template, TemplateVersion
from website.rooms import definitions, numbers
from website.rooms.models import Bet, Guarantee, Lane, LaneEvent, RoomVersion, Round, TypedNumber

FOUND_MAX = 50
LINES = 100
STOCK_MAX = 100


def show(request: HttpRequest, screen: str, /, **known: Any) -> HttpResponseBase:
    """A screen; `can` says which operations this person may do, for its buttons."""
    person = staff_of(request)
    can = {each.name for each in TABLE.values() if person is not None and each.may(person)}
    return render(request, f"office/{screen}.html", {"can": can, **known})


@require_safe
@staff_only()
def start(request: HttpRequest) -> HttpResponseBase:
    now_ms = wall_ms()
    window = dict(figures.WINDOWS).get(request.GET.get("days", ""), 1)
    chosen = next(name for name, days in figures.WINDOWS if days == window)
    found = figures.by_room(now_ms, window)
    titles = {"today": _("today"), "7": _("7 days"), "30": _("30 days"), "all": _("all")}
    return show(
        request,
        "start",
        troubles=list(state.troubles(now_ms)),
        windows=[(name, titles[name], name == chosen) for name, _days in figures.WINDOWS],
        rows=list(found.items()),
        total=figures.total(found.values()),
        chart=chart.of_days(figures.per_day(now_ms)),
        totals=state.totals(),
        first_steps=not Lane.objects.exists(),
    )


@require_safe
@staff_only()
def rooms(request: HttpRequest) -> HttpResponseBase:
    found = state.rooms()
    closed = [name for name in definitions.names() if name not in {each.name for each in found}]
    return show(request, "rooms", rooms=found, closed=closed)


@require_safe
@staff_only()
def rules(request: HttpRequest, room: str) -> HttpResponseBase:
    """The rules of a room as they are, and every version with its people."""
    versions = RoomVersion.objects.filter(room=room).select_related("drafted_by", "approved_by").order_by("-version")
    try:
        number, now = acts_of_rooms.current(room)
    except RefusedError:
        return guard.not_found(request)
    waits = [each for each in operations.waiting(wall_ms()) if each.operation == "change_rules" and each.target == room]
    return show(request, "rules", room=room, number=number, rows=described(now.rules), versions=versions, waits=waits)


@require_safe
@staff_only()
def one_round(request: HttpRequest, lane: str, number: int) -> HttpResponseBase:
    """A round: its events in order, its bets, and the calls to the fleet."""
    row = get_object_or_404(Round.objects.defer("record"), lane=lane, round=number)
    events = LaneEvent.objects.filter(lane=lane, round=number).order_by("number")
    bets = Bet.objects.filter(lane=lane, round=number).order_by("id")
    calls = Call.objects.filter(lane=lane, round=number).order_by("id")
    return show(request, "round", row=row, events=list(_steps(events)), bets=bets, calls=calls)


def _steps(events: Any) -> Iterator[tuple[Any, int]]:
    """Each event with the milliseconds since the one before."""
    before: int | None = None
    for event in events:
        yield event, 0 if before is None else event.at_ms - before
        before = event.at_ms


@require_safe
@staff_only()
def raffles(request: HttpRequest) -> HttpResponseBase:
    """Kinds of raffles, which administrators make, and actual raffles, which players take part in."""
    kinds = []
    for template in Template.objects.order_by("id"):
        newest = TemplateVersion.objects.filter(template=template).order_by("-version").first()
        in_use = raffle_services.newest(template.id)
        sealed = Round.objects.filter(room=f"raffle-{template.id}").exclude(sealed_ms=None).count()
        keys = prizes.in_stock(template.id)
        kinds.append({"keys": keys, "template": template, "newest": newest, "in_use": in_use, "drawn": sealed})
    actual = Round.objects.filter(lane__startswith="raffle-", sealed_ms=None).defer("record").order_by("lane")
    owed = list(prizes.owed())
    return show(request, "raffles", kinds=kinds, actual=actual, owed=owed, waits=_waits(("draft_raffle",)))


def _waits(names: tuple[str, ...]) -> int:
    return sum(each.operation in names for each in operations.waiting(wall_ms()))


@require_safe
@staff_only(*roles.PERSONAL)
def players(request: HttpRequest) -> HttpResponseBase:
    """Found by a part of the name, the Steam id, the number here, or a bet."""
    asked = request.GET.get("q", "").strip()
    found = Player.objects.order_by("-id")
    if asked:
        either = Q(name__icontains=asked) | Q(steam_name__icontains=asked) | Q(bets__bet_id=asked)
        if asked.isascii() and asked.isdigit() and len(asked) < 19:
            either |= Q(id=int(asked)) | Q(steam_id=int(asked))
        found = found.filter(either).distinct()
    return show(request, "players", players=found[:FOUND_MAX], asked=asked, most=FOUND_MAX)


@require_safe
@staff_only(*roles.PERSONAL)
def player(request: HttpRequest, number: int) -> HttpResponseBase:
    """Everything of one player; who reads it stands in the log."""
    row = get_object_or_404(Player, id=number)
    now_ms = wall_ms()
    operations.noted(asker(request), "looked", f"player {row.id}", now_ms)
    entries = Entry.objects.filter(postings__account__owner=ledger.wallet(row.id)).order_by("-id")[:FOUND_MAX]
    return show(
        request,
        "player",
        row=row,
        care=care.of(row, now_ms),
        coins=ledger.balance(ledger.wallet(row.id)),
        bets=Bet.objects.filter(player=row).order_by("-id")[:FOUND_MAX],
        entries=entries,
        decisions=[json.loads(each.line) for each in row.decisions.order_by("-number")[:20]],
        sessions=row.sessions.count(),
    )


@require_safe
@staff_only(*roles.PERSONAL)
def books(request: HttpRequest) -> HttpResponseBase:
    """Accounts and the last entries of the ledger, and whether it holds."""
    accounts = Account.objects.exclude(kind=Account.WALLET).order_by("owner")[:FOUND_MAX]
    wallets = Account.objects.filter(kind=Account.WALLET)
    entries = Entry.objects.prefetch_related("postings__account").order_by("-id")[:FOUND_MAX]
    held = {"count": wallets.count(), "cents": sum(wallets.values_list("balance_cents", flat=True))}
    return show(request, "ledger", accounts=accounts, wallets=held, entries=entries, differences=ledger.differences())


@require_safe
@staff_only(roles.ROOMS, roles.MONEY)
def stock(request: HttpRequest) -> HttpResponseBase:
    """What is free as the fleet tells it, and what is set aside."""
    aside = Guarantee.objects.filter(state__in=Guarantee.OPEN).select_related("set_aside_by").order_by("id")
    free: Any = None
    if settings.SITE_FLEET_URLS:
        try:
            free = fleet.client().stock(limit=STOCK_MAX).items
        except (errors.FleetError, ValueError):
            free = None
    brackets = _brackets(free or ())
    return show(request, "stock", aside=aside, free=free, brackets=brackets)


def _brackets(items: Any) -> list[tuple[int, int | None, int, int]]:
    """From, below, pieces, cents."""
    edges = (0, 100, 500, 2_000, 10_000)
    found = []
    for low, high in zip(edges, (*edges[1:], None), strict=True):
        values = [
            piece.value_cents for piece in items if piece.value_cents >= low and (high is None or piece.value_cents < high)
        ]
        found.append((low, high, len(values), sum(values)))
    return found


@require_safe
@staff_only(roles.ROOMS)
def typing(request: HttpRequest) -> HttpResponseBase:
    """The desk: the number that is due, whether the own seat has typed, and what was decided before. Never what waits."""
    person = staff_of(request)
    desks = []
    for row in Round.objects.filter(phase__in=("typing", "opened")).defer("record").order_by("lane"):
        lane = Lane.objects.filter(name=row.lane, round=row.round).first()
        if lane is None or not numbers.awaits_number(lane):
            continue
        due = 1 + LaneEvent.objects.filter(lane=row.lane, round=row.round, kind="manual").count()
        typed = TypedNumber.objects.filter(lane=row.lane, round=row.round)
        waiting = typed.filter(number=due, state=TypedNumber.WAITING)
        over = typed.exclude(state=TypedNumber.WAITING).select_related("operator").order_by("-id")
        seats = {"mine": waiting.filter(operator=person).exists(), "count": waiting.count()}
        desks.append({"row": row, "due": due, "seats": seats, "over": over})
    return show(request, "typing", desks=desks, stream=settings.SITE_STREAM_URL)


@require_safe
@staff_only()
def written(request: HttpRequest) -> HttpResponseBase:
    """Texts of pages and news, each with its newest version."""
    pages = [(name, texts.newest(name)) for name in texts.PAGES]
    names = Text.objects.filter(name__startswith=texts.NEWS).order_by("name").values_list("name", flat=True).distinct()
    return show(
        request, "texts", pages=pages, news=[(name, texts.newest(name)) for name in names], waits=_waits(("change_text",))
    )


@require_safe
@staff_only()
def versions(request: HttpRequest, name: str) -> HttpResponseBase:
    rows = Text.objects.filter(name=name).select_related("written_by", "approved_by").order_by("-version")
    return show(request, "versions", name=name, rows=rows)


@require_safe
@staff_only(roles.SUPPORT, roles.ROOMS, roles.MONEY, roles.OWNER)
def staff_log(request: HttpRequest) -> HttpResponseBase:
    rows = Line.objects.select_related("staff").order_by("-number")
    who, what = request.GET.get("who", "").strip(), request.GET.get("q", "").strip()
    if who:
        rows = rows.filter(staff__username=who)
    if what:
        rows = rows.filter(Q(operation__icontains=what) | Q(target__icontains=what))
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(number__lt=int(before))
    shown = [(row, json.loads(row.line)) for row in rows[:LINES]]
    more = shown[-1][0].number if len(shown) == LINES else None
    people = Staff.objects.order_by("username").values_list("username", flat=True)
    known = {"who": who, "what": what, "people": people, "more": more, "differences": state.log_is_whole()}
    return show(request, "log", lines=shown, days=log.days(7), **known)


@require_safe
@staff_only(roles.OWNER)
def staff(request: HttpRequest) -> HttpResponseBase:
    people = Staff.objects.order_by("username")
    return show(request, "staff", people=people, roles=[(name, _(what)) for name, what in roles.WHAT.items()], now_ms=wall_ms())


@require_POST
@staff_only(roles.OWNER)
def invitation(request: HttpRequest, name: str) -> HttpResponseBase:
    """The link by which somebody who has no password yet sets one. Shown once; a new one ends the one before."""
    person = get_object_or_404(Staff, username=name, is_active=True)
    if person.has_usable_password() or not person.role_set:
        return guard.refused(request)
    word = door.invite(person, wall_ms())
    operations.noted(asker(request), "invitation", person.username, wall_ms())
    link = request.build_absolute_uri(reverse("office:join", args=[word]))
    return show(request, "invitation", person=person, link=link)
