"""The end of a chaos run in words: what was done to the fleet and what it cost."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from scripts.chaos_run.plan import BY_NAME

COLUMNS = ("what was done", "times", "trades in flight", "in doubt", "searches", "well again after s (median, most)")


def report_lines(result: Mapping[str, Any]) -> list[str]:
    """Everything worth telling, the table first."""
    lines = ["", f"seed {result['seed']}, profile {result['profile']}, {_shape(result)}", "", *table_lines(result["blows"])]
    lines += ["", "trades"]
    for direction, row in result["trades"].items():
        lines.append(f"  {direction:9} {sum(row.values()):5}   " + ", ".join(f"{n} {status}" for status, n in row.items()))
    told = result["events"]
    lines += [
        f"in doubt           {told.get('to in_doubt', 0)} times, {told.get('offer_absent', 0)} absent, "
        f"{told.get('offer_adopted', 0)} adopted, {told.get('report_ignored', 0)} reports ignored, {told.get('alarm', 0)} "
        "alarms",
        f"clients            {sum(result['answers'].values())} answers, {result['lost_answers']} requests without one",
        f"games              {', '.join(f'{count} {what}' for what, count in result['games'].items())}",
        f"Steam              {result['steam_calls']} calls",
        f"healed             in {result['healed_s']} s, at rest after {result['settled_s']} s more",
    ]
    lines += [f"goes on            {trade_id} {why}" for trade_id, why in result["waiting"].items()]
    lines.append(
        f"foreign clients    {', '.join(f'{count} {what}' for what, count in result['foreign'].items())}".replace("_", " ")
    )
    if result["frozen_rows"]:
        lines.append(f"frozen             {result['frozen_rows']} rows wait for an operator")
    compared = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in result["compared"].items())
    lines += ["", f"compared {compared}"]
    lines += [f"  {row['kind']}: {row['text']}" for row in result["differences"]]
    lines.append(f"{len(result['differences'])} differences")
    if result["differences"]:
        lines.append(f"logs, books.json and record.json are in {result['folder']}")
    return lines


def _shape(result: Mapping[str, Any]) -> str:
    return (
        f"{result['bots']} bots in each of {', '.join(result['groups'])}, {result['balancers']} balancers, "
        f"{result['players']} players, {result['took_s']:.0f} s"
    )


def table_lines(blows: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line per kind of blow, the order of `plan.BY_NAME`."""
    by_kind: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for blow in blows:
        by_kind[blow["kind"]].append(blow)
    rows = [COLUMNS]
    for name, kind in BY_NAME.items():
        if found := by_kind.get(name):
            rows.append(
                (
                    kind.text,
                    str(len(found)),
                    str(sum(blow["in_flight"] or 0 for blow in found)),
                    str(sum(blow["in_doubt"] for blow in found)),
                    str(sum(blow["searches"] for blow in found)),
                    _recovery([blow["recovered_s"] for blow in found]),
                )
            )
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    return [
        "  ".join(
            cell.ljust(width) if not at else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _recovery(seconds: Iterable[float | None]) -> str:
    told = list(seconds)
    known = [each for each in told if each is not None]
    open_ones = f", {len(told) - len(known)} struck again or ended before" if len(known) < len(told) else ""
    if not known:
        return "-" + open_ones
    return f"{statistics.median(known):.1f}, {max(known):.1f}{open_ones}"
