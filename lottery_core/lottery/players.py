"""Made-up players: whole rounds of a room from a seed, through the real engine, from the commitment to the seal.

Only the beacon is made up, and the checking function believes it. The same seed plays the same rounds. Prices follow a mix of
many cheap items, some dearer ones, keys and knives.
"""

import hashlib
from collections.abc import Iterator
from math import exp
from statistics import NormalDist

from lottery import draw, encoding, rounds
from lottery.commitments import Piece, SeedChain, chain
from lottery.drawing import beacon_ms
from lottery.encoding import TAG, S
from lottery.errors import LotteryError, Refused
from lottery.events import Bet, Buy, Create, Entropy, Finalize, Manual, Open, Row, Settled, Start, Tick
from lottery.payouts import moving_rows
from lottery.rooms import Room
from lottery.sources import BITCOIN, Claim
from lottery.state import Phase, Round

START_MS = 1_700_000_000_000
STOCK_PIECES = 60
STOCK_CENTS_MAX = 500
TOKEN_CENTS = 100
BETS_MAX = 200_000
PRIZE_ROW = 1 << 41
_NORMAL = NormalDist()


class Chance:
    """A stream of numbers that follows from a seed."""

    def __init__(self, seed: str) -> None:
        self._words = draw.words(encoding.sha256(TAG("lot1.simulate"), S(seed)))
        self._block = 0
        self._bytes = b""

    def _word(self) -> int:
        if len(self._bytes) < 8:
            self._bytes = self._words("simulate", 0, self._block >> 32, self._block & 0xFFFFFFFF)
            self._block += 1
        word, self._bytes = self._bytes[:8], self._bytes[8:]
        return int.from_bytes(word, "big")

    def below(self, n: int) -> int:
        """0 … n-1; good enough for made-up players (64-bit words, no rejection)."""
        return self._word() * n >> 64

    def unit(self) -> float:
        """Between 0 and 1, both excluded."""
        return (self._word() + 0.5) / 2**64

    def lognormal(self, median: float, spread: float) -> float:
        return median * exp(spread * _NORMAL.inv_cdf(self.unit()))

    def bytes(self) -> bytes:
        return encoding.sha256(self._word().to_bytes(8, "big"))


def staked_price(chance: Chance) -> int:
    """Cents of one staked item: 80 % around 1.00, 10 % around 2.60, 8 % keys at 2.49, 2 % knives around 150."""
    kind = chance.unit()
    if kind < 0.80:
        return max(1, int(chance.lognormal(100, 1.3)))
    if kind < 0.90:
        return max(1, int(chance.lognormal(260, 1.4)))
    return 249 if kind < 0.98 else int(chance.lognormal(15_000, 0.7))


def house_stock(chance: Chance, first_id: int = 1 << 40) -> tuple[Piece, ...]:
    """60 small items, as earlier rakes leave them: the staked mix up to 5.00."""
    pieces: list[Piece] = []
    while len(pieces) < STOCK_PIECES:
        price = staked_price(chance)
        if price <= STOCK_CENTS_MAX:
            pieces.append(Piece(first_id + len(pieces), 0, price))
    return tuple(pieces)


def played(room: Room, count: int, players: int, seed: str, change: bool) -> Iterator[Round]:
    """The sealed (or void) rounds of one lane, one by one."""
    chance = Chance(seed)
    secrets = SeedChain(room.name, chain(room.name, chance.bytes(), count))
    previous: Round | None = None
    for number in range(1, count + 1):
        stock = house_stock(chance) if change and room.rake is not None else ()
        event = Create(
            previous.now if previous else START_MS,
            f"create {number}",
            room,
            room.name,
            number,
            secrets.hash(number),
            secrets.link(number),
            (previous.seal or b"") if previous else rounds.ZERO_SEAL,
            prize(room),
            stock,
        )
        state = rounds.create(event, previous, secrets.secret(number))
        rounds.apply(state, Start(state.now, "start"))
        _bet_until_closed(state, chance, players)
        _finish(state, chance, secrets.secret(number))
        previous = state
        yield state


def prize(room: Room) -> tuple[Piece, ...]:
    """The one prize of a giveaway (its worth is nobody's affair here) or a raffle."""
    if room.mode not in ("giveaway", "raffle"):
        return ()
    return (Piece(PRIZE_ROW, 0, room.raffle.price if room.raffle is not None else 0),)


def _bet_until_closed(state: Round, chance: Chance, players: int) -> None:
    """Players bet in turn, some often, until a limit or the clock ends it; then the clock is moved on."""
    refused = 0
    rhythm = _rhythm(state, players)
    for number in range(BETS_MAX):
        if state.phase is not Phase.GAME or (state.deadline is not None and state.now + rhythm >= state.deadline):
            break
        user = number + 1 if number < players else 1 + chance.below(players)
        try:
            rounds.apply(state, _stake(state, chance, user, number, state.now + rhythm))
            refused = 0
        except Refused:
            refused += 1
        if refused > 20 * players:
            break
    if state.phase is Phase.GAME and state.deadline is None:
        raise LotteryError(f"{players} players cannot fill room {state.rules.name}: no clock, and every bet is refused")
    if state.phase is Phase.GAME and state.deadline is not None:
        rounds.apply(state, Tick(state.deadline, "tick"))


def _rhythm(state: Round, players: int) -> int:
    """Milliseconds between bets, so that everybody bets about twice before the clock ends."""
    return max(1, (state.rules.time_limit or 60) * 1000 // (2 * players + 1))


def _stake(state: Round, chance: Chance, user: int, number: int, now: int) -> Bet | Buy:
    rules, token = state.rules, f"bet {number}"
    if rules.raffle is not None:
        left = rules.raffle.tickets - state.tickets
        return Buy(now, token, user, 1 + chance.below(max(1, left // 4)), 1 << 50)
    player = state.players.get(user)
    left = (rules.bet_item_limit_max or 10) - (player.items if player else 0)
    room_left = left if rules.item_limit_max is None else min(left, rules.item_limit_max - len(state.entries))
    count = 1 + chance.below(max(1, min(5, room_left)))
    team = 0 if rules.team_limit is None else player.team if player else 1 + user % 2
    first = len(state.rows) + 1
    rows = tuple(Row(first + index, _item(rules), user, _price(rules, chance)) for index in range(count))
    return Bet(now, token, user, rows, team)


def _item(rules: Room) -> int:
    return rules.allowed_items[0] if rules.allowed_items else 11


def _price(rules: Room, chance: Chance) -> int:
    if rules.tickets == "item":
        return TOKEN_CENTS
    price = staked_price(chance)
    return price if rules.bet_value_max is None else min(price, rules.bet_value_max // 2)


def _finish(state: Round, chance: Chance, secret: bytes) -> None:
    if state.phase is Phase.TYPING:
        _type_numbers(state, chance)
    rounds.apply(state, Open(state.now + 1000, "open", secret))
    if state.phase is Phase.VOID:
        return
    if state.phase is Phase.OPENED and state.rules.entropy == "manual:direct":
        _type_numbers(state, chance)
    elif state.phase is Phase.OPENED:
        rounds.apply(state, made_up_beacon(state, chance), believed)
    rounds.apply(state, Finalize(state.now, "finalize"))
    rounds.apply(state, Settled(state.now, "settled", tuple(sorted(moving_rows(state)))))


def believed(claim: Claim) -> bool:
    """The checking function of a simulation, where all beacons are made up."""
    return bool(claim.proof)


def _type_numbers(state: Round, chance: Chance) -> None:
    """Types numbers until the phase is over; a number of a user who already won is refused and typed anew."""
    phase = state.phase
    while state.phase is phase:
        digits = str(chance.below(state.tickets))
        try:
            rounds.apply(state, Manual(state.now, f"number {chance.below(1 << 60)}", digits, 1, 2, "simulated"))
        except Refused as refusal:
            if refusal.code != "already_won":
                raise


def made_up_beacon(state: Round, chance: Chance) -> Entropy:
    """An entropy event of the right form, at its time."""
    if state.close is None:
        raise LotteryError("no beacon before the close")
    network, number = state.rules.network, state.close.source_round
    now = max(state.now, beacon_ms(state) or 0)
    if state.close.source == BITCOIN or network is None:
        header = (chance.bytes() * 3)[:68] + (number + 1).to_bytes(4, "little") + bytes(8)
        digest = hashlib.sha256(hashlib.sha256(header).digest()).digest()
        return Entropy(now, "beacon", number, digest, {"header": header.hex(), "height": "0"})
    signature = (b"\x80" + chance.bytes() * 3)[: network.signature_bytes]
    proof = {"signature": signature.hex()}
    if network.chained:
        proof["previous"] = signature.hex()
    return Entropy(now, "beacon", number, hashlib.sha256(signature).digest(), proof)
