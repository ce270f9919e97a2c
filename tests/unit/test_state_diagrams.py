"""The diagrams of statuses are those of the tables, and every step of a table is in its diagram."""

from __future__ import annotations

import re

import pytest

from scripts import state_diagrams
from scripts.state_diagrams import TRADE_GROUPS, Row
from shared.domain.status import TradeStatus


def test_the_committed_page_is_drawn_from_the_tables() -> None:
    assert state_diagrams.PAGE.read_text(encoding="utf-8") == state_diagrams.page(), "run python -m scripts.state_diagrams"


@pytest.mark.parametrize(("rows", "groups"), [(state_diagrams.trade_rows(), TRADE_GROUPS), (state_diagrams.deposit_rows(), {})])
def test_no_step_is_left_out_and_none_is_invented(rows: list[Row], groups: dict[str, tuple[str, ...]]) -> None:
    """Read back, each arrow from a box stands for one from every status in it."""
    drawn = set()
    for line in state_diagrams.diagram(rows, groups, TradeStatus.QUEUED, ()).splitlines():
        if arrow := re.fullmatch(r" +(\w+) --> (\w+) : (.+)", line):
            sources = groups.get(arrow[1], (arrow[1],))
            drawn |= {(source, event, arrow[2]) for source in sources for event in arrow[3].split(", ")}
    assert drawn == {(str(source), str(event), str(to)) for source, event, to in rows}
