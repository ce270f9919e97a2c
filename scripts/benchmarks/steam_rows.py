"""How many requests Steam sees per accepted deposit and withdrawal, with about ten live trades per bot."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from fleet_client import AsyncClient
from fleet_client.answers import Deposit, Trades
from scripts.benchmarks.options import Options
from scripts.benchmarks.rows import BenchError, Floor, Row
from scripts.benchmarks.running import folder, players_of
from scripts.demo_run.players import DONE, Site
from scripts.lab.calls import get_json, send_json
from scripts.lab.quick import BELIEVED
from scripts.lab.stack import Stack, Wish

Say = Callable[[str], None]
BOTS = 2
# Players answer after this long on average, spread by half; in looks at the offers (watch_s = 1) that is four.
ANSWER_S = 4.0
# Longer than a phase takes, so that looks for settlement fall between the phases.
PROTECTION_S = 30
PHASE_MAX_S = 90.0
POLL_S = 0.25


@dataclass
class Phase:
    """What one kind of trade cost, with nothing left out."""

    accepted: int
    requests: Counter[str]

    def per_trade(self) -> float:
        return sum(self.requests.values()) / max(1, self.accepted)

    def listed(self) -> str:
        each = {route: count / max(1, self.accepted) for route, count in self.requests.items()}
        return f"{self.accepted} accepted: {', '.join(f'{route} {count:.2f}' for route, count in sorted(each.items()))}"


def requests(options: Options, say: Say) -> Iterator[Row]:
    """Deposits, then their settlement, then withdrawals; each phase's requests by themselves."""
    say("Steam requests per trade")
    with folder() as directory:
        wish = Wish(directory, bots_per_group=BOTS, players=BOTS * options.live_trades, log_level="warning")
        wish.protection_s = 10 if options.quick else PROTECTION_S
        wish.sandbox_args = ["--items-per-player", "20"]
        wish.overrides = {"trades": {"watch_s": 1.0, "settle_again_s": 10.0, **BELIEVED}}
        with Stack(wish, say=say) as stack:
            phases = asyncio.run(_play(stack, options, say))
    live = f"about {options.live_trades} live trades a bot, answered within {ANSWER_S:g} looks of the watch; "
    for name, most in (("deposit", 4), ("withdrawal", 4)):
        phase = phases[name]
        note = live + phase.listed()
        yield Row(f"Steam requests per accepted {name}", "requests", phase.per_trade(), floor=Floor.most(most), note=note)
    settled = phases["settlement"]
    row = sum(settled.requests.values()) / max(1, settled.accepted)
    counted = {route: round(count / max(1, settled.accepted), 2) for route, count in settled.requests.items()}
    yield Row("Steam requests per settled trade, all looks", "requests", row, note=f"{settled.accepted} settled: {counted}")


async def _play(stack: Stack, options: Options, say: Say) -> dict[str, Phase]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
        AsyncClient(stack.balancer_url, stack.api_key) as fleet,
    ):
        site = Site(http, fleet, stack.control_url)
        games = [Game(site, row, number) for number, row in enumerate(players_of(stack))]
        for game in games:
            await game.get_ready()
        found = {}
        rounds = options.trades_each
        found["deposit"] = await _phase(stack, [game.deposits for game in games], rounds)
        say("  waiting for protection to end")
        settled = await _phase(stack, [game.wait_settled for game in games], 1)
        found["settlement"] = Phase(found["deposit"].accepted, settled.requests)
        found["withdrawal"] = await _phase(stack, [game.withdrawals for game in games], rounds)
        return found


async def _phase(stack: Stack, works: list[Callable[[int], Awaitable[int]]], rounds: int) -> Phase:
    """All players at once; what Steam was asked meanwhile."""
    send_json("DELETE", f"{stack.control_url}/control/requests", {})
    accepted = sum(await asyncio.gather(*(work(rounds) for work in works)))
    counts = get_json(f"{stack.control_url}/control/requests")["counts"]
    return Phase(accepted, Counter(counts))


class Game:
    """One player with one trade at a time, always accepted."""

    def __init__(self, site: Site, row: dict[str, Any], number: int) -> None:
        self._site = site
        self._fleet = site.fleet
        self._steam_id: str = row["steam_id"]
        self._about = {"user_id": f"player-{number}", "steam_id": row["steam_id"], "trade_url": row["trade_url"]}
        self._number = number

    async def get_ready(self) -> None:
        delay_s = ANSWER_S * (0.5 + (self._number % 10) / 9)
        await self._site.account(self._steam_id, habit="accept", delay_s=round(delay_s, 2))

    async def deposits(self, rounds: int) -> int:
        ends = []
        for _ in range(rounds):
            items = (await self._fleet.inventory(self._steam_id, trade_url=self._about["trade_url"])).items
            assets = [item.asset_id for item in items if item.acceptable]
            if not assets:
                raise BenchError("a player has nothing to deposit")
            ends.append(await self._trade(await self._fleet.deposit(**self._about, asset_ids=assets[:1], wait=20)))
        return ends.count("accepted")

    async def withdrawals(self, rounds: int) -> int:
        held = await self._held()
        ids = [row.deposit_id for row in held if row.settled_at and not row.frozen_by]
        ends = [
            await self._trade(await self._fleet.withdraw(**self._about, deposit_ids=[one], wait=20)) for one in ids[:rounds]
        ]
        return ends.count("accepted")

    async def wait_settled(self, _rounds: int) -> int:
        """Until every deposit may be withdrawn; how many."""
        deadline = time.monotonic() + PHASE_MAX_S
        while True:
            held = await self._held()
            if held and all(row.settled_at for row in held):
                return len(held)
            if time.monotonic() > deadline:
                raise BenchError(f"deposits of {self._steam_id} did not settle")
            await asyncio.sleep(POLL_S * 4)

    async def _held(self) -> list[Deposit]:
        return (await self._fleet.deposits(user_id=self._about["user_id"], status="active")).deposits

    async def _trade(self, made: Trades) -> str:
        """Look until the trade is over; its status."""
        trade = made.trades[0]
        deadline = time.monotonic() + PHASE_MAX_S
        while time.monotonic() < deadline:
            trade = await self._fleet.trade(trade.trade_id)
            if trade.status in DONE:
                return trade.status
            await asyncio.sleep(POLL_S)
        raise BenchError(f"a {trade.direction} did not end: {trade.status}")
