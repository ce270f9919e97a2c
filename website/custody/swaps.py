"""Exchanges as players make them: choose what to give and take, see the whole sum once, confirm. The engine carries it out."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from website import limits
from website.accounts.middleware import players_only
from website.accounts.models import Player
from website.custody import forms, reading, services, words
from website.custody.errands import ErrandError
from website.custody.models import Exchange
from website.custody.reading import Here, Look, Tile
from website.custody.services import ExchangeError, Swap
from website.custody.views import REFRESH_S
from website.engine.clock import wall_ms
from website.limits import LimitReachedError
from website.pages.errors import not_found
from website.rooms.models import TICKET_NAMES

STOCK_SHOWN = 60
COUNT_MAX = 1_000
SEARCH_AGAIN_S = 60.0
ITEMS = "items"

_prices: dict[str, int] = {}
_searched_at = -SEARCH_AGAIN_S


@dataclass(frozen=True)
class Terms:
    """One exchange before it is confirmed, to the cent. `fee` is what the house keeps of real items that are taken."""

    give: Sequence[Tile]
    credit_cents: int
    ticket: str
    count: int
    want: Sequence[Tile]
    price_cents: int = 0

    @property
    def in_cents(self) -> int:
        return sum(tile.cents or 0 for tile in self.give) + self.credit_cents

    @property
    def out_cents(self) -> int:
        return self.count * self.price_cents + sum(tile.cents or 0 for tile in self.want)

    @property
    def fee_cents(self) -> int:
        real = sum(tile.cents or 0 for tile in self.want if not tile.is_ticket)
        return -(-real * settings.SITE_EXCHANGE_FEE_BP // 10_000)

    @property
    def rest_cents(self) -> int:
        return self.in_cents - self.out_cents - self.fee_cents


def ticket_prices(look: Look) -> dict[str, int]:
    """What a ticket of each name is worth: it never changes, so it is looked for until it is known."""
    global _searched_at
    if len(_prices) < len(TICKET_NAMES) and time.monotonic() > _searched_at + SEARCH_AGAIN_S:
        _searched_at = time.monotonic()
        found = look.ask(lambda client: [i for i in client.each_item() if i.market_hash_name in TICKET_NAMES])
        _prices.update({item.market_hash_name: item.value_cents for item in found or () if item.value_cents})
    return dict(_prices)


# ---- choosing


@never_cache
@require_http_methods(["GET", "POST"])
@players_only
def exchange(request: HttpRequest, player: Player) -> HttpResponseBase:
    """What could be given and taken. By POST, with the items that were chosen in the inventory; nothing is changed by it."""
    return _choosing(request, player)


def _choosing(request: HttpRequest, player: Player, code: str = "", status: int = 200) -> HttpResponse:
    look = Look()
    here, prices, credit = reading.here(look, player), ticket_prices(look), reading.credits(look, player)
    balance = max(0, credit.balance_cents) if credit else 0
    chosen = reading.chosen(here.tiles, "", None, forms.sent(request.POST, "ids"))
    context = {
        "section": "exchange",
        "tiles": [tile for tile in here.tiles if not tile.mark],
        "chosen": chosen,
        "chosen_cents": sum(tile.cents or 0 for tile in here.tiles if tile.id in chosen),
        "balance": balance,
        "prices": sorted(prices.items(), key=lambda pair: TICKET_NAMES[pair[0]]),
        "stock": reading.stock(look, here.free_cents + balance, STOCK_SHOWN),
        "wanted": set(forms.sent(request.POST, "want")),
        "sent": request.POST,
        "fee_bp": settings.SITE_EXCHANGE_FEE_BP,
        "away": look.away,
        "refused": words.refusal(code) if code else "",
    }
    return render(request, "custody/exchange.html", context, status=status)


@never_cache
@require_POST
@players_only
def review(request: HttpRequest, player: Player) -> HttpResponseBase:
    """The whole exchange on one page, to be confirmed. It binds nothing and changes nothing."""
    try:
        terms = _terms(request.POST, player)
    except ErrandError as error:
        return _choosing(request, player, error.code, 503 if error.code == "fleet_away" else 400)
    return render(request, "custody/review.html", {"section": "exchange", "terms": terms, "token": forms.new_token()})


def _terms(form: QueryDict, player: Player) -> Terms:
    """What the form asks for, at the prices of now. Raises ErrandError."""
    look = Look()
    here, prices, credit = reading.here(look, player), ticket_prices(look), reading.credits(look, player)
    stock = {tile.id: tile for tile in reading.stock(look, here.free_cents + (credit.balance_cents if credit else 0), 1000)}
    if look.away:
        raise ErrandError("fleet_away")
    give, cents = _given(form, here, max(0, credit.balance_cents) if credit else 0)
    paid = sum(tile.cents or 0 for tile in give) + cents
    ticket = form.get("take", "")
    if ticket == ITEMS:
        wanted = forms.ids(form, "want", services.ITEMS_MAX)
        if not set(wanted) <= set(stock):
            raise ErrandError("house_row_taken")
        terms = Terms(give, cents, "", 0, [stock[each] for each in wanted])
    elif ticket in prices:
        terms = Terms(give, cents, ticket, _count(form, paid // prices[ticket]), [], prices[ticket])
    else:
        raise ErrandError("nothing_wanted")
    if terms.rest_cents < 0:
        raise ErrandError("uneven")
    return terms


def _given(form: QueryDict, here: Here, balance_cents: int) -> tuple[list[Tile], int]:
    free = {tile.id: tile for tile in here.tiles if not tile.mark}
    ids = forms.few(form, "ids", services.ITEMS_MAX)
    if not set(ids) <= set(free):
        raise ErrandError("not_in_custody")
    text = form.get("credit", "").strip()
    cents = forms.amount(text) if text else 0
    if cents is None:
        raise ErrandError("amount")
    if cents > balance_cents:
        raise ErrandError("too_little_credit")
    if not ids and not cents:
        raise ErrandError("nothing")
    return [free[each] for each in ids], cents


def _count(form: QueryDict, most: int) -> int:
    """How many tickets: as the form says, or as many as are paid for."""
    text = form.get("count", "").strip()
    number = forms.count(text) if text else min(most, COUNT_MAX)
    if text and (number is None or not 1 <= number <= COUNT_MAX):
        raise ErrandError("count")
    if not number:
        raise ErrandError("uneven")
    return number


# ---- confirmed


@never_cache
@require_POST
@players_only
def confirm(request: HttpRequest, player: Player) -> HttpResponseBase:
    """Asks for it, once however often the form is sent."""
    form = request.POST
    try:
        swap = Swap(
            give=forms.few(form, "ids", services.ITEMS_MAX),
            seen_cents=_number(form, "seen_cents"),
            token=forms.token(form),
            ticket=form.get("ticket", "") if form.get("ticket", "") in TICKET_NAMES else "",
            count=_number(form, "count"),
            deposit_ids=forms.few(form, "want", services.ITEMS_MAX),
            credit_cents=_number(form, "credit_cents"),
        )
        if not Exchange.objects.filter(player=player, token=swap.token).exists():  # a second click is no second exchange
            limits.take(limits.EXCHANGES, player.id, request.META.get("REMOTE_ADDR", ""))
        row = services.exchange(player, swap, wall_ms())
    except LimitReachedError as reached:
        return limits.too_often(request, reached)
    except (ErrandError, ExchangeError) as error:
        return _choosing(request, player, error.code, 409 if error.code == "token_reused" else 400)
    return redirect("exchange_made", exchange_id=row.exchange_id)


def _number(form: QueryDict, name: str) -> int:
    text = form.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise ErrandError("amount")
    return int(text)


@never_cache
@require_GET
@players_only
def made(request: HttpRequest, player: Player, exchange_id: str) -> HttpResponseBase:
    row = Exchange.objects.filter(player=player, exchange_id=exchange_id).first()
    if row is None:
        return not_found(request)
    look, answer = Look(), _answer(row)
    ids = list(answer.get("took", []))[: reading.LOOK_UP_MAX]
    page = look.ask(lambda client: client.deposits(ids=ids)) if row.state == Exchange.DONE and ids else None
    took = [reading.plain(each) for each in (page.deposits if page else ()) if each.user_id == player.user_id]
    context = {
        "section": "exchange",
        "row": row,
        "answer": answer,
        "took": took,
        "count": len(answer.get("took", [])),
        "why": words.refusal(row.code, answer.get("player_message")),
        "refresh_s": REFRESH_S if row.state == Exchange.ASKED else 0,
    }
    return render(request, "custody/exchanged.html", context)


def _answer(row: Exchange) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        found = json.loads(row.answer or "{}")
        if isinstance(found, dict):
            return found
    return {}
