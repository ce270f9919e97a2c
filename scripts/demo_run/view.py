"""What the demo shows: a live picture of bots, queues and trades, and the summary at the end."""

from __future__ import annotations

import io
import re
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scripts.demo_run.players import Tally
from shared import wire

if TYPE_CHECKING:
    from fleet_client.answers import Bot
    from scripts.lab.stack import Stack

REDRAW_S = 0.5

STATUS_ORDER = (
    "queued",
    "sending",
    "in_doubt",
    "confirming",
    "sent",
    "held",
    "accepted",
    "settled",
    "declined",
    "countered",
    "expired",
    "canceled",
    "failed",
    "reversed",
)


def bots_table(bots: Sequence[Bot], queues: dict[str, int]) -> Table:
    """One line per bot: state, items held and reserved, open offers, orders waiting."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("bot", "left"), ("state", "left"), ("held", "right"), ("coming", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("offers", justify="right")
    table.add_column("queue", justify="right")
    for bot in bots:
        state = Text(bot.state, style="green" if bot.state == "online" else "yellow")
        queue = str(queues.get(bot.bot, 0))
        table.add_row(bot.bot, state, str(bot.slots_held), str(bot.slots_reserved), str(bot.open_offers), queue)
    return table


def trades_table(tally: Tally) -> Table:
    """Trades by direction and status."""
    outcome = tally.by_outcome()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("status")
    table.add_column("deposits", justify="right")
    table.add_column("withdrawals", justify="right")
    for status in STATUS_ORDER:
        deposits, withdrawals = outcome["deposit"].get(status, 0), outcome["withdraw"].get(status, 0)
        if deposits or withdrawals:
            table.add_row(status, str(deposits), str(withdrawals))
    return table


def picture(bots: Sequence[Bot], queues: dict[str, int], tally: Tally, players: int, elapsed_s: float) -> Group:
    """The whole live view."""
    grid = Table.grid(padding=(0, 4))
    grid.add_row(bots_table(bots, queues), trades_table(tally))
    head = Text(
        f"trade fleet · {elapsed_s:5.1f} s · {len(tally.statuses)} trades · {tally.players_done} of {players} players done",
        style="bold cyan",
    )
    return Group(head, Text(), grid)


class Screen:
    """Redraws the live view a few times a second, and keeps the last picture."""

    def __init__(self, stack: Stack, tally: Tally, *, live: bool) -> None:
        self._stack = stack
        self._tally = tally
        self._redis = wire.connect(stack.redis_url)
        self._live = Live(console=Console(), auto_refresh=False) if live else None
        self._started = time.monotonic()
        self._drawn = 0.0
        self.kept: Group | None = None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._live:
            self._live.stop()
        self._redis.close()

    def beat(self) -> None:
        """Redraw, if the last time is long enough ago."""
        elapsed = time.monotonic() - self._started
        if elapsed - self._drawn < REDRAW_S:
            return
        self._drawn = elapsed
        queues = {name: int(self._redis.llen(f"rq:queue:{name}")) for name in self._stack.wish.bot_names()}
        now = picture(self._stack.bots(), queues, self._tally, self._stack.wish.players, elapsed)
        self.kept = now
        if self._live:
            self._live.update(now, refresh=True)


def draw(path: Path, kept: Group | None, lines: list[str]) -> None:
    """Write what the terminal showed at the end, as an SVG file."""
    console = Console(record=True, width=100, file=io.StringIO())
    if kept is not None:
        console.print(kept)
    console.print("\n".join(lines), highlight=False, markup=False)
    svg = console.export_svg(title="scripts/demo")
    # Without the fonts that rich would fetch from elsewhere; the reader's own monospace will do.
    path.write_text(re.sub(r"@font-face \{[^}]*\}", "", svg), encoding="utf-8")


def percentile(values: list[float], share: float) -> float | None:
    """The value below which this share lies; ``None`` without values."""
    if not values:
        return None
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def _why(result: dict[str, Any]) -> list[str]:
    """Why trades failed, and whether that is what the players' script wanted: 20 failures look like a defect otherwise."""
    lines = ["", "why some failed (each player gives an old trade URL once, on purpose)"]
    for reason, row in sorted(result["failures"].items(), key=lambda item: -item[1]["trades"]):
        meant = "all as the players meant" if row["meant"] == row["trades"] else f"{row['meant']} as the players meant"
        lines.append(f"  {row['trades']:4}  {reason}   {meant}")
    if not result["failures"]:
        lines.append("  none did")
    other = ", ".join(f"{count} {change}" for change, count in result["not_as_players_meant"].items())
    lines += [f"ended otherwise than their player meant: {other or 'none'}", ""]
    return lines


@dataclass(frozen=True)
class Calls:
    """What Steam was asked.

    ``routes`` are all calls by what they ask for. ``spent`` is what of them was for deposits and for withdrawals, ``made`` how
    many of those were made, however they ended. ``looks`` (at offers that players check) and ``seconds`` (second readings of
    dear items) are in no sum.
    """

    routes: Mapping[str, int]
    spent: Mapping[str, float]
    made: Mapping[str, int]
    looks: int = 0
    seconds: int = 0

    def for_no_trade(self) -> float:
        """What no trade asked for (signing in again, others' offers, audits), shared by all trades."""
        rest = sum(self.routes.values()) - self.looks - self.seconds - sum(self.spent.values())
        return rest / max(1, sum(self.made.values()))

    def per_trade(self) -> dict[str, float]:
        """Direction → calls for each that was made, with its part of what no trade asked for."""
        rest = self.for_no_trade()
        return {direction: self.spent[direction] / count + rest for direction, count in self.made.items() if count}


def calls_of(routes: Mapping[str, int], bots: Sequence[Bot], made: Mapping[str, int]) -> Calls:
    """The same from what Steam counted and the bots say of themselves in ``GET /bots``."""
    spent = {"deposit": sum(bot.deposit_calls for bot in bots), "withdraw": sum(bot.withdraw_calls for bot in bots)}
    return Calls(routes, spent, made, sum(bot.look_calls for bot in bots), sum(bot.second_calls for bot in bots))


def calls_lines(calls: Calls) -> list[str]:
    """What a deposit and a withdrawal cost at Steam, and by kind of call what an average trade does."""
    names = {"deposit": "deposit", "withdraw": "withdrawal"}
    each = calls.per_trade()
    costs = ", ".join(f"{cost:.2f} per {names[direction]}" for direction, cost in each.items())
    counts = " and ".join(f"{calls.made[direction]} {names[direction]}s" for direction in each)
    trades = max(1, sum(calls.made.values()))
    lines = [
        f"Steam calls        {costs}: all that Steam was asked, from the inventory to the settlement,",
        f"                   over the {counts} that were made, however they ended. Sign-ins,",
        f"                   audits and such are {calls.for_no_trade():.2f} of each. By kind, over all {trades} trades:",
    ]
    lines += [
        f"  {share:5.2f}  {route}" for share, route in sorted(((n / trades, r) for r, n in calls.routes.items()), reverse=True)
    ]
    if calls.looks:
        lines.append(f"  {calls.looks} of these calls were looks at offers that players checked; they are not in the sums")
    if calls.seconds:
        lines.append(f"  {calls.seconds} were second readings of dear items, by bots of another host; they are not in the sums")
    return lines


def summary_lines(result: dict[str, Any]) -> list[str]:
    """The end of the demo in words."""
    lines = ["", "trades by outcome"]
    for direction, row in result["trades"].items():
        parts = ", ".join(f"{row[status]} {status}" for status in STATUS_ORDER if status in row)
        lines.append(f"  {direction:9} {sum(row.values()):4}   {parts}")
    lines += _why(result)
    offer = result["request_to_offer_s"]
    lines += [
        f"request to offer   p50 {offer['p50']:.3f} s, p99 {offer['p99']:.3f} s",
        *calls_lines(Calls(**result["steam_calls"])),
        f"took               {result['seconds']:.0f} s",
        "",
        "audit: compared " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in result["compared"].items()),
    ]
    lines += [f"  {row['kind']}: {row['text']}" for row in result["differences"]]
    lines.append(f"audit: {len(result['differences'])} differences")
    bots = result["custody"]["bots"]
    found = [each for row in bots for each in row["differences"]]
    lines.append(f"audit by the bots: {len(bots)} inventories, {result['custody']['verdict']}")
    lines += [f"  {each['kind']}: {each['text']}" for each in found]
    return lines
