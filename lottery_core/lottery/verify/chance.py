"""The number: public entropy, mixed with the secret, and how a fair number below n comes out of it."""

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256 as sha

from lottery import drand
from lottery.encoding import LP, TAG, U32, U64, S, hmac_sha256, sha256
from lottery.verify.bets import typed_log
from lottery.verify.closing import MS, NETWORKS, drawn, network
from lottery.verify.reading.shape import WINNERS_MAX, Record
from lottery.verify.report import Report
from lottery.verify.rules import BLOCK, DIRECT, DRAND, MIXED, NONE, entropy_mode

BLOCK_BITS = 256
SPARE_BITS = 64
DIGITS = 96
DECIMAL, BLOCK_VALUES = 10**DIGITS, 2**BLOCK_BITS
ATTEMPTS_MAX = 1000
OPEN_AFTER_MS = 1000
EASIEST_TARGET = 0xFFFF << 208
"""Of all blocks that Bitcoin can have: that of difficulty 1."""


def check(record: Record, report: Report) -> None:
    """Secret opened in time, entropy and its proof, the final value and the winning number. Raises: Lie."""
    check_opening(record, report)
    check_entropy(record, report)
    due = final(record)
    report.same("final", record["final"], due, "none, nothing is drawn" if due is None else None)
    check_number(record, report)


def mode(record: Record) -> int | None:
    """How the room gets its entropy."""
    return entropy_mode(record["rules"]["entropy"])[0]


def check_opening(record: Record, report: Report) -> None:
    """The secret is opened a second after the close or later; if that was not before the beacon, the reader is told."""
    opened, close_ms = record["outcome"]["opened_ms"], record["close"]["close_ms"]
    report.same("secret there", record["secret"] is not None, opened is not None)
    if opened is None:
        report.holds("secret opened", record["outcome"]["failure"] is not None, "never, the house has lost it", "never")
        return
    from_ms = close_ms + (0 if record["outcome"]["void"] is not None else OPEN_AFTER_MS)
    after = f"{opened - close_ms} ms after the close"
    report.holds("secret opened", opened >= from_ms, after, "before the close could be seen")
    awaited = drawn(record) and mode(record) in (DRAND, MIXED)
    if awaited and opened >= drand.time_of(network(record), record["close"]["source_round"]) * MS:
        report.not_proven.append("that the house did not know the result when it opened the secret: it opened after the beacon")


def check_entropy(record: Record, report: Report) -> None:
    """The entropy is what the proof gives, and the proof is of the round that the close named."""
    how, proof, due = mode(record), record["proof"], b""
    if how == DIRECT:
        report.same("proof", proof, {}, "the typed numbers")
        due = typed_log(record["close"]["hash"], record["manual"]) if record["manual"] else b""
        if drawn(record):
            report.unchecked.append("the numbers were typed by hand: watch the recording, its address stands in `evidence`")
    elif not drawn(record) or how == NONE:
        report.same("proof", proof, {}, "none is due")
    elif how == BLOCK:
        report.same("proof: parts", set(proof), {"header", "height"}, "header, height")
        check_block(record, report)
        due = sha256(sha256(proof["header"]))
    else:
        names = {"signature", "previous"} if network(record).chained else {"signature"}
        report.same("proof: parts", set(proof), names, ", ".join(sorted(names)))
        check_beacon(record, report)
        due = drand.randomness(proof["signature"])
    report.same("entropy", record["entropy"], due, due.hex() or "none")


def check_number(record: Record, report: Report) -> None:
    """The published decimal is the word of the first draw. Rooms that do not draw "winner" have none."""
    due, tickets, key = None, record["close"]["tickets"], record["final"]
    typed = mode(record) in (MIXED, DIRECT)
    if key is not None and not typed and record["rules"]["mode"] != "teams" and tickets:
        due = decimal(draw(key, tickets, "winner", 0)[1])
    report.same("winning number", record["winning_number"], due, due or "none in this room")


def check_beacon(record: Record, report: Report) -> None:
    """The signature of the network for the round in the close; a network that nobody here knows could be the house's own."""
    chain, proof, number = network(record), record["proof"], record["close"]["source_round"]
    try:
        package = drand.verify(chain, number, proof["signature"], proof.get("previous", b""))
    except drand.BadBeacon as error:
        report.lied("beacon", str(error))
    report.holds("beacon", True, f"{chain.name} round {number}, signature verified in {package}", "")
    if chain.hash not in {each.hash for each in NETWORKS.values()} | report.trusted:
        report.unchecked.append(f"drand chain {chain.hash} is not known here: --trust-chain, if you know who runs it")


def check_block(record: Record, report: Report) -> None:
    """The block says that it came after the named moment, and somebody worked for it; which chain it is of, it cannot say."""
    header, height, after = record["proof"]["header"], record["proof"]["height"], record["close"]["source_round"]
    found = int.from_bytes(header[68:72], "little")
    report.holds("block time", found > after, f"{found}, after {after}", f"{found} is not after {after}")
    report.holds(
        "block height", height.isascii() and height.isdigit() and height == str(int(height)), height, "the height is no number"
    )
    name = sha(sha(header).digest()).digest()[::-1]
    work = int.from_bytes(name, "big") <= target(header) <= EASIEST_TARGET
    report.holds("block work", work, f"{name.hex()} is under its target", "the hash is not under the header's target")
    if f"{height}:{name.hex()}" not in report.trusted:
        report.unchecked.append(
            f"whether block {name.hex()} is the one of height {height}, and the first one later than {after}: "
            "look it up, then --trust-block"
        )


def target(header: bytes) -> int:
    """What the hash of a block must not exceed, out of the four bytes that its header has for it."""
    size, mantissa = header[75], int.from_bytes(header[72:75], "little")
    if mantissa >= 1 << 23:
        return 0
    return mantissa << 8 * (size - 3) if size >= 3 else mantissa >> 8 * (3 - size)


def final(record: Record) -> bytes | None:
    """The key of all draws; None where nothing can be drawn. Without a beacon it does not depend on the bets."""
    secret, salt = record["secret"], record["salt"]
    if record["outcome"]["failure"] is not None:
        return None
    if mode(record) == NONE:
        return hmac_sha256(secret, TAG("lot2.final0"), S(record["room"]), U64(record["id"]), salt)
    if record["outcome"]["void"] is not None:
        return None
    return hmac_sha256(secret, TAG("lot2.final"), record["close"]["hash"], salt, LP(record["entropy"]))


def word(key: bytes, label: str, index: int, attempt: int, block: int) -> bytes:
    """256 bits of the stream that `label` and `index` name."""
    return hmac_sha256(key, TAG("lot2.draw"), S(label), U32(index), U32(attempt), U32(block))


def accepted(below: int, bits: int, value: int) -> int | None:
    """Value·below / 2^bits, floored; None for the few values that would make low results more likely."""
    product = value * below
    if product % (1 << bits) < (1 << bits) % below:
        return None
    return product >> bits


def first_accepted(below: int, bits: int, words: Callable[[int], int]) -> tuple[int, int]:
    """The result of the first word that is accepted, and that word itself. Raises: ValueError if none comes."""
    for attempt in range(ATTEMPTS_MAX):
        value = words(attempt)
        result = accepted(below, bits, value)
        if result is not None:
            return result, value
    raise ValueError(f"no word below {below} was accepted in {ATTEMPTS_MAX} attempts")


@lru_cache(WINNERS_MAX)
def draw(key: bytes, below: int, label: str, index: int) -> tuple[int, int]:
    """A number below `below`, each equally likely, and the word it came from."""
    blocks = -(-(below.bit_length() + SPARE_BITS) // BLOCK_BITS)

    def words(attempt: int) -> int:
        return int.from_bytes(b"".join([word(key, label, index, attempt, block) for block in range(blocks)]), "big")

    return first_accepted(below, blocks * BLOCK_BITS, words)


def uniform(key: bytes, below: int, label: str, index: int) -> int:
    """A number below `below`, each equally likely."""
    return draw(key, below, label, index)[0]


def decimal(value: int) -> str:
    """N/2^256 with 96 digits, rounded up: so tickets·number, floored, is the ticket itself at every border."""
    return "0." + str(-(-value * DECIMAL // BLOCK_VALUES)).zfill(DIGITS)
