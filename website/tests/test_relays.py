"""Relays over HTTP against the sandbox's network: every way in which one fails, and that the next one is asked."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hand_clock import SteamsStandingClock
from lottery import drand
from lottery.proofs import check
from lottery.sources import BeaconTerms, Claim
from sandbox_lab import SMALL

from sandbox import server
from website.engine import relays
from website.engine.relays import Relays

ROUND = 1000
SILENT = {"kind": "timeout", "route": "@beacons"}
FAULTS: dict[str, dict[str, Any]] = {
    "a signature of random bytes": {"kind": "bad_beacon", "shape": "garbage"},
    "a signature by another key": {"kind": "bad_beacon", "shape": "forged"},
    "a signature of another round": {"kind": "bad_beacon", "shape": "relabelled"},
    "another round": {"kind": "bad_beacon", "shape": "other_round"},
    "no signature": {"kind": "bad_beacon", "shape": "no_signature"},
    "four megabytes": {"kind": "bad_beacon", "shape": "huge"},
    "a page": {"kind": "html", "route": "@beacons"},
    "null": {"kind": "null", "status": 200, "route": "@beacons"},
    "an error": {"kind": "status", "status": 502, "route": "@beacons"},
    "too many": {"kind": "status", "status": 429, "route": "@beacons"},
    "a connection that is cut": {"kind": "cut", "route": "@beacons"},
    "half an answer": {"kind": "truncated", "route": "@beacons"},
    "an answer cut in the middle": {"kind": "cut_middle", "route": "@beacons"},
    "silence": SILENT,
    "an answer that is too slow": {"kind": "slow", "route": "@beacons", "delay_s": 30},
}
LIES = ("a signature of random bytes", "a signature by another key", "a signature of another round", "another round")


class Network:
    """A sandbox, its chain, and time that a test moves for the rests of relays."""

    def __init__(self, running: server.RunningSandbox, control: httpx.Client, stack: AsyncExitStack) -> None:
        self.running, self._control, self._stack = running, control, stack
        info = httpx.get(f"{running.steam_url}/info").json()
        self.terms = BeaconTerms(
            info["schemeID"], info["public_key"], info["period"], info["genesis_time"], info["groupHash"], "sandbox"
        )
        key, group = bytes.fromhex(info["public_key"]), bytes.fromhex(info["groupHash"])
        self.chain = drand.Chain("sandbox", info["hash"], key, info["period"], info["genesis_time"], group, False)
        self.now_s = 0.0

    def order(self, relay: str, fault: dict[str, Any], times: int | None = None) -> None:
        answer = self._control.post("/control/faults", json={"times": times} | fault | {"relay": relay})
        assert answer.status_code == 201, answer.text

    def heal(self) -> None:
        assert self._control.delete("/control/profile").is_success

    def asked(self) -> int:
        """How many calls for a beacon the sandbox has had."""
        counts: dict[str, int] = self._control.get("/control/requests").json()["counts"]
        return counts.get("beacon", 0)

    def relays(self, *names: str, chain: drand.Chain | None = None, timeout_s: float = 60.0) -> Relays:
        """Patient, but for those whose fault is that nothing comes."""
        made = Relays(
            [f"{self.running.steam_url}/relays/{name}" for name in names],
            chain or self.chain,
            timeout_s=timeout_s,
            monotonic=lambda: self.now_s,
        )
        self._stack.push_async_callback(made.close)
        return made


@pytest.fixture(scope="module")
def running() -> Iterator[server.RunningSandbox]:
    with server.in_thread(SMALL) as made:
        yield made


@pytest.fixture
async def network(running: server.RunningSandbox) -> AsyncIterator[Network]:
    with closing(httpx.Client(base_url=running.control_url, timeout=60)) as control:
        async with AsyncExitStack() as stack:
            made = Network(running, control, stack)
            yield made
        made.heal()
        control.delete("/control/requests")


async def test_a_beacon_is_one_that_the_round_takes(network: Network) -> None:
    beacon = await network.relays("a").fetch(ROUND)

    assert beacon is not None
    assert beacon.round_number == ROUND
    assert check(Claim(network.chain.hash, ROUND, beacon.entropy, beacon.proof, network.terms))


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_relay_with_any_fault_is_passed_over_and_the_next_one_asked(
    network: Network, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    network.order("bad", FAULTS[fault])
    nothing_comes = fault in ("silence", "an answer that is too slow")

    beacon = await network.relays("bad", "good", timeout_s=1.0 if nothing_comes else 60.0).fetch(ROUND)

    assert beacon is not None
    assert drand.verify(network.chain, ROUND, beacon.signature)
    [told] = [record for record in caplog.records if record.name == relays.log.name]
    assert "/relays/bad " in told.getMessage()
    assert (told.levelno, " lied " in told.getMessage()) == (
        (logging.ERROR, True) if fault in LIES else (logging.WARNING, False)
    )


async def test_when_all_relays_fail_there_is_no_beacon_and_no_error(network: Network) -> None:
    for relay, fault in (("a", "a page"), ("b", "a signature by another key"), ("c", "a connection that is cut")):
        network.order(relay, FAULTS[fault])

    assert await network.relays("a", "b", "c").fetch(ROUND) is None


async def test_nobody_listens_there(network: Network) -> None:
    asked = Relays(["http://127.0.0.1:9", network.running.steam_url], network.chain, timeout_s=60)

    assert await asked.fetch(ROUND) is not None
    await asked.close()


async def test_a_wrong_hash_beside_a_right_signature_changes_nothing(network: Network) -> None:
    network.order("a", {"kind": "bad_beacon", "shape": "randomness"})

    beacon = await network.relays("a").fetch(ROUND)

    assert beacon is not None
    assert beacon.entropy == drand.randomness(beacon.signature)


async def test_a_round_that_is_not_due_is_none_until_it_is(network: Network) -> None:
    clock = SteamsStandingClock()
    with server.in_thread(SMALL, clock=clock) as running:
        asked = Relays([running.steam_url], network.chain, timeout_s=60)
        number = drand.round_at(network.chain, int(clock.now())) + 1

        early = [await asked.fetch(number) for _ in range(3)]
        clock.at += network.chain.period_s
        beacon = await asked.fetch(number)

        await asked.close()
    assert early == [None, None, None]
    assert beacon is not None


async def test_a_relay_without_the_round_is_no_fault_and_the_next_one_is_asked(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    number = drand.round_at(network.chain, int(network.running.clock.now()))
    network.order("late", {"kind": "late_beacon", "late_s": 3600})
    asked = network.relays("late", "good")

    assert await asked.fetch(number) is not None
    assert await asked.fetch(number - 1) is not None

    assert network.asked() == 4
    assert [record for record in caplog.records if record.name == relays.log.name] == []


async def test_a_beacon_is_asked_for_once_by_all_that_wait_for_it(network: Network) -> None:
    asked = network.relays("a")

    together = await asyncio.gather(*(asked.fetch(ROUND) for _ in range(20)))
    later = await asked.fetch(ROUND)

    assert {id(beacon) for beacon in together} == {id(later)}
    assert network.asked() == 1


async def test_who_gives_up_waiting_does_not_end_it_for_others(network: Network) -> None:
    network.order("a", {"kind": "slow", "route": "beacon", "delay_s": 0.5}, times=1)
    asked = network.relays("a")
    first, second = (asyncio.create_task(asked.fetch(ROUND)) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()

    assert await second is not None
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_relay_rests_twice_as_long_after_each_fault_in_a_row(network: Network) -> None:
    network.order("a", FAULTS["an error"])
    asked = network.relays("a")
    assert await asked.fetch(ROUND) is None

    rests = []
    for count in range(1, 8):
        begun = network.now_s
        while network.asked() == count:
            network.now_s += 0.5
            await asked.fetch(ROUND)
        rests.append(network.now_s - begun)

    assert rests == [0.5, 1, 2, 4, 8, 15, 15]
    assert (rests[0], rests[-1]) == (relays.REST_S, relays.REST_S_MAX)


async def test_one_good_answer_ends_the_row_of_faults(network: Network) -> None:
    asked = network.relays("a")
    network.order("a", FAULTS["an error"], times=3)
    for _ in range(3):
        assert await asked.fetch(1) is None
        network.now_s += relays.REST_S_MAX
    assert await asked.fetch(1) is not None
    network.order("a", FAULTS["an error"], times=1)
    assert await asked.fetch(2) is None

    network.now_s += relays.REST_S

    assert await asked.fetch(2) is not None


async def test_a_liar_rests_for_a_minute_and_is_asked_again(network: Network) -> None:
    network.order("liar", FAULTS["a signature by another key"], times=1)
    asked = network.relays("liar")
    assert await asked.fetch(ROUND) is None

    network.now_s += relays.LIAR_REST_S - 1
    assert (await asked.fetch(ROUND), network.asked()) == (None, 1)
    network.now_s += 1

    assert await asked.fetch(ROUND) is not None


async def test_relays_of_another_chain_have_nothing_for_this_one(network: Network) -> None:
    assert await network.relays("a", chain=drand.QUICKNET).fetch(ROUND) is None


def answering(body: bytes) -> Relays:
    """One relay of quicknet that gives these bytes."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=httpx.ByteStream(body)))
    return Relays(["https://relay.example"], drand.QUICKNET, client=httpx.AsyncClient(transport=transport))


async def test_a_proven_beacon_of_quicknet_itself_is_taken() -> None:
    """Round 1000 as recorded; answers of drand's own relays have these fields."""
    signature = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
    answered = {"round": 1000, "randomness": "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd"}
    asked = answering(json.dumps(answered | {"signature": signature}).encode())

    beacon = await asked.fetch(1000)

    await asked.close()
    assert beacon is not None
    assert beacon.entropy.hex() == answered["randomness"]


NO_BEACON, BAD = "its answer is no beacon", "the signature has 1 bytes"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", NO_BEACON),
        (b"{", NO_BEACON),
        (b"[" * 4000, NO_BEACON),
        (b"1", NO_BEACON),
        (b"[]", NO_BEACON),
        (b"\xff\xfe", NO_BEACON),
        (b'{"round": 1000}', NO_BEACON),
        (b'{"round": 1000, "signature": 5}', NO_BEACON),
        (b'{"round": 1000, "signature": "zz"}', NO_BEACON),
        (b'{"signature": "00"}', NO_BEACON),
        (b'{"round": true, "signature": "00"}', "it answered with round True"),
        (b'{"round": "1000", "signature": "00"}', "it answered with round '1000'"),
        (b'{"round": 1e3, "signature": "00"}', "it answered with round 1000.0"),
        (b'{"round": NaN, "signature": "00"}', "it answered with round nan"),
        (b'{"round": 1000, "signature": "00"}', BAD),
        (b" " * 5000, "its answer has more than 4096 bytes"),
    ],
)
async def test_no_odd_body_is_an_error_or_a_beacon(body: bytes, said: str, caplog: pytest.LogCaptureFixture) -> None:
    asked = answering(body)

    assert await asked.fetch(1000) is None
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records][-1].startswith(said)
    await asked.close()


async def test_a_redirect_is_not_followed() -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(302, headers={"Location": "http://127.0.0.1/inside"})

    asked = Relays(["https://relay.example/"], drand.QUICKNET, client=httpx.AsyncClient(transport=httpx.MockTransport(answer)))

    assert await asked.fetch(7) is None
    assert seen == [f"https://relay.example/{drand.QUICKNET.hash}/public/7"]
    await asked.close()


@pytest.mark.parametrize(
    ("addresses", "said"),
    [
        ([], "there must be a relay"),
        (["api.drand.sh"], "begins with https://"),
        (["ftp://api.drand.sh"], "begins with https://"),
        (["https://me:secret@api.drand.sh"], "no name and password"),
        (["https://api.drand.sh/?key=1"], "begins with https://"),
    ],
)
def test_addresses_that_are_none_are_refused(addresses: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        Relays(addresses, drand.QUICKNET)

    assert "secret" not in str(caught.value)


def test_a_chain_that_its_hash_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="chain hash"):
        Relays(["https://api.drand.sh"], replace(drand.QUICKNET, period_s=4))


async def test_rounds_begin_at_one(network: Network) -> None:
    with pytest.raises(ValueError, match="from 1"):
        await network.relays("a").fetch(0)
