"""Events that are sent to addresses of the site's: signed, in order for each trade, at least once."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp.test_utils import unused_port
from balancer_http.harness import ONE_DATABASE, READY_S, Service
from balancer_http.receiver import HASTY, Receiver, add, deliveries_of, json_of, operated, owed, tell, with_rules, write_config
from balancer_http.test_commands import fleet
from balancer_http.test_stream import balancer
from sqlalchemy import select

from balancer.db import tables
from balancer.journal.by import By
from balancer.outward import Outward
from balancer.web.handlers import health
from sandbox.tls import Authority
from shared.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_rules(settings)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().open() as made:
        yield made


@pytest.mark.both_databases
async def test_a_webhook_has_the_body_of_the_feed_and_a_signature_that_anybody_can_check(
    settings: Settings, receiver: Receiver
) -> None:
    async with operated(settings) as service:
        target_id = await add(service, receiver, after=0)
        await tell(service, ("paused", None), ("resumed", None), data={"reason": "\u00e4 \u20ac \U0001f600"})
        await owed(service, target_id, 0)
        page = await (await service.call("GET", "/events?limit=500")).json()
        assert sorted(receiver.taken, key=lambda event: event["number"]) == page["events"]
        assert len(set(receiver.ids)) == len(page["events"])


@pytest.mark.both_databases
async def test_a_receiver_that_is_away_slow_and_broken_misses_nothing_and_has_each_trade_in_order(settings: Settings) -> None:
    trades = [f"trd_{number}" for number in range(5)]
    receiver = Receiver()
    async with operated(with_rules(settings, **HASTY)) as service:
        port = unused_port()
        receiver.url = f"http://127.0.0.1:{port}/hooks"
        target_id = await add(service, receiver)
        await tell(service, *(("picked_up", trade) for trade in trades))
        async with asyncio.timeout(READY_S):
            while (await json_of(service, "GET", f"/webhooks/{target_id}"))["failing_since"] is None:
                await asyncio.sleep(0.02)
        async with receiver.open(port):
            for mood in (500, 30.0, 503, 301, 404):
                tried = len(receiver.tried)
                receiver.answers(lambda _, mood=mood: mood)  # type: ignore[misc]
                await tell(service, *((kind, trade) for kind in ("offer_active", "offer_held") for trade in trades))
                async with asyncio.timeout(READY_S):
                    while len(receiver.tried) < tried + 2:
                        await asyncio.sleep(0.01)
            assert receiver.taken == []
            receiver.answers(lambda event: 500 if event["number"] % 7 == len(receiver.tried) % 7 else 200)
            await tell(service, *(("offer_accepted", trade) for trade in trades))
            await owed(service, target_id, 0)
        page = await (await service.call("GET", "/events?limit=500")).json()
    wanted: dict[str, list[int]] = defaultdict(list)
    for event in page["events"]:
        wanted[event["trade_id"]].append(event["number"])
    first = receiver.numbers()
    for trade in trades:
        assert len(wanted[trade]) == 12
        assert [number for number in first if number in wanted[trade]] == wanted[trade]


@ONE_DATABASE
async def test_an_event_that_is_refused_holds_up_its_own_trade_only(settings: Settings, receiver: Receiver) -> None:
    receiver.answers(lambda event: 500 if event["trade_id"] == "trd_1" else 200)
    async with operated(settings) as service:
        target_id = await add(service, receiver)
        await tell(service, ("picked_up", "trd_1"), *(("picked_up", f"trd_{n}") for n in range(2, 9)), ("settled", "trd_1"))
        await owed(service, target_id, 2)
        found = await json_of(service, "GET", f"/webhooks/{target_id}/deliveries?state=waiting")
        assert [row["trade_id"] for row in found["deliveries"]] == ["trd_1"] * 2
        assert found["deliveries"][0]["status"] == 500 and found["deliveries"][1]["tries"] == 0
        receiver.answers(lambda _: 204)
        await owed(service, target_id, 0)
    assert [event["kind"] for event in receiver.taken if event["trade_id"] == "trd_1"] == ["picked_up", "settled"]


@ONE_DATABASE
async def test_a_secret_is_shown_once_and_two_sign_while_it_is_changed(settings: Settings, receiver: Receiver) -> None:
    async with operated(settings) as service:
        target_id = await add(service, receiver)
        first = receiver.secret
        for path in ("/webhooks", f"/webhooks/{target_id}"):
            assert first not in await (await service.call("GET", path, client="operator")).text()
        rows = await service.ctx.db.read(lambda connection: connection.execute(select(tables.webhook_targets)).all())
        assert first not in repr(rows) and first.removeprefix("whsec_") not in repr(rows)
        rotated = await json_of(service, "POST", f"/webhooks/{target_id}/rotate", None)
        second = rotated["secret"]
        again = (await json_of(service, "POST", f"/webhooks/{target_id}/rotate", None))["secret"]
        assert len({first, second, again}) == 3 and again.startswith("whsec_")
        for secret in (first, again):  # the one between was never in use
            receiver.secret = secret
            await tell(service, ("paused", None))
            await owed(service, target_id, 0)
            assert len(receiver.signatures[-1].split(" ")) == 2
        service.ctx.clock.offset_s += settings.webhooks.rotate_s + 1
        receiver.secret = again
        await tell(service, ("resumed", None))
        await owed(service, target_id, 0)
        assert len(receiver.signatures[-1].split(" ")) == 1
        page = await (await service.call("GET", "/events?limit=500")).text()
        assert first not in page and again not in page and "/hooks" not in page


@pytest.mark.both_databases
async def test_a_target_is_made_once_for_a_key_however_often_it_is_asked_for(settings: Settings, receiver: Receiver) -> None:
    """The answer with the secret may be lost: the same request shows both again, and many at once make one target."""

    async def ask(status: int, key: str | None = "mine", **body: Any) -> Any:
        response = await service.call("POST", "/webhooks", {"url": receiver.url, **body}, client="operator", key=key)
        found = await response.json()
        assert response.status == status, found
        return found

    async with operated(settings) as service:
        made, *again = await asyncio.gather(*(ask(201) for _ in range(8)))
        target_id, receiver.secret = made["target"]["target_id"], made["secret"]
        assert {(one["secret"], one["target"]["target_id"]) for one in again} == {(made["secret"], target_id)}
        assert len((await json_of(service, "GET", "/webhooks"))["webhooks"]) == 1
        assert (await ask(422, kinds=["settled"]))["code"] == "idempotency_mismatch"
        assert (await ask(400, None))["code"] == "idempotency_key_missing"
        assert (await ask(409, "another"))["code"] == "webhook_exists"
        rotated = await json_of(service, "POST", f"/webhooks/{target_id}/rotate")
        later = await ask(201)
        assert later["secret"] == made["secret"] != rotated["secret"]  # whoever made it is not shown what came after
        assert later["target"]["rotating_until"] == rotated["target"]["rotating_until"]
        rows = await service.ctx.db.read(lambda connection: connection.execute(select(tables.idempotency)).all())
        assert len(rows) == 1 and made["secret"].removeprefix("whsec_") not in repr(rows)
        await json_of(service, "DELETE", f"/webhooks/{target_id}")
        assert (await ask(404))["code"] == "not_found"  # it does not come back to life
        assert (await ask(201, "another"))["target"]["target_id"] != target_id


@ONE_DATABASE
async def test_a_receiver_is_believed_by_its_certificate_for_the_host_that_is_called(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of an authority that is trusted, of the same one for another host, and of one that nobody trusts."""
    trusted, strange = (Authority(["localhost"], datetime.now(UTC)) for _ in range(2))
    (tmp_path / "ca.pem").write_bytes(trusted.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    good, other = Receiver(), Receiver()
    async with good.open(tls=trusted.context()), other.open(tls=strange.context()), operated(settings) as service:
        port = urlsplit(good.url).port
        wrong_ids = []
        for url in (f"https://127.0.0.1:{port}/hooks", other.url):
            made = await json_of(service, "POST", "/webhooks", {"url": url}, 201)
            wrong_ids.append(made["target"]["target_id"])
        target_id = await add(service, good)
        await tell(service, ("settled", "trd_1"))
        await owed(service, target_id, 0)
        assert "trd_1" in [event["trade_id"] for event in good.taken]  # between others': order is kept for each trade alone
        for wrong in wrong_ids:
            async with asyncio.timeout(READY_S):
                while not (tried := [one for one in await deliveries_of(service, wrong) if one["tries"]]):
                    await asyncio.sleep(0.02)
            assert {(one["state"], one["status"], one["error"]) for one in tried} == {("waiting", None, "tls")}
    assert other.tried == []


@pytest.mark.both_databases
async def test_after_days_without_success_a_target_is_disabled_and_goes_on_where_it_stopped(
    settings: Settings, receiver: Receiver
) -> None:
    receiver.answers(lambda _: 500)
    async with operated(settings) as service:
        target_id = await add(service, receiver)
        await tell(service, ("picked_up", "trd_1"), ("settled", "trd_1"))
        async with asyncio.timeout(READY_S):
            while not receiver.tried or (await json_of(service, "GET", f"/webhooks/{target_id}"))["waiting"] < 3:
                await asyncio.sleep(0.01)
        service.ctx.clock.offset_s += settings.webhooks.give_up_s + 1
        async with asyncio.timeout(READY_S):
            while (found := await json_of(service, "GET", f"/webhooks/{target_id}"))["status"] == "enabled":
                await asyncio.sleep(0.02)
        assert (found["disabled_why"], found["waiting"]) == ("gave_up", 3)  # the target's own beginning is one
        page = await (await service.call("GET", "/events?kind=alarm&limit=500")).json()
        [alarm] = [event["data"] for event in page["events"] if event["data"]["alarm"] == "webhook_disabled"]
        assert alarm["target_id"] == target_id and alarm["host"] == "127.0.0.1" and "enable" in alarm["action"]
        await tell(service, ("picked_up", "trd_2"))
        await asyncio.sleep(10 * settings.webhooks.poll_s)
        assert "trd_2" not in {event["trade_id"] for event in receiver.tried}
        receiver.answers(lambda _: 200)
        await json_of(service, "POST", f"/webhooks/{target_id}/enable", None)
        await owed(service, target_id, 0)
        kinds = [(event["trade_id"], event["kind"]) for event in receiver.taken if event["trade_id"]]
        assert sorted(kinds) == [("trd_1", "picked_up"), ("trd_1", "settled"), ("trd_2", "picked_up")]
        assert kinds.index(("trd_1", "picked_up")) < kinds.index(("trd_1", "settled"))
        receiver.answers(lambda _: 410)
        await tell(service, ("picked_up", "trd_3"))
        async with asyncio.timeout(READY_S):
            while (found := await json_of(service, "GET", f"/webhooks/{target_id}"))["status"] == "enabled":
                await asyncio.sleep(0.02)
        assert found["disabled_why"] == "gone"


@ONE_DATABASE
async def test_only_kinds_that_it_wants_and_tests_of_its_own_reach_a_target(settings: Settings, receiver: Receiver) -> None:
    async with operated(settings) as service, Receiver().open() as other:
        target_id = await add(service, receiver, kinds=["settled"])
        other_id = await add(service, other)
        await tell(service, ("picked_up", "trd_1"), ("settled", "trd_1"))
        test = await json_of(service, "POST", f"/webhooks/{target_id}/test", None, 202)
        await owed(service, target_id, 0)
        await owed(service, other_id, 0)
        assert [event["kind"] for event in receiver.taken] == ["settled", "webhook_test"]
        assert receiver.taken[-1]["number"] == test["number"]
        assert "webhook_test" not in [event["kind"] for event in other.taken]


@ONE_DATABASE
async def test_what_was_sent_is_sent_again_with_the_same_id(settings: Settings, receiver: Receiver) -> None:
    async with operated(settings) as service:
        target_id = await add(service, receiver)
        await tell(service, ("picked_up", "trd_1"), ("settled", "trd_1"))
        await owed(service, target_id, 0)
        first, last = receiver.numbers()[-2:]
        ids = list(receiver.ids)
        body = {"first": first, "last": last}
        done = await json_of(service, "POST", f"/webhooks/{target_id}/redeliver", body, 202)
        assert done["events"] == 2
        await receiver.until(len(ids) + 3)
        assert receiver.ids.count(ids[-1]) == receiver.ids.count(ids[-2]) == 2
        for body in ({"first": last + 1000}, {"first": last, "last": first - 1}):
            await json_of(service, "POST", f"/webhooks/{target_id}/redeliver", body, 404)


@ONE_DATABASE
async def test_only_an_operator_makes_targets_and_only_good_addresses_are_taken(settings: Settings) -> None:
    async with operated(with_rules(settings, private_targets=False)) as service:
        await service.add_client("reader", "read", "trade", "play")
        for method, path in (("GET", "/webhooks"), ("POST", "/webhooks"), ("DELETE", "/webhooks/whk_1")):
            response = await service.call(method, path, {"url": "https://shop.example/"}, client="reader")
            assert (response.status, (await response.json())["code"]) == (403, "scope_missing")
        for url in ("http://shop.example/", "https://127.0.0.1/", "https://localhost:8443/", "https://u:p@shop.example/"):
            found = await json_of(service, "POST", "/webhooks", {"url": url}, 400)
            assert found["errors"][0]["field"] == "body.url" and url not in json.dumps(found)
        assert await json_of(service, "GET", "/webhooks") == {"webhooks": [], "livemode": True}


@ONE_DATABASE
async def test_there_are_so_many_targets_and_one_for_each_address(settings: Settings, receiver: Receiver) -> None:
    async with operated(with_rules(settings, targets_max=2)) as service:
        target_id = await add(service, receiver)
        assert (await json_of(service, "POST", "/webhooks", {"url": receiver.url}, 409))["code"] == "webhook_exists"
        await json_of(service, "POST", "/webhooks", {"url": receiver.url + "/2"}, 201)
        assert (await json_of(service, "POST", "/webhooks", {"url": receiver.url + "/3"}, 409))["code"] == "too_many_webhooks"
        await json_of(service, "DELETE", f"/webhooks/{target_id}")
        for path in ("", "/deliveries"):
            await json_of(service, "GET", f"/webhooks/{target_id}{path}", None, 404)


@ONE_DATABASE
async def test_a_target_whose_name_leads_here_at_the_second_look_is_sent_nothing(
    settings: Settings, receiver: Receiver
) -> None:
    """It was public when it was made; then its owner lets the name lead to this machine."""
    addresses = ["93.184.216.34"]

    async def resolve(_host: str, _port: int) -> list[str]:
        return addresses

    async with operated(with_rules(settings, private_targets=False), Outward(resolve=resolve)) as service:
        await service.ctx.db.run(_a_target, service, "https://hooks.example:8443/")
        addresses[:] = ["127.0.0.1"]
        await tell(service, ("settled", "trd_1"))
        async with asyncio.timeout(READY_S):
            while True:
                found = (await json_of(service, "GET", "/webhooks/whk_1/deliveries?after=0"))["deliveries"]
                if found and found[-1]["tries"]:
                    break
                await asyncio.sleep(0.02)
        assert found[-1]["error"] == "refused" and found[-1]["status"] is None
    assert receiver.tried == []


def _a_target(connection: Any, service: Service, url: str) -> None:
    from balancer.webhooks import targets

    ctx = service.ctx
    targets.add(connection, targets.Wanted("whk_1", url, []), ctx.master, By("test", ctx.clock.now()), 10)


SENDER = """
import asyncio, sys
from balancer.db.engine import Database
from balancer.outward import Outward
from balancer.webhooks.sending import Senders
from shared import settings
from shared.clock import Clock
from shared.sealing import MasterKey

async def main():
    loaded = settings.load(sys.argv[1])
    senders = Senders(
        Database(loaded.database), Clock(), MasterKey.read(loaded.balancer.master_key_file), loaded,
        Outward(private=True),
    )
    while True:
        await senders.round()
        await asyncio.sleep(0.02)

asyncio.run(main())
"""


@ONE_DATABASE
async def test_a_balancer_that_is_killed_while_it_sends_is_followed_by_another_and_nothing_is_lost(
    settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    settings = with_rules(settings, **HASTY)
    config = write_config(settings, tmp_path)
    async with operated(settings) as service:
        senders = service.part(health.LOOPS).senders
        target_id = await add(service, receiver)
        await owed(service, target_id, 0)
        # The other process is the one that sends for now.
        await senders.close()
        round_, senders.round = senders.round, _nothing  # type: ignore[method-assign]
        receiver.answers(lambda event: 30.0 if event["kind"] == "picked_up" else 200)
        killed = subprocess.Popen([sys.executable, "-c", SENDER, str(config)])
        await tell(service, *(("paused", f"trd_{n}") for n in range(3)), *(("picked_up", f"trd_{n}") for n in range(3)))
        async with asyncio.timeout(READY_S):
            while sum(event["kind"] == "picked_up" for event in receiver.tried) < 3:
                assert killed.poll() is None
                await asyncio.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        receiver.answers(lambda _: 200)
        senders.round = round_  # type: ignore[method-assign]
        await owed(service, target_id, 0)
        page = await (await service.call("GET", "/events?limit=500")).json()
    sent = {event["number"] for event in page["events"] if event["trade_id"]}
    assert sent <= set(receiver.numbers())
    for trade in range(3):
        mine = [event["kind"] for event in receiver.taken if event["trade_id"] == f"trd_{trade}"]
        assert list(dict.fromkeys(mine)) == ["paused", "picked_up"]


async def _nothing() -> None:
    """A balancer that sends nothing."""


@ONE_DATABASE
async def test_two_balancers_send_each_event_once_and_one_goes_on_when_the_other_stops(
    settings: Settings, receiver: Receiver
) -> None:
    async with operated(settings) as first:
        async with balancer(settings) as second:
            target_id = await add(first, receiver)
            for number in range(5):
                await tell(second, ("picked_up", f"trd_{number}"))
                await tell(first, ("settled", f"trd_{number}"))
            await owed(first, target_id, 0)
            assert len(receiver.ids) == len(set(receiver.ids))
        await tell(first, ("picked_up", "trd_9"))
        await owed(first, target_id, 0)
    assert "trd_9" in [event["trade_id"] for event in receiver.taken]
    assert len(receiver.ids) == len(set(receiver.ids))


@ONE_DATABASE
async def test_the_commands_do_the_same(settings: Settings, receiver: Receiver, tmp_path: Path) -> None:
    config = write_config(settings, tmp_path)

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(fleet, config, "webhooks", *arguments)

    async with operated(settings) as service:
        made = json.loads((await run("add", receiver.url, "--kind", "settled", "--json")).stdout)
        receiver.secret, target_id = made["secret"], made["target"]["target_id"]
        assert (await run("add", receiver.url)).exit_code == 1
        assert (await run("add", "nonsense")).exit_code == 2
        done = await run("test", target_id, "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["status"] == 200
        receiver.answers(lambda _: 500)
        assert (await run("test", target_id)).exit_code == 1
        receiver.answers(lambda _: 200)
        await owed(service, target_id, 0)
        again = (await run("rotate", target_id)).stdout.strip()
        assert again.startswith("whsec_") and again != receiver.secret
        listed = await run("list")
        assert target_id in listed.stdout and again not in listed.stdout and listed.exit_code == 0
        shown = await run("deliveries", target_id)
        assert shown.stdout.count("webhook_test") == 2
        number = receiver.numbers()[0]
        assert (await run("redeliver", target_id, str(number))).exit_code == 0
        await owed(service, target_id, 0)
        assert [event["number"] for event in receiver.taken].count(number) == 2
        assert (await run("enable", target_id)).exit_code == 0
        assert (await run("remove", target_id, "--yes")).exit_code == 0
        assert (await run("remove", target_id, "--yes")).exit_code == 1
