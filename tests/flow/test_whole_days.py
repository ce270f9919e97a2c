"""Small fleets that live through a whole profile of trouble, by a seed: slow perhaps, but nothing is lost or doubled."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flow_site import Answer, Player, Website, patient
from support import wait_until

from scripts.lab.calls import get_json, send_json
from scripts.lab.stack import Stack, Wish

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("days"), pytest.mark.timeout(900)]

HABITS = ("accept", "accept", "accept", "decline", "counter", "ignore", "accept", "decline")
DONE = ("accepted", "settled", "declined", "countered", "expired", "canceled", "failed", "reversed")
MAINTENANCE_S, AFTERMATH_S = 1200, 1800
LONG_S = 300.0

# Of a client's patience and the bots' looks everything is shorter than in life, as the day is.
QUICK = patient(
    steam={"read_timeout_s": 3.0, "maintenance_hold_s": 0.5},
    group={"heartbeat_s": 0.5},
    trades={
        "watch_s": 0.5,
        "sweep_s": 0.5,
        "find_s": 0.5,
        "find_max_s": 1.0,
        "absent_after_s": 0.5,
        "inventory_wait_s": 10.0,
        "attempts_max": 20,
        "confirm_give_up_s": 20.0,
    },
)


class Day:
    """Players of one seed, who ask for deposits and withdrawals until the day ends."""

    def __init__(self, site: Website, seed: int) -> None:
        self.site = site
        self.seed = seed
        self.over = threading.Event()
        self.trades: list[str] = []
        self.answers: list[int] = []
        self.players = [site.player(items=10, habit=habit) for habit in HABITS]

    def live(self, number: int) -> None:
        """One player's day."""
        player, chance, asked = self.players[number], random.Random(f"{self.seed}:{number}"), 0
        while not self.over.is_set():
            asked += 1
            key = f"day-{self.seed}-{number}-{asked}"
            held = [row["deposit_id"] for row in self.site.deposits(player).values() if row["status"] == "active"]
            if held and chance.random() < 0.5:
                self._ask("/withdraw", player, key, {"deposit_ids": held[:2], "when_settled": True})
            else:
                self._deposit(player, key, chance)
            self.over.wait(chance.uniform(0.1, 0.5))

    def _deposit(self, player: Player, key: str, chance: random.Random) -> None:
        seen = self.site.call("POST", "/inventory", {"steam_id": player.steam_id, "trade_url": player.trade_url})
        self.answers.append(seen.status)
        if seen.status == 200:
            free = [row["asset_id"] for row in seen.body["items"] if row["acceptable"]]
            if free:
                self._ask("/deposit", player, key, {"asset_ids": free[: chance.randint(1, 3)]})

    def _ask(self, path: str, player: Player, key: str, what: dict[str, Any]) -> None:
        """One wish, asked again under its key while that may help; sometimes canceled, and what comes of it is followed."""
        body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url} | what
        answer = Answer(503, {"retryable": True})
        while not self.over.is_set() and answer.status >= 400 and answer.body["retryable"]:
            answer = self.site.call("POST", f"{path}?wait=2", body, key=key)
            self.answers.append(answer.status)
            self.over.wait(0.2)
        self.trades += [trade["trade_id"] for trade in answer.body.get("trades", [])]

    def finish(self) -> list[dict[str, Any]]:
        """Nobody asks for more and all trouble is over: every trade, once it has come to its end."""
        for trade in self.shown():
            if trade["status"] not in DONE:
                self.site.call("POST", f"/trade/{trade['trade_id']}/cancel", {})
        wait_until(lambda: all(trade["status"] in DONE for trade in self.shown()), LONG_S, 0.3)
        self.site.agree(LONG_S)
        return self.shown()

    def shown(self) -> list[dict[str, Any]]:
        found = []
        for start in range(0, len(self.trades), 200):
            found += self.site.call("POST", "/trade", {"trade_ids": self.trades[start : start + 200]}).body["trades"]
        return found


def struck(site: Website) -> set[str]:
    """Which kinds of trouble have struck so far."""
    rows = get_json(f"{site.stack.control_url}/control/faults?all=1")["faults"]
    return {row["kind"] for row in rows if row["hits"]}


def advance(site: Website, seconds: float) -> None:
    send_json("POST", f"{site.stack.control_url}/control/clock", {"advance_s": seconds})


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("seed", "seconds", "trades_least"), [(11, 4, 3), (12, 60, 15), (13, 60, 15), (14, 60, 15)])
def test_a_bad_day_loses_and_doubles_nothing(tmp_path: Path, seed: int, seconds: float, trades_least: int) -> None:
    with Stack(Wish(directory=tmp_path, bots_per_group=3, players=0, seed=seed, protection_s=2, overrides=QUICK)) as stack:
        day = Day(site := Website(stack), seed)
        send_json("POST", f"{stack.control_url}/control/profile", {"name": "bad-day"})
        with ThreadPoolExecutor(len(HABITS)) as pool:
            lives = [pool.submit(day.live, number) for number in range(len(HABITS))]
            day.over.wait(seconds)
            # Where all is slow, the day is longer.
            wait_until(lambda: len(day.trades) >= trades_least and len(struck(site)) >= 4, LONG_S, 0.2)
            day.over.set()
            for life in lives:
                life.result()
        kinds = struck(site)
        send_json("DELETE", f"{stack.control_url}/control/profile", None)
        trades = day.finish()
    assert len(trades) >= trades_least and len(kinds) >= 4, (len(trades), kinds)


@pytest.mark.long
def test_a_tuesday_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The two minutes before, the outage and its aftermath are passed by moving Steam's clock; ours goes on."""
    with Stack(Wish(directory=tmp_path, bots_per_group=3, players=0, seed=22, protection_s=2, overrides=QUICK)) as stack:
        day = Day(site := Website(stack), seed=22)
        send_json("POST", f"{stack.control_url}/control/profile", {"name": "tuesday"})
        with ThreadPoolExecutor(len(HABITS)) as pool:
            lives = [pool.submit(day.live, number) for number in range(len(HABITS))]
            wait_until(lambda: len(day.trades) >= 4)
            advance(site, 61)  # the item servers go first
            wait_until(lambda: "str_error" in struck(site))
            advance(site, 60)
            wait_until(lambda: [bot for bot in stack.bots() if bot.reason == "steam_maintenance"], every_s=0.2)
            made = len(day.trades)
            advance(site, MAINTENANCE_S)
            wait_until(lambda: len(day.trades) >= made + 4)
            kinds = struck(site)
            day.over.set()
            for life in lives:
                life.result()
        send_json("DELETE", f"{stack.control_url}/control/profile", None)
        advance(site, AFTERMATH_S)
        trades = day.finish()
    assert len(trades) >= 8 and {"maintenance", "str_error"} <= kinds, (len(trades), kinds)
