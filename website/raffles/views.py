"""Pages of raffles and of coins. Without scripts all of it works by forms and links; with them, pages keep up to date."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_GET, require_POST
from lottery import explain
from lottery.verify import Unreadable

from fleet_client import errors
from website import fleet, limits, sealing
from website.accounts.middleware import player_of, players_only
from website.accounts.models import Player
from website.engine.clock import wall_ms
from website.ledger import coins
from website.ledger import services as ledger
from website.ledger.coins import CoinsError
from website.ledger.models import Entry
from website.raffles import filters, instances, prizes, purchases, reading, words
from website.raffles.models import Prize, Purchase, TemplateVersion
from website.rooms import forms
from website.rooms import views as rooms
from website.rooms import words as of_rooms
from website.rooms.models import Lane, Round
from website.rooms.services import BetError

REFRESH_S = 5
LOOK_S = 0.1
fresh = cache_control(private=True, no_cache=True)


# ---- the list


@require_GET
@fresh
def raffles(request: HttpRequest) -> HttpResponse:
    """Every raffle that sells, as far as the filters of the address let it through."""
    player, wanted = player_of(request), filters.read(request.GET)
    pages = Paginator(reading.cards(player, wanted), reading.PAGE)
    page = pages.get_page(request.GET.get("page"))
    context = {
        **_about(request, player),
        "page": page,
        "filters": wanted,
        "low": filters.amount(wanted.low),
        "high": filters.amount(wanted.high),
        "before": wanted.query(page=page.previous_page_number()) if page.has_previous() else "",
        "after": wanted.query(page=page.next_page_number()) if page.has_next() else "",
        "genres": reading.genres(),
        "tiers": words.TIERS.items(),
        "sorts": words.SORTS.items(),
        "past": reading.drawn(),
    }
    return render(request, "raffles/raffles.html", context)


def _about(request: HttpRequest, player: Player | None) -> dict[str, Any]:
    balance = None if player is None else ledger.balance(ledger.wallet(player.id))
    return {
        "section": "raffles",
        "sandbox": rooms.is_sandbox(),
        "balance": balance,
        "now_ms": wall_ms(),
        "refresh_s": REFRESH_S,
    }


# ---- one raffle


@require_GET
@fresh
def raffle(request: HttpRequest, template_id: int, lane: str, number: int) -> HttpResponse:
    """A raffle by its address, for good: on sale, being drawn, or over."""
    player = player_of(request)
    try:
        found = reading.raffle(lane, number, None if player is None else player.id)
    except (Lane.DoesNotExist, Round.DoesNotExist, TemplateVersion.DoesNotExist):
        raise Http404 from None
    if found.template_id != template_id:
        raise Http404
    row, view = found.row, found.view
    quantity = _quantity(request.GET.get("quantity", "")) or 1
    record = reverse("record", args=[row.room, lane, number]) if view.is_over and row.phase == "sealed" else ""
    context = {
        **_about(request, player),
        "shown": found,
        "view": view,
        "row": row,
        "rules": view.rules,
        "by_address": True,
        "steps": rooms.steps(view),
        "phase": words.PHASES.get(row.phase, row.phase)
        if not (row.phase == "void" and view.is_over)
        else _("void; everybody was paid back"),
        "kind": words.KINDS[found.version.prize_kind],
        "tier": words.TIERS[found.version.tier],
        "unproven": of_rooms.unproven(row.late, view.rules.source, row.closed_ms is not None),
        "trouble": of_rooms.waits(view.trouble) if view.trouble else "",
        "record": record,
        "command": rooms.command(view) if record else "",
        "story": _story(row) if "explain" in request.GET else None,
        "still": bool(request.GET.keys() & {"quantity", "still", "explain"}),
        "quantity": quantity,
        "chance": found.with_more(quantity),
        "cost": quantity * found.terms.ticket_price,
        "token": "" if player is None else _token(player.id, lane, number),
        "won_by_you": player is not None and any(user_id == player.id for user_id, _ticket in view.winners),
    }
    return render(request, "raffles/raffle.html", context)


@require_GET
def inspect(request: HttpRequest, template_id: int, lane: str, number: int) -> HttpResponse:
    """Shows the item in its game: the fleet knows its link, which Steam's own client opens."""
    try:
        gift = reading.raffle(lane, number, None).gift
    except (Lane.DoesNotExist, Round.DoesNotExist, TemplateVersion.DoesNotExist):
        raise Http404 from None
    if not gift:
        raise Http404
    try:
        rows = fleet.client().deposits(ids=[gift]).deposits
    except errors.FleetError:
        rows = []
    link = next((row.inspect_link for row in rows if row.inspect_link), "")
    if not link.startswith("steam://"):
        messages.error(request, _("This item cannot be looked at in its game now."))
        return _see_other(reverse("raffle", args=[template_id, lane, number]))
    return HttpResponse(status=302, headers={"Location": link})


def _story(row: Round) -> list[str]:
    text = bytes(Round.objects.values_list("record", flat=True).get(id=row.id))
    if not text or len(text) > rooms.EXPLAIN_MAX:
        return [_("The story is told when the raffle is sealed; that of a very large one by `lottery explain`.")]
    try:
        return explain.story(text)[0]
    except Unreadable as error:
        return [str(error)]


def _quantity(text: str) -> int:
    """0 for what is no number of tickets."""
    return int(text) if forms.NUMBER.fullmatch(text) and text.isascii() else 0


def _token(player_id: int, lane: str, number: int) -> str:
    """The one-use word of a form: the same in every tab until the player's next purchase here (S23)."""
    made = Purchase.objects.filter(player_id=player_id, lane=lane, round=number).count()
    said = f"{player_id}:{lane}:{number}:{made}"
    return salted_hmac("website.raffles.buy", said, algorithm="sha256").hexdigest()[:40]


# ---- buying


@require_POST
@limits.limited(limits.BETS)
async def buy(request: HttpRequest, lane: str, number: int) -> HttpResponseBase:
    """303 to the page of the purchase; for a program, its answer, or what is known after some seconds."""
    kept = await sync_to_async(_kept)(request, lane, number)
    if isinstance(kept, HttpResponse):
        return kept
    if not rooms.wants_json(request):
        return _see_other(reverse("purchase", args=[kept.purchase_id]))
    until = time.monotonic() + settings.SITE_BET_WAIT_S
    while kept.state == Purchase.NEW and time.monotonic() < until:
        await asyncio.sleep(LOOK_S)
        kept = await sync_to_async(_look)(kept.id)
    return await sync_to_async(_as_json)(kept)


def _look(key: int) -> Purchase:
    found = Purchase.objects.get(id=key)
    if not connection.in_atomic_block:
        connection.close()
    return found


def _kept(request: HttpRequest, lane: str, number: int) -> Purchase | HttpResponse:
    player = player_of(request)
    slot = instances.slot_of(lane)
    if slot is None:
        raise Http404
    back = reverse("raffle", args=[slot.template_id, lane, number])
    if player is None:
        if rooms.wants_json(request):
            return _problem({"code": "signed_out", "detail": _("Sign in first.")}, 401)
        return _see_other(f"{reverse('sign_in')}?{urlencode({'next': back})}")
    seed, token = request.POST.get("client_seed", ""), request.POST.get("token", "")
    try:
        if not forms.DEPOSIT.fullmatch(token) or not seed.isprintable():
            raise BetError("token", forms.FORM)
        wanted = purchases.Wanted(lane, number, _quantity(request.POST.get("quantity", "")), token, seed)
        return purchases.buy(player, wanted, wall_ms())
    except BetError as no:
        status = 409 if no.code == "token_reused" else 400
        said = _no_purchase(no.code)
        if rooms.wants_json(request):
            return _problem({"title": _("Not bought"), "code": no.code, "detail": said}, status)
        context = {**_about(request, player), "said": said, "back": back}
        return render(request, "raffles/no_purchase.html", context, status=status)


def _no_purchase(code: str) -> str:
    return {
        "number": _("Say how many tickets: a whole number from 1 on."),
        "token_reused": _("This form was sent before, with another number of tickets; that purchase stands as it is."),
        "client_seed": _("A client seed has at most 64 signs."),
        "lane": _("There is no such raffle."),
    }.get(code, _("This form was not as the page made it. Load the raffle again."))


def _as_json(row: Purchase) -> JsonResponse:
    told: dict[str, Any] = {
        "purchase": row.purchase_id,
        "state": row.state,
        "quantity": row.quantity,
        "address": reverse("purchase", args=[row.purchase_id]),
        "balance": ledger.balance(ledger.wallet(row.player_id)),
        "next_token": _token(row.player_id, row.lane, row.round),
        "title": str(words.STATES[row.state]),
    }
    if row.state != Purchase.REFUSED:
        return JsonResponse(told)
    said = words.refusal(row.code, json.loads(row.details))
    return _problem({**told, "code": row.code, "detail": f"{said.why} {said.accepted}".strip()}, 409)


def _problem(said: dict[str, Any], status: int) -> JsonResponse:
    return JsonResponse({"status": status, **said}, status=status, content_type="application/problem+json")


@require_GET
@fresh
@players_only
def purchase(request: HttpRequest, player: Player, purchase_id: str) -> HttpResponseBase:
    """A purchase, for who made it: where it stands, why it was refused, its receipt."""
    row = _own(player, purchase_id)
    if rooms.wants_json(request):
        return _as_json(row)
    slot = instances.slot_of(row.lane)
    assert slot is not None
    receipt = json.loads(row.receipt) if row.receipt else None
    context = {
        **_about(request, player),
        "purchase": row,
        "state": words.STATES[row.state],
        "answered": row.state != Purchase.NEW,
        "said": words.refusal(row.code, json.loads(row.details)) if row.code else None,
        "receipt": receipt,
        "entry": receipt["items"][0] if receipt else None,
        "last": receipt["items"][0]["first_ticket"] + row.quantity - 1 if receipt else None,
        "prize": TemplateVersion.objects.filter(template_id=slot.template_id).order_by("-version").first(),
        "back": reverse("raffle", args=[slot.template_id, row.lane, row.round]),
        "refresh_s": 1,
    }
    return render(request, "raffles/purchase.html", context)


@require_GET
@players_only
def receipt(request: HttpRequest, player: Player, purchase_id: str) -> HttpResponseBase:
    """The core's receipt as a file: what `lottery verify --receipt` takes."""
    row = _own(player, purchase_id)
    if not row.receipt:
        raise Http404
    name = f'attachment; filename="receipt-{row.purchase_id}.json"'
    return HttpResponse(row.receipt, content_type="application/json", headers={"Content-Disposition": name})


def _own(player: Player, purchase_id: str) -> Purchase:
    row = Purchase.objects.filter(purchase_id=purchase_id, player=player).first()
    if row is None:
        raise Http404
    return row


def _see_other(address: str) -> HttpResponse:
    return HttpResponse(status=303, headers={"Location": address})


# ---- coins and prizes


@require_GET
@never_cache
@players_only
def coins_page(request: HttpRequest, player: Player) -> HttpResponseBase:
    """What a player has, what they may take today, what they have won."""
    now_ms = wall_ms()
    taken = Entry.objects.filter(ref__in=(coins.welcome_ref(player), coins.daily_ref(player, now_ms)))
    refs = set(taken.values_list("ref", flat=True))
    context = {
        **_about(request, player),
        "tab": "coins",
        "lines": reading.lines(player),
        "won": reading.won(player),
        "welcome": settings.SITE_COINS_WELCOME if coins.welcome_ref(player) not in refs else 0,
        "daily": settings.SITE_COINS_DAILY,
        "daily_taken": coins.daily_ref(player, now_ms) in refs,
    }
    return render(request, "raffles/coins.html", context)


@require_POST
@limits.limited(limits.CHANGES)
@players_only
def daily(request: HttpRequest, player: Player) -> HttpResponseBase:
    return _take(request, player, coins.daily)


@require_POST
@limits.limited(limits.CHANGES)
@players_only
def welcome(request: HttpRequest, player: Player) -> HttpResponseBase:
    return _take(request, player, coins.welcome)


def _take(request: HttpRequest, player: Player, give: Callable[[Player, int], Entry]) -> HttpResponseBase:
    """A second time gives nothing more, and says the same."""
    try:
        give(player, wall_ms())
        messages.success(request, _("The coins are yours."))
    except CoinsError as no:
        said = words.no_coins(no.code, no.until_ms)
        messages.error(request, f"{said.why} {said.accepted}".strip())
    return _see_other(reverse("coins"))


@require_POST
@never_cache
@limits.limited(limits.CHANGES)
@players_only
def reveal(request: HttpRequest, player: Player, prize_id: int) -> HttpResponseBase:
    """The key, for who has won it. It stands in this answer only, which nobody keeps."""
    try:
        key = prizes.reveal(player, prize_id, wall_ms())
    except Prize.DoesNotExist:
        raise Http404 from None
    except (sealing.SealError, prizes.PrizeError):
        messages.error(request, _("The key cannot be opened at the moment. It is safe; tell us, and try again later."))
        return _see_other(reverse("coins"))
    return render(request, "raffles/key.html", {**_about(request, player), "tab": "coins", "key": key})


@require_POST
@limits.limited(limits.CHANGES)
@players_only
def confirm(request: HttpRequest, player: Player, prize_id: int) -> HttpResponseBase:
    """The winner says that a prize has come."""
    try:
        prizes.confirm(player, prize_id, wall_ms())
    except Prize.DoesNotExist:
        raise Http404 from None
    messages.success(request, _("Thank you. It is noted that the prize has come."))
    return _see_other(reverse("coins"))
