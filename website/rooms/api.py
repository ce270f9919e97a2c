"""Rooms for programs: `/api/v1/…`."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from website import limits
from website.accounts.middleware import player_of
from website.engine.clock import wall_ms
from website.rooms import forms, odds, plain, reading
from website.rooms.models import Bet, Lane, LaneMessage, Round
from website.rooms.services import BetError

PAGE = 100
SETTLE_MS = 1_000
"""A message may become visible a moment after one with a higher number: nobody is shown either before both are there."""


@require_GET
def rooms(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"rooms": [plain.card(each) for each in reading.cards()], "now_ms": wall_ms()})


@require_GET
def room(request: HttpRequest, room: str) -> JsonResponse:
    """A room with the round that takes bets, or the newest."""
    found = next((each for each in reading.cards() if each.room == room), None)
    if found is None:
        raise Http404
    told = plain.card(found) | {"now_ms": wall_ms()}
    if found.row is not None:
        told["round"] = plain.round_of(reading.view(found.row.lane, found.row.round, None))
    return JsonResponse(told)


@require_GET
def room_odds(request: HttpRequest, room: str) -> HttpResponseBase:
    """What a bet would be worth now: `cents`, `items`, `team`. On top of what the player has in the pot, who is signed in."""
    row = reading.open_round(room)
    if row is None:
        raise Http404
    try:
        cents, items = forms.number(request.GET, "cents"), forms.number(request.GET, "items")
        team = forms.number(request.GET, "team") if "team" in request.GET else 0
    except BetError as no:
        return _problem(400, no.code, _("`cents`, `items` and `team` are whole numbers."))
    player = player_of(request)
    found = reading.view(row.lane, row.round, None if player is None else player.id)
    if odds.are_drawn(found.state):
        try:
            limits.take(limits.ODDS, None if player is None else player.id, request.META.get("REMOTE_ADDR", ""))
        except limits.LimitReachedError as reached:
            return limits.too_often(request, reached)
    worth = odds.of_bet(found.state, 0 if player is None else player.id, cents, items, team)
    told = {"lane": row.lane, "round": row.round, "seq": found.lane.seq}
    return JsonResponse(told | {"odds": None if worth is None else plain.odds(worth)})


@require_GET
def round_of(request: HttpRequest, lane: str, number: int) -> JsonResponse:
    """A round as it is public at this moment."""
    try:
        return JsonResponse(plain.round_of(reading.view(lane, number, None)))
    except (Lane.DoesNotExist, Round.DoesNotExist):
        raise Http404 from None


@require_GET
def closes(request: HttpRequest) -> JsonResponse:
    """Close records as they were told, from a number on: for witnesses, who keep them. `next` goes into `after`."""
    try:
        after = forms.number(request.GET, "after") if "after" in request.GET else 0
    except BetError as no:
        return _problem(400, no.code, _("`after` is a whole number."))
    found = LaneMessage.objects.filter(kind="closed", id__gt=after, at_ms__lte=wall_ms() - SETTLE_MS)
    rows = list(found.order_by("id")[:PAGE])
    return JsonResponse({"closes": plain.closes(rows), "next": rows[-1].pk if rows else after})


@require_GET
def bets(request: HttpRequest) -> JsonResponse:
    """The player's own bets, the newest first; `before` is the `number` of the last one of a page."""
    player = player_of(request)
    if player is None:
        return _problem(401, "signed_out", _("Sign in first."))
    try:
        before = forms.number(request.GET, "before") if "before" in request.GET else None
    except BetError as no:
        return _problem(400, no.code, _("`before` is a whole number."))
    mine = Bet.objects.filter(player=player)
    rows = list((mine if before is None else mine.filter(id__lt=before)).order_by("-id")[:PAGE])
    return JsonResponse({"bets": [{"number": row.pk, **plain.bet(row)} for row in rows]})


def _problem(status: int, code: str, detail: str) -> JsonResponse:
    said = {"status": status, "code": code, "detail": detail}
    return JsonResponse(said, status=status, content_type="application/problem+json")
