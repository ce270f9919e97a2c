"""Raffles: templates that recreate themselves, each instance a round of its own with a snapshot of the template's terms.

An instance is open until it is sealed; it then frees its slot, and the board wants a new one while the template is active.
Editing a template never touches instances; nobody is entered into a new instance by having been in an old one. Each slot of a
template is one lane with its own seed chain, because rounds on one chain must not overlap.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lottery.errors import LotteryError, RoomError
from lottery.rooms import RaffleTerms, Room


@dataclass(frozen=True, slots=True)
class Template:
    """What to raffle off, again and again. Money in cents; `parallel` instances at a time; `expires_s` None: no expiry.

    Raises RoomError for terms that make no sense.
    """

    template_id: int
    prize: str
    price: int
    commission: int
    tickets: int
    parallel: int = 1
    active: bool = True
    expires_s: int | None = None
    entropy: str = "drand:quicknet"
    entropy_margin_s: int = 6

    def __post_init__(self) -> None:
        for name, least in (("price", 0), ("commission", 0), ("tickets", 1), ("parallel", 1)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise RoomError(name, f"a whole number from {least}, not {value!r}")
        if self.price + self.commission < 1:
            raise RoomError("price", "a raffle costs something; for a gift use a giveaway")
        if not self.prize:
            raise RoomError("prize", "is missing")

    @property
    def ticket_price(self) -> int:
        """Cents for one ticket, rounded up; what is over goes to the house.

        >>> Template(1, "a game", 1499, 101, 7).ticket_price
        229
        """
        return -(-(self.price + self.commission) // self.tickets)


class Slot(NamedTuple):
    """A place for one instance of a template; its name is the lane."""

    template_id: int
    number: int

    @property
    def lane(self) -> str:
        return f"raffle-{self.template_id}-{self.number}"


def instance_rules(template: Template, slot: Slot) -> Room:
    """The rules of a new instance: a snapshot, so a later edit of the template does not reach it."""
    terms = RaffleTerms(
        template.template_id, template.prize, template.price, template.commission, template.tickets, template.ticket_price
    )
    return Room(
        name=slot.lane,
        mode="raffle",
        time_limit=template.expires_s,
        time_enable=template.expires_s is not None,
        min_players=1,
        tickets="bought",
        entropy=template.entropy,
        entropy_margin_s=template.entropy_margin_s,
        raffle=terms,
    )


class Wanted(NamedTuple):
    """An instance to be created now, with the rules to create it by."""

    slot: Slot
    rules: Room


@dataclass(slots=True)
class Board:
    """All templates, and which of their slots have an open instance. Belongs to whoever holds it."""

    templates: dict[int, Template] = field(default_factory=dict)
    busy: set[Slot] = field(default_factory=set)

    def open_instances(self, template_id: int) -> int:
        return sum(slot.template_id == template_id for slot in self.busy)


def put(board: Board, template: Template) -> list[Wanted]:
    """Adds a template or replaces it (also to switch it off); running instances go on as they are. Returns what to create."""
    board.templates[template.template_id] = template
    return wanted(board)


def wanted(board: Board) -> list[Wanted]:
    """The instances that are missing: lowest free slots first. Calling it again without `opened` gives the same."""
    missing = []
    for template in board.templates.values():
        if not template.active:
            continue
        room_for = template.parallel - board.open_instances(template.template_id)
        slots = (Slot(template.template_id, number) for number in range(1, template.parallel + 1))
        free = [slot for slot in slots if slot not in board.busy]
        missing += [Wanted(slot, instance_rules(template, slot)) for slot in free[: max(0, room_for)]]
    return missing


def opened(board: Board, slot: Slot) -> None:
    """An instance was created in the slot. Raises LotteryError when the template does not want one there."""
    if slot not in {each.slot for each in wanted(board)}:
        raise LotteryError(f"no instance is wanted in {slot.lane}")
    board.busy.add(slot)


def over(board: Board, slot: Slot) -> list[Wanted]:
    """The slot's instance was sealed (drawn, or void with everything paid back). Returns what to create.

    Raises LotteryError when the slot has no open instance, so a second report of the same end creates nothing.
    """
    if slot not in board.busy:
        raise LotteryError(f"no instance is open in {slot.lane}")
    board.busy.remove(slot)
    return wanted(board)


def surplus(template: Template) -> int:
    """What all tickets bring over price and commission, in cents: the house's, at most one cent short of a cent per ticket."""
    return template.ticket_price * template.tickets - template.price - template.commission


def offers(board: Board) -> Mapping[int, int]:
    """Open instances by template."""
    return {template_id: board.open_instances(template_id) for template_id in board.templates}
