"""Pages of rooms. Without scripts everything works by forms and links; with them, `room.js` keeps the same page up to date."""

from __future__ import annotations

import json
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_POST
from lottery import explain
from lottery.bets import CLIENT_SEED_BYTES
from lottery.verify import Unreadable

from website import limits
from website.accounts.middleware import player_of, players_only
from website.accounts.models import Player
from website.care import gate
from website.engine.clock import wall_ms
from website.raffles import instances
from website.raffles import reading as raffles
from website.rooms import forms, odds, people, picker, plain, reading, receipts, results, services, waiting, words
from website.rooms import panel as panels
from website.rooms.forms import Chosen
from website.rooms.models import Bet, Lane, LaneEvent, Round
from website.rooms.services import BetError
from website.rooms.shown import View

REFRESH_S = 5
EXPLAIN_MAX = 2_000_000
RECEIPTS_SHOWN = 50
TO_STEPS = ("commitment", "closed", "secret", "beacon", "drawn", "paid")
fresh = cache_control(private=True, no_cache=True)


def wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def is_sandbox() -> bool:
    """Whether what is played with is simulated: players sign in at a Steam that is not Valve's."""
    return "steamcommunity.com" not in settings.SITE_STEAM_URL


# ---- the lobby


@require_GET
@fresh
def lobby(request: HttpRequest) -> HttpResponse:
    """Every room at one look."""
    now_ms = wall_ms()
    barred = words.barred(gate.standing(player_of(request), now_ms))
    player = player_of(request)
    shown = {
        "cards": reading.cards(),
        "raffles": raffles.nearly_sold(),
        "past": reading.last_rounds(),
        "now_ms": now_ms,
        "barred": barred,
    }
    shown |= {"result": results.last(player, now_ms), "may_play": player is not None and barred is None}
    return render(request, "rooms/lobby.html", {"section": "rooms", "sandbox": is_sandbox(), **shown})


# ---- one round


@require_GET
@fresh
def room(request: HttpRequest, room: str) -> HttpResponse:
    """The round of a room that takes bets, or the one that is being drawn while none does."""
    row = reading.open_round(room)
    if row is None:
        return _not_begun(request, room)
    player, chosen = player_of(request), _chosen(request)
    found = _view(request, row.lane, row.round, player)
    panel = panels.panel(found, player, chosen, request.META.get("REMOTE_ADDR", ""))
    still = bool(request.GET.keys() & {"item", "team", "still", "before"})
    context = _of_round(request, found, player) | {
        "panel": panel,
        "barred": words.barred(gate.standing(player, wall_ms(), max(1, found.rules.bet_value_min or 0))),
        "still": still,
        "following": _following(found),
        "others": reading.others_on_the_way(room, row),
        "result": results.last(player, wall_ms(), but=row),
    }
    return render(request, "rooms/room.html", context)


def _not_begun(request: HttpRequest, room: str) -> HttpResponse:
    """A room whose rules are approved, but whose first round no engine has made yet."""
    rules = reading.versions().get(room)
    if rules is None:
        raise Http404
    return render(request, "rooms/not_begun.html", {"section": "rooms", "title": words.title(room), "refresh_s": REFRESH_S})


@require_GET
@fresh
def round_page(request: HttpRequest, room: str, lane: str, number: int) -> HttpResponse:
    """A round by its address, for good."""
    _there(room, lane, number)
    slot = instances.slot_of(lane)
    if slot is not None:
        query = request.META.get("QUERY_STRING", "")
        return redirect(reverse("raffle", args=[slot.template_id, lane, number]) + (f"?{query}" if query else ""))
    player = player_of(request)
    found = _view(request, lane, number, player)
    before, after = reading.neighbours(found.row)
    context = _of_round(request, found, player) | {
        "before": before,
        "after": after,
        "story": _story(found) if "explain" in request.GET else None,
        "command": command(found),
        "still": "explain" in request.GET or "before" in request.GET,
        "by_address": True,
    }
    return render(request, "rooms/round.html", context)


def _there(room: str, lane: str, number: int) -> Round:
    row = Round.objects.filter(room=room, lane=lane, round=number).defer(*reading.HEAVY).first()
    if row is None:
        raise Http404
    return row


def _view(request: HttpRequest, lane: str, number: int, player: Player | None) -> View:
    before = request.GET.get("before", "")
    older = int(before) if forms.NUMBER.fullmatch(before) and before.isascii() else None
    try:
        return reading.view(lane, number, None if player is None else player.id, older)
    except (Lane.DoesNotExist, Round.DoesNotExist):
        raise Http404 from None


def _of_round(request: HttpRequest, found: View, player: Player | None) -> dict[str, Any]:
    now_ms, row = wall_ms(), found.row
    return {
        "section": "rooms",
        "sandbox": is_sandbox(),
        "refresh_s": REFRESH_S,
        "view": found,
        "row": found.row,
        "rules": found.rules,
        "now_ms": now_ms,
        "left_s": max(0, (found.row.deadline_ms or 0) - now_ms) // 1000,
        "steps": steps(found),
        "sides": panels.sides(found) if found.mode == "teams" else None,
        "prizes": reading.prizes(found) if found.created.guarantees else [],
        "given": reading.given(found) if found.outcome else [],
        "places": _places(found),
        "unproven": words.unproven(row.late, found.rules.source, row.closed_ms is not None),
        "trouble": words.waits(found.trouble) if found.trouble else "",
        "items_left": found.things[-1].place - 1 if found.things else 0,
        "stream": settings.SITE_STREAM_URL,
        "rates": json.dumps(found.rules.rake or []),
        "pictures": people.pictures(seat.user_id for seat in found.seats),
        "terms": words.terms(found.rules),
        "receipts": _receipts(found, player),
        "record": _address(found, "record") if found.is_over and found.row.phase == "sealed" else "",
    }


def _receipts(found: View, player: Player | None) -> str:
    """Own receipts of a round that is over, as texts in JSON: the browser holds them against the record."""
    if player is None or found.row.sealed_ms is None:
        return "[]"
    mine = Bet.objects.filter(player=player, lane=found.row.lane, round=found.row.round).exclude(receipt="")
    return json.dumps(list(mine.order_by("id").values_list("receipt", flat=True)[:RECEIPTS_SHOWN]))


def _address(found: View, name: str) -> str:
    return reverse(name, args=[found.row.room, found.row.lane, found.row.round])


def steps(found: View) -> list[tuple[str, str, str]]:
    """The six steps of a round's proof: name, done, now or nothing, and what of it is public by now."""
    row, secret = found.row, found.opened.get("open", {}).get("secret", "")
    public = {
        "commitment": bytes(row.hash).hex(),
        "closed": found.close.get("hash", ""),
        "secret": secret or "",
        "beacon": bytes(row.entropy).hex() if row.entropy else "",
        "drawn": str(found.winners[0][1]) if found.winners and found.winners[0][1] is not None else "",
        "paid": bytes(row.seal).hex() if row.seal else "",
    }
    reached = [
        row.phase != "warmup",
        row.closed_ms is not None,
        bool(secret),
        bool(row.entropy) or (bool(found.winners) and not found.rules.source.waits),
        bool(found.winners),
        row.sealed_ms is not None,
    ]
    done = reached.index(False) if False in reached else len(reached)
    state = ["done"] * done + ["now"] * (done < len(reached)) + [""] * (len(reached) - done - 1)
    return [(name, state[place], public[name]) for place, name in enumerate(TO_STEPS)]


def _places(found: View) -> dict[int, list[Any]]:
    """Sit-n-Go: each player's exact chances of the first, second and third place."""
    if found.mode != "sitngo" or not found.seats:
        return {}
    worked_out = {seat.user_id: odds.of_bet(found.state, seat.user_id) for seat in found.seats}
    return {user_id: list(each.places) for user_id, each in worked_out.items() if each is not None}


def _following(found: View) -> list[tuple[str, Any, Any]]:
    row = reading.following(found.row.room, found.row.version)
    return [] if row is None else reading.changes(found.rules, reading.rules_of(row))


def command(found: View) -> str:
    """What a stranger types to check the round."""
    program, record = f"{settings.SITE_ADDRESS}{reverse('program')}", f"{settings.SITE_ADDRESS}{_address(found, 'record')}"
    trust = "" if found.rules.beacon is None else f" --trust-chain {found.rules.beacon.chain_hash}"
    return f"curl -sSfO {program} -sSfO {record}\npython3 lottery.pyz verify{trust} record.json"


def _story(found: View) -> list[str]:
    """The plain sentences of the core, in its language."""
    text = bytes(Round.objects.values_list("record", flat=True).get(id=found.row.id))
    if not text or len(text) > EXPLAIN_MAX:
        return [_("The story is told when the round is sealed; that of a very large round by `lottery explain`.")]
    try:
        return explain.story(text)[0]
    except Unreadable as error:
        return [str(error)]


@require_GET
def record(request: HttpRequest, room: str, lane: str, number: int) -> HttpResponse:
    """The sealed record, byte for byte. It never changes."""
    row = Round.objects.filter(room=room, lane=lane, round=number).only("record", "sealed_ms").first()
    if row is None or not row.record:
        raise Http404
    return HttpResponse(bytes(row.record), content_type="application/json", headers={"Cache-Control": "public, max-age=86400"})


@require_GET
def events(request: HttpRequest, room: str, lane: str, number: int) -> HttpResponse:
    """The list of events that the record is the sum of, once it is sealed."""
    if _there(room, lane, number).sealed_ms is None:
        raise Http404
    bodies = LaneEvent.objects.filter(lane=lane, round=number).order_by("number").values_list("body", flat=True)
    text = "[" + ",\n".join(bodies) + "]"
    return HttpResponse(text, content_type="application/json", headers={"Cache-Control": "public, max-age=86400"})


# ---- choosing, without scripts


def _chosen(request: HttpRequest) -> Chosen:
    """What of an address is a choice; anything else in it chooses nothing."""
    try:
        return forms.chosen(request.GET)
    except BetError:
        return Chosen()


@require_POST
@limits.limited(limits.CHANGES)
@players_only
def choose(request: HttpRequest, player: Player, room: str) -> HttpResponseBase:
    """Buttons of the picker: all, none, up to a value, or what is ticked with its odds. Changes nothing but the address."""
    row = reading.open_round(room)
    if row is None:
        raise Http404
    try:
        chosen = forms.chosen(request.POST)
    except BetError as no:
        messages.error(request, words.refusal(no.code, {}).why)
        return redirect("room", room)
    ids = list(chosen.deposit_ids)
    how = request.POST.get("choose", "")
    if how in ("all", "value"):
        found = reading.view(row.lane, row.round, player.id)
        offered = picker.choice(player, found.rules)
        ids = _chosen_by(request, how, offered, panels.most(found))
    elif how == "none":
        ids = []
    query = [("item", each) for each in ids] + [("team", str(chosen.team)), ("client_seed", chosen.client_seed)]
    return _see_other(f"{reverse('room', args=[room])}?{urlencode([each for each in query if each[1]] + [('still', '1')])}#bet")


def _see_other(address: str) -> HttpResponse:
    """303: whatever was sent, the next one is a GET, and going back sends nothing twice."""
    return HttpResponse(status=303, headers={"Location": address})


def _chosen_by(request: HttpRequest, how: str, offered: picker.Choice, most: int) -> list[str]:
    if how == "all":
        return picker.all_of(offered, most)
    cents = _cents(request.POST.get("up_to", ""))
    if cents is None:
        messages.error(request, _("A value is written like 12.34."))
        return []
    return picker.up_to(offered, cents, most)


def _cents(text: str) -> int | None:
    """12.34 or 12,34 in cents."""
    whole, _sign, part = text.strip().replace(",", ".").partition(".")
    part = part.ljust(2, "0")
    if not (forms.NUMBER.fullmatch(whole) and len(whole) <= 9 and len(part) == 2 and forms.NUMBER.fullmatch(part)):
        return None
    return int(whole) * 100 + int(part)


# ---- bets


@require_POST
@limits.limited(limits.BETS)
async def place_bet(request: HttpRequest) -> HttpResponseBase:
    """303 to the page of the bet; for a program, its answer, or what is known after some seconds."""
    answer = await sync_to_async(_kept_and_let_go)(request)
    if isinstance(answer, HttpResponse):
        return answer
    if not wants_json(request):
        return _see_other(reverse("bet", args=[answer.bet_id]))
    row = await waiting.answered(answer, settings.SITE_BET_WAIT_S)
    return await sync_to_async(_as_json)(row)


def _kept_and_let_go(request: HttpRequest) -> Bet | HttpResponse:
    """The bet may wait for seconds, and many wait at once: none of them keeps a connection meanwhile."""
    try:
        return _kept(request)
    finally:
        if not connection.in_atomic_block:
            connection.close()


def _kept(request: HttpRequest) -> Bet | HttpResponse:
    """The bet as it is written down, or why there is none."""
    player = player_of(request)
    if player is None:
        return _sign_in_first(request)
    try:
        return services.place_bet(player, forms.wanted(request.POST), wall_ms())
    except BetError as no:
        status = 409 if no.code == "token_reused" else 400
        said = plain.problem(no.code, {"bytes_max": CLIENT_SEED_BYTES})
        if wants_json(request):
            return _problem({**said, "title": _("Not taken")}, status)
        back = _room_of(request.POST.get("lane", ""))
        context = {"section": "rooms", "said": words.refusal(no.code, {"bytes_max": CLIENT_SEED_BYTES}), "back": back}
        return render(request, "rooms/no_bet.html", context, status=status)


def _room_of(lane: str) -> str:
    row = Lane.objects.filter(name=lane).first() if forms.LANE.fullmatch(lane) else None
    return reverse("lobby") if row is None else reverse("room", args=[row.room])


def _sign_in_first(request: HttpRequest) -> HttpResponse:
    if wants_json(request):
        return _problem({"code": "signed_out", "detail": _("Sign in first.")}, 401)
    back = _room_of(request.POST.get("lane", ""))
    return redirect(f"{reverse('sign_in')}?{urlencode({'next': back})}")


def _problem(said: dict[str, Any], status: int) -> JsonResponse:
    return JsonResponse({"status": status, **said}, status=status, content_type="application/problem+json")


def _as_json(row: Bet) -> JsonResponse:
    told = plain.bet(row) | {"next_token": forms.token(row.player_id, row.lane, row.round)}
    if row.state == Bet.REFUSED:
        return _problem({"title": _("Not taken"), **told}, 409)
    return JsonResponse(told)


@require_GET
@fresh
@players_only
def bet(request: HttpRequest, player: Player, bet_id: str) -> HttpResponseBase:
    """A bet, for who made it: where it stands, why it was refused, its receipt."""
    row = _own_bet(player, bet_id)
    if wants_json(request):
        return JsonResponse(plain.bet(row))
    at = Lane.objects.filter(name=row.lane).first()
    receipt = json.loads(row.receipt) if row.receipt else None
    context = {
        "section": "rooms",
        "bet": row,
        "room": at.room if at else "",
        "title": words.title(at.room) if at else row.lane,
        "state": words.state(row.state),
        "answered": row.state in plain.ANSWERED,
        "said": words.refusal(row.code, json.loads(row.details)) if row.code else None,
        "receipt": receipt,
        "lines": _lines(receipt) if receipt else [],
        "signs": receipts.signs(),
        "refresh_s": 1,
        "count": len(json.loads(row.deposit_ids)),
    }
    return render(request, "rooms/bet.html", context)


def _own_bet(player: Player, bet_id: str) -> Bet:
    row = Bet.objects.filter(bet_id=bet_id, player=player).first()
    if row is None:
        raise Http404
    return row


def _lines(receipt: dict[str, Any]) -> list[tuple[Any, int, int, int | None, str]]:
    """Item by item: kind, price, first and last ticket, the log after it."""
    named = reading.kinds(each["item_id"] for each in receipt["items"])
    return [
        (
            named.get(each["item_id"]),
            each["price"],
            each["first_ticket"],
            each["first_ticket"] + each["tickets"] - 1 if each["tickets"] else None,
            log,
        )
        for each, log in zip(receipt["items"], receipt["logs"], strict=True)
    ]


@require_GET
@players_only
def receipt(request: HttpRequest, player: Player, bet_id: str) -> HttpResponseBase:
    """The core's receipt as a file: what `lottery verify --receipt` takes."""
    row = _own_bet(player, bet_id)
    if not row.receipt:
        raise Http404
    return _file(row.receipt, f"receipt-{row.bet_id}.json")


@require_GET
@players_only
def signed_receipt(request: HttpRequest, player: Player, bet_id: str) -> HttpResponseBase:
    """The same, with the site's signature."""
    row = _own_bet(player, bet_id)
    if not row.receipt or not receipts.signs():
        raise Http404
    return _file(json.dumps(receipts.signed(row), indent=1), f"signed-receipt-{row.bet_id}.json")


def _file(text: str, name: str) -> HttpResponse:
    return HttpResponse(
        text, content_type="application/json", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@require_GET
def receipt_key(request: HttpRequest) -> HttpResponse:
    """The public half of the key that signs receipts."""
    if not receipts.signs():
        raise Http404
    return JsonResponse({"format": receipts.FORMAT, "algorithm": "Ed25519", "public_key": receipts.public_key()})
