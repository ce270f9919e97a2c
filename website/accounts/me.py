"""Pages of a player's own: profile, trade link, sessions, invitations, all of their data."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy, override
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from fleet_client import errors as fleet_errors
from website import fleet, limits
from website.accounts import agents, erasure, export, invited, preferences, services, trade_links
from website.accounts.erasure import ErasureError
from website.accounts.middleware import players_only, session_of
from website.accounts.models import Player, PlayerSession
from website.accounts.trade_links import TradeLinkError
from website.care import gate
from website.care.models import Declaration
from website.engine.clock import wall_ms


def _seen(response: HttpResponse) -> HttpResponse:
    """303: the next one is a GET."""
    response.status_code = 303
    return response


WORD = gettext_lazy("FORGET ME")
NOT_YET = {
    "blocked": gettext_lazy("Your account is blocked here, and a block goes by the account. Write to us first."),
    "prize_owed": gettext_lazy("You have won something that you do not have yet. Take it, or say that it has come, first."),
    "in_a_round": gettext_lazy("A bet of yours is in a round that goes on. Come back when it is over."),
    "under_way": gettext_lazy("Something that you asked for is under way. Come back when it is over."),
    "items_here": gettext_lazy(
        "You have items here, or on their way. Take them home first: nobody could give them to you later."
    ),
    "credit_left": gettext_lazy("You have credit here. Use it at the exchange first: nobody could give it to you later."),
    "fleet_away": gettext_lazy("Our bots do not answer, so we cannot see whether something of yours is here. Try again later."),
}


@require_POST
@limits.limited(limits.CHANGES)
@players_only
def erase(request: HttpRequest, player: Player) -> HttpResponseBase:
    """Forgets the player, on their typed word; they are signed out everywhere by it."""
    if request.POST.get("word", "").strip().casefold() != str(WORD).casefold():
        messages.error(request, _("To be forgotten, type the words as they stand there. Nothing was changed."))
        return _seen(redirect("play"))
    try:
        erasure.erase(player, wall_ms())
    except ErasureError as no:
        messages.error(request, str(NOT_YET[no.code]))
        return _seen(redirect("play"))
    messages.success(request, _("You are forgotten here. Our bots forget you within some days."))
    return _seen(redirect("lobby"))


@never_cache
@require_GET
@players_only
def profile(request: HttpRequest, player: Player) -> HttpResponseBase:
    return _profile(request, player, {})


def _profile(request: HttpRequest, player: Player, wrong: dict[str, str]) -> HttpResponse:
    """`wrong`: what cannot be taken, by field."""
    link = trade_links.trade_url_of(player)
    shown = {
        "tab": "me",
        "wrong": wrong,
        "has_link": link is not None,
        "link_start": "" if link is None else link.partition("&")[0],
        "where": trade_links.WHERE,
        "declared": Declaration.objects.filter(player=player).exists(),
        "level_min": settings.SITE_STEAM_LEVEL_MIN,
        "level_is_enough": gate.level_is_enough(player),
        "languages": settings.LANGUAGES,
        "language": get_language(),
        "session": session_of(request),
        "sessions": [
            {"id": each.id, "seen_ms": each.seen_ms, "called": agents.called(each.agent)}
            for each in PlayerSession.objects.filter(player=player, expires_ms__gt=wall_ms()).order_by("-seen_ms")
        ],
    }
    return render(request, "accounts/me.html", shown, status=400 if wrong else 200)


@sensitive_post_parameters("trade_url")
@require_POST
@limits.limited(limits.CHANGES)
@players_only
def trade_link(request: HttpRequest, player: Player) -> HttpResponseBase:
    text = "" if request.POST.get("forget") else request.POST.get("trade_url", "")
    if not text.strip() and not request.POST.get("forget"):
        return _profile(request, player, {"trade_url": _("Paste your trade link.")})
    try:
        trade_links.set_trade_url(player, text)
    except TradeLinkError as error:
        return _profile(request, player, {"trade_url": _no_link(error.code)})
    return _done(_("The trade link is kept.") if text else _("The trade link is gone from here."), request)


def _no_link(code: str) -> str:
    if code == "no_key":
        return _("The site cannot keep trade links now: its operator has not given it a key for them. Nothing was changed.")
    if code == "not_yours":
        return _("This is the trade link of another Steam account. Give that of the account with which you are signed in.")
    return _(
        "This is no trade link. It begins with https://steamcommunity.com/tradeoffer/new/ and has a partner and a token; "
        "copy it from Steam as a whole."
    )


@require_POST
@limits.limited(limits.CHANGES)
@players_only
def shown_to_others(request: HttpRequest, player: Player) -> HttpResponseBase:
    """The name that others see, and what else they see."""
    try:
        services.call(player, request.POST.get("pseudonym", ""))
    except ValueError:
        return _profile(request, player, {"pseudonym": _("Nothing of this name can be seen. Choose another one.")})
    player.show_statistics = request.POST.get("show_statistics") == "yes"
    player.show_raffles = request.POST.get("show_raffles") == "yes"
    player.save(update_fields=["show_statistics", "show_raffles"])
    return _done(_("Saved."), request)


@require_POST
@limits.limited(limits.CHANGES)
@players_only
def language(request: HttpRequest, player: Player) -> HttpResponseBase:
    response = redirect("me")
    try:
        preferences.set_language(response, player, request.POST.get("language", ""))
    except ValueError:
        return _profile(request, player, {"language": _("The site does not speak this language.")})
    with override(player.language):
        messages.success(request, _("Saved."))
    response.status_code = 303
    return response


@require_POST
@limits.limited(limits.CHANGES)
@players_only
def end_session(request: HttpRequest, player: Player, number: int) -> HttpResponseBase:
    """Signs out another browser of the player's own; one that is not there is signed out already."""
    PlayerSession.objects.filter(player=player, id=number).delete()
    return _done(_("That browser is signed out."), request)


@never_cache
@require_GET
@players_only
def own_data(request: HttpRequest, player: Player) -> HttpResponseBase:
    """All that the site keeps about the player."""
    try:
        limits.take(limits.EXPORTS, player.id, request.META.get("REMOTE_ADDR", ""))
    except limits.LimitReachedError as reached:
        return limits.too_often(request, reached)
    response = JsonResponse(export.of(player), json_dumps_params={"indent": 1, "ensure_ascii": False})
    response.headers["Content-Disposition"] = 'attachment; filename="own-data.json"'
    return response


@never_cache
@require_GET
@players_only
def referral(request: HttpRequest, player: Player) -> HttpResponseBase:
    found = invited.levels(player)
    shown = {
        "tab": "referral",
        "link": f"{settings.SITE_ADDRESS}{reverse('invitation', args=[player.code])}",
        "levels": found,
        "invited": found[0].people if found else 0,
        "active": found[0].active if found else 0,
        "earned": sum(level.earned for level in found),
        "percent": invited.percent(),
        "balance": _balance(player),
        "inviter": player.inviter,
    }
    return render(request, "accounts/referral.html", shown)


def _balance(player: Player) -> int | None:
    """What the house owes the player; None while the fleet does not say."""
    if not settings.SITE_FLEET_URLS:
        return None
    try:
        return fleet.client().credits(player.user_id, limit=1).balance_cents
    except fleet_errors.NotFound:
        return 0
    except fleet_errors.FleetError:
        return None


def _done(said: str, request: HttpRequest) -> HttpResponse:
    messages.success(request, said)
    response = redirect("me")
    response.status_code = 303
    return response
