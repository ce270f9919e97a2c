"""What those who watch are told: messages of players, hints over Redis, and how long messages are kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from custody import Custody
from django.conf import settings
from django.db import transaction
from django.test import override_settings
from play import new_player, open_room, playing, quick_room, run
from redis import RedisError

from scripts.lab.redis_server import EmbeddedRedis
from website.accounts.models import Player
from website.engine.clock import wall_ms
from website.live import hints, post, retention
from website.live.models import UserMessage
from website.live.post import Letter
from website.rooms import rebuild
from website.rooms.models import Bet, Lane, LaneMessage

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(Path(tmp_path_factory.mktemp("hints"))) as server:
        yield server


@pytest.fixture
def with_redis(redis_server: EmbeddedRedis) -> Iterator[None]:
    with override_settings(SITE_REDIS_URL=redis_server.url, SITE_REDIS_PREFIX=f"t{time.monotonic_ns()}:"):
        yield


class Listener:
    """Everything that is published with the prefix of this test."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self._listening = hints.connect(5.0).pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self._listening.psubscribe(settings.SITE_REDIS_PREFIX + "*")
        self._listening.get_message(timeout=5.0)

    def until(self, count: int, channel: str) -> list[dict[str, Any]]:
        """The first so many on a channel."""
        deadline = time.monotonic() + PATIENCE_S
        while len(found := [text for name, text in self.heard if name == channel]) < count:
            assert time.monotonic() < deadline, self.heard
            said = self._listening.get_message(timeout=0.2)
            if said is not None:
                self.heard.append((said["channel"], said["data"]))
        return [json.loads(text) for text in found]

    def close(self) -> None:
        self._listening.close()


async def test_who_watches_a_lane_is_told_each_message_once_and_in_order(custody: Custody, with_redis: None) -> None:
    """What is published is what stands in the table, after the commit; a bet wakes the engine at once."""
    room = quick_room()
    await run(open_room, room)
    players = [await run(new_player, custody) for _ in range(2)]
    listener = Listener()
    with override_settings(SITE_LOOK_MS=2_000):
        async with playing(custody) as play:
            at = await play.open_round(room.name)
            bets = [await play.bet(each, at, await run(custody.tickets, each.user_id, 1), 100) for each in players]
            bets.append(await play.bet(players[0], at, ["dep_nobody_has"], 100))
            decided = [await play.answered(bet) for bet in bets]
            await play.sealed(at)
            await play.quiet()
    rows = await run(lambda: list(LaneMessage.objects.filter(lane=at.lane).order_by("seq")))
    heard = await run(listener.until, len(rows), hints.lane_channel(at.lane))
    assert [each["seq"] for each in heard] == [row.seq for row in rows]
    assert [(each["message"]["kind"], each["message"]["body"]) for each in heard] == [
        (row.kind, json.loads(row.body)) for row in rows
    ]
    letters = await run(lambda: list(UserMessage.objects.filter(player=players[0]).order_by("seq")))
    assert [letter.seq for letter in letters] == list(range(1, len(letters) + 1))
    kinds = [letter.kind for letter in letters]
    assert kinds.count("bet_placed") == 1 and kinds.count("bet_refused") == 1
    refused = next(json.loads(letter.body) for letter in letters if letter.kind == "bet_refused")
    assert (refused["bet"], refused["code"]) == (decided[2].bet_id, "not_found")
    told = await run(listener.until, len(letters), hints.user_channel(players[0].id))
    assert [each["message"]["kind"] for each in told] == kinds
    won = await run(lambda: [json.loads(row.body) for row in UserMessage.objects.filter(kind="won")])
    assert [(each["lane"], each["round"]) for each in won] == [(at.lane, at.round)]
    assert won[0]["cents"] == sum(payout["claim"] for payout in json.loads((await play.sealed(at)).outcome)["payouts"])
    listener.close()


def test_s12_a_redis_that_is_away_delays_nobody_and_costs_nothing(database_url: str) -> None:
    """S12: hints are lost, and nothing else."""
    ana = Player.objects.create(steam_id=1, name="ana", registered_ms=1)
    with override_settings(SITE_REDIS_URL="redis://127.0.0.1:1/0"):
        started = time.monotonic()
        for number in range(50):
            with transaction.atomic():
                post.send([Letter(ana.id, "won", {"number": number})], 5)
                hints.work("lane-a")
        assert time.monotonic() - started < PATIENCE_S
        with pytest.raises(RedisError):
            hints.hear(threading.Event(), print)
    assert list(UserMessage.objects.order_by("seq").values_list("seq", flat=True)) == list(range(1, 51))


@pytest.mark.both_databases
def test_two_transactions_that_write_to_the_same_players_wait_for_nobody_in_a_ring(database_url: str) -> None:
    people = [Player.objects.create(steam_id=number, name="x", registered_ms=1) for number in (1, 2)]

    def write(order: list[Player]) -> None:
        try:
            for _ in range(20):
                with transaction.atomic():
                    post.send([Letter(each.id, "won", {}) for each in order], 5)
        finally:
            transaction.get_connection().close()

    threads = [threading.Thread(target=write, args=(order,)) for order in (people, people[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for player in people:
        rows = UserMessage.objects.filter(player=player).order_by("seq").values_list("seq", flat=True)
        assert list(rows) == list(range(1, 41))


def test_old_messages_go_and_the_newest_of_each_lane_stay(database_url: str) -> None:
    """What went is no difference to the events; what is still to be there is."""
    now_ms, day_ms = wall_ms(), 24 * 3_600_000
    ana = Player.objects.create(steam_id=1, name="ana", registered_ms=1)
    lane = Lane.objects.create(name="a", room="a", seq=10)
    LaneMessage.objects.bulk_create(
        LaneMessage(lane="a", seq=seq, at_ms=now_ms - (day_ms * 2 if seq < 9 else 0), kind="bet", body="{}")
        for seq in range(1, 11)
    )
    post_at = (now_ms - 100 * day_ms, now_ms)
    for at_ms in post_at:
        with transaction.atomic():
            post.send([Letter(ana.id, "won", {})], at_ms)
    with override_settings(SITE_MESSAGES_MIN=5):
        assert retention.purge(now_ms) == 6
        assert retention.purge(now_ms) == 0
    assert list(LaneMessage.objects.order_by("seq").values_list("seq", flat=True)) == [6, 7, 8, 9, 10]
    assert list(UserMessage.objects.values_list("seq", flat=True)) == [2]
    assert not Bet.objects.exists() and rebuild.compute(lane).messages == []
