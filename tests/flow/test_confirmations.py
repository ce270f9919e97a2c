"""A fleet as `fleet up` starts it keeps the spacing of confirmations that Steam wants, and loses nothing by it."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest

from scripts.lab.calls import get_json, send_json
from scripts.lab.quick import QUICK

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flow")]


def test_withdrawals_of_one_bot_at_once_are_confirmed_a_second_apart(site: Any) -> None:
    """Steam refuses two within a second, and so does the sandbox: none of these was refused and tried again."""
    player = site.player(habit="accept")
    rows = site.settled_deposits(player, 3)
    send_json("DELETE", f"{site.stack.control_url}/control/requests", {})
    trades = [site.withdraw(player, [row], wait=0).body["trades"][0] for row in rows]
    for trade in trades:
        site.until(trade["trade_id"], "settled")

    times: dict[str, list[float]] = defaultdict(list)
    for call in get_json(f"{site.stack.control_url}/control/requests")["recent"]:
        if call["route"] == "ajaxop":
            times[call["account"]].append(call["time"])
    assert sum(map(len, times.values())) == len(rows)
    assert all(later - earlier >= 0.9 for each in times.values() for earlier, later in pairwise(each))


def test_fleet_up_keeps_the_second_between_two_confirmations() -> None:
    assert QUICK["pace"]["confirm_s"] == 1.0
