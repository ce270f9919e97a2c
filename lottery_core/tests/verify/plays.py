"""Whole rounds of every room, played by the engine from one seed, for the verifier to judge.

Beacons are the recorded ones: a round is first played at any time, and then again so that its close falls before one of them.
"""

import hashlib
from collections.abc import Callable
from random import Random
from typing import Any

import beacons

from lottery import commitments, drand, payouts, record, rooms, rounds
from lottery.errors import Refused
from lottery.events import Bet, Buy, Create, Entropy, Finalize, Manual, Open, Piece, Row, Settled, Start, Tick, Void
from lottery.rooms import RaffleTerms, Room
from lottery.state import Phase, Round

Json = dict[str, Any]
ANY_TIME_MS = 1_800_000_000_000
DAY_MS = 86_400_000
RECORDED = {"quicknet": list(range(1000, 1010)), "default": [1_000_000]}
CHAINS = {"quicknet": drand.QUICKNET, "default": drand.DEFAULT}
AUTOMATIC = ("none", "drand:quicknet", "drand:quicknet", "drand:default", "block:bitcoin")
TYPED = ("manual:mixed:quicknet", "manual:mixed:default", "manual:direct")
TABLE = rooms.SEED_RAKE


class Play:
    """One round: the players' random choices, and the state that the engine makes of them."""

    def __init__(self, seed: str, room: Room, start_ms: int = ANY_TIME_MS) -> None:
        self.choose = Random(seed)
        self.room, self.now, self.tokens = room, start_ms, 0
        self.number = self.choose.choice((1, 1, 2, 40))
        back = self.choose.randrange(1, self.number + 1)
        self.secret, salt = self.choose.randbytes(32), self.choose.randbytes(32)
        published = self.secret
        for _ in range(back):
            published = commitments.chain_step(room.name, published)
        self.state: Round = rounds.create(
            Create(
                now=self.now,
                token="create",
                rules=room,
                room=room.name,
                round=self.number,
                hash=commitments.commit(room.name, self.number, salt, self.secret),
                salt=salt,
                prev_seal=bytes(32) if self.number == 1 else self.choose.randbytes(32),
                chain=(self.number - back, published),
                guarantees=tuple(Piece(9_000_000 + index, 77, 5000) for index in range(self.choose.choice((0, 0, 1, 2)))),
            )
        )

    def do(self, kind: Callable[..., Any], after_ms: int = 1, **fields: Any) -> bool:
        """One event, a little later; False when the engine refused it."""
        self.now += after_ms
        self.tokens += 1
        try:
            rounds.apply(self.state, kind(now=self.now, token=f"t{self.tokens}", **fields))
        except Refused:
            return False
        return True

    def bet_until_closed(self) -> None:
        """Random bets until a limit closes the game, or until nobody wants to bet any more and the clock runs out."""
        self.do(Start)
        users = list(range(7001, 7001 + self.choose.choice((1, 2, 3, 6, 12))))
        if self.room.mode in ("teams", "sitngo"):
            users = list(range(7001, 7011))
        for _ in range(self.choose.choice((2, 8, 40, 120))):
            if self.state.phase is not Phase.GAME:
                return
            self.one_bet(self.choose.choice(users))
        for user in users if self.room.mode in ("teams", "sitngo") else []:
            self.one_bet(user)
        if self.state.phase is Phase.GAME and self.state.deadline is not None:
            self.now = max(self.now, self.state.deadline)
            self.do(Tick, 0)

    def one_bet(self, user: int) -> bool:
        """A few items of random prices, or a few raffle tickets."""
        seed = self.choose.choice(("", "red", "жёлтый"))
        if self.room.mode == "raffle":
            return self.do(Buy, user_id=user, quantity=self.choose.randrange(1, 9), balance=10**9, client_seed=seed)
        limit = self.room.bet_item_limit_max or 5
        rows = []
        for _ in range(self.choose.randrange(1, min(limit, 5) + 1)):
            self.tokens += 1
            item = self.room.allowed_items[0] if self.room.allowed_items else self.choose.randrange(1, 40)
            rows.append(Row(deposit_id=self.tokens * 1000, item_id=item, user_id=user, price=self.price()))
        team = 1 + user % 2 if self.room.mode == "teams" else 0
        after = self.choose.choice((0, 1, 700))
        return self.do(Bet, after, user_id=user, rows=tuple(rows), team=team, client_seed=seed)

    def price(self) -> int:
        """Mostly cents and dollars; now and then nothing, or a fortune."""
        if self.room.allowed_items or self.room.bet_value_max is not None:
            return self.choose.choice((100, 50, 99))
        return self.choose.choice((0, 1, 5, 249, 249, self.choose.randrange(1, 500), self.choose.randrange(1, 20000)))

    def type_numbers(self, direct: bool) -> None:
        """As many numbers as are wanted, each by two operators."""
        wanted = Phase.OPENED if direct else Phase.TYPING
        while self.state.phase is wanted:
            number = self.choose.randrange(self.state.tickets) if direct else self.choose.randrange(10**12)
            digits = str(number).zfill(self.choose.choice((1, 9)))
            self.do(Manual, digits=digits, operator1=3, operator2=4, evidence="https://example.test/video#sha256=00")

    def draw(self) -> None:
        """Open the secret and bring the entropy that the close asks for."""
        self.do(Open, 1000, secret=self.secret)
        kind, close = self.state.rules.entropy, self.state.close
        assert close is not None
        if kind == "manual:direct":
            self.type_numbers(direct=True)
        elif kind == "block:bitcoin":
            header = bytes.fromhex(beacons.BLOCK_HEADER)
            entropy = hashlib.sha256(hashlib.sha256(header).digest()).digest()
            proof = {"header": header.hex()}
            assert self.do(Entropy, source_round=close.source_round, entropy=entropy, proof=proof)
        elif kind != "none":
            proof = beacon(kind.rpartition(":")[2], close.source_round)
            entropy = drand.randomness(bytes.fromhex(proof["signature"]))
            assert self.do(Entropy, source_round=close.source_round, entropy=entropy, proof=proof)

    def settle(self) -> Json:
        """Pay out, seal, and answer with the record."""
        prices = (1, 1, 2, 3, 5, 10, 25, 40, 100, 300, 6000)
        count = self.choose.choice((0, 3, 12, 60))
        stock = tuple(Piece(8_000_000 + index, 5, self.choose.choice(prices)) for index in range(count))
        inviters = {user: tuple(range(100, 100 + self.choose.randrange(0, 25))) for user in list(self.state.players)[::2]}
        carry = dict.fromkeys(self.state.players, 150) if self.room.rake_carry else {}
        assert self.do(Finalize, stock=stock, inviters=inviters, carry=carry)
        assert self.do(Settled, moved=tuple(payouts.moving_rows(self.state)))
        return record.sealed(self.state)

    def void(self, after_ms: int = 1) -> Json:
        """End it without a winner; the secret is opened all the same."""
        assert self.do(Void, after_ms, reason="because")
        return self.opened_void()

    def opened_void(self) -> Json:
        """A round that is void already: open the secret, if that has not been done."""
        if self.state.seal is None:
            assert self.do(Open, secret=self.secret)
        return record.sealed(self.state)


def beacon(network: str, number: int) -> dict[str, str]:
    """The proof of a recorded beacon."""
    if network == "quicknet":
        return {"signature": beacons.QUICKNET_SIGNATURES[number]}
    signature, previous = beacons.DEFAULT_SIGNATURES[number]
    return {"signature": signature, "previous": previous}


def recorded_close(seed: str, room: Room) -> int:
    """A time (ms) of a close that waits for a recorded beacon, or for the block."""
    network = room.entropy.rpartition(":")[2]
    if network == "bitcoin":
        return (beacons.BLOCK_TIME_S - room.entropy_margin_s - 1) * 1000
    chain, number = CHAINS[network], Random(seed).choice(RECORDED[network])
    return (drand.time_of(chain, number) - chain.period_s - room.entropy_margin_s) * 1000 + 999


def play(seed: str, room: Room, end: str = "") -> Json:
    """One round from a seed. `end`: "" to its natural end, or void in "warmup", "game", or for "no beacon"."""
    first = Play(seed, room)
    if end == "warmup":
        return first.void()
    if end == "game":
        first.do(Start)
        first.one_bet(7001)
        if first.state.phase is Phase.GAME:
            return first.void()
        first = Play(seed, room)
    game = at_a_recorded_beacon(seed, room, first)
    if game.state.phase is Phase.VOID:
        return game.opened_void()
    if game.state.phase is Phase.GAME:
        return game.void()
    if end == "no beacon":
        if game.choose.random() < 1 / 2:
            game.do(Open, 1000, secret=game.secret)
        return game.void(2 * DAY_MS)
    game.draw()
    return game.settle()


def at_a_recorded_beacon(seed: str, room: Room, trial: Play) -> Play:
    """The game up to its close, moved in time so that the close waits for a beacon that we have."""
    trial.bet_until_closed()
    trial.type_numbers(direct=False)
    if trial.state.close is None or room.entropy in ("none", "manual:direct"):
        return trial
    shift = recorded_close(seed, room) - trial.state.close.close_ms
    game = Play(seed, room, ANY_TIME_MS + shift)
    game.bet_until_closed()
    game.type_numbers(direct=False)
    return game


def random_room(choose: Random) -> Room:
    """Any room of the package, with its switches turned at random."""
    name = choose.choice((*rooms.names(), "raffle", "small-pot", "small-pot"))
    automatic = choose.choice(AUTOMATIC)
    if name == "raffle":
        terms = RaffleTerms(
            template=choose.randrange(1, 9), prize="a knife", price=1499, commission=101, tickets=20, ticket_price=80
        )
        return Room(name, "raffle", tickets="bought", min_players=1, entropy=automatic, raffle=terms)
    if name in ("small-pot", "global-pot"):
        limit, shares = choose.choice((1_000, 40_000)), choose.choice(((50, 30, 20), (1,), tuple(range(9, 0, -1))))
        kind = choose.choice((*TYPED, automatic))
        table = choose.choice((TABLE, None))
        return rooms.load("global-pot", global_pot_limit=limit, shares=shares, entropy=kind, rake=table)
    changes: Json = {"entropy": automatic}
    if name == "5v5":
        changes["ranges"] = choose.choice(rooms.RANGES)
    if name.startswith("classic"):
        changes["rake_change_max"] = choose.choice((0, 100, 5000))
        changes["priority_items"] = choose.choice(((), (3, 4, 5)))
        changes["rake_carry"] = choose.choice((False, False, True))
    return rooms.load(name, **changes)


def random_record(seed: str) -> Json:
    """A sealed record of any room and any end."""
    choose = Random(seed)
    room = random_room(choose)
    ends = ["", "", "", "", "", "", "warmup", "game"]
    ends += ["no beacon"] if room.entropy not in ("none", "manual:direct") else []
    return play(seed, room, choose.choice(ends))
