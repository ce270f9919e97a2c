"""What pages show of raffles: cards of those that sell, one of them with its buyers, a player's coins and prizes.

Nothing here is secret before its time: it all stands in public rows. A key of a game is never read here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from lottery.rooms import RaffleTerms

from website.accounts.models import Player
from website.ledger import services as ledger
from website.ledger.models import Entry, Posting
from website.raffles import instances, words
from website.raffles.filters import Filters
from website.raffles.models import Prize, TemplateVersion
from website.rooms import reading as rooms
from website.rooms import ruler
from website.rooms.models import Guarantee, Lane, Piece, Round, RoundItem, RoundPlayer
from website.rooms.people import people
from website.rooms.shown import Thing, View

SHOWN_MAX = 1_000
PAGE = 48
PAST = 8
LINES = 50
SELLS = "game"


@dataclass(frozen=True)
class Card:
    """One raffle that sells. Money is cents of coins."""

    row: Round
    version: TemplateVersion
    own: int
    seq: int  # of the lane, when this was read
    icon_url: str
    color: str

    @property
    def address(self) -> tuple[int, str, int]:
        return (self.version.template_id, self.row.lane, self.row.round)

    @property
    def ticket_price(self) -> int:
        return instances.core_of(self.version).ticket_price

    @property
    def left(self) -> int:
        return self.version.tickets - self.row.tickets

    @property
    def fill(self) -> Fraction:
        return Fraction(self.row.tickets, self.version.tickets)

    @property
    def width(self) -> str:
        """Of the bar, as SVG takes it."""
        return f"{float(100 * self.fill):.2f}%"


@dataclass(frozen=True)
class Past:
    """A raffle that was drawn: who has won what, and with which chance."""

    row: Round
    template_id: int
    prize: str
    winner: str
    chance: Fraction | None


@dataclass(frozen=True)
class Buyer:
    """One player of a raffle. `chance` is of all tickets, sold or not."""

    user_id: int
    name: str
    look: int
    tickets: int
    cents: int
    chance: Fraction

    @property
    def you(self) -> bool:
        return self.look == 0


@dataclass(frozen=True)
class Shown:
    """One raffle as somebody sees it."""

    view: View
    version: TemplateVersion
    template_id: int
    buyers: Sequence[Buyer]
    own: int
    prize: Thing
    gift: str  # the deposit id of an item of the fleet, empty for other prizes

    @property
    def row(self) -> Round:
        return self.view.row

    @property
    def terms(self) -> RaffleTerms:
        terms = self.view.rules.raffle
        assert terms is not None
        return terms

    @property
    def left(self) -> int:
        return self.terms.tickets - self.row.tickets

    @property
    def ticks(self) -> list[ruler.Tick]:
        return ruler.ticks(self.terms.tickets)

    @property
    def over_cents(self) -> int:
        """What all tickets bring over price and commission."""
        return self.terms.ticket_price * self.terms.tickets - self.terms.price - self.terms.commission

    @property
    def own_chance(self) -> Fraction:
        return Fraction(self.own, self.terms.tickets)

    @property
    def one(self) -> Fraction:
        return Fraction(1, self.terms.tickets)

    @property
    def may_have(self) -> int:
        """How many more one player may buy: of what is left, and of the share."""
        return max(0, min(self.left, instances.tickets_max(self.version) - self.own))

    def with_more(self, quantity: int) -> Fraction:
        """The chance with so many tickets more."""
        return Fraction(min(self.own + quantity, self.terms.tickets), self.terms.tickets)


# ---- the list


def selling(player: Player | None) -> list[Card]:
    """Every raffle that sells now, the newest first."""
    # Before the rows: what comes meanwhile is told once more, and nothing is missing.
    seqs = dict(Lane.objects.filter(room__startswith="raffle-").values_list("name", "seq"))
    rows = list(_of_raffles().filter(phase=SELLS).defer(*rooms.HEAVY).order_by("-time_start_ms", "-id")[:SHOWN_MAX])
    versions, looks = _versions(rows), _prizes(rows)
    own = _own(player, rows)
    return [
        Card(
            row, version, own.get((row.lane, row.round), 0), seqs.get(row.lane, 0), *looks.get((row.lane, row.round), ("", ""))
        )
        for row in rows
        if (version := versions.get((row.room, row.version))) is not None
    ]


def cards(player: Player | None, filters: Filters) -> list[Card]:
    """Those that the filters leave, in the order that they ask for."""
    return filters.order([card for card in selling(player) if filters.let(card)])


def nearly_sold(count: int = 3) -> list[Card]:
    """Those with the fewest tickets left of their own, of those that somebody has bought of."""
    found = [card for card in selling(None) if card.row.tickets]
    return sorted(found, key=lambda card: -card.fill)[:count]


def genres() -> list[str]:
    """Of templates that are on."""
    rows = TemplateVersion.objects.filter(template__active=True, state=TemplateVersion.APPROVED).exclude(genre="")
    return sorted(set(rows.values_list("genre", flat=True)))


def drawn(count: int = PAST) -> list[Past]:
    """The last ones that were drawn."""
    over = _of_raffles().filter(phase="sealed").exclude(winners="[]").exclude(sealed_ms=None)
    rows = list(over.defer(*rooms.HEAVY).order_by("-sealed_ms")[:count])
    versions = _versions(rows)
    winners = {row.id: json.loads(row.winners)[0][0] for row in rows}
    names = people(winners.values())
    held = {
        (each.lane, each.round, each.user_id): each.tickets
        for each in RoundPlayer.objects.filter(lane__in={row.lane for row in rows}, round__in={row.round for row in rows})
    }
    return [_past(row, winners[row.id], versions, names, held) for row in rows]


def _past(
    row: Round,
    winner: int,
    versions: Mapping[tuple[str, int], TemplateVersion],
    names: Mapping[int, str],
    held: Mapping[tuple[str, int, int], int],
) -> Past:
    version, tickets = versions.get((row.room, row.version)), held.get((row.lane, row.round, winner), 0)
    chance = Fraction(tickets, row.tickets) if tickets else None
    prize = "" if version is None else version.prize
    return Past(row, instances.template_of(row.room) or 0, prize, names.get(winner, str(winner)), chance)


def _of_raffles() -> Any:
    return Round.objects.filter(room__startswith="raffle-")


def _versions(rows: Iterable[Round]) -> dict[tuple[str, int], TemplateVersion]:
    """By room and version."""
    wanted = {instances.template_of(row.room) for row in rows}
    found = TemplateVersion.objects.filter(template_id__in=[each for each in wanted if each is not None])
    return {(instances.room_of(each.template_id), each.version): each for each in found}


def _prizes(rows: Sequence[Round]) -> dict[tuple[str, int], tuple[str, str]]:
    """Picture and colour of items of the fleet; other prizes have none."""
    bound = Guarantee.objects.filter(state=Guarantee.BOUND, lane__in={row.lane for row in rows})
    ids = {json.loads(row.deposit_ids)[0]: (row.lane, row.round) for row in bound}
    pieces = Piece.objects.filter(deposit_id__in=ids).select_related("kind")
    return {ids[piece.deposit_id]: (piece.kind.icon_url, piece.kind.color) for piece in pieces}


def _own(player: Player | None, rows: Sequence[Round]) -> dict[tuple[str, int], int]:
    if player is None or not rows:
        return {}
    mine = RoundPlayer.objects.filter(user_id=player.id, lane__in={row.lane for row in rows})
    return {(each.lane, each.round): each.tickets for each in mine}


# ---- one of them


def raffle(lane: str, number: int, you: int | None) -> Shown:
    """Raises Round.DoesNotExist, Lane.DoesNotExist, TemplateVersion.DoesNotExist."""
    slot = instances.slot_of(lane)
    if slot is None:
        raise Round.DoesNotExist(lane)
    found = rooms.view(lane, number, you)
    version = TemplateVersion.objects.get(template_id=slot.template_id, version=found.row.version)
    tickets = version.tickets
    items = RoundItem.objects.filter(lane=lane, round=number).order_by("place")
    held = [ruler.Held(each.user_id, each.first, each.tickets) for each in items]
    # Of all tickets, sold or not: where one stands on the ruler never changes.
    found = replace(found, stretches=ruler.stretches(held, tickets), things=[])
    buyers = [
        Buyer(seat.user_id, seat.name, seat.look, seat.tickets, seat.cents, Fraction(seat.tickets, tickets))
        for seat in found.seats
    ]
    own = next((each.tickets for each in buyers if each.you), 0)
    (prize,) = rooms.prizes(found)
    numbers = [piece.deposit_id for piece in found.created.guarantees]
    ids = list(rooms.deposit_ids(numbers).values())
    gift = ids[0] if ids and version.prize_kind == TemplateVersion.ITEM else ""
    return Shown(found, version, slot.template_id, buyers, own, prize, gift)


# ---- a player's own


@dataclass(frozen=True)
class Line:
    """One thing that happened to a player's coins."""

    at_ms: int
    kind: str
    ref: str
    cents: int
    memo: str

    @property
    def called(self) -> str:
        return words.entry(self.kind, self.ref)

    @property
    def place(self) -> tuple[int, str, int] | None:
        """The raffle that it was about: template, lane, number."""
        cycle = self.memo.rpartition(" ")[2] if self.kind == Entry.BUY else self.ref.partition(":")[2]
        lane, _, number = cycle.rpartition(":")
        slot = instances.slot_of(lane)
        return (slot.template_id, lane, int(number)) if slot is not None and number.isdigit() else None


def lines(player: Player) -> list[Line]:
    """What happened last to a player's coins, the newest first."""
    mine = Posting.objects.filter(account__owner=ledger.wallet(player.id)).select_related("entry").order_by("-entry_id")
    return [Line(row.entry.at_ms, row.entry.kind, row.entry.ref, row.cents, row.entry.memo) for row in mine[:LINES]]


@dataclass(frozen=True)
class Won:
    """A prize that this player has won and the fleet does not hand over."""

    row: Prize
    name: str

    @property
    def said(self) -> str:
        return words.prize(self.row)

    @property
    def place(self) -> tuple[int, str, int]:
        return (self.row.template_id, self.row.lane, self.row.round)


def won(player: Player) -> list[Won]:
    """The newest first."""
    rows = Prize.objects.filter(player=player).select_related("piece__kind").order_by("-owed_ms", "-id")
    return [Won(row, row.piece.kind.market_hash_name if row.piece else "") for row in rows[:LINES]]
