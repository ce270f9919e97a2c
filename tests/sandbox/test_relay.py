"""drand's HTTP form: what an honest relay answers, checked by another implementation, and every way in which a relay lies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import requests
from hand_clock import SteamsStandingClock
from lottery import drand
from lottery.sources import BeaconTerms
from sandbox_lab import Bench

GENESIS, PERIOD = 1_692_803_367, 3


class Asker:
    """Asks the sandbox at its own address, as a game does that has it among its relays."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.session = requests.Session()
        bench._stack.callback(self.session.close)

    def get(self, path: str, status: int = 200, relay: str = "") -> requests.Response:
        base = self.bench.running.steam_url + (f"/relays/{relay}" if relay else "")
        answer = self.session.get(base + path, timeout=60)
        assert answer.status_code == status, answer.text
        return answer

    def chain(self) -> drand.Chain:
        """The network as `lottery` wants it, from what the relay says of itself."""
        [chain_hash] = self.get("/chains").json()
        info = self.get(f"/{chain_hash}/info").json()
        key, group = bytes.fromhex(info["public_key"]), bytes.fromhex(info["groupHash"])
        beacon_id = info["metadata"]["beaconID"]
        return drand.Chain(beacon_id, chain_hash, key, info["period"], info["genesis_time"], group, False)


@pytest.fixture
def clock() -> SteamsStandingClock:
    return SteamsStandingClock()


@pytest.fixture
def asker(make_bench: Callable[..., Bench], clock: SteamsStandingClock) -> Asker:
    return Asker(make_bench(clock=clock))


def now_of(asker: Asker) -> float:
    now: float = asker.bench.control("GET", "/control/clock")["now"]
    return now


def test_a_beacon_is_what_the_chain_signed_by_lotterys_own_check(asker: Asker) -> None:
    chain = asker.chain()
    number = drand.round_at(chain, int(now_of(asker)))

    got = asker.get(f"/{chain.hash}/public/{number}")

    signature = bytes.fromhex(got.json()["signature"])
    assert got.json() == {
        "round": number,
        "randomness": drand.randomness(signature).hex(),
        "signature": signature.hex(),
    }
    assert drand.verify(chain, number, signature)
    assert got.headers["Cache-Control"] == "public, max-age=604800, immutable"
    assert drand._holds_in_plain_python(chain, drand.message(chain, number, b""), signature)


def test_info_has_all_that_the_chain_hash_is_made_of(asker: Asker) -> None:
    chain = asker.chain()
    info = asker.get(f"/{chain.hash}/info").json()

    terms = BeaconTerms(
        info["schemeID"],
        info["public_key"],
        info["period"],
        info["genesis_time"],
        info["groupHash"],
        info["metadata"]["beaconID"],
    )

    assert terms.chain_hash == info["hash"] == chain.hash == drand.chain_hash(chain)
    assert (info["period"], info["genesis_time"], info["schemeID"]) == (PERIOD, GENESIS, "bls-unchained-g1-rfc9380")
    assert asker.get("/info").json() == info


def test_version_two_has_the_same_under_other_names(asker: Asker) -> None:
    chain = asker.chain()
    for base in (f"/v2/chains/{chain.hash}", "/v2/beacons/sandbox"):
        info, old = asker.get(f"{base}/info").json(), asker.get(f"/{chain.hash}/info").json()
        assert (info["chain_hash"], info["genesis_seed"], info["scheme"]) == (old["hash"], old["groupHash"], old["schemeID"])
        assert asker.get(f"{base}/rounds/latest").json()["round"] == drand.round_at(chain, int(now_of(asker)))
        first = asker.get(f"{base}/rounds/1").json()
        assert set(first) == {"round", "signature"}
        assert drand.verify(chain, 1, bytes.fromhex(first["signature"]))
    assert asker.get("/v2/chains").json() == [chain.hash]
    assert asker.get("/v2/beacons").json() == ["sandbox"]


def test_a_round_that_is_not_due_is_425_until_the_clock_reaches_it(asker: Asker) -> None:
    chain = asker.chain()
    number = drand.round_at(chain, int(now_of(asker))) + 5

    early = asker.get(f"/{chain.hash}/public/{number}", 425)
    asker.bench.control("POST", "/control/clock", {"now": drand.time_of(chain, number) - 0.5})
    asker.get(f"/{chain.hash}/public/{number}", 425)
    asker.bench.control("POST", "/control/clock", {"now": drand.time_of(chain, number)})

    assert early.text == "Requested future beacon\n"
    assert early.headers["Cache-Control"].startswith("must-revalidate, public, max-age=")
    assert drand.verify(chain, number, bytes.fromhex(asker.get(f"/{chain.hash}/public/{number}").json()["signature"]))
    latest = asker.get(f"/{chain.hash}/public/latest")
    assert latest.json()["round"] == asker.get(f"/{chain.hash}/public/0").json()["round"] == number
    assert latest.headers["Cache-Control"] == f"public, must-revalidate, max-age={PERIOD}"


def test_beacons_may_go_by_the_clock_that_nobody_moves(asker: Asker, clock: SteamsStandingClock) -> None:
    asker.bench.change(beacon_clock="real")
    chain = asker.chain()
    before = asker.get(f"/{chain.hash}/public/latest").json()["round"]

    asker.bench.advance(3600)
    assert asker.get(f"/{chain.hash}/public/latest").json()["round"] == before
    clock.at += 2 * PERIOD

    assert asker.get(f"/{chain.hash}/public/latest").json()["round"] == before + 2


def test_period_and_genesis_are_settings_and_make_another_chain(
    make_bench: Callable[..., Bench], clock: SteamsStandingClock
) -> None:
    begun = int(clock.at) - 100
    asker = Asker(make_bench(clock=clock, beacon_period_s=30, beacon_genesis_time=begun))
    chain = asker.chain()

    assert (chain.period_s, chain.genesis_s) == (30, begun)
    assert chain.hash == drand.chain_hash(chain)
    assert asker.get(f"/{chain.hash}/public/latest").json()["round"] == 4
    asker.bench.control("POST", "/control/clock", {"now": begun - 10})
    asker.get(f"/{chain.hash}/public/latest", 500)


def test_sandboxes_of_one_seed_are_relays_of_one_chain(make_bench: Callable[..., Bench]) -> None:
    one, same, other = (Asker(make_bench(seed=seed)).chain() for seed in (3, 3, 4))

    assert one == same
    assert one.hash != other.hash


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/" + "ab" * 32 + "/info", 500, "Failed to get info\n"),
        ("/" + "ab" * 32 + "/public/1", 500, "Failed to get beacon\n"),
        ("/v2/beacons/quicknet/rounds/latest", 500, "Failed to get beacon\n"),
        ("/public/99999999999999999999", 400, "Failed to parse round parameter"),
    ],
)
def test_what_a_relay_cannot_answer_is_said_as_drands_says_it(asker: Asker, path: str, status: int, text: str) -> None:
    assert asker.get(path, status).text.startswith(text)


@pytest.mark.parametrize("path", ["/public/-1", "/public/one", "/abcd/info", "/relays/UPPER/info", "/public"])
def test_what_is_no_address_of_a_relay_is_404(asker: Asker, path: str) -> None:
    asker.get(path, 404)


def test_steams_own_hosts_know_no_beacons(bench: Bench) -> None:
    assert bench.session().get("https://steamcommunity.com/public/latest", timeout=60).status_code == 404


@pytest.mark.parametrize("shape", ["garbage", "forged", "relabelled"])
def test_a_lie_has_the_form_of_a_beacon_and_is_not_the_networks(asker: Asker, shape: str) -> None:
    chain = asker.chain()
    asker.bench.order({"kind": "bad_beacon", "shape": shape})

    lied = asker.get(f"/{chain.hash}/public/1000").json()
    true = asker.get(f"/{chain.hash}/public/1000").json()

    signature = bytes.fromhex(lied["signature"])
    assert lied["round"] == 1000
    assert lied["randomness"] == drand.randomness(signature).hex()
    with pytest.raises(drand.BadBeacon):
        drand.verify(chain, 1000, signature)
    assert drand.verify(chain, 1000, bytes.fromhex(true["signature"]))


def test_a_relay_answers_another_round(asker: Asker) -> None:
    chain = asker.chain()
    asker.bench.order({"kind": "bad_beacon", "shape": "other_round", "route": "beacon"})

    got = asker.get(f"/{chain.hash}/public/1000").json()

    assert got["round"] == 1001
    assert drand.verify(chain, 1001, bytes.fromhex(got["signature"]))


@pytest.mark.parametrize("shape", ["randomness", "no_signature", "huge"])
def test_every_other_shape_of_a_bad_beacon(asker: Asker, shape: str) -> None:
    path = f"/{asker.chain().hash}/public/1000"
    asker.bench.order({"kind": "bad_beacon", "shape": shape, "route": "beacon"})

    lied, true = asker.get(path), asker.get(path).json()

    if shape == "randomness":
        assert lied.json()["signature"] == true["signature"]
        assert lied.json()["randomness"] != true["randomness"]
    elif shape == "no_signature":
        assert set(lied.json()) == {"round", "randomness"}
    else:
        assert len(lied.content) > 2_000_000
        assert lied.json() == true


def test_a_beacon_comes_late_at_one_relay_only(asker: Asker) -> None:
    chain = asker.chain()
    number = drand.round_at(chain, int(now_of(asker)))
    asker.bench.order({"kind": "late_beacon", "late_s": 60, "relay": "slow"})

    asker.get(f"/{chain.hash}/public/{number}", 425, relay="slow")
    asker.get(f"/{chain.hash}/public/{number}", relay="quick")
    asker.get(f"/{chain.hash}/public/{number}")
    asker.bench.advance(60)

    asker.get(f"/{chain.hash}/public/{number}", relay="slow")


def test_trouble_of_every_kind_can_be_one_relays(asker: Asker) -> None:
    path = f"/{asker.chain().hash}/public/1000"
    asker.bench.order({"kind": "status", "status": 503, "route": "@beacons", "relay": "b", "times": None})
    asker.bench.order({"kind": "cut", "route": "@beacons", "relay": "", "times": None})

    asker.get(path, relay="a")
    asker.get(path, 503, relay="b")
    with pytest.raises(requests.ConnectionError):
        asker.get(path)


def test_a_sandbox_starts_without_the_library_that_signs_and_without_outlines() -> None:
    code = "import sys; import sandbox.__main__; sys.exit(bool({'pyblst', 'sandbox.pictures'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0


def test_settings_that_make_no_network_are_refused() -> None:
    program = [sys.executable, "-m", "sandbox", "--beacon-period-s", "0"]

    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)

    assert (done.returncode, "beacon_period_s" in done.stderr) == (2, True)


def test_a_beacon_is_counted_by_its_route(asker: Asker) -> None:
    chain = asker.chain()
    asker.get(f"/{chain.hash}/public/1")
    asker.get("/v2/beacons/sandbox/rounds/1")

    assert asker.bench.control("GET", "/control/requests")["counts"] == {
        "beacon_chains": 1,
        "beacon_info": 1,
        "beacon": 1,
        "beacon_v2": 1,
    }
