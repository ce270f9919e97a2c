"""What a room's rules bring in, before anybody plays for anything: rounds by the thousand with made-up players (`players`).

Each round goes through the real engine, from the commitment to the seal. The same seed gives the same report.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lottery import rooms
from lottery.errors import LotteryError, printable
from lottery.players import played
from lottery.rooms import Room
from lottery.state import Phase, Round


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


SIZES = (4, 16, 64, None)


@dataclass(slots=True)
class Size:
    """What was lost in pots of at most so many items (None: of any number), cents: few dear items rarely add up to the due."""

    items_max: int | None
    rounds: int = 0
    due: int = 0
    lost: int = 0

    @property
    def loss(self) -> float:
        """The part of the due that was not collected."""
        return self.lost / self.due if self.due else 0.0


@dataclass(slots=True)
class Report:
    """The figures of a simulation. Money in cents; `loss` is the part of the due that was not collected.

    `kept` is what stays with the house in any kind of room: rake, the rows that no share of a Sit-n-Go covers, the tickets of a
    giveaway (before its prize, whose worth is the house's own choice), what a raffle brings over its prize. `credit` is owed.
    """

    room: str
    rounds: int = 0
    void: int = 0
    bank: int = 0
    due: int = 0
    collected: int = 0
    over_due: int = 0
    kept: int = 0
    credit: int = 0
    credited: int = 0
    items: list[int] = field(default_factory=list)
    banks: list[int] = field(default_factory=list)
    losses: list[int] = field(default_factory=list)
    brackets: list[Bracket] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=lambda: [Size(most) for most in SIZES])

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
            "kept_cents": self.kept,
            "credit_cents": self.credit,
            "rounds_with_credit": self.credited,
            "loss_by_items": [
                {"items_max": each.items_max, "rounds": each.rounds, "loss": round(each.loss, 6)} for each in self.sizes
            ],
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
    report.kept += kept(state)
    credit = sum(each["credit"] for each in state.outcome["payouts"])
    report.credit += credit
    report.credited += credit > 0
    taken = state.outcome["rake"]
    if taken is None:
        return
    report.due += taken["due"]
    report.collected += taken["net"]
    report.over_due += taken["net"] > taken["due"] + taken["carry"]
    report.losses.append(taken["shortfall"])
    size = next(each for each in report.sizes if each.items_max is None or len(state.entries) <= each.items_max)
    size.rounds, size.due, size.lost = size.rounds + 1, size.due + taken["due"], size.lost + taken["shortfall"]
    _add_to_bracket(report, state, taken)


def kept(state: Round) -> int:
    """What stays with the house of a drawn round, in cents; of a giveaway before its prize."""
    if state.outcome is None:
        return 0
    if state.rules.raffle is not None:
        return state.bank - state.rules.raffle.price
    if state.outcome["rake"] is not None:
        return int(state.outcome["rake"]["net"])
    house = set(state.outcome["house"])
    return sum(entry.price for entry in state.entries if entry.deposit_id in house)


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
        f"the house keeps {report.kept / 100:,.2f}; it owes {report.credit / 100:,.2f} as credit, in {report.credited} rounds",
    ]
    for size in report.sizes if report.due else []:
        named = "more" if size.items_max is None else f"at most {size.items_max}"
        lines.append(f"  pots of {named} items: {size.rounds} rounds, loss {100 * size.loss:.2f} % of the due")
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
        sys.stderr.write(f"lottery simulate: {printable(str(error))}\n")
        return 2
    sys.stdout.write((json.dumps(report.as_json(), indent=2) if arguments.json else as_text(report)) + "\n")
    return 0


def _room(name: str) -> Room:
    return rooms.from_toml(Path(name).read_text(encoding="utf-8")) if name.endswith(".toml") else rooms.load(name)


def _show_progress(done: int, count: int) -> None:
    if done % max(1, count // 20) == 0 and sys.stderr.isatty():
        sys.stderr.write(f"\r{done}/{count}" + ("\n" if done == count else ""))
