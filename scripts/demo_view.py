"""What the demo shows: a live picture of bots, queues and trades, and the summary at the end."""

from __future__ import annotations

import statistics
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from scripts.players import Tally

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


def bots_table(bots: list[dict[str, Any]], queues: dict[str, int]) -> Table:
    """One line per bot: state, items held and reserved, open offers, orders waiting."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("bot", "left"), ("state", "left"), ("held", "right"), ("coming", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("offers", justify="right")
    table.add_column("queue", justify="right")
    for bot in bots:
        name = f"{bot['color']}-{bot['bot_id']}"
        state = Text(bot["state"], style="green" if bot["state"] == "online" else "yellow")
        queue = str(queues.get(name, 0))
        table.add_row(name, state, str(bot["slots_held"]), str(bot["slots_reserved"]), str(bot["open_offers"]), queue)
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


def picture(bots: list[dict[str, Any]], queues: dict[str, int], tally: Tally, players: int, elapsed_s: float) -> Group:
    """The whole live view."""
    grid = Table.grid(padding=(0, 4))
    grid.add_row(bots_table(bots, queues), trades_table(tally))
    head = Text(
        f"trade fleet · {elapsed_s:5.1f} s · {len(tally.statuses)} trades · {tally.players_done} of {players} players done",
        style="bold cyan",
    )
    return Group(head, Text(), grid)


def percentile(values: list[float], share: float) -> float | None:
    """The value below which this share lies; ``None`` without values."""
    if not values:
        return None
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def summary_lines(result: dict[str, Any]) -> list[str]:
    """The end of the demo in words."""
    lines = ["", "trades by outcome"]
    for direction, row in result["trades"].items():
        parts = ", ".join(f"{row[status]} {status}" for status in STATUS_ORDER if status in row)
        lines.append(f"  {direction:9} {sum(row.values()):4}   {parts}")
    offer, calls = result["request_to_offer_s"], result["steam_calls_per_finished_trade"]
    all_calls, bare_calls = calls["all"], calls["without_inventory_reads"]
    lines += [
        f"request to offer   p50 {offer['p50']:.3f} s, p99 {offer['p99']:.3f} s",
        f"Steam calls        {all_calls:.2f} per finished trade, {bare_calls:.2f} without inventory and hold reads",
        f"took               {result['seconds']:.0f} s",
        "",
        "audit: compared " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in result["compared"].items()),
    ]
    lines += [f"  {row['kind']}: {row['text']}" for row in result["differences"]]
    lines.append(f"audit: {len(result['differences'])} differences")
    return lines
