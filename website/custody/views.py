"""Pages of a player's items: what is here, on Steam and on its way; deposits and withdrawals; one trade.

Everything works without scripts: each action is a form that leads on to a page, and what is under way refreshes itself.
"""

from __future__ import annotations

import json
import re
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from lottery.events import Denial

from fleet_client import errors
from fleet_client.answers import Trade
from website import fleet, limits
from website.accounts.middleware import players_only
from website.accounts.models import Player
from website.accounts.trade_links import trade_url_of
from website.custody import errands, forms, reading, words
from website.custody.errands import DeniedError, ErrandError
from website.custody.models import Errand
from website.custody.reading import Look
from website.engine.clock import wall_ms
from website.limits import LimitReachedError
from website.pages.errors import not_found
from website.rooms import words as room_words
from website.rooms.words import Refusal

TABS = ("here", "steam", "way", "credit")
REFRESH_S = 3
SOON_MS = 60_000
"""How often a page reloads itself while something is under way."""


def language() -> str:
    return get_language() or "en"


@never_cache
@require_GET
@players_only
def inventory(request: HttpRequest, player: Player) -> HttpResponseBase:
    tab = request.GET.get("tab", "here")
    return show_inventory(request, player, tab) if tab in TABS else not_found(request)


def show_inventory(
    request: HttpRequest, player: Player, tab: str, code: str = "", status: int = 200, said: Refusal | None = None
) -> HttpResponse:
    """One tab; `code` is why something was refused, shown on top of it, `said` its words where they are others."""
    look = Look()
    more = {"here": _here, "steam": _steam, "way": _way, "credit": _credit}[tab](request, player, look)
    status = more.pop("status", status) if status == 200 else status
    context = {"section": "inventory", "tab": tab, "token": forms.new_token(), "away": look.away, "link": trade_url_of(player)}
    refused = f"{said.why} {said.accepted}" if said else words.refusal(code) if code else ""
    context |= {"refused": refused, "refused_code": code, "refused_link": said, "errand": None}
    return render(request, "custody/inventory.html", {**context, **more}, status=status)


def _here(request: HttpRequest, player: Player, look: Look) -> dict[str, Any]:
    found = reading.here(look, player)
    return {"here": found} | _chosen(request, found.tiles)


def _steam(request: HttpRequest, player: Player, look: Look) -> dict[str, Any]:
    found = reading.on_steam(look, player, trade_url_of(player) or "", language(), wall_ms())
    why = words.refusal(found.code, found.said) if found.code else ""
    return {"steam": found, "steam_why": why} | _chosen(request, found.tiles)


def _way(_request: HttpRequest, player: Player, look: Look) -> dict[str, Any]:
    found = reading.on_the_way(look, player)
    return {"way": found, "refresh_s": REFRESH_S if found.open and not look.away else 0}


def _credit(request: HttpRequest, player: Player, look: Look) -> dict[str, Any]:
    after = request.GET.get("after", "")
    return {"credit": reading.credits(look, player, after if reading.CREDIT_ID.fullmatch(after) else None)}


def _chosen(request: HttpRequest, tiles: Any) -> dict[str, Any]:
    """What stands chosen: by a button, or as it was sent before it was refused."""
    how = request.GET.get("choose", "")
    up_to = request.GET.get("value", "")
    cents = forms.amount(up_to)
    sent = forms.sent(request.POST, "ids")
    ids = reading.chosen(tiles, how, cents, sent)
    wrong = how == "upto" and cents is None
    total = sum(tile.cents or 0 for tile in tiles if tile.id in ids)
    return {"chosen": ids, "chosen_cents": total, "up_to": up_to, "wrong_amount": wrong, **({"status": 400} if wrong else {})}


@never_cache
@require_POST
@players_only
def refresh(request: HttpRequest, player: Player) -> HttpResponseBase:
    """Has the inventory on Steam read again, at most once in ten seconds."""
    wait_ms = reading.refresh_in_ms(player, wall_ms())
    if wait_ms:
        response = show_inventory(request, player, "steam", "rate_limited", 429)
        response["Retry-After"] = str(-(-wait_ms // 1000))
        return response
    look = Look()
    code, said = reading.read_steam(look, player, trade_url_of(player) or "", language())
    if code:
        messages.warning(request, str(words.refusal(code, said)))
    return redirect("/inventory?tab=steam")


@never_cache
@require_POST
@players_only
def deposit(request: HttpRequest, player: Player) -> HttpResponseBase:
    return _ask(request, player, Errand.DEPOSIT, "steam")


@never_cache
@require_POST
@players_only
def withdraw(request: HttpRequest, player: Player) -> HttpResponseBase:
    return _ask(request, player, Errand.WITHDRAW, "here")


def _ask(request: HttpRequest, player: Player, kind: str, tab: str) -> HttpResponseBase:
    """Keeps what was asked for, then carries it out; a second sending of the same form leads to the same page."""
    link = trade_url_of(player)
    try:
        if not link:
            raise ErrandError("trade_link")
        body: dict[str, object] = {"ids": forms.ids(request.POST, "ids")}
        if kind == Errand.WITHDRAW and request.POST.get("when_settled"):
            body["when_settled"] = True
        token = forms.token(request.POST)
        if not Errand.objects.filter(player=player, token=token).exists():  # a second click is no second wish
            limits.take(limits.CHANGES, player.id, request.META.get("REMOTE_ADDR", ""))
        errand = errands.ask(player, kind, body, token, wall_ms())
    except LimitReachedError as reached:
        return limits.too_often(request, reached)
    except DeniedError as error:
        return _denied(request, player, error.denial)
    except ErrandError as error:
        return show_inventory(request, player, tab, error.code, 409 if error.code in ("token_reused", "trade_link") else 400)
    return _lead_on(errands.carry_out(errand, link, language(), wall_ms()))


def _denied(request: HttpRequest, player: Player, denial: Denial) -> HttpResponse:
    """A deposit that responsible play says no to: why, and from when it would be taken."""
    return show_inventory(request, player, "steam", "gate", 409, room_words.deposit_denied(denial))


def _lead_on(errand: Errand) -> HttpResponseBase:
    trades = json.loads(errand.trades)
    if len(trades) == 1:
        return redirect("trade", trade_id=trades[0])
    return redirect("errand", errand_id=errand.errand_id)


@never_cache
@require_GET
@players_only
def errand_page(request: HttpRequest, player: Player, errand_id: str) -> HttpResponseBase:
    """How far it is; while nobody knows, this asks the fleet again under the same key."""
    errand = Errand.objects.filter(player=player, errand_id=errand_id).first()
    if errand is None:
        return not_found(request)
    now_ms = wall_ms()
    errand = errands.carry_out(errand, trade_url_of(player) or "", language(), now_ms)
    trades = json.loads(errand.trades)
    if len(trades) == 1:
        return redirect("trade", trade_id=trades[0])
    look = Look()
    page = look.ask(lambda client: client.look_up(trade_ids=trades)) if trades else None
    details = json.loads(errand.details)
    ways = [reading.way(trade) for trade in (page.trades if page else ()) if trade.user_id == player.user_id]
    goes_on = errands.is_carried(errand, now_ms) or any(way.is_open for way in ways)
    context = {
        "section": "inventory",
        "errand": errand,
        "ways": ways,
        "why": words.refusal(errand.code, details.get("player_message")),
        "reasons": sorted({str(words.not_taken(each.get("reason"))) for each in details.get("assets", [])}),
        "carried": errands.is_carried(errand, now_ms),
        "refresh_s": REFRESH_S if goes_on else 0,
        "away": look.away,
    }
    return render(request, "custody/errand.html", context)


def _settles_soon(trade: Trade) -> bool:
    """Accepted, and safe within this minute: who looks on is not to be told to wait once it is."""
    if trade.status != "accepted" or trade.settles_at is None:
        return False
    return abs(trade.settles_at.timestamp() * 1000 - wall_ms()) < SOON_MS


@never_cache
@require_GET
@players_only
def trade_page(request: HttpRequest, player: Player, trade_id: str) -> HttpResponseBase:
    look = Look()
    trade = reading.trade_of(look, player, trade_id, language())
    if trade is None and not look.away:
        return not_found(request)
    way = reading.way(trade) if trade else None
    if way is not None and not way.is_open:
        reading.here(look, player)  # the sum in the head of the page counts what has come or gone
    context = {
        "section": "inventory",
        "way": way,
        "tiles": reading.tiles_of(look, player, trade) if trade else [],
        "away": look.away,
        "refresh_s": REFRESH_S if way is None or way.is_open or _settles_soon(way.trade) else 0,
    }
    return render(request, "custody/trade.html", context, status=200 if trade else 503)


@never_cache
@require_POST
@players_only
def cancel(request: HttpRequest, player: Player, trade_id: str) -> HttpResponseBase:
    """A second time changes nothing."""
    look = Look()
    trade = reading.trade_of(look, player, trade_id)
    if trade is None and not look.away:
        return not_found(request)
    if trade is None:
        messages.error(request, str(words.REFUSALS["fleet_away"]))
        return redirect("trade", trade_id=trade_id) if re.fullmatch(reading.TRADE_ID, trade_id) else redirect("inventory")
    try:
        fleet.hands().speaking(language()).cancel(trade_id)
    except errors.AnswerLost:
        messages.warning(request, _("Our bots did not answer. This page shows whether it is cancelled; you may ask again."))
    except errors.Problem as problem:
        messages.error(request, str(words.refusal(problem.error_code, problem.player_message)))
    except errors.FleetError:
        messages.error(request, str(words.REFUSALS["fleet_away"]))
    return redirect("trade", trade_id=trade_id)
