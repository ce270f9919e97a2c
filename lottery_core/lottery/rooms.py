"""Rooms as data: every parameter of a room, read from TOML or JSON and checked before the first bet (`rules`).

A new kind of room is a new file in `rooms/`, or one small function in `payouts.py` for a new way to pay out. `None` is no
limit; 0 is a limit of zero (for a minimum: no minimum). Money is cents, times are seconds.
"""

import tomllib
from dataclasses import dataclass, fields, replace
from functools import cached_property
from importlib import resources
from typing import Any

from lottery import encoding, rules, sources
from lottery.errors import RoomError
from lottery.sources import BeaconTerms, EntropyMode, Network

SEED_RAKE = ((50, 10), (60, 8), (70, 7), (80, 6), (90, 5), (95, 3), (100, 0))
CHANGE_MAX_CENTS = 5_000


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
    lonely_void_s: int | None = None
    open_max_s: int | None = None
    allowed_items: tuple[int, ...] | None = None
    shares: tuple[int, ...] | None = None
    team_limit: int | None = None
    global_pot_limit: int | None = None
    min_players: int = 2
    tickets: str = "cent"
    entropy: str = "drand:quicknet"
    entropy_margin_s: int = 6
    beacon: BeaconTerms | None = None
    unsettled: bool = False
    ranges: str | None = None
    rake: tuple[tuple[int, int], ...] | None = None
    rake_change_max: int = CHANGE_MAX_CENTS
    rake_change_max_bp: int | None = None
    rake_carry: bool = False
    priority_items: tuple[int, ...] = ()
    referral_percent: int = 20
    raffle: RaffleTerms | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            if isinstance(getattr(self, field.name), list | dict):
                raise RoomError(field.name, "a tuple or terms; plain lists and objects are for `parse`")
        rules.check(self.rules)

    @cached_property
    def rules(self) -> dict[str, Any]:
        """The configuration as JSON values, every key present: what the rules hash covers."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @cached_property
    def rules_hash(self) -> bytes:
        return encoding.sha256(encoding.TAG("lot2.rules"), encoding.LP(encoding.canonical_json(self.rules)))

    @cached_property
    def source(self) -> EntropyMode:
        """How the number comes about."""
        return sources.entropy_mode(self.entropy)

    @cached_property
    def network(self) -> Network | None:
        """The drand network that is waited for, if one is."""
        if self.source.chain is None:
            return None
        return self.beacon.network if self.beacon is not None else sources.NETWORKS[self.source.chain]

    def change_max(self, bank: int) -> int:
        """How much more than its due the house may take and hand back, in cents, for a pot of this value."""
        share = bank * (self.rake_change_max_bp or 0) // rules.BASIS_POINTS
        return min(max(self.rake_change_max, share), rules.RAKE_CHANGE_MAX_CENTS)

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


TERMS: dict[str, Any] = {"raffle": RaffleTerms, "beacon": BeaconTerms}


def _known(key: str) -> None:
    if key not in {field.name for field in fields(Room)}:
        raise RoomError(str(key), "no such parameter")


def _frozen(key: str, value: Any) -> Any:
    if key == "rake" and isinstance(value, list | tuple):
        if not all(isinstance(row, list | tuple) for row in value):
            raise RoomError("rake", "rows of [upper, percent]")
        return tuple(tuple(row) for row in value)
    terms = TERMS.get(key)
    if terms is not None and isinstance(value, dict):
        try:
            return terms(**value)
        except TypeError as error:
            raise RoomError(key, str(error)) from error
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, RaffleTerms | BeaconTerms):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return value
