"""Rooms as data: every parameter of a room, read from TOML or JSON and checked before the first bet.

A new kind of room is a new file in `rooms/`, or one small function in `payouts.py` for a new way to pay out. `None` is no
limit; 0 is a limit of zero (for a minimum: no minimum). Money is cents, `time_limit` and `entropy_margin_s` are seconds.
"""

import tomllib
from dataclasses import dataclass, fields, replace
from functools import cached_property
from importlib import resources
from typing import Any

from lottery import encoding
from lottery.commitments import ENTROPY_MODES, MANUAL_DIRECT, entropy_mode
from lottery.encoding import U64_MAX
from lottery.errors import RoomError, shown

MODES = {"classic": 1, "sitngo": 2, "teams": 3, "pot": 4, "giveaway": 5, "raffle": 6}
TICKETS = ("cent", "item", "bought")
RANGES = ("complement", "inverse")
SEED_RAKE = ((50, 10), (60, 8), (70, 7), (80, 6), (90, 5), (95, 3), (100, 0))
CHANGE_MAX_CENTS = 5_000
REFERRAL_PERCENT_MAX = 40
MARGIN_MIN_S = 3
TEAM_MAX = 32
"""With more, the weights of rule inverse could outgrow the field of the record that a draw among them is written to."""
RAKE_CHANGE_MAX_CENTS = 1_000_000
"""Beyond this nobody could check in a reasonable time which change the rake had to give."""
U32_MAX = 2**32 - 1


@dataclass(frozen=True)
class RaffleTerms:
    """What one instance of a raffle sells; a snapshot of its template. Prices in cents."""

    template: int
    prize: str
    price: int
    commission: int
    tickets: int
    ticket_price: int


@dataclass(frozen=True)
class Room:
    """The rules of one room, as published and hashed. The names are those of the seed where it has one."""

    name: str
    mode: str
    item_limit_max: int | None = None
    bet_item_limit_max: int | None = None
    bet_value_min: int | None = None
    bet_value_max: int | None = None
    player_limit: int | None = None
    time_limit: int | None = None
    time_enable: bool = False
    allowed_items: tuple[int, ...] | None = None
    shares: tuple[int, ...] | None = None
    team_limit: int | None = None
    global_pot_limit: int | None = None
    min_players: int = 2
    tickets: str = "cent"
    entropy: str = "drand:quicknet"
    entropy_margin_s: int = 6
    unsettled: bool = False
    ranges: str | None = None
    rake: tuple[tuple[int, int], ...] | None = None
    rake_change_max: int = CHANGE_MAX_CENTS
    rake_carry: bool = False
    priority_items: tuple[int, ...] = ()
    referral_percent: int = 20
    raffle: RaffleTerms | None = None

    def __post_init__(self) -> None:
        check(self)

    @cached_property
    def rules(self) -> dict[str, Any]:
        """The configuration as JSON values, every key present: what the rules hash covers."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @cached_property
    def rules_hash(self) -> bytes:
        return encoding.sha256(encoding.TAG("lot1.rules"), encoding.LP(encoding.canonical_json(self.rules)))

    @cached_property
    def allowed(self) -> frozenset[int] | None:
        return None if self.allowed_items is None else frozenset(self.allowed_items)

    @cached_property
    def priority(self) -> frozenset[int]:
        return frozenset(self.priority_items)

    @property
    def timer_from_start(self) -> bool:
        """With a clock but no number of players to wait for, the clock runs from the start."""
        return self.time_enable and self.player_limit is None


def load(name: str, /, **changes: Any) -> Room:
    """One of the rooms that come with the package, by file name; `changes` replace single parameters.

    Raises RoomError when there is no such room or a parameter is wrong.
    """
    path = resources.files("lottery") / "rooms" / f"{name}.toml"
    if not path.is_file():
        raise RoomError("room", f"no {name!r}; there are {', '.join(names())}")
    for key in changes:
        _known(key)
    return replace(from_toml(path.read_text(encoding="utf-8")), **changes)


def names() -> list[str]:
    """The rooms that come with the package, sorted."""
    folder = resources.files("lottery") / "rooms"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def from_toml(text: str) -> Room:
    """A room from TOML; TOML has no null, so a limit that is left out is no limit. Raises RoomError."""
    try:
        return parse(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RoomError("toml", str(error)) from error


def parse(values: dict[str, Any]) -> Room:
    """A room from plain values (TOML, JSON, `rules` of a record). Raises RoomError for an unknown or missing key."""
    if not isinstance(values, dict):
        raise RoomError("rules", "an object with the parameters of a room")
    for key in values:
        _known(key)
    for key in ("name", "mode"):
        if key not in values:
            raise RoomError(key, "is missing")
    return Room(**{key: _frozen(key, value) for key, value in values.items()})


def _known(key: str) -> None:
    if key not in {field.name for field in fields(Room)}:
        raise RoomError(str(key), "no such parameter")


def _frozen(key: str, value: Any) -> Any:
    if key == "rake" and isinstance(value, list | tuple):
        if not all(isinstance(row, list | tuple) for row in value):
            raise RoomError("rake", "rows of [upper, percent]")
        return tuple(tuple(row) for row in value)
    if key == "raffle" and isinstance(value, dict):
        try:
            return RaffleTerms(**value)
        except TypeError as error:
            raise RoomError("raffle", str(error)) from error
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, RaffleTerms):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return value


# ---- checks: the first parameter that makes no sense is named, with the reason


def check(room: Room) -> None:
    """Raises RoomError naming the field and the reason; returns nothing when the room makes sense."""
    _text("name", room.name)
    for field, allowed in (("mode", tuple(MODES)), ("tickets", TICKETS), ("entropy", tuple(ENTROPY_MODES))):
        if getattr(room, field) not in allowed:
            raise RoomError(field, f"one of {', '.join(allowed)}, not {shown(getattr(room, field))}")
    _check_numbers(room)
    _check_lists(room)
    _check_clock(room)
    _check_entropy(room)
    _check_rake(room)
    _check_mode(room)


def _check_numbers(room: Room) -> None:
    for field in ("item_limit_max", "bet_item_limit_max", "time_limit"):
        _whole(field, getattr(room, field), 0, U32_MAX, optional=True)
    for field in ("bet_value_min", "bet_value_max", "global_pot_limit"):
        _whole(field, getattr(room, field), 0, U64_MAX, optional=True)
    _whole("player_limit", room.player_limit, 1, U32_MAX, optional=True)
    _whole("team_limit", room.team_limit, 1, TEAM_MAX, optional=True)
    _whole("min_players", room.min_players, 1, U32_MAX)
    _whole("rake_change_max", room.rake_change_max, 0, RAKE_CHANGE_MAX_CENTS)
    _whole("referral_percent", room.referral_percent, 0, U32_MAX)
    if room.referral_percent > REFERRAL_PERCENT_MAX:
        raise RoomError("referral_percent", f"at most {REFERRAL_PERCENT_MAX}, so that all levels stay below the rake")
    for field in ("time_enable", "unsettled", "rake_carry"):
        if type(getattr(room, field)) is not bool:
            raise RoomError(field, f"true or false, not {shown(getattr(room, field))}")
    for field in ("item_limit_max", "bet_item_limit_max", "global_pot_limit"):
        if getattr(room, field) == 0:
            raise RoomError(field, "0 would refuse every bet; leave it out for no limit")
    if room.bet_value_min is not None and room.bet_value_max is not None and room.bet_value_min > room.bet_value_max:
        raise RoomError("bet_value_min", f"{room.bet_value_min} is above bet_value_max {room.bet_value_max}")
    total, own = room.item_limit_max, room.bet_item_limit_max
    if total is not None and own is not None and own > total:
        raise RoomError("bet_item_limit_max", f"{own} is above item_limit_max {total}")


def _text(field: str, value: Any) -> None:
    if not value or not isinstance(value, str):
        raise RoomError(field, "a text that is not empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RoomError(field, "half of a surrogate pair is no text that could be hashed") from error


def _whole(field: str, value: Any, least: int, most: int = U64_MAX, optional: bool = False) -> None:
    if value is None and optional:
        return
    if type(value) is not int or not least <= value <= most:
        raise RoomError(field, f"a whole number from {least} to {most}, not {shown(value)}")


def _check_lists(room: Room) -> None:
    for field in ("allowed_items", "shares", "priority_items"):
        values = getattr(room, field)
        if values is None and field != "priority_items":
            continue
        if not isinstance(values, tuple):
            raise RoomError(field, f"a list of whole numbers, not {shown(values)}")
        for value in values:
            _whole(field, value, 1 if field == "shares" else 0)
    if room.shares is not None and not room.shares:
        raise RoomError("shares", "at least one winner")
    if room.allowed_items is not None and not room.allowed_items:
        raise RoomError("allowed_items", "an empty list would refuse every bet; leave it out to allow all")


def _check_clock(room: Room) -> None:
    if room.time_enable and not room.time_limit:
        raise RoomError("time_limit", "is needed (and above 0) because time_enable is true")
    if not room.time_enable and room.time_limit is not None:
        raise RoomError("time_limit", "is set but time_enable is false")


def _check_entropy(room: Room) -> None:
    _whole("entropy_margin_s", room.entropy_margin_s, 0, U32_MAX)
    mode = entropy_mode(room.entropy)
    if mode.waits and room.entropy_margin_s < MARGIN_MIN_S:
        raise RoomError("entropy_margin_s", f"at least {MARGIN_MIN_S} seconds, so that the close is public before the beacon")
    if mode.manual and room.mode != "pot":
        raise RoomError("entropy", "typed numbers are for mode pot")


def _check_rake(room: Room) -> None:
    if room.rake is None:
        return
    if not isinstance(room.rake, tuple):
        raise RoomError("rake", f"rows of [upper, percent], not {shown(room.rake)}")
    upper_before = 0
    for row in room.rake:
        if not isinstance(row, tuple) or len(row) != 2 or any(type(value) is not int for value in row):
            raise RoomError("rake", f"rows of [upper, percent] in whole numbers, not {shown(row)}")
        upper, percent = row
        if not upper_before < upper <= 100:
            raise RoomError("rake", f"borders rise to 100: {shown(upper)} after {upper_before}")
        if not 0 <= percent <= 100:
            raise RoomError("rake", f"{shown(percent)} is not a percentage")
        upper_before = upper
    if upper_before != 100:
        raise RoomError("rake", "the last border is 100")


def _check_mode(room: Room) -> None:
    if room.mode in ("sitngo", "pot") and room.shares is None:
        raise RoomError("shares", f"is needed in mode {room.mode}")
    if room.mode not in ("sitngo", "pot") and room.shares is not None:
        raise RoomError("shares", f"has no meaning in mode {room.mode}")
    if room.mode == "sitngo":
        _check_sitngo(room)
    if (room.mode == "teams") != (room.team_limit is not None):
        raise RoomError("team_limit", "is needed in mode teams, and only there")
    if (room.mode == "teams") != (room.ranges is not None):
        raise RoomError("ranges", "is needed in mode teams, and only there")
    if room.mode == "teams":
        _check_teams(room)
    if room.mode in ("sitngo", "giveaway", "raffle") and room.rake is not None:
        raise RoomError("rake", f"mode {room.mode} has no rake table")
    if (room.mode == "raffle") != (room.raffle is not None):
        raise RoomError("raffle", "terms are needed in mode raffle, and only there")
    if room.raffle is not None:
        _check_terms(room.raffle)
    if (room.mode == "raffle") != (room.tickets == "bought"):
        raise RoomError("tickets", "are bought in mode raffle, and only there")
    if room.mode == "pot" and entropy_mode(room.entropy).code == MANUAL_DIRECT and room.shares is None:
        raise RoomError("shares", "say how many numbers are typed")


def _check_terms(terms: RaffleTerms) -> None:
    """The ticket price is what it must be: price and commission over the tickets, rounded up."""
    if not isinstance(terms, RaffleTerms):
        raise RoomError("raffle", f"terms of a raffle, not {shown(terms)}")
    _text("raffle.prize", terms.prize)
    for field, least in (("template", 0), ("price", 0), ("commission", 0), ("tickets", 1), ("ticket_price", 1)):
        _whole(f"raffle.{field}", getattr(terms, field), least)
    due = -(-(terms.price + terms.commission) // terms.tickets)
    if terms.ticket_price != due:
        raise RoomError("raffle.ticket_price", f"{due}, so that all tickets together pay for price and commission")


def _check_sitngo(room: Room) -> None:
    shares, pot = sum(room.shares or ()), room.item_limit_max
    if room.tickets != "item":
        raise RoomError("tickets", "one per item in mode sitngo, whose shares are numbers of items")
    if pot is None or shares > pot:
        raise RoomError("shares", f"{shares} items are shared out of a pot of {pot}")


def _check_teams(room: Room) -> None:
    both = 2 * (room.team_limit or 0)
    if room.ranges not in RANGES:
        raise RoomError("ranges", f"one of {', '.join(RANGES)}, not {shown(room.ranges)}")
    if room.player_limit != both:
        raise RoomError("player_limit", f"both teams together: {both}, not {room.player_limit}")
    if room.min_players != both:
        raise RoomError("min_players", f"both teams together: {both}, not {room.min_players}")
    if not room.time_enable:
        raise RoomError("time_enable", "a 5v5 ends by its clock")
