"""`docs/states.md`: the status tables as diagrams, drawn from the tables. `python -m scripts.state_diagrams` writes it.

An arrow that holds for every status of a group starts at the group's box; else the picture would have sixty arrows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import product
from pathlib import Path

from shared.domain import status

PAGE = Path(__file__).resolve().parent.parent / "docs" / "states.md"

# Larger groups first, each around the next: an arrow starts at the largest box that it fits.
TRADE_GROUPS: dict[str, tuple[str, ...]] = {
    "live": status.LIVE,
    "unanswered": (*status.EARLY, status.TradeStatus.CONFIRMING, status.TradeStatus.SENT),
    "early": status.EARLY,
}

Row = tuple[str, str, str]  # from, event, to

HEAD = """# Statuses

`python -m scripts.state_diagrams` writes this page from the tables of [`shared/domain/status.py`](../shared/domain/status.py);
a test compares them. What each status means, and who acts next, is in [architecture.md](architecture.md#statuses).
"""
TRADE_TEXT = """
## A trade

An arrow from a box applies to every status in it. An event without an arrow here changes nothing. If the trade already has the
event's status, the event is no news; otherwise it is written down as `report_ignored`. `order_dropped` leads to `canceled` if
the site asked for a cancel, to `queued` while attempts are left, and to `failed` afterwards.
"""
DEPOSIT_TEXT = """
## A deposit's row

One row is one item on its way into custody, in it, or on its way out. When a withdrawal ended without moving its items, only
`items_seen` frees them. Two people may write off a frozen row whose item is gone; it is `reversed` then, and `frozen_by` says
`written_off`.
"""


def trade_rows() -> list[Row]:
    """Every (from, event, to) of a trade. Where a dropped order leads is asked of the function that decides it."""
    wishes = product((True, False), repeat=2)
    dropped = {status.after_dropped(cancel_requested=wish, attempts_left=left): None for wish, left in wishes}
    rows: list[Row] = []
    for (source, event), to in status.TRADE_TABLE.items():
        rows += [(source, event, each) for each in (dropped if event is status.TradeEvent.ORDER_DROPPED else (to,))]
    return rows


def deposit_rows() -> list[Row]:
    """Every (from, event, to) of a deposit's row."""
    return [(source, event, to) for (source, event), to in status.DEPOSIT_TABLE.items()]


def arrows(rows: Iterable[Row], groups: Mapping[str, Collection[str]]) -> dict[tuple[str, str], list[str]]:
    """(from, to) → events; ``from`` is a group where all of its statuses have that event and lie apart from ``to``."""
    sources: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for source, event, to in rows:
        sources[event, to].append(source)
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (event, to), left in sources.items():
        for name, members in groups.items():
            if set(members) <= set(left) and to not in members:
                found[name, to].append(event)
                left = [each for each in left if each not in members]
        for source in left:
            found[source, to].append(event)
    return found


def diagram(rows: list[Row], groups: Mapping[str, Collection[str]], first: str, final: Iterable[str]) -> str:
    """A Mermaid state diagram that begins with ``first``. Each group is a box around its own and the next smaller group."""
    lines = ["```mermaid", "stateDiagram-v2"]
    names = list(groups)
    for name, members in reversed(list(groups.items())):  # inner boxes first; a box is filled once
        inner = names[names.index(name) + 1 :][:1]
        bare = [each for each in members if not any(each in groups[other] for other in inner)]
        lines += [f"    state {name} {{", *(f"        {each}" for each in [*inner, *bare]), "    }"]
    lines.append(f"    [*] --> {first}")
    lines += [f"    {source} --> {to} : {', '.join(events)}" for (source, to), events in arrows(rows, groups).items()]
    lines += [f"    {each} --> [*]" for each in final]
    return "\n".join([*lines, "```", ""])


def page() -> str:
    """The text of `docs/states.md`."""
    trades = diagram(trade_rows(), TRADE_GROUPS, status.TradeStatus.QUEUED, status.FINAL)
    deposits = diagram(deposit_rows(), {}, status.DepositStatus.DEPOSIT_PENDING, status.DEPOSIT_FINAL)
    return "\n".join([HEAD + TRADE_TEXT, trades + DEPOSIT_TEXT, deposits])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
