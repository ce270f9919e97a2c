"""Rounds by the thousand with made-up players: what a room's rules bring in, before anybody plays for anything.

Each round goes through the real engine, from the commitment to the seal; only the beacon's signature is made up, from the seed.
The same seed gives the same report. Prices follow a mix of many cheap
items, some dearer ones, keys and knives.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import exp
from pathlib import Path
from statistics import NormalDist
from typing import Any

from lottery import commitments, draw, encoding, rooms, rounds
from lottery.encoding import TAG, S
from lottery.errors import LotteryError, Refused
from lottery.events import Bet, Buy, Create, Entropy, Finalize, Manual, Open, Piece, Row, Settled, Start, Tick
from lottery.payouts import moving_rows
from lottery.rooms import Room
from lottery.state import Phase, Round

START_MS = 1_700_000_000_000
STOCK_PIECES = 60
STOCK_CENTS_MAX = 500
TOKEN_CENTS = 100
BETS_MAX = 200_000
_NORMAL = NormalDist()


class Chance:
    """A stream of numbers that follows from a seed."""

    def __init__(self, seed: str) -> None:
        self._words = draw.words(encoding.sha256(TAG("lot1.simulate"), S(seed)))
        self._block = 0
        self._bytes = b""

    def _word(self) -> int:
        if len(self._bytes) < 8:
            self._bytes = self._words("simulate", 0, self._block >> 32, self._block & 0xFFFFFFFF)
            self._block += 1
        word, self._bytes = self._bytes[:8], self._bytes[8:]
        return int.from_bytes(word, "big")

    def below(self, n: int) -> int:
        """0 … n-1; good enough for made-up players (64-bit words, no rejection)."""
        return self._word() * n >> 64

    def unit(self) -> float:
        """Between 0 and 1, both excluded."""
        return (self._word() + 0.5) / 2**64

    def lognormal(self, median: float, spread: float) -> float:
        return median * exp(spread * _NORMAL.inv_cdf(self.unit()))

    def bytes(self) -> bytes:
        return encoding.sha256(self._word().to_bytes(8, "big"))


def staked_price(chance: Chance) -> int:
    """Cents of one staked item: 80 % around 1.00, 10 % around 2.60, 8 % keys at 2.49, 2 % knives around 150."""
    kind = chance.unit()
    if kind < 0.80:
        return max(1, int(chance.lognormal(100, 1.3)))
    if kind < 0.90:
        return max(1, int(chance.lognormal(260, 1.4)))
    return 249 if kind < 0.98 else int(chance.lognormal(15_000, 0.7))


def house_stock(chance: Chance, first_id: int = 1 << 40) -> tuple[Piece, ...]:
    """60 small items, as earlier rakes leave them: the staked mix up to 5.00."""
    pieces: list[Piece] = []
    while len(pieces) < STOCK_PIECES:
        price = staked_price(chance)
        if price <= STOCK_CENTS_MAX:
            pieces.append(Piece(first_id + len(pieces), 0, price))
    return tuple(pieces)


@dataclass(slots=True)
class Bracket:
    """What rounds with a winner's chance in one row of the rake table brought in, cents."""

    upper: int
    percent: int
    rounds: int = 0
    bank: int = 0
    due: int = 0
    collected: int = 0

    @property
    def edge(self) -> float:
        """The house's part of the pots."""
        return self.collected / self.bank if self.bank else 0.0


@dataclass(slots=True)
class Report:
    """The figures of a simulation. Money in cents; `loss` is the part of the due that was not collected."""

    room: str
    rounds: int = 0
    void: int = 0
    bank: int = 0
    due: int = 0
    collected: int = 0
    over_due: int = 0
    items: list[int] = field(default_factory=list)
    banks: list[int] = field(default_factory=list)
    losses: list[int] = field(default_factory=list)
    brackets: list[Bracket] = field(default_factory=list)

    @property
    def loss(self) -> float:
        return (self.due - self.collected) / self.due if self.due else 0.0

    @property
    def nominal(self) -> float:
        """The due as a part of the pots."""
        return self.due / self.bank if self.bank else 0.0

    @property
    def edge(self) -> float:
        """What was collected as a part of the pots."""
        return self.collected / self.bank if self.bank else 0.0

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON values; parts as numbers with a fraction, for people."""
        return {
            "room": self.room,
            "rounds": self.rounds,
            "void": self.void,
            "bank_cents": self.bank,
            "due_cents": self.due,
            "collected_cents": self.collected,
            "rake_nominal": round(self.nominal, 6),
            "rake_collected": round(self.edge, 6),
            "loss": round(self.loss, 6),
            "rounds_over_due": self.over_due,
            "items_per_round": spread(self.items),
            "bank_per_round_cents": spread(self.banks),
            "brackets": [
                {"upper": each.upper, "percent": each.percent, "rounds": each.rounds, "edge": round(each.edge, 6)}
                for each in self.brackets
            ],
        }


def spread(values: Sequence[int]) -> dict[str, int]:
    """Least, median, 90th percentile and greatest; empty without values."""
    if not values:
        return {}
    ordered = sorted(values)
    last = len(ordered) - 1
    return {"min": ordered[0], "p50": ordered[last // 2], "p90": ordered[last * 9 // 10], "max": ordered[last]}


# ---- players


def simulate(
    room: Room,
    count: int,
    players: int = 10,
    seed: str = "simulate",
    change: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Plays `count` rounds and adds up. `progress(done, count)` is called after each round. Raises LotteryError."""
    if count < 1 or players < room.min_players:
        raise LotteryError(f"needs at least 1 round and {room.min_players} players")
    report = Report(room.name, brackets=[Bracket(*row) for row in room.rake or ()])
    for done, state in enumerate(played(room, count, players, seed, change), 1):
        add(report, state)
        if progress is not None:
            progress(done, count)
    return report


def played(room: Room, count: int, players: int, seed: str, change: bool) -> Iterator[Round]:
    """The sealed (or void) rounds of one lane, one by one."""
    chance = Chance(seed)
    secrets = commitments.chain(room.name, chance.bytes(), count)
    previous: Round | None = None
    for number in range(1, count + 1):
        salt = chance.bytes()
        event = Create(
            previous.now if previous else START_MS,
            f"create {number}",
            room,
            room.name,
            number,
            commitments.commit(room.name, number, salt, secrets[number]),
            salt,
            (previous.seal or b"") if previous else rounds.ZERO_SEAL,
            (number - 1, secrets[number - 1]),
        )
        state = rounds.create(event, previous)
        rounds.apply(state, Start(state.now, "start"))
        _bet_until_closed(state, chance, players)
        _finish(state, chance, secrets[number], change)
        previous = state
        yield state


def _bet_until_closed(state: Round, chance: Chance, players: int) -> None:
    """Players bet in turn, some often, until a limit or the clock ends it; then the clock is moved on."""
    refused = 0
    rhythm = _rhythm(state, players)
    for number in range(BETS_MAX):
        if state.phase is not Phase.GAME or (state.deadline is not None and state.now + rhythm >= state.deadline):
            break
        user = number + 1 if number < players else 1 + chance.below(players)
        try:
            rounds.apply(state, _stake(state, chance, user, number, state.now + rhythm))
            refused = 0
        except Refused:
            refused += 1
        if refused > 20 * players:
            break
    if state.phase is Phase.GAME and state.deadline is None:
        raise LotteryError(f"{players} players cannot fill room {state.rules.name}: no clock, and every bet is refused")
    if state.phase is Phase.GAME and state.deadline is not None:
        rounds.apply(state, Tick(state.deadline, "tick"))


def _rhythm(state: Round, players: int) -> int:
    """Milliseconds between bets, so that everybody bets about twice before the clock ends."""
    return max(1, (state.rules.time_limit or 60) * 1000 // (2 * players + 1))


def _stake(state: Round, chance: Chance, user: int, number: int, now: int) -> Bet | Buy:
    rules, token = state.rules, f"bet {number}"
    if rules.raffle is not None:
        left = rules.raffle.tickets - state.tickets
        return Buy(now, token, user, 1 + chance.below(max(1, left // 4)), 1 << 50)
    player = state.players.get(user)
    left = (rules.bet_item_limit_max or 10) - (player.items if player else 0)
    room_left = left if rules.item_limit_max is None else min(left, rules.item_limit_max - len(state.entries))
    count = 1 + chance.below(max(1, min(5, room_left)))
    team = 0 if rules.team_limit is None else player.team if player else 1 + user % 2
    first = len(state.rows) + 1
    rows = tuple(Row(first + index, _item(rules), user, _price(rules, chance)) for index in range(count))
    return Bet(now, token, user, rows, team)


def _item(rules: Room) -> int:
    return rules.allowed_items[0] if rules.allowed_items else 11


def _price(rules: Room, chance: Chance) -> int:
    if rules.tickets == "item":
        return TOKEN_CENTS
    price = staked_price(chance)
    return price if rules.bet_value_max is None else min(price, rules.bet_value_max // 2)


def _finish(state: Round, chance: Chance, secret: bytes, change: bool) -> None:
    if state.phase is Phase.TYPING:
        _type_numbers(state, chance)
    rounds.apply(state, Open(state.now, "open", secret))
    if state.phase is Phase.VOID:
        return
    if state.phase is Phase.OPENED and state.rules.entropy == "manual:direct":
        _type_numbers(state, chance)
    elif state.phase is Phase.OPENED:
        rounds.apply(state, made_up_beacon(state, chance))
    stock = house_stock(chance) if change and state.rules.mode == "classic" else ()
    rounds.apply(state, Finalize(state.now, "finalize", stock))
    rounds.apply(state, Settled(state.now, "settled", tuple(sorted(moving_rows(state)))))


def _type_numbers(state: Round, chance: Chance) -> None:
    """Types numbers until the phase is over; a number of a user who already won is refused and typed anew."""
    phase = state.phase
    while state.phase is phase:
        digits = str(chance.below(state.tickets))
        try:
            rounds.apply(state, Manual(state.now, f"number {chance.below(1 << 60)}", digits, 1, 2, "simulated"))
        except Refused as refusal:
            if refusal.code != "already_won":
                raise


def made_up_beacon(state: Round, chance: Chance) -> Entropy:
    """An entropy event of the right shape. The engine judges shape and hash; `lottery.drand` judges signatures."""
    if state.close is None:
        raise LotteryError("no beacon before the close")
    mode, number = commitments.entropy_mode(state.rules.entropy), state.close.source_round
    now = max(state.now, commitments.source_time_ms(state.rules.entropy, number))
    if mode.network is None:
        header = (chance.bytes() * 3)[:68] + (number + 1).to_bytes(4, "little") + bytes(8)
        return Entropy(
            now, "beacon", number, hashlib.sha256(hashlib.sha256(header).digest()).digest(), {"header": header.hex()}
        )
    signature = (b"\x80" + chance.bytes() * 3)[: commitments.NETWORKS[mode.network].signature_bytes]
    proof = {"signature": signature.hex()}
    if mode.network == "default":
        proof["previous"] = signature.hex()
    return Entropy(now, "beacon", number, hashlib.sha256(signature).digest(), proof)


# ---- adding up


def add(report: Report, state: Round) -> None:
    """One more round into the report."""
    report.rounds += 1
    report.items.append(len(state.entries))
    report.banks.append(state.bank)
    if state.phase is Phase.VOID or state.outcome is None:
        report.void += 1
        return
    report.bank += state.bank
    taken = state.outcome["rake"]
    if taken is None:
        return
    report.due += taken["due"]
    report.collected += taken["net"]
    report.over_due += taken["net"] > taken["due"] + taken["carry"]
    report.losses.append(taken["shortfall"])
    _add_to_bracket(report, state, taken)


def _add_to_bracket(report: Report, state: Round, taken: dict[str, Any]) -> None:
    for line in taken["dues"]:
        reached = [each for each in report.brackets if 100 * line["tickets"] < each.upper * state.tickets]
        bracket = reached[0] if reached else report.brackets[-1]
        bracket.rounds += 1
        bracket.bank += line["base"]
        bracket.due += line["due"]
        bracket.collected += taken["net"] if len(taken["dues"]) == 1 else line["due"]


def as_text(report: Report) -> str:
    """The report for a terminal."""
    lines = [
        f"{report.room}: {report.rounds} rounds, {report.void} void, pots of {report.bank / 100:,.2f} in total",
        f"items per round {spread(report.items)}, cents per round {spread(report.banks)}",
        f"rake due {100 * report.nominal:.2f} % of the pots, collected {100 * report.edge:.2f} %, "
        f"loss {100 * report.loss:.2f} % of the due, rounds over the due: {report.over_due}",
    ]
    lower = 0
    for each in report.brackets:
        chance = f"chance {lower:3d} to {each.upper:3d} %: {each.percent:2d} %"
        lines.append(f"  {chance}, {each.rounds:6d} winners, house edge {100 * each.edge:.2f} %")
        lower = each.upper
    return "\n".join(lines)


def plot(report: Report, path: Path) -> None:
    """House edge per bracket and round sizes as a picture. Raises LotteryError when matplotlib (extra `plot`) is not there."""
    try:
        from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise LotteryError("a picture needs matplotlib: install lottery with its extra `plot`") from error
    figure = Figure(figsize=(10, 4), layout="constrained")
    edges, sizes = figure.subplots(1, 2)
    names = [f"< {each.upper}" for each in report.brackets]
    edges.bar(names, [each.percent for each in report.brackets], color="#d0d0d0", label="due")
    edges.bar(names, [100 * each.edge for each in report.brackets], width=0.5, color="#2060a0", label="collected")
    edges.set(title=f"{report.room}: rake", xlabel="winner's chance, %", ylabel="% of the pot")
    edges.legend()
    sizes.hist([cents / 100 for cents in report.banks], bins=40, color="#2060a0")
    sizes.set(title=f"pots of {report.rounds} rounds", xlabel="value", ylabel="rounds")
    figure.savefig(path)


# ---- command line


def add_commands(subparsers: Any) -> None:
    """Adds `simulate` to the command line."""
    parser = subparsers.add_parser("simulate", help="play many rounds of a room with made-up players")
    parser.add_argument("room", help=f"one of {', '.join(rooms.names())}, or a TOML file")
    parser.add_argument("--rounds", type=int, default=1000, metavar="N")
    parser.add_argument("--players", type=int, default=10, metavar="N")
    parser.add_argument("--seed", default="simulate")
    parser.add_argument("--no-change", action="store_true", help="the house has no small items to give as change")
    parser.add_argument("--json", action="store_true", help="print the figures for programs")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """The command `simulate`: 0 when it worked, 2 when the room or the wish makes no sense."""
    try:
        room = _room(arguments.room)
        progress = None if arguments.json else _show_progress
        report = simulate(room, arguments.rounds, arguments.players, arguments.seed, not arguments.no_change, progress)
        if arguments.plot is not None:
            plot(report, arguments.plot)
    except (LotteryError, OSError) as error:
        sys.stderr.write(f"lottery simulate: {error}\n")
        return 2
    sys.stdout.write((json.dumps(report.as_json(), indent=2) if arguments.json else as_text(report)) + "\n")
    return 0


def _room(name: str) -> Room:
    return rooms.from_toml(Path(name).read_text(encoding="utf-8")) if name.endswith(".toml") else rooms.load(name)


def _show_progress(done: int, count: int) -> None:
    if done % max(1, count // 20) == 0 and sys.stderr.isatty():
        sys.stderr.write(f"\r{done}/{count}" + ("\n" if done == count else ""))
