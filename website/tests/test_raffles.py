"""Raffles with engines as processes of their own: the last ticket, and engines that die in the middle of a sale or a draw."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest
from custody import Custody
from engines import Nursery
from play import Play, check_lane, new_player, playing, run
from raffling import ask, check_coins, give, has, open_raffle, terms

from website.accounts.models import Player
from website.engine.clock import wall_ms
from website.ledger import services as ledger
from website.raffles.models import Prize, Purchase, TemplateVersion
from website.rooms.models import Lane, LaneEvent, Round

pytestmark = pytest.mark.both_databases
BUYERS = 100


def many_with_coins(custody: Custody, count: int, cents: int) -> list[Player]:
    players = [new_player(custody, f"buyer {number}") for number in range(count)]
    for player in players:
        give(player, cents, wall_ms())
    return players


async def decided(hands: Play, rows: list[Purchase]) -> list[Purchase]:
    ids = [row.id for row in rows]
    await hands.until(lambda: not Purchase.objects.filter(id__in=ids, state=Purchase.NEW).exists(), "all are answered")
    return await run(lambda: list(Purchase.objects.filter(id__in=ids).order_by("id")))


def check_all() -> None:
    for lane in Lane.objects.all():
        check_lane(lane)
    check_coins()


def quick(**changes: Any) -> Any:
    """Drawn a second after it is sold out, by the secret alone."""
    return terms(**{"entropy": "none", "beacon": "", **changes})


async def test_w13_a_hundred_buyers_of_the_last_ticket_one_has_it(
    custody: Custody, nursery: Nursery, environment_of_engine: dict[str, str]
) -> None:
    """Two engines, one ticket: everybody but one is told that none is left, and has every coin still."""
    room = await run(open_raffle, quick(tickets=1, price_cents=700, commission_cents=0), wall_ms())
    players = await run(many_with_coins, custody, BUYERS, 1_000)
    hands = Play(custody, None)  # type: ignore[arg-type]  # its hands only
    first, second = [nursery.start(environment_of_engine) for _ in range(2)]
    at = await hands.open_round(room)
    rows = await asyncio.gather(*(run(ask, player, at, 1, wall_ms()) for player in players))
    answered = await decided(hands, rows)
    won = [row for row in answered if row.state != Purchase.REFUSED]
    assert len(won) == 1 and {row.code for row in answered if row.state == Purchase.REFUSED} <= {"capacity", "round_over"}
    await hands.sealed(at)
    balances = await run(lambda: {player.id: has(player) for player in players})
    assert balances.pop(won[0].player_id) == 300 and set(balances.values()) == {1_000}
    assert (await run(ledger.balance, ledger.HOUSE)) == 700
    for engine in (first, second):
        assert await run(engine.ended) is None, engine.said()
        engine.signal(signal.SIGTERM)
        assert await run(engine.wait) == 0
    await run(check_all)


@pytest.mark.parametrize("point", ["lane.before_commit", "lane.after_commit", "raffle.refund"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_engine_killed_in_a_sale_or_a_draw_loses_no_coin(
    custody: Custody, nursery: Nursery, environment_of_engine: dict[str, str], point: str
) -> None:
    """It dies again and again, each time one step later, until an instance is sold out or void; then all books agree."""
    ends = {"expires_s": 1} if point == "raffle.refund" else {}
    room = await run(open_raffle, quick(tickets=4, prize_kind=TemplateVersion.HAND, **ends), wall_ms())
    players = await run(many_with_coins, custody, 2, 100_000)
    hands = Play(custody, None)  # type: ignore[arg-type]
    rows: list[Purchase] = []
    deaths = 0
    for count in range(1, 12):
        engine = await run(nursery.start, {**environment_of_engine, "SITE_CRASH_AT": f"{point}:{1 + count % 3}"})
        while await run(engine.ended) is None:
            at = await run(lambda: Round.objects.filter(room=room, phase="game", round=1).first())
            if at is not None and len(rows) < 2:
                rows.append(await run(ask, players[len(rows)], at, 1 if ends else 2, wall_ms()))
            if await run(lambda: Round.objects.filter(room=room).exclude(sealed_ms=None).exists()):
                engine.signal(signal.SIGKILL)
                await run(engine.wait)
                break
            await asyncio.sleep(0.02)
        deaths += engine.status == -signal.SIGKILL
        if await run(lambda: Round.objects.filter(room=room).exclude(sealed_ms=None).exists()):
            break
        if point == "raffle.refund":
            break
    async with playing(custody) as play:
        await decided(hands, rows)
        await play.sealed(Round(lane=f"{room}-1", round=1))
    assert deaths
    await run(check_all)
    assert await run(LaneEvent.objects.filter(kind="buy").count) == len(rows) == 2
    paid = await run(lambda: sum(100_000 - has(player) for player in players))
    assert paid == (0 if ends else 10_000) == await run(ledger.balance, ledger.HOUSE)
    assert await run(Prize.objects.filter(round=1, state=Prize.VOID if ends else Prize.OWED).count) == 1
