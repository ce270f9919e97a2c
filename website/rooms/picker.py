"""A player's own items, to choose a bet from: asked of the fleet when a page is made, bound by nobody until the bet is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy
from lottery.bets import SOUVENIR
from lottery.rooms import Room

from fleet_client import answers, errors
from website import fleet
from website.accounts.models import Player
from website.rooms.models import TICKET_NAMES, Kind

PAGE = 1000
WHY_NOT = {
    "locked": gettext_lazy("in a game"),
    "frozen": gettext_lazy("frozen"),
    "unsettled": gettext_lazy("not settled yet"),
    "unpriced": gettext_lazy("no price"),
    "souvenir": gettext_lazy("souvenirs are not taken"),
    "other_room": gettext_lazy("not for this room"),
}


@dataclass(frozen=True)
class Own:
    """One item of a player. `why_not`: why it cannot be bet here; empty when it can."""

    deposit_id: str
    name: str
    icon_url: str
    color: str
    cents: int
    why_not: str = ""
    chosen: bool = False
    phase: str = ""  # of a Doppler, in the balancer's words

    @property
    def weapon(self) -> str:
        return self.name.partition(" | ")[0]

    @property
    def finish(self) -> str:
        return self.name.partition(" | ")[2]

    @property
    def value(self) -> str:
        """What a form sends of it: which item, and what the player has seen that it is worth."""
        return f"{self.deposit_id}:{self.cents}"


@dataclass(frozen=True)
class Pile:
    """Items that are alike: one picture, and how many of them."""

    items: Sequence[Own]

    @property
    def first(self) -> Own:
        return self.items[0]

    @property
    def count(self) -> int:
        return len(self.items)

    @property
    def chosen(self) -> int:
        return sum(each.chosen for each in self.items)

    @property
    def value(self) -> str:
        """What a form sends of it: what one is worth, and which items, those that are chosen first."""
        in_order = sorted(self.items, key=lambda each: not each.chosen)
        return f"{self.first.cents}:{','.join(each.deposit_id for each in in_order)}"


@dataclass(frozen=True)
class Choice:
    """All of a player's items, those that can be bet first, the dearest first."""

    items: Sequence[Own] = ()
    away: bool = False

    @property
    def piles(self) -> list[Pile]:
        """Everything, with what is alike put together, in the order of the first of each."""
        found: dict[tuple[str, str, int, str], list[Own]] = {}
        for each in self.items:
            found.setdefault((each.name, each.phase, each.cents, each.why_not), []).append(each)
        return [Pile(alike) for alike in found.values()]

    @property
    def free(self) -> list[Own]:
        return [each for each in self.items if not each.why_not]

    @property
    def chosen(self) -> list[Own]:
        return [each for each in self.items if each.chosen]

    @property
    def cents(self) -> int:
        return sum(each.cents for each in self.chosen)


def choice(player: Player, rules: Room, chosen: Collection[str] = ()) -> Choice:
    """What a player has, with what is chosen. A fleet that does not answer is said, and nothing can be chosen."""
    try:
        found = fleet.client().deposits(user_id=player.user_id, limit=PAGE).deposits
    except errors.FleetError:
        return Choice(away=True)
    allowed = _allowed(rules)
    items = [_own(each, rules, allowed, chosen) for each in found if each.status == "active"]
    return Choice(sorted(items, key=lambda each: (bool(each.why_not), -each.cents, each.deposit_id)))


def _allowed(rules: Room) -> frozenset[str] | None:
    """Names of the kinds that the room takes; None: all."""
    if rules.allowed_items is None:
        return None
    tickets = {name for name, number in TICKET_NAMES.items() if number in rules.allowed_items}
    others = set(rules.allowed_items) - set(TICKET_NAMES.values())
    named = Kind.objects.filter(id__in=others).values_list("market_hash_name", flat=True) if others else ()
    return frozenset(tickets | set(named))


def _own(row: answers.Deposit, rules: Room, allowed: frozenset[str] | None, chosen: Collection[str]) -> Own:
    why_not = _why_not(row, rules, allowed)
    said = str(WHY_NOT[why_not]) if why_not else ""
    picked = not why_not and row.deposit_id in chosen
    return Own(row.deposit_id, row.market_hash_name, row.icon_url, row.color, row.value_cents, said, picked, row.phase or "")


def _why_not(row: answers.Deposit, rules: Room, allowed: frozenset[str] | None) -> str:
    if allowed is not None and row.market_hash_name not in allowed:
        return "other_room"
    if row.locked_by is not None:
        return "locked"
    if row.frozen_by is not None:
        return "frozen"
    if row.settled_at is None and not rules.unsettled:
        return "unsettled"
    if SOUVENIR in row.market_hash_name.lower():
        return "souvenir"
    return "unpriced" if row.value_cents < 1 and rules.tickets == "cent" else ""


def all_of(choice: Choice, most: int) -> list[str]:
    """The dearest that the room takes, as many as one player may add."""
    return [each.deposit_id for each in choice.free[:most]]


def up_to(choice: Choice, cents: int, most: int) -> list[str]:
    """Items whose worth together comes near to a value and not above it: the dearest that still fits, then the next."""
    found: list[str] = []
    left = cents
    for each in choice.free:
        if each.cents <= left and len(found) < most:
            found.append(each.deposit_id)
            left -= each.cents
    return found
