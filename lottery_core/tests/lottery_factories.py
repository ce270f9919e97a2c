"""Valid defaults for events and whole rounds; a test overrides what it is about."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from lottery import commitments, drawing, effects, event_json, events, rooms, rounds
from lottery.commitments import Piece, SeedChain
from lottery.effects import Effects
from lottery.errors import Refused
from lottery.events import Bet, Buy, Create, Entropy, Event, Finalize, Manual, Open, Row, Settled, Start, Tick, Void
from lottery.payouts import moving_rows
from lottery.rooms import Room
from lottery.snapshots import snapshot
from lottery.sources import Claim, Network
from lottery.state import Phase, Round

T0 = 1_692_806_300_000
HOUSE = 900_000
PRIZE = (Piece(HOUSE, 99, 150_000),)
_tokens = count(1)


def shared_file(variable: str, name: str) -> Path | None:
    """A file that is not part of this repository: named by the environment, or in `shared/data` beside the checkout."""
    named = os.environ.get(variable)
    beside = Path(__file__).resolve().parents[3] / "shared" / "data" / name
    path = Path(named) if named else beside
    return path if path.is_file() else None


def vectors() -> dict[str, Any]:
    """The published vectors where they are at hand, else those pinned for the same recipe in vectors.json."""
    path = shared_file("LOTTERY_VECTORS", "fair-vectors.json") or Path(__file__).parent / "vectors.json"
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def token() -> str:
    return f"t{next(_tokens)}"


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def rows(user: int, prices: Iterable[int | None], first: int = 1, item: int = 11, **facts: Any) -> tuple[Row, ...]:
    return tuple(Row(first + index, item, user, price, **facts) for index, price in enumerate(prices))


def stock(prices: Iterable[int]) -> tuple[Piece, ...]:
    return tuple(Piece(HOUSE + index, 7, price) for index, price in enumerate(prices, 1))


class Lane:
    """One lane with its seed chain: creates rounds one after the other, and knows their secrets as the operator does."""

    def __init__(self, room: Room, seed: str = "seed", length: int = 50, name: str | None = None) -> None:
        self.room, self.seed, self.name = room, seed, name or room.name
        self.seeds = SeedChain(self.name, commitments.chain(self.name, digest(seed), length))
        self.previous: Round | None = None

    def create_event(self, **changes: Any) -> Create:
        before = self.previous
        number = before.number + 1 if before else 1
        values: dict[str, Any] = {
            "now": before.now if before else T0,
            "token": f"create {number}",
            "rules": self.room,
            "room": self.name,
            "round": number,
            "hash": self.seeds.hash(number),
            "chain": self.seeds.link(number),
            "prev_seal": (before.seal or b"") if before else bytes(32),
            "guarantees": PRIZE if self.room.mode in ("giveaway", "raffle") else (),
        }
        return Create(**{**values, **changes})

    def create(self, **changes: Any) -> Round:
        state = rounds.create(self.create_event(**changes), self.previous)
        self.previous = state
        return state

    def started(self, **changes: Any) -> Round:
        state = self.create(**changes)
        rounds.apply(state, Start(state.now, token()))
        return state

    def secret(self, state: Round) -> bytes:
        return self.seeds.secret(state.number)


def bet(state: Round, user: int, prices: Sequence[int | None], now: int | None = None, **changes: Any) -> Bet:
    """A bet of fresh rows of this user; ids go on from those in the pot."""
    first = max([row for row in state.rows if row < HOUSE], default=0) + 1
    facts = {key: changes.pop(key) for key in ("status", "locked_by", "settled", "name") if key in changes}
    offered = changes.pop("rows", None) or rows(user, prices, changes.pop("first", first), changes.pop("item", 11), **facts)
    return Bet(state.now if now is None else now, changes.pop("token", None) or token(), user, offered, **changes)


def place(state: Round, user: int, prices: Sequence[int | None], now: int | None = None, **changes: Any) -> Effects:
    return rounds.apply(state, bet(state, user, prices, now, **changes))


ISSUED: set[bytes] = set()
"""The entropies of all beacons that were made up here: what a real network would have signed."""


def issued(claim: Claim) -> bool:
    """The checking function of these tests: a beacon is genuine when it was made here."""
    return claim.entropy in ISSUED


def beacon(source_round: int, network: Network, salt: str = "") -> tuple[bytes, dict[str, str]]:
    """Entropy and proof with the form of a beacon; the signature is made up, and `issued` knows it."""
    signature = b"\x8b" + (digest(f"{network.chain_hash} {source_round} {salt}") * 3)[: network.signature_bytes - 1]
    proof = {"signature": signature.hex()}
    if network.chained:
        proof["previous"] = (b"\x8b" + digest(f"before {source_round}") * 3)[:96].hex()
    entropy = hashlib.sha256(signature).digest()
    ISSUED.add(entropy)
    return entropy, proof


def block(after_s: int, salt: str = "") -> tuple[bytes, dict[str, str]]:
    header = (digest(f"block {salt}") * 3)[:68] + (after_s + 1).to_bytes(4, "little") + bytes(8)
    entropy = hashlib.sha256(hashlib.sha256(header).digest()).digest()
    ISSUED.add(entropy)
    return entropy, {"header": header.hex(), "height": "800000"}


def entropy_event(state: Round, salt: str = "", now: int | None = None) -> Entropy:
    assert state.close is not None
    network, number = state.rules.network, state.close.source_round
    entropy, proof = beacon(number, network, salt) if network else block(number, salt)
    when = (drawing.beacon_ms(state) or 0) + 1000
    return Entropy(max(state.now, when) if now is None else now, token(), number, entropy, proof)


def apply(state: Round, event: Event) -> Effects:
    """As `rounds.apply`, with the checking function of these tests."""
    return rounds.apply(state, event, issued)


def typed(state: Round, digits: str, now: int | None = None) -> Manual:
    return Manual(state.now if now is None else now, token(), digits, 31, 32, "https://video.example/1#sha256=00")


def close_by_time(state: Round) -> Effects:
    assert state.deadline is not None
    return rounds.apply(state, Tick(max(state.now, state.deadline), token()))


def draw(lane: Lane, state: Round, salt: str = "", digits: Sequence[str] = ()) -> None:
    """From closed (or typing) to drawn."""
    numbers = list(digits)
    while state.phase is Phase.TYPING:
        rounds.apply(state, typed(state, numbers.pop(0) if numbers else "7"))
    rounds.apply(state, Open(state.now + 1000, token(), lane.secret(state)))
    if state.phase is Phase.OPENED and state.rules.source.waits:
        apply(state, entropy_event(state, salt))
    while state.phase is Phase.OPENED:
        rounds.apply(state, typed(state, numbers.pop(0)))


def settle(state: Round) -> None:
    """From drawn to sealed."""
    rounds.apply(state, Finalize(state.now, token()))
    rounds.apply(state, Settled(state.now, token(), tuple(sorted(moving_rows(state)))))


def finish(lane: Lane, state: Round, salt: str = "", digits: Sequence[str] = ()) -> Round:
    """From game to sealed (or void and sealed)."""
    if state.phase is Phase.GAME and state.deadline is not None:
        close_by_time(state)
    if state.phase is Phase.VOID:
        rounds.apply(state, Open(state.now, token(), lane.secret(state)))
        return state
    draw(lane, state, salt, digits)
    settle(state)
    return state


# ---- one whole round of each kind


def classic(seed: str = "classic", players: int = 3, bets: int = 6, **changes: Any) -> tuple[Lane, Round]:
    """A finished classic round of seeded bets, with change from the house's stock and inviters."""
    chance = Random(seed)
    lane = Lane(rooms.load("classic-unlimited", **changes), seed)
    state = lane.started(stock=stock([chance.randint(1, 60) for _ in range(20)]))
    for index in range(bets):
        user = 7001 + index % players
        prices = [chance.randint(100, 3000) for _ in range(chance.randint(1, 2))]
        place(state, user, prices, state.now + 10, inviters=(12, 3, 4))
    return lane, finish(lane, state)


def sitngo(seed: str = "sng") -> tuple[Lane, Round]:
    lane = Lane(rooms.load("sit-n-go"), seed)
    state = lane.started()
    for index in range(10):
        place(state, 9000 + index, [100], item=1, inviters=(1, 2) if index == 6 else ())
    return lane, finish(lane, state)


def fivefive(seed: str = "5v5", ranges: str = "complement", stakes: Sequence[Sequence[int]] = ()) -> tuple[Lane, Round]:
    chance = Random(seed)
    lane = Lane(rooms.load("5v5", ranges=ranges), seed)
    state = lane.started(stock=stock([chance.randint(1, 60) for _ in range(20)]))
    for index in range(10):
        prices = list(stakes[index]) if stakes else [chance.randint(100, 900) for _ in range(chance.randint(1, 4))]
        place(state, 5000 + index, prices, state.now + 5, team=1 + index % 2, inviters=(1,))
    return lane, finish(lane, state)


POT_CENTS = 500_000


def pot(seed: str = "pot", entropy: str = "manual:mixed:quicknet", players: int = 30, **changes: Any) -> tuple[Lane, Round]:
    chance = Random(seed)
    lane = Lane(rooms.load("global-pot", global_pot_limit=POT_CENTS, entropy=entropy, bet_item_limit_max=None, **changes), seed)
    state = lane.started()
    while state.phase is Phase.GAME:
        user = 1000 + chance.randrange(players)
        place(state, user, [int(100 + chance.paretovariate(1.2) * 200) for _ in range(2)], state.now + 5)
    return lane, finish(lane, state, digits=distinct_tickets(state) if entropy == "manual:direct" else [])


def distinct_tickets(state: Round) -> list[str]:
    """One ticket of each player, as typed digits with leading zeros."""
    return [f"{player.ranges[0][0]:09d}" for player in state.players.values() if player.tickets]


def giveaway(seed: str = "giveaway", users: Sequence[int] = (1, 2, 2, 3)) -> tuple[Lane, Round]:
    lane = Lane(rooms.load("giveaway"), seed)
    state = lane.started()
    for user in users:
        place(state, user, [5], item=2)
    return lane, finish(lane, state)


EVERY_KIND: Mapping[str, Any] = {
    "classic": classic,
    "sitngo": sitngo,
    "teams": fivefive,
    "teams inverse": lambda: fivefive(ranges="inverse"),
    "pot mixed": pot,
    "pot direct": lambda: pot(entropy="manual:direct"),
    "pot drand": lambda: pot(entropy="drand:default"),
    "giveaway": giveaway,
    "classic none": lambda: classic(entropy="none"),
    "classic block": lambda: classic(entropy="block:bitcoin"),
}


def apply_all(state: Round, events: Iterable[Event]) -> None:
    for event in events:
        apply(state, event)


__all__ = ["Buy", "Create", "Piece", "Refused", "Room", "Row", "Void", "effects", "event_json", "events", "snapshot"]
