"""Pages of responsible play: the declaration, limits and pauses, what was played."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from lottery import responsible_play

from website import limits
from website.accounts.middleware import players_only
from website.accounts.models import Player
from website.care import countries, gate, play, services, words
from website.care.models import Declaration
from website.care.services import CareError
from website.engine.clock import wall_ms

AMOUNT = re.compile(r"([0-9]{1,8})(?:[.,]([0-9]{1,2}))?")
EARLIEST = date(1900, 1, 1)


# ---- the declaration


@never_cache
@require_http_methods(["GET", "POST"])
@limits.limited(limits.CHANGES)
@players_only
def declaration(request: HttpRequest, player: Player) -> HttpResponseBase:
    """Date of birth and country, as the player says them, once."""
    wrong: dict[str, str] = {}
    if request.method == "POST":
        wrong = _declare(request, player)
        if not wrong:
            return _seen(redirect("declaration"))
    made = Declaration.objects.filter(player=player).first()
    now_ms = wall_ms()
    shown = {
        "tab": "declaration",
        "made": made,
        "country": "" if made is None else countries.name(made.country, get_language() or "en"),
        "follows": "" if made is None else _follows(player, now_ms),
        "countries": countries.listed(get_language() or "en"),
        "is_test": gate.fleet_is_live() is False,
        "wrong": wrong,
        "given": request.POST,
    }
    return render(request, "care/declaration.html", shown, status=400 if wrong else 200)


def _declare(request: HttpRequest, player: Player) -> dict[str, str]:
    """What is wrong with what was sent, by field; nothing when it was taken, now or before."""
    today, born = datetime.now(UTC).date(), _date(request.POST.get("born", ""))
    country, wrong = request.POST.get("country", ""), {}
    if born is None or not EARLIEST <= born <= today:
        wrong["born"] = _("Give the day on which you were born.")
    if country not in countries.CODES:
        wrong["country"] = _("Choose the country in which you live.")
    if request.POST.get("sure") != "yes":
        wrong["sure"] = _("Look at both once more, and say that they are right.")
    if wrong or born is None:
        return wrong
    try:
        gate.declare(player, born, country, wall_ms())
    except IntegrityError:
        messages.warning(request, _("You have declared this before. It stays as it was."))
    return {}


def _follows(player: Player, now_ms: int) -> str:
    """Why somebody who has declared this may not play; "" if they may."""
    profile, allowed = services.of(player, now_ms), gate.allowed_countries()
    intent = responsible_play.Intent("free_play", room="any")
    policy = responsible_play.Policy(countries={"any": allowed})
    no = responsible_play.denial(responsible_play.gate(profile, (), now_ms, intent, policy))
    if no is not None and no.reason == "under_age" and no.until is not None:
        return words.under_age(no.until)
    return "" if no is None else words.closed(no.reason)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


# ---- limits and pauses


@dataclass(frozen=True)
class LimitRow:
    """One limit as the page shows it. `share` is what is used of it, in thousandths, at most 1000."""

    kind: str
    window: str
    called: Any
    limit: int | None
    used: int
    share: int
    asked: responsible_play.Raise | None
    free_ms: int | None
    may_confirm: bool


@never_cache
@require_GET
@players_only
def limits_page(request: HttpRequest, player: Player) -> HttpResponseBase:
    return _limits_page(request, player)


def _limits_page(request: HttpRequest, player: Player, status: int = 200) -> HttpResponse:
    now_ms = wall_ms()
    profile = services.of(player, now_ms)
    excluded = profile.excluded and (profile.excluded_until is None or now_ms < profile.excluded_until)
    shown = {
        "tab": "limits",
        "groups": _groups(player, profile, now_ms),
        "excluded": excluded,
        "excluded_until": profile.excluded_until if excluded else None,
        "time_out_until": profile.time_out_until if now_ms < profile.time_out_until else None,
        "reality_minutes": profile.reality_every_ms // services.MINUTE_MS,
        "reality_choices": services.REALITY_MINUTES,
        "time_out_choices": services.TIME_OUT_DAYS,
        "exclusion_choices": zip(services.EXCLUSION_DAYS, words.EXCLUSIONS, strict=True),
        "word": exclusion_word(),
    }
    return render(request, "care/limits.html", shown, status=status)


def _groups(player: Player, profile: responsible_play.Profile, now_ms: int) -> list[dict[str, Any]]:
    ledger = gate.ledger(player.id, now_ms)
    notes = {
        "deposit": _("What the items are worth that you bring in; what you take home is not set against it."),
        "stake": _("What you bet in rounds, whatever comes back."),
        "loss": _("What you bet, less what came back."),
    }
    return [
        {
            "kind": kind,
            "called": words.LIMITS[kind],
            "note": notes[kind],
            "rows": [_row(profile, ledger, kind, window, now_ms) for window in responsible_play.WINDOWS],
        }
        for kind in services.HELD
    ]


def _row(profile: responsible_play.Profile, ledger: Any, kind: str, window: str, now_ms: int) -> LimitRow:
    limit = next((each.cents for each in profile.limits if (each.kind, each.window) == (kind, window)), None)
    asked = next((each for each in profile.raises if (each.kind, each.window) == (kind, window)), None)
    used = responsible_play.used(kind, ledger, now_ms, responsible_play.WINDOWS[window])
    share = 0 if limit is None else 1000 if used >= limit else used * 1000 // limit
    free_ms = None if asked is None else asked.asked_ms + responsible_play.RAISE_AFTER_MS
    may_confirm = free_ms is not None and now_ms >= free_ms
    return LimitRow(kind, window, words.WINDOWS[window], limit, used, share, asked, free_ms, may_confirm)


@require_POST
@limits.limited(limits.CHANGES)
@players_only
def set_limit(request: HttpRequest, player: Player, kind: str, window: str) -> HttpResponseBase:
    """`amount`, or `none=1` to have no limit."""
    cents = None if request.POST.get("none") else _cents(request.POST.get("amount", ""))
    if cents is None and not request.POST.get("none"):
        return _wrong(request, player, _("Give an amount, as 25 or 25.50."))
    try:
        profile = services.set_limit(player, kind, window, cents, wall_ms())
    except CareError as error:
        return _wrong(request, player, _care(error))
    waits = any((each.kind, each.window) == (kind, window) for each in profile.raises)
    said = _("The limit holds from now on.")
    if waits:
        said = _("The limit stays as it is for a day. Come back then and agree once more; only after that it changes.")
    return _done(request, said)


@require_POST
@limits.limited(limits.CHANGES)
@players_only
def confirm_limit(request: HttpRequest, player: Player) -> HttpResponseBase:
    """The second consent to a higher limit; `no=1` takes the wish back."""
    kind, window = request.POST.get("kind", ""), request.POST.get("window", "")
    try:
        if request.POST.get("no"):
            services.forget_raise(player, kind, window, wall_ms())
            return _done(request, _("Nothing changes: the limit stays as it is."))
        services.confirm(player, kind, window, wall_ms())
    except CareError as error:
        return _wrong(request, player, _care(error))
    return _done(request, _("The new limit holds from now on."))


@require_POST
@limits.limited(limits.CHANGES)
@players_only
def time_out(request: HttpRequest, player: Player) -> HttpResponseBase:
    try:
        profile = services.take_time_out(player, _number(request.POST.get("days", "")), wall_ms())
    except CareError as error:
        return _wrong(request, player, _care(error))
    until = words.date_of(profile.time_out_until)
    return _done(request, _("You take a time-out until %(until)s. You can take items home all the time.") % {"until": until})


@require_POST
@limits.limited(limits.CHANGES)
@players_only
def exclude(request: HttpRequest, player: Player) -> HttpResponseBase:
    """Needs the word, typed; no support is asked. `days`: a number, or `ever`."""
    if request.POST.get("word", "").strip().casefold() != exclusion_word().casefold():
        return _wrong(request, player, _("To exclude yourself, type the word as it stands there. Nothing was changed."))
    days = request.POST.get("days", "")
    try:
        services.exclude(player, None if days == "ever" else _number(days), wall_ms())
    except CareError as error:
        return _wrong(request, player, _care(error))
    return _done(
        request, _("You are excluded from now on: no bet is taken any more. You can take your items home at any time.")
    )


def exclusion_word() -> str:
    return _("EXCLUDE")


# ---- the reality check


@never_cache
@require_http_methods(["GET", "POST"])
@limits.limited(limits.CHANGES)
@players_only
def reality(request: HttpRequest, player: Player) -> HttpResponseBase:
    """What was played since the last check. POST: `minutes` says how often it comes; without, it is answered."""
    now_ms = wall_ms()
    if request.method == "POST":
        minutes = request.POST.get("minutes")
        try:
            if minutes is None:
                services.answer_reality(player, now_ms)
                return _done(request, _("You can go on."), "lobby")
            services.check_every(player, _number(minutes), now_ms)
        except CareError as error:
            return _wrong(request, player, _care(error))
        return _done(request, _("The reality check comes as often as you said."))
    profile = services.of(player, now_ms)
    seen = responsible_play.reality(profile, gate.ledger(player.id, now_ms), now_ms)
    minutes_played = max(0, seen.played_ms) // services.MINUTE_MS
    shown = {"tab": "limits", "seen": seen, "hours": minutes_played // 60, "minutes": minutes_played % 60}
    return render(request, "care/reality.html", shown)


# ---- what was played


@never_cache
@require_GET
@players_only
def own_play(request: HttpRequest, player: Player) -> HttpResponseBase:
    rows = [{"called": words.WINDOWS[each.window], "sums": each} for each in play.totals(player, wall_ms())]
    nothing = not any(_some(row) for row in rows)
    return render(request, "care/play.html", {"tab": "play", "rows": rows, "nothing": nothing, "forget_word": _("FORGET ME")})


def _some(row: Mapping[str, Any]) -> bool:
    sums = row["sums"]
    return bool(sums.deposited or sums.staked or sums.returned)


@never_cache
@require_GET
@players_only
def play_csv(request: HttpRequest, player: Player) -> HttpResponseBase:
    try:
        limits.take(limits.EXPORTS, player.id, request.META.get("REMOTE_ADDR", ""))
    except limits.LimitReachedError as reached:
        return limits.too_often(request, reached)
    response = StreamingHttpResponse(play.as_csv(player), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="play.csv"'
    return response


# ---- shared


def _cents(text: str) -> int | None:
    match = AMOUNT.fullmatch(text.strip())
    return None if match is None else int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def _number(text: str) -> int:
    """0 for what is none: no choice of these pages is 0."""
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0


def _care(error: CareError) -> str:
    return {
        "too_early": _("A higher limit needs a day. Nothing was changed; agree to it when the day is over."),
        "nothing_asked": _("There is no such limit, or no change of it was asked for."),
        "shortened": _("A pause can be made longer, never shorter. Nothing was changed."),
        "too_short": _("Choose one of the times that are offered."),
    }.get(error.code, _("There is no such limit. Nothing was changed."))


def _wrong(request: HttpRequest, player: Player, said: str) -> HttpResponseBase:
    messages.error(request, said)
    return _limits_page(request, player, status=400)


def _done(request: HttpRequest, said: str, to: str = "limits") -> HttpResponseBase:
    messages.success(request, said)
    return _seen(redirect(to))


def _seen(response: HttpResponse) -> HttpResponse:
    response.status_code = 303
    return response
