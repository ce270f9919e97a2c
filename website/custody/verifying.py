"""The page behind the link in an offer's message: whether the offer is ours, for the player who is signed in.

Showing it asks nobody anything, so a preview of the link uses nothing up and learns nothing; the form checks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from fleet_client import errors
from fleet_client.answers import BotIdentity, Trade, VerifyAnswer
from website import fleet
from website.accounts import names
from website.accounts.middleware import players_only
from website.accounts.models import Player
from website.custody import reading, views
from website.custody.reading import Look, Tile
from website.custody.words import Words

TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
# A link that a chat window made longer by a stop or a bracket.
_TOKEN_AND_REST = re.compile(r"([A-Za-z0-9_-]{22})(?![A-Za-z0-9_-])[^A-Za-z0-9]{0,8}")


@dataclass(frozen=True)
class Verdict:
    """`kind` is the fleet's word; `tone` a class: yes, wait or no."""

    kind: str
    tone: str
    title: Words
    text: Words


_NOT_OURS = _("Any offer that you see now is not ours, even with the same name, picture and link.")
VERDICTS: Mapping[str, Verdict] = {
    "ok": Verdict(
        "ok",
        "yes",
        _("Yes, this offer is ours."),
        _("We made it for you, and it is open now. Accept it only if Steam shows exactly this."),
    ),
    "used": Verdict(
        "used",
        "yes",
        _("This offer is ours; you have checked it before."),
        _(
            "If it was not you who checked it, decline it: somebody else may use your account. "
            "Accept it only if Steam shows exactly this."
        ),
    ),
    "not_yet": Verdict(
        "not_yet", "wait", _("Our offer is not out yet."), _("Any offer that you see now is not ours. Do not accept it.")
    ),
    "in_hold": Verdict(
        "in_hold",
        "wait",
        _("You have accepted our offer already."),
        _("Steam keeps the items for some days before they move. Any other offer that you see is not ours: do not accept it."),
    ),
    "over": Verdict("over", "no", _("Our offer is over. Do not accept anything."), _NOT_OURS),
    "cannot_tell": Verdict(
        "cannot_tell",
        "wait",
        _("Do not accept yet."),
        _(
            "We cannot see our offer at Steam at the moment, so we cannot say whether the offer that you see is ours. "
            "Check again in a moment."
        ),
    ),
    "unknown": Verdict(
        "unknown",
        "no",
        _("We cannot confirm this offer."),
        _(
            "It is not an offer that we made to this account. Decline it. If you use several Steam accounts, sign in with the "
            "one that received the offer."
        ),
    ),
    "expired": Verdict(
        "expired",
        "no",
        _("This offer is too old."),
        _("It was ours, but the time in which it can be checked is over. Decline it and ask for a new one."),
    ),
    "no_link": Verdict(
        "no_link",
        "no",
        _("This is no link of ours."),
        _("If it stands in a trade offer, decline that offer: it was not made by us."),
    ),
    "away": Verdict(
        "away",
        "wait",
        _("Do not accept yet."),
        _("Our bots cannot be reached at the moment, so nobody can say whether the offer is ours. Check again in a minute."),
    ),
    "too_many_tries": Verdict(
        "too_many_tries",
        "wait",
        _("That was too often."),
        _("Wait some minutes before you check again. Do not accept anything meanwhile."),
    ),
}
ENDED: Mapping[str, Words] = {
    "accepted": _("It was accepted"),
    "settled": _("It was accepted"),
    "declined": _("It was declined"),
    "countered": _("It was answered with another offer"),
    "expired": _("It expired"),
    "canceled": _("It was taken back"),
    "reversed": _("It was accepted, and then taken back at Steam"),
    "failed": _("It could not be carried out"),
}
BY_PLAYER = frozenset({"accepted", "settled", "declined", "countered"})
UNMOVED = frozenset({"declined", "countered", "expired", "canceled", "failed"})


@never_cache
@require_http_methods(["GET", "POST"])
@players_only
def verify(request: HttpRequest, player: Player, token: str) -> HttpResponseBase:
    match = _TOKEN_AND_REST.fullmatch(token)
    if match is None:
        return render(request, "custody/verify.html", _shown(VERDICTS["no_link"], ""), status=404)
    if match[1] != token and request.method == "GET":
        return redirect("verify", token=match[1])
    if request.method == "GET":
        return render(request, "custody/verify.html", {"section": "", "token": token, "player": player})
    return _checked(request, player, match[1])


def _checked(request: HttpRequest, player: Player, token: str) -> HttpResponseBase:
    try:
        answer = fleet.checker().speaking(views.language()).verify(token, str(player.steam_id))
    except errors.TooManyTries as error:
        response = render(request, "custody/verify.html", _shown(VERDICTS["too_many_tries"], token), status=429)
        response["Retry-After"] = str(int(error.retry_after_s or 60))
        return response
    except (errors.FleetError, ValueError):
        return render(request, "custody/verify.html", _shown(VERDICTS["away"], token), status=503)
    return render(request, "custody/verify.html", _facts(player, token, answer))


def _shown(verdict: Verdict, token: str) -> dict[str, object]:
    return {"section": "", "verdict": verdict, "token": token}


def _facts(player: Player, token: str, answer: VerifyAnswer) -> dict[str, object]:
    """What the page says of an answer: the trade and its items only where they help."""
    verdict = VERDICTS["ok"] if answer.ok else VERDICTS.get(answer.reason or "", VERDICTS["cannot_tell"])
    look = Look()
    trade = reading.trade_of(look, player, answer.trade_id) if answer.trade_id else None
    return {
        **_shown(verdict, token),
        "answer": answer,
        "who": _who(answer.bot_identity),
        "way": reading.way(trade) if trade else None,
        "tiles": _tiles(look, player, trade, verdict),
        "ended": ENDED.get(answer.status or "", ""),
        "after_s": _after_s(trade, answer.ended_at),
        "by_player": (answer.status or "") in BY_PLAYER,
        "unmoved": (answer.status or "") in UNMOVED,
        "offer_url": reading.offer_url(answer.offer_id),
    }


@dataclass(frozen=True)
class Who:
    """The bot as the player sees it in Steam, as far as the fleet knows; numbers as text, so that no language groups digits."""

    name: str = ""
    level: str | None = None
    year: str = ""


def _who(told: BotIdentity | None) -> Who:
    if told is None:
        return Who()
    level = None if told.level is None else str(told.level)
    return Who(names.clean(told.name or ""), level, str(told.since.year) if told.since else "")


def _tiles(look: Look, player: Player, trade: Trade | None, verdict: Verdict) -> list[Tile]:
    shows = trade is not None and verdict.kind in ("ok", "used", "in_hold")
    return reading.tiles_of(look, player, trade) if shows and trade else []


def _after_s(trade: Trade | None, ended_at: datetime | None) -> int | None:
    """Seconds from the offer to its end, if it ended almost at once: a thief declines within seconds."""
    if trade is None or ended_at is None:
        return None
    seconds = int((ended_at - trade.created_at).total_seconds())
    return seconds if 0 <= seconds < 120 else None
