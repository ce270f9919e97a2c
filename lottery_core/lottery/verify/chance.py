"""The number: public entropy, mixed with the secret, and how a fair number below n comes out of it."""

from collections.abc import Callable

from lottery import drand
from lottery.encoding import LP, TAG, U32, U64, S, hmac_sha256, sha256
from lottery.verify.bets import typed_log
from lottery.verify.closing import MS, NETWORKS
from lottery.verify.report import Report
from lottery.verify.shape import Record

BLOCK_BITS = 256
SPARE_BITS = 64
DIGITS = 96
DECIMAL, BLOCK = 10**DIGITS, 2**BLOCK_BITS
ATTEMPTS_MAX = 1000


def check(record: Record, report: Report) -> None:
    """Secret opened in time, entropy and its proof, the final value and the winning number. Raises: Lie."""
    check_opening(record, report)
    check_entropy(record, report)
    due = final(record)
    report.same("final", record["final"], due, "none, the round is void" if due is None else None)
    check_number(record, report)


def check_opening(record: Record, report: Report) -> None:
    """The secret is opened after the close; if that was not before the beacon, the reader is told."""
    opened, close_ms = record["outcome"]["opened_ms"], record["close"]["close_ms"]
    report.holds("secret opened", opened >= close_ms, f"{opened - close_ms} ms after the close", "before the close")
    network = NETWORKS.get(record["rules"]["entropy"].rpartition(":")[2])
    if network and record["proof"] and opened >= drand.time_of(network, record["close"]["source_round"]) * MS:
        report.not_proven.append("that the operator did not know the result when he opened: he opened after the beacon")


def check_entropy(record: Record, report: Report) -> None:
    """The entropy is what the proof gives, and the proof is of the round that the close named."""
    kind, network = record["rules"]["entropy"], record["rules"]["entropy"].rpartition(":")[2]
    proof, due = record["proof"], b""
    if record["outcome"]["void"] is not None or kind == "none":
        report.same("proof", proof, {}, "none is due")
    elif network in NETWORKS:
        names = {"signature", "previous"} if NETWORKS[network].chained else {"signature"}
        report.same("proof: parts", set(proof), names, ", ".join(sorted(names)))
        check_beacon(NETWORKS[network], record, report)
        due = drand.randomness(proof["signature"])
    elif kind == "block:bitcoin":
        report.same("proof: parts", set(proof), {"header"}, "header")
        check_header_time(record, report)
        due = sha256(sha256(proof["header"]))
    else:
        report.same("proof", proof, {}, "the typed numbers")
        due = typed_log(record["close"]["hash"], record["manual"])
    report.same("entropy", record["entropy"], due, due.hex() or "none")


def check_number(record: Record, report: Report) -> None:
    """The published decimal is the word of the first draw. Rooms that do not draw "winner" have none."""
    due, tickets, key = None, record["close"]["tickets"], record["final"]
    typed = record["rules"]["entropy"].startswith("manual:")
    if key is not None and not typed and record["rules"]["mode"] != "teams" and tickets:
        due = decimal(draw(key, tickets, "winner", 0)[1])
    report.same("winning number", record["winning_number"], due, due or "none in this room")


def check_beacon(network: drand.Chain, record: Record, report: Report) -> None:
    """The signature of the network for the round in the close."""
    proof, number = record["proof"], record["close"]["source_round"]
    try:
        package = drand.verify(network, number, proof["signature"], proof.get("previous", b""))
    except drand.BadBeacon as error:
        report.lied("beacon", str(error))
    report.holds("beacon", True, f"{network.name} round {number}, signature verified in {package}", "")


def check_header_time(record: Record, report: Report) -> None:
    """The block says that it came after the moment that the close named."""
    header, after = record["proof"]["header"], record["close"]["source_round"]
    found = int.from_bytes(header[68:72], "little")
    report.holds("block time", found > after, f"{found}, after {after}", f"{found} is not after {after}")
    report.not_proven.append("that the block is of Bitcoin's chain, and the first one after the named time: compare its hash")


def final(record: Record) -> bytes | None:
    """The key of all draws; None where nothing can be drawn. Without a beacon it does not depend on the bets."""
    secret, salt = record["secret"], record["salt"]
    if record["rules"]["entropy"] == "none":
        return hmac_sha256(secret, TAG("lot1.final0"), S(record["room"]), U64(record["id"]), salt)
    if record["outcome"]["void"] is not None:
        return None
    return hmac_sha256(secret, TAG("lot1.final"), record["close"]["hash"], salt, LP(record["entropy"]))


def word(key: bytes, label: str, index: int, attempt: int, block: int) -> bytes:
    """256 bits of the stream that `label` and `index` name."""
    return hmac_sha256(key, TAG("lot1.draw"), S(label), U32(index), U32(attempt), U32(block))


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
    return "0." + str(-(-value * DECIMAL // BLOCK)).zfill(DIGITS)
