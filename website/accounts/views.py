"""Signing in and out through Steam."""

from __future__ import annotations

import logging

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fleet_client import openid
from website import limits
from website.accounts import preferences, referrals, sessions, sign_in, steam
from website.accounts.middleware import player_of, session_of
from website.care import gate
from website.engine.clock import wall_ms
from website.pages.views import local

BUSY_S = 5
REASONS_OF_AGE = frozenset({"nonce", "nonce_seen"})

_log = logging.getLogger(__name__)


@never_cache
@require_http_methods(["GET", "POST"])
@limits.limited(limits.SIGN_INS)
def signing_in(request: HttpRequest) -> HttpResponseBase:
    """The page with one button; the button leads to Steam."""
    if request.method == "POST":
        response = HttpResponse(status=303)
        response.headers["Location"] = sign_in.begin(response, local(request.POST.get("next", "/")))
        return response
    shown = {"next": local(request.GET.get("next", "/")), "is_test": gate.fleet_is_live() is False}
    return render(request, "accounts/sign_in.html", shown)


@never_cache
@require_GET
def signed_in(request: HttpRequest) -> HttpResponseBase:
    """Back from Steam. Whoever has begun nothing is asked nothing and counts nowhere: any page can make a browser come here."""
    begun = sign_in.begun(request)
    if begun is None:
        return _failed(request, 403, _not_begun(), "/")
    if request.GET.get("openid.mode") == "cancel":
        messages.warning(request, _("You came back from Steam without signing in. Nothing has changed."))
        return _over(redirect(begun.back))
    try:
        limits.take(limits.SIGN_INS, None, request.META.get("REMOTE_ADDR", ""))
        steam_id = sign_in.vouched(request.META.get("QUERY_STRING", ""), begun, wall_ms())
    except limits.LimitReachedError as reached:
        return limits.too_often(request, reached)
    except openid.SignInRefused as refusal:
        _log.info("a sign-in is refused: %s", refusal.reason)
        return _over(_failed(request, 403, _refused(refusal.reason), begun.back))
    except steam.BusyError:
        text = _("Many people sign in at this moment. Wait a few seconds, then begin again.")
        return _over(_failed(request, 503, text, begun.back, BUSY_S))
    except openid.SteamAway:
        text = _("Steam did not say whether this is you: it does not answer at the moment. Begin again in a minute.")
        return _over(_failed(request, 503, text, begun.back, 60))
    return _welcome(request, steam_id, begun.back)


def _welcome(request: HttpRequest, steam_id: int, back: str) -> HttpResponseBase:
    """A session of its own for every sign-in: what this browser had before is over."""
    now_ms = wall_ms()
    player = sign_in.player(request, steam_id, now_ms)
    before = session_of(request)
    if before is not None:
        sessions.end(before)
    rotate_token(request)
    response = redirect(back)
    response.status_code = 303
    sessions.remember(response, sessions.start(player, request.headers.get("User-Agent", ""), now_ms))
    preferences.bring_language(request, response, player)
    response.delete_cookie(referrals.COOKIE, samesite="Lax")
    return _over(response)


def _over(response: HttpResponseBase) -> HttpResponseBase:
    sign_in.ended(response)
    return response


def _not_begun() -> str:
    return _(
        "This browser has not begun to sign in, or more than a quarter of an hour ago. Begin again, and stay in this browser."
    )


def _refused(reason: str) -> str:
    if reason in REASONS_OF_AGE:
        return _("This answer of Steam was used before, or is too old. Each one works once. Begin again.")
    if reason == "return_to":
        return _("This answer of Steam belongs to another sign-in, perhaps of another tab. Begin again, in one tab.")
    return _("What came back does not prove that you are the owner of this Steam account. Nobody was signed in. Begin again.")


def _failed(request: HttpRequest, status: int, text: str, back: str, retry_after_s: int = 0) -> HttpResponse:
    answer = render(request, "accounts/sign_in_failed.html", {"text": text, "next": back}, status=status)
    if retry_after_s:
        answer.headers["Retry-After"] = str(retry_after_s)
    return answer


@require_POST
def sign_out(request: HttpRequest) -> HttpResponseBase:
    session = session_of(request)
    if session is not None:
        sessions.end(session)
    return _left(request, _("You are signed out in this browser."))


@require_POST
def sign_out_everywhere(request: HttpRequest) -> HttpResponseBase:
    player = player_of(request)
    if player is not None:
        sessions.end_all(player)
    return _left(request, _("You are signed out everywhere."))


def _left(request: HttpRequest, said: str) -> HttpResponseBase:
    response = redirect("lobby")
    response.status_code = 303
    sessions.forget(response)
    rotate_token(request)
    messages.success(request, said)
    return response


@require_GET
def invited(request: HttpRequest, code: str) -> HttpResponseBase:
    """Somebody's link: kept until the visitor registers. Nothing is written on this side."""
    response = redirect("lobby")
    if player_of(request) is not None:
        messages.info(request, _("You have an account already: an invitation counts only for who comes for the first time."))
    elif (inviter := referrals.inviter(code)) is not None:
        referrals.remember(response, inviter)
        messages.info(
            request, _("%(name)s has invited you. It counts when you sign in here for the first time.") % {"name": inviter.name}
        )
    else:
        messages.warning(request, _("Nobody has this invitation link. You can play without one."))
    return response
