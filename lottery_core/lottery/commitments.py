"""The scheme by which anybody can check a round: commitments, seed chains, the log of bets, the close, the entropy, the seal.

Each function is one line of the recipe in docs/record-format.md. Hashes and secrets are 32 bytes; they come in as values, and
the only place where randomness is born is outside this package.
"""

import hashlib
import struct
from array import array
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lottery import encoding
from lottery.encoding import HASH_BYTES, LP, TAG, U8, U32, U64, U64_MAX, S
from lottery.errors import LotteryError, Refused

NONE, DRAND, BLOCK, MANUAL_MIXED, MANUAL_DIRECT = range(5)
VOID_SOURCE = "void"
NO_BEACON_MS = 24 * 3600 * 1000
HEADER_BYTES = 80
DECIMALS = 96
_SCALE = 10**DECIMALS


class Network(NamedTuple):
    """A drand network: its chain hash pins key, period and genesis. Times in unix seconds. Source: drand's /info pages."""

    chain_hash: str
    genesis: int
    period: int
    signature_bytes: int


NETWORKS = {
    "quicknet": Network("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971", 1692803367, 3, 48),
    "default": Network("8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce", 1595431050, 30, 96),
}


class EntropyMode(NamedTuple):
    """How a room gets its entropy: `code` as in the close record, `network` for drand, `waits` for a source after the close."""

    code: int
    network: str | None
    waits: bool
    manual: bool


ENTROPY_MODES: Mapping[str, EntropyMode] = {
    "none": EntropyMode(NONE, None, False, False),
    "drand:quicknet": EntropyMode(DRAND, "quicknet", True, False),
    "drand:default": EntropyMode(DRAND, "default", True, False),
    "block:bitcoin": EntropyMode(BLOCK, None, True, False),
    "manual:mixed:quicknet": EntropyMode(MANUAL_MIXED, "quicknet", True, True),
    "manual:mixed:default": EntropyMode(MANUAL_MIXED, "default", True, True),
    "manual:direct": EntropyMode(MANUAL_DIRECT, None, False, True),
}


def entropy_mode(name: str) -> EntropyMode:
    """The mode behind a room's `entropy`. Raises KeyError for an unknown one; rooms are checked at load."""
    return ENTROPY_MODES[name]


# ---- chain and commitment


def chain_step(room: str, value: bytes) -> bytes:
    """s[n-1] from s[n]."""
    return encoding.sha256(TAG("lot1.chain"), S(room), value)


def chain(room: str, last: bytes, length: int) -> list[bytes]:
    """s[0] … s[length] from the random last value; s[0] is the anchor to publish, s[n] the secret of round n.

    A chain is for one lane only, whose rounds do not overlap: each secret exposes all earlier ones.
    """
    values = [last]
    for _ in range(length):
        values.append(chain_step(room, values[-1]))
    values.reverse()
    return values


def chain_links(room: str, earlier: bytes, later: bytes, steps: int) -> bool:
    """Whether `steps` steps lead from the later value of the chain back to the earlier one."""
    value = later
    for _ in range(steps):
        value = chain_step(room, value)
    return value == earlier


def commit(room: str, number: int, salt: bytes, secret: bytes) -> bytes:
    """What is shown before the first bet of round `number`; every field has a fixed place, so there is one opening only.

    Raises ValueError unless salt and secret have 32 bytes each: else bytes could move between them under the same hash.
    """
    if len(salt) != HASH_BYTES or len(secret) != HASH_BYTES:
        raise ValueError(f"salt and secret have {HASH_BYTES} bytes each, not {len(salt)} and {len(secret)}")
    return encoding.sha256(TAG("lot1.commit"), S(room), U64(number), salt, secret)


# ---- the log


def log_start(room: str, number: int, commitment: bytes, rules_hash: bytes, prev_seal: bytes) -> bytes:
    """L0."""
    return encoding.sha256(TAG("lot1.open"), S(room), U64(number), commitment, rules_hash, prev_seal)


LogItem = tuple[int, int, int, int, int, int, int]
"""What the log says of an item: bet, user, item, deposit, price, first ticket, number of tickets."""
_ITEM = struct.Struct(">10s32sIQQQQQQQBQI")
_pack = _ITEM.pack
_ITEM_TAG = TAG("lot1.item")


def log_items(log: bytes, number: int, items: Iterable[LogItem], team: int, time_ms: int, client_seed: bytes) -> list[bytes]:
    """The log value after each item of one bet; `number` is the place of the first one in the pot, from 1.

    Raises Refused("number") when one does not fit its field.
    """
    length, digest_of, logs = len(client_seed), hashlib.sha256, []
    try:
        for place, (bet, user, item, deposit, price, first, tickets) in enumerate(items, number):
            packed = _pack(_ITEM_TAG, log, place, bet, user, item, deposit, price, first, tickets, team, time_ms, length)
            log = digest_of(packed + client_seed).digest()
            logs.append(log)
    except struct.error as error:
        raise Refused("number", at_least=0, at_most=U64_MAX) from error
    return logs


def check_numbers(numbers: Iterable[int]) -> None:
    """Raises Refused("number") when one of them is a number that the record and its hashes have no place for."""
    try:
        array("Q", numbers)  # takes integers from 0 to 2^64-1 and no others
    except OverflowError as error:
        raise Refused("number", at_least=0, at_most=U64_MAX) from error


def log_manual(log: bytes, number: int, digits: str, time_ms: int, operators: tuple[int, int], evidence: str) -> bytes:
    """The log value after the typed number `number` (from 1)."""
    first, second = operators
    parts = (TAG("lot1.manual"), log, U32(number), S(digits), U64(time_ms), U64(first), U64(second), S(evidence))
    return encoding.sha256(*parts)


class Close(NamedTuple):
    """The close record: published before the beacon of `source_round`, it fixes everything that the draw depends on."""

    items: int
    tickets: int
    close_ms: int
    mode: int
    source: str
    source_round: int
    hash: bytes


def close_record(log: bytes, items: int, tickets: int, close_ms: int, entropy: str, margin_s: int) -> Close:
    """C and what it covers, for a room's entropy mode."""
    source, number = source_of(entropy, close_ms, margin_s)
    return _close(log, items, tickets, close_ms, entropy_mode(entropy).code, source, number)


def void_record(log: bytes, items: int, tickets: int, close_ms: int, entropy: str) -> Close:
    """The close record of a round that became void before it was closed: no source is awaited."""
    return _close(log, items, tickets, close_ms, entropy_mode(entropy).code, VOID_SOURCE, 0)


def _close(log: bytes, items: int, tickets: int, close_ms: int, mode: int, source: str, number: int) -> Close:
    parts = (TAG("lot1.close"), log, U32(items), U64(tickets), U64(close_ms), U8(mode), S(source), U64(number))
    return Close(items, tickets, close_ms, mode, source, number, encoding.sha256(*parts))


def source_of(entropy: str, close_ms: int, margin_s: int) -> tuple[str, int]:
    """Which beacon decides: (source, round). Computed from the close alone, never chosen."""
    mode = entropy_mode(entropy)
    after_s = close_ms // 1000 + margin_s
    if mode.network is not None:
        network = NETWORKS[mode.network]
        return network.chain_hash, round_at(network, after_s) + 1
    if mode.code == BLOCK:
        return "bitcoin", after_s
    return "", 0


def round_at(network: Network, second: int) -> int:
    """The round of a drand network that is current at a unix second; its successor is later than that second."""
    return (second - network.genesis) // network.period + 1


def source_time_ms(entropy: str, source_round: int) -> int:
    """When the awaited beacon comes at the earliest, unix ms. Raises LotteryError for a mode that awaits none."""
    mode = entropy_mode(entropy)
    if mode.network is not None:
        network = NETWORKS[mode.network]
        return (network.genesis + (source_round - 1) * network.period) * 1000
    if mode.code == BLOCK:
        return source_round * 1000
    raise LotteryError(f"entropy {entropy} awaits no beacon")


# ---- entropy


def check_entropy(name: str, source_round: int, entropy: bytes, proof: Mapping[str, str]) -> None:
    """That the entropy follows from its proof. Raises Refused("entropy_proof", because=…) otherwise.

    For drand this shows that the entropy is the hash of a signature of the right length; that the signature is drand's own is
    shown by `lottery.drand`, which needs a library for the curve. For a block it shows the hash and the time of the header.
    """
    mode = entropy_mode(name)
    try:
        if mode.network is not None:
            _check_drand(mode.network, entropy, proof)
        else:
            _check_header(source_round, entropy, proof)
    except ValueError as error:
        raise Refused("entropy_proof", because=str(error)) from error


def _check_drand(name: str, entropy: bytes, proof: Mapping[str, str]) -> None:
    keys = {"signature"} if name == "quicknet" else {"signature", "previous"}
    if set(proof) != keys:
        raise ValueError(f"a proof of drand {name} has {', '.join(sorted(keys))}")
    signature = encoding.unhex(proof["signature"], NETWORKS[name].signature_bytes)
    if name == "default":
        encoding.unhex(proof["previous"], NETWORKS[name].signature_bytes)
    if hashlib.sha256(signature).digest() != entropy:
        raise ValueError("the entropy is not the hash of the signature")


def _check_header(after_s: int, entropy: bytes, proof: Mapping[str, str]) -> None:
    if set(proof) != {"header"}:
        raise ValueError("a proof of a block has header")
    header = encoding.unhex(proof["header"], HEADER_BYTES)
    if hashlib.sha256(hashlib.sha256(header).digest()).digest() != entropy:
        raise ValueError("the entropy is not the hash of the header")
    if int.from_bytes(header[68:72], "little") <= after_s:
        raise ValueError(f"the block is not later than {after_s}")


# ---- final and seal


def final(secret: bytes, close_hash: bytes, salt: bytes, entropy: bytes) -> bytes:
    """F: binds the secret, the whole log (through the close) and the entropy."""
    return encoding.hmac_sha256(secret, TAG("lot1.final"), close_hash, salt, LP(entropy))


def final_without_entropy(secret: bytes, room: str, number: int, salt: bytes) -> bytes:
    """F of mode none: fixed at the commitment. If it depended on the log, whoever knows the secret could try out last bets."""
    return encoding.hmac_sha256(secret, TAG("lot1.final0"), S(room), U64(number), salt)


def winning_number(word: int) -> str:
    """N / 2^256 as "0." and 96 digits, rounded up: so that floor(tickets · number) is the ticket for up to 10^18 tickets.

    Distinct values of tickets·N/2^256 are at least 2^-256 apart, and rounding up adds less than tickets·10^-96.
    """
    digits = -((-word * _SCALE) >> 256)
    return f"0.{digits:0{DECIMALS}d}"


def seal(prev_seal: bytes, close_hash: bytes, secret: bytes, salt: bytes, entropy: bytes, outcome: bytes) -> bytes:
    """The last hash of a round, the first of the next: covers the outcome (canonical JSON)."""
    return encoding.sha256(TAG("lot1.seal"), prev_seal, close_hash, secret, salt, LP(entropy), LP(outcome))


def check_secret(room: str, number: int, commitment: bytes, salt: bytes, secret: bytes, link: tuple[int, bytes]) -> None:
    """Raises Refused("commitment" or "chain") unless the secret opens the commitment and lies on the lane's chain.

    `link` is an earlier value of the chain: (its round, the value); the anchor is round 0.
    """
    if len(secret) != HASH_BYTES or commit(room, number, salt, secret) != commitment:
        raise Refused("commitment")
    if not chain_links(room, link[1], secret, number - link[0]):
        raise Refused("chain")
