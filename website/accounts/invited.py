"""Whom a player has brought, level by level, and what came of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q
from lottery import referral
from lottery.referral import DEPTH_MAX

from website.accounts.models import Player
from website.care.models import PlayLog
from website.rooms.models import RoomVersion, Round

PEOPLE_MAX = 5_000
ROUNDS_MAX = 2_000
RAKE_SHOWN = 1_000
"""Cents of rake that the table of rates is about."""


@dataclass(frozen=True)
class Level:
    """Level 1 are those whom the player invited. `active`: with a first deposit, and so everybody between."""

    number: int
    people: int
    active: int
    rate: int
    earned: int


def levels(player: Player) -> list[Level]:
    """As many as get anything of the rake that the table is about, or have somebody."""
    tree = _tree(player)
    earned = _earned(player, [each for people in tree for each, _ in people])
    rates = referral.credits(RAKE_SHOWN, percent(), DEPTH_MAX)
    shown = max(len(rates), len(tree), max(earned, default=0))
    return [
        Level(
            number,
            len(tree[number - 1]) if number <= len(tree) else 0,
            sum(active for _, active in tree[number - 1]) if number <= len(tree) else 0,
            rates[number - 1] if number <= len(rates) else 0,
            earned[number],
        )
        for number in range(1, shown + 1)
    ]


def percent() -> int:
    """What the rooms in use pay to the first level; the least, where they differ."""
    rows = RoomVersion.objects.filter(state=RoomVersion.IN_USE).values_list("rules", flat=True)
    found = [int(json.loads(text).get("referral_percent", 20)) for text in rows]
    return min(found, default=20)


def _tree(player: Player) -> list[list[tuple[int, bool]]]:
    """The ids of each level, and whether the links from there up to the player are all active."""
    found: list[list[tuple[int, bool]]] = []
    above = {player.id: True}
    while above and len(found) < DEPTH_MAX and sum(map(len, found)) < PEOPLE_MAX:
        rows = Player.objects.filter(inviter_id__in=above).values_list("id", "inviter_id", "first_deposit_ms")[:PEOPLE_MAX]
        level = [(each, first is not None and above[inviter]) for each, inviter, first in rows if inviter is not None]
        if not level:
            break
        found.append(level)
        above = dict(level)
    return found


def _earned(player: Player, people: Iterable[int]) -> Counter[int]:
    """Cents by level, of the newest rounds that these people won; as the sealed outcomes say."""
    won = PlayLog.objects.filter(player_id__in=list(people)[:PEOPLE_MAX], kind="return", currency="item")
    cycles = won.order_by("-time_ms").values_list("cycle", flat=True)[:ROUNDS_MAX]
    found: Counter[int] = Counter()
    for outcome in _outcomes(set(cycles)):
        for line in outcome.get("referral", []):
            for number, (inviter, cents) in enumerate(zip(line["inviters"], line["credits"], strict=False), 1):
                found[number] += cents if inviter == player.id else 0
    return +found


def _outcomes(cycles: set[str]) -> Iterable[dict[str, list[dict[str, list[int]]]]]:
    by_lane: dict[str, list[int]] = {}
    for cycle in cycles:
        lane, _, number = cycle.rpartition(":")
        by_lane.setdefault(lane, []).append(int(number))
    for lane, numbers in sorted(by_lane.items()):
        for start in range(0, len(numbers), 500):
            rows = Round.objects.filter(Q(lane=lane), round__in=numbers[start : start + 500]).exclude(sealed_ms=None)
            yield from (json.loads(text) for text in rows.values_list("outcome", flat=True) if text)
