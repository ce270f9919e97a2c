"""The panel of a room in which a bet is put together: what can be chosen, what it would be worth, why there is none."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from django.utils.translation import gettext as _
from lottery.odds import Odds
from lottery.rooms import Room

from website import limits
from website.accounts.models import Player
from website.rooms import forms, odds, picker, words
from website.rooms.forms import Chosen
from website.rooms.models import TICKET_NAMES
from website.rooms.picker import Choice
from website.rooms.services import ITEMS_MAX
from website.rooms.shown import Seat, View

SEED_BYTES = 8


class Shown(NamedTuple):
    """Odds in whole cents: a win never rounded up, a loss never rounded to nothing."""

    chance: Fraction
    win: int
    due: int
    expected: int | None
    places: tuple[Fraction, ...]
    approximate: bool


def shown(found: Odds) -> Shown:
    expected = None if found.expected is None else math.floor(found.expected)
    return Shown(found.chance, math.floor(found.win), math.ceil(found.due), expected, found.places, found.approximate)


class Side(NamedTuple):
    """One team: its seats, taken or free (None), each with what a cent brings back before the house's part; its chance."""

    team: int
    short: str
    name: str
    seats: list[tuple[Seat | None, Fraction | None]]
    chance: Fraction | None
    cents: int
    free: int


def sides(found: View) -> list[Side]:
    """The two columns of a 5v5."""
    limit = found.rules.team_limit or 0
    worked_out = _team_odds(found)
    result = []
    for team, short in words.TEAMS.items():
        mine = [seat for seat in found.seats if seat.team == team]
        rows: list[tuple[Seat | None, Fraction | None]] = [(seat, worked_out.get(seat.user_id)) for seat in mine]
        rows += [(None, None)] * (limit - len(mine))
        chance = worked_out.get(-team)
        cents = sum(seat.cents for seat in mine)
        result.append(Side(team, short, str(words.TEAM_NAMES[team]), rows, chance, cents, limit - len(mine)))
    return result


def _team_odds(found: View) -> dict[int, Fraction]:
    """Each user's return per cent staked, and under minus its number each team's chance; empty until both have somebody."""
    from lottery.errors import LotteryError
    from lottery.teams import Seat as Place
    from lottery.teams import odds as odds_of

    users = [seat for team in words.TEAMS for seat in found.seats if seat.team == team]
    try:
        said = odds_of([Place(seat.user_id, seat.team, seat.tickets) for seat in users], found.rules.ranges or "")
    except LotteryError:
        return {}
    except ValueError:  # nobody is there at all
        return {}
    back = {seat.user_id: each for seat, each in zip(users, said.returns, strict=True)}
    return back | {-team: chance for team, chance in said.team.items()}


@dataclass(frozen=True)
class Panel:
    """`choice` is None for who is not signed in."""

    choice: Choice | None
    chosen: Chosen
    odds: Shown | None
    most: int
    token: str
    client_seed: str
    tickets_only: str
    team: int
    hint: str

    @property
    def count(self) -> int:
        return len(self.choice.chosen) if self.choice else 0

    @property
    def cents(self) -> int:
        return self.choice.cents if self.choice else 0


def panel(found: View, player: Player | None, chosen: Chosen, address: str) -> Panel:
    """For the round that is shown. `address`: of who looks, as odds that are drawn are limited."""
    own, tickets_only = found.own, _tickets_only(found.rules)
    team = own.team if own else chosen.team
    choice, worth, token = None, None, ""
    if player is not None:
        choice = picker.choice(player, found.rules, set(chosen.deposit_ids))
        if not odds.are_drawn(found.state) or (choice.chosen and _may_draw(player, address)):
            worth = odds.of_bet(found.state, player.id, choice.cents, len(choice.chosen), team)
        token = forms.token(player.id, found.row.lane, found.row.round)
    seed = chosen.client_seed or secrets.token_hex(SEED_BYTES)
    showing = None if worth is None else shown(worth)
    hint = _hint(found, choice, showing, team)
    return Panel(choice, chosen, showing, most(found), token, seed, tickets_only, team, hint)


def _may_draw(player: Player, address: str) -> bool:
    try:
        limits.take(limits.ODDS, player.id, address)
    except limits.LimitReachedError:
        return False
    return True


def most(found: View) -> int:
    """How many more items the player may add."""
    rules, limits = found.rules, [ITEMS_MAX]
    if rules.bet_item_limit_max is not None:
        limits.append(rules.bet_item_limit_max - (found.own.items if found.own else 0))
    if rules.item_limit_max is not None:
        limits.append(rules.item_limit_max - found.row.items)
    return max(0, min(limits))


def _tickets_only(rules: Room) -> str:
    """The name of the ticket that the room takes instead of items, if it does."""
    names = [name for name, number in TICKET_NAMES.items() if rules.allowed_items and number in rules.allowed_items]
    return names[0] if names else ""


def _hint(found: View, choice: Choice | None, showing: Shown | None, team: int) -> str:
    """Why there are no odds yet."""
    if choice is None or showing is not None:
        return ""
    if found.mode == "teams" and choice.chosen:
        if not team:
            return _("Choose a team to see the odds.")
        return _("The odds are known when the other team has somebody.")
    if choice.chosen:
        return _("These odds are much work; ask again in some seconds.")
    return _("Choose items to see what the bet would be worth.")
