"""The way in for somebody new: four steps, until the first bet is made."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from website.accounts.models import Player
from website.care.models import Declaration
from website.custody import worth
from website.custody.models import Errand
from website.rooms.models import Bet

KNOWN_MAX = 10_000


@dataclass(frozen=True)
class Step:
    """One step: what it is called, where it is done, whether it is done, and whether it is the next one."""

    called: Any
    link: str
    done: bool
    next: bool


CALLED = (_("Sign in"), _("Say your age and country"), _("Bring in items"), _("Bet in a room"))
_at_home: OrderedDict[int, None] = OrderedDict()
"""Players who have bet: they are not asked about again."""


def steps(player: Player | None) -> list[Step]:
    """Empty for whoever has bet before."""
    if player is not None and _has_bet(player):
        return []
    done = _done(player)
    links = (reverse("sign_in"), reverse("declaration"), f"{reverse('inventory')}?tab=steam", reverse("lobby"))
    return [
        Step(called, link, place < done, place == done) for place, (called, link) in enumerate(zip(CALLED, links, strict=True))
    ]


def _done(player: Player | None) -> int:
    """How many steps are behind them."""
    if player is None:
        return 0
    if not Declaration.objects.filter(player=player).exists():
        return 1
    brought = player.first_deposit_ms is not None or bool(worth.known(player)) or _on_its_way(player)
    return 3 if brought else 2


def _on_its_way(player: Player) -> bool:
    return Errand.objects.filter(player=player, kind=Errand.DEPOSIT, state=Errand.DONE).exists()


def _has_bet(player: Player) -> bool:
    if player.id in _at_home:
        return True
    if not Bet.objects.filter(player=player, state__in=(Bet.PLACED, Bet.OVER)).exists():
        return False
    _at_home[player.id] = None
    while len(_at_home) > KNOWN_MAX:
        _at_home.popitem(last=False)
    return True
