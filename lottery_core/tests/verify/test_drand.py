"""Beacons: what a signature must be, with and without a package that can compute pairings."""

import importlib.util
import subprocess
import sys
from dataclasses import replace
from itertools import chain as joined
from pathlib import Path

import beacons
import pytest

from lottery import drand

CORE = Path(__file__).resolve().parents[2]
PACKAGE = "pyblst" if importlib.util.find_spec("pyblst") else drand.PLAIN
ROUND_1000 = bytes.fromhex(beacons.QUICKNET_SIGNATURES[1000])


def refused(chain: drand.Chain, round_number: int, signature: bytes, previous: bytes = b"") -> bool:
    try:
        drand.verify(chain, round_number, signature, previous)
    except drand.BadBeacon:
        return True
    return False


@pytest.mark.parametrize("chain", [drand.QUICKNET, drand.DEFAULT], ids=lambda chain: chain.name)
def test_the_chain_hash_pins_key_period_and_genesis(chain: drand.Chain) -> None:
    assert drand.chain_hash(chain) == chain.hash
    for other in (
        replace(chain, period_s=chain.period_s + 1),
        replace(chain, genesis_s=chain.genesis_s + 1),
        replace(chain, public_key=bytes([chain.public_key[0] ^ 1]) + chain.public_key[1:]),
        replace(chain, group_hash=bytes(32)),
        replace(chain, name="other"),
    ):
        assert drand.chain_hash(other) != chain.hash


def test_a_chain_with_another_key_is_refused() -> None:
    with pytest.raises(drand.BadBeacon, match="chain hash"):
        drand.verify(replace(drand.QUICKNET, public_key=bytes(96)), 1000, ROUND_1000)


@pytest.mark.parametrize("round_number", beacons.QUICKNET_SIGNATURES)
def test_quicknet_beacons_verify(round_number: int) -> None:
    signature = bytes.fromhex(beacons.QUICKNET_SIGNATURES[round_number])
    assert drand.verify(drand.QUICKNET, round_number, signature) == PACKAGE


@pytest.mark.parametrize("round_number", beacons.DEFAULT_SIGNATURES)
def test_default_beacons_verify(round_number: int) -> None:
    signature, previous = (bytes.fromhex(each) for each in beacons.DEFAULT_SIGNATURES[round_number])
    assert drand.verify(drand.DEFAULT, round_number, signature, previous) == PACKAGE


def test_the_round_is_part_of_what_is_signed() -> None:
    assert refused(drand.QUICKNET, 1001, ROUND_1000)
    signature, previous = (bytes.fromhex(each) for each in beacons.DEFAULT_SIGNATURES[1000000])
    assert refused(drand.DEFAULT, 1000001, signature, previous)
    assert refused(drand.DEFAULT, 1000000, signature, bytes(96))


def test_the_other_y_of_a_signature_is_refused() -> None:
    assert refused(drand.QUICKNET, 1000, bytes([ROUND_1000[0] ^ 0x20]) + ROUND_1000[1:])


def test_a_point_outside_the_subgroup_is_refused() -> None:
    # x = 4 lies on the curve, but not in the group of prime order.
    assert refused(drand.QUICKNET, 1000, b"\x80" + bytes(46) + b"\x04")


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        (b"\xc0" + bytes(47), "infinity"),
        (ROUND_1000[:-1], "47 bytes"),
        (ROUND_1000 + b"\0", "49 bytes"),
        (b"", "0 bytes"),
        (bytes([ROUND_1000[0] & 0x7F]) + ROUND_1000[1:], "compressed"),
        (bytes([0x80 | drand.FIELD >> 376]) + (drand.FIELD).to_bytes(48, "big")[1:], "canonical"),
        (b"\x9f" + b"\xff" * 47, "canonical"),
    ],
)
def test_a_second_spelling_is_refused(signature: bytes, why: str) -> None:
    with pytest.raises(drand.BadBeacon, match=why):
        drand.verify(drand.QUICKNET, 1000, signature)


def test_the_second_half_of_a_long_signature_is_checked_too() -> None:
    signature, previous = (bytes.fromhex(each) for each in beacons.DEFAULT_SIGNATURES[1])
    with pytest.raises(drand.BadBeacon, match="canonical"):
        drand.verify(drand.DEFAULT, 1, signature[:48] + b"\xff" * 48, previous)


def test_only_a_chained_network_takes_a_previous_signature() -> None:
    with pytest.raises(drand.BadBeacon, match="previous"):
        drand.verify(drand.QUICKNET, 1000, ROUND_1000, bytes(32))
    with pytest.raises(drand.BadBeacon, match="previous"):
        drand.verify(drand.DEFAULT, 1, bytes.fromhex(beacons.DEFAULT_SIGNATURES[1][0]))


def test_rounds_and_times_are_inverse() -> None:
    assert drand.time_of(drand.QUICKNET, 1000) == 1692806364
    assert [drand.round_at(drand.QUICKNET, 1692806364 + late) for late in (-1, 0, 2, 3)] == [999, 1000, 1000, 1001]
    assert drand.round_at(drand.QUICKNET, drand.QUICKNET.genesis_s) == 1
    with pytest.raises(drand.BadBeacon, match="genesis"):
        drand.round_at(drand.QUICKNET, drand.QUICKNET.genesis_s - 1)
    with pytest.raises(drand.BadBeacon, match="from 1"):
        drand.verify(drand.QUICKNET, 0, ROUND_1000)


PLAIN = """
import sys, time
from lottery import drand
for number in sys.argv[1::2]:
    signature, before = bytes.fromhex(sys.argv[sys.argv.index(number) + 1]), time.process_time()
    print(drand.verify(drand.QUICKNET, int(number), signature), time.process_time() - before, sep=":")
"""


def test_without_a_package_the_pairing_is_computed_here_within_half_a_second() -> None:
    """`-S` starts a Python without any package."""
    pairs = [(str(number), signature) for number, signature in list(beacons.QUICKNET_SIGNATURES.items())[:3]]
    command = [sys.executable, "-S", "-c", PLAIN, *joined.from_iterable(pairs)]
    ran = subprocess.run(command, cwd=CORE, capture_output=True, text=True, check=True)
    found = [line.split(":") for line in ran.stdout.splitlines()]
    assert [package for package, _ in found] == [drand.PLAIN] * len(pairs)
    assert min(float(seconds) for _, seconds in found) < 0.5


def test_pyblst_and_plain_python_agree_where_both_are_there() -> None:
    known = {"pyblst": drand._holds_in_pyblst, "lottery": drand._holds_in_plain_python}
    installed = [holds for package, holds in known.items() if importlib.util.find_spec(package)]
    signed = drand.message(drand.QUICKNET, 1000, b"")
    assert all(holds(drand.QUICKNET, signed, ROUND_1000) for holds in installed)
    assert not any(holds(drand.QUICKNET, bytes(32), ROUND_1000) for holds in installed)


def test_a_signature_that_was_ground_until_its_hash_pleases_is_no_signature() -> None:
    """What an operator could do where nobody checks the pairing: any bytes of the right shape, as many as he likes."""
    for number in range(3):
        made_up = b"\x80" + bytes(45) + number.to_bytes(2, "big")
        assert refused(drand.QUICKNET, 1000, made_up)
