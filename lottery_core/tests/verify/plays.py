"""Whole rounds of every room, played by the engine from one seed, for the verifier to judge.

Beacons are the recorded ones: a round is first played at any time, and then again so that its close falls before one of them.
"""

import hashlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import beacons

from lottery import commitments, drand, drawing, game, payouts, proofs, record, rooms, rounds
from lottery.commitments import Link, Piece, Rest
from lottery.errors import Refused, RoomError
from lottery.events import (
    Bet,
    Buy,
    Create,
    Entropy,
    Fail,
    Finalize,
    Manual,
    Open,
    Renew,
    Row,
    Settled,
    Start,
    Tick,
    Void,
)
from lottery.rooms import Room
from lottery.rules import RANGES
from lottery.state import Phase, Round

Json = dict[str, Any]
ANY_TIME_MS = 1_800_000_000_000
DAY_MS = 86_400_000
RECORDED = {"quicknet": list(range(1000, 1010)), "default": [1_000_000]}
CHAINS = {"quicknet": drand.QUICKNET, "default": drand.DEFAULT}
AUTOMATIC = ("none", "none", "none", "drand:quicknet", "drand:quicknet", "drand:default", "block:bitcoin")
TRIES = (2, 8, 40, 120)
"""How many bets are tried in a round."""
FEWER = (2, 2, 4, 4, 8, 8, 16, 16, 40, 120)
"""The same where very many rounds are played: most are small, and some are not."""
TYPED = ("manual:mixed:quicknet", "manual:mixed:default", "manual:direct")
TICKETS = {"sitngo": "item", "giveaway": "item", "raffle": "bought"}
TABLES = ([list(row) for row in rooms.SEED_RAKE], [[100, 10]], [[30, 0], [60, 50], [100, 90]])


class Play:
    """One round: the players' random choices, and the state that the engine makes of them."""

    def __init__(self, seed: str, room: Room, start_ms: int = ANY_TIME_MS, tries: Sequence[int] = TRIES) -> None:
        self.choose, self.tries = Random(seed), tries
        self.dearest = 20_000_000 if seed.endswith("7") else 20_000
        self.room, self.now, self.tokens = room, start_ms, 0
        self.number = self.choose.choice((1, 1, 2, 40))
        self.secret = self.choose.randbytes(32)
        link = Link(commitments.chain_step(room.name, self.secret), self.number + self.choose.choice((0, 1, 1000)))
        self.state: Round = rounds.create(
            Create(
                now=self.now,
                token="create",
                rules=room,
                room=room.name,
                round=self.number,
                hash=commitments.promise(room.name, self.number, self.secret),
                prev_seal=bytes(32) if self.number == 1 else self.choose.randbytes(32),
                chain=link,
                guarantees=self.guarantees(),
                stock=self.stock(),
            ),
            secret=self.secret,
        )

    def guarantees(self) -> tuple[Piece, ...]:
        """Now and then a prize; in a giveaway and a raffle always the one."""
        count = 1 if self.room.mode in ("giveaway", "raffle") else self.choose.choice((0, 0, 1, 2))
        return tuple(Piece(9_000_000 + index, 77, 5000) for index in range(count))

    def stock(self) -> tuple[Piece, ...]:
        """Small items for change, where the room can give any."""
        if self.room.rake is None:
            return ()
        prices = (1, 1, 2, 3, 5, 10, 25, 40, 100, 300, 6000)
        count = self.choose.choice((0, 3, 12, 60))
        pieces = [Piece(8_000_000 + index, 5, self.choose.choice(prices)) for index in range(count)]
        self.choose.shuffle(pieces)
        return tuple(pieces)

    def do(self, kind: Callable[..., Any], after_ms: int = 1, **fields: Any) -> bool:
        """One event, a little later; False when the engine refused it."""
        self.now += after_ms
        self.tokens += 1
        try:
            rounds.apply(self.state, kind(now=self.now, token=f"t{self.tokens}", **fields), proofs.check)
        except Refused:
            return False
        return True

    def bet_until_closed(self) -> None:
        """Random bets until a limit closes the game, or until nobody wants to bet any more and the clock runs out."""
        self.do(Start)
        users = list(range(7001, 7001 + self.choose.choice((1, 2, 3, 6, 12))))
        if self.room.mode in ("teams", "sitngo"):
            users = list(range(7001, 7001 + 2 * (self.room.team_limit or 5)))
        for _ in range(self.choose.choice(self.tries)):
            if self.state.phase is not Phase.GAME:
                return
            self.one_bet(self.choose.choice(users))
        for user in users if self.room.mode in ("teams", "sitngo") else []:
            self.one_bet(user)
        last = game.end(self.state) if self.state.phase is Phase.GAME else None
        if last is not None:
            self.now = max(self.now, last[0])
            self.do(Tick, self.choose.choice((0, 0, 1, 5000)))

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
        brought = {"inviters": self.inviters(user), "rests": self.rests()}
        return self.do(Bet, after, user_id=user, rows=tuple(rows), team=team, client_seed=seed, **brought)

    def inviters(self, user: int) -> tuple[int, ...]:
        """Every other player was invited by somebody, who was invited by somebody."""
        return () if user % 2 else tuple(range(100, 100 + self.choose.randrange(0, 21)))

    def rests(self) -> tuple[Rest, ...]:
        """Where they are collected, most players owe something from earlier rounds."""
        if not self.room.rake_carry:
            return ()
        count = self.choose.choice((0, 1, 1, 2))
        return tuple(
            Rest(self.room.name, 1 + each, self.choose.randbytes(32), self.now - self.choose.randrange(1, 20 * DAY_MS), 75)
            for each in range(count)
        )

    def price(self) -> int:
        """Mostly cents and dollars; now and then nothing, or a fortune."""
        if self.room.allowed_items or self.room.bet_value_max is not None:
            return self.choose.choice((100, 50, 99))
        return self.choose.choice((0, 1, 5, 249, 249, self.choose.randrange(1, 500), self.choose.randrange(1, self.dearest)))

    def type_numbers(self, direct: bool) -> None:
        """As many numbers as are wanted, each by two operators."""
        wanted = Phase.OPENED if direct else Phase.TYPING
        while self.state.phase is wanted:
            number = self.choose.randrange(self.state.tickets) if direct else self.choose.randrange(10**12)
            digits = str(number).zfill(self.choose.choice((1, 9)))
            after_ms = self.choose.choice((1, 1, 20_000))
            self.do(Manual, after_ms, digits=digits, operator1=3, operator2=4, evidence="https://example.test/video#sha256=00")

    def draw(self) -> None:
        """Open the secret and bring the entropy that the close asks for."""
        self.do(Open, 1000, secret=self.secret)
        kind, close = self.state.rules.entropy, self.state.close
        assert close is not None
        self.now = max(self.now, drawing.beacon_ms(self.state) or 0)
        if kind == "manual:direct":
            self.type_numbers(direct=True)
        elif kind == "block:bitcoin":
            header = bytes.fromhex(beacons.BLOCK_HEADER)
            entropy = hashlib.sha256(hashlib.sha256(header).digest()).digest()
            proof = {"header": header.hex(), "height": "125552"}
            assert self.do(Entropy, source_round=close.source_round, entropy=entropy, proof=proof)
        elif kind != "none":
            proof = beacon(kind.rpartition(":")[2], close.source_round)
            entropy = drand.randomness(bytes.fromhex(proof["signature"]))
            assert self.do(Entropy, source_round=close.source_round, entropy=entropy, proof=proof)

    def settle(self) -> Json:
        """Pay out, seal, and answer with the record."""
        if self.choose.random() < 0.1:
            assert self.do(Renew, anchor=self.choose.randbytes(32), last=self.number + 100)
        assert self.do(Finalize)
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

    def fail(self) -> Json:
        """The house has lost the secret."""
        assert self.do(Fail, reason="the disk is gone")
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
    time_s: int = drand.time_of(chain, number) - chain.period_s - room.entropy_margin_s
    return time_s * 1000 + 999


def play(seed: str, room: Room, end: str = "", tries: Sequence[int] = TRIES) -> Json:
    """One round from a seed. `end`: "" as it comes; void in "warmup" or "game"; "failure" of the house after the close."""
    first = Play(seed, room, tries=tries)
    if end == "warmup":
        return first.void()
    if end == "game":
        first.do(Start)
        first.one_bet(7001)
        if first.state.phase is Phase.GAME:
            return first.void()
        first = Play(seed, room, tries=tries)
    played = at_a_recorded_beacon(seed, room, first)
    if end == "failure":
        return played.fail()
    if played.state.phase is Phase.VOID:
        return played.opened_void()
    if played.state.phase is Phase.GAME:
        return played.void()
    played.draw()
    return played.settle()


def at_a_recorded_beacon(seed: str, room: Room, trial: Play) -> Play:
    """The game up to its close, moved in time so that the close waits for a beacon that we have."""
    trial.bet_until_closed()
    trial.type_numbers(direct=False)
    if trial.state.close is None or room.entropy in ("none", "manual:direct"):
        return trial
    if trial.state.phase is Phase.VOID:
        return trial
    shift = recorded_close(seed, room) - trial.state.close.close_ms
    again = Play(seed, room, ANY_TIME_MS + shift, trial.tries)
    again.bet_until_closed()
    again.type_numbers(direct=False)
    return again


def random_rules(choose: Random) -> Json:
    """Rules with every parameter turned at random, sensible or not."""
    mode = choose.choice(("classic", "classic", "sitngo", "teams", "pot", "pot", "giveaway", "raffle"))
    clock = choose.random() < 0.5 or mode in ("teams", "giveaway")
    team = choose.choice((1, 2, 3, 5)) if mode == "teams" else None
    several = mode in ("sitngo", "pot")
    rules: Json = {
        "name": mode,
        "mode": mode,
        "item_limit_max": choose.choice((None, 4, 9, 16, 40)),
        "bet_item_limit_max": choose.choice((None, None, 3, 5)),
        "bet_value_min": choose.choice((None, None, 0, 50)),
        "bet_value_max": choose.choice((None, None, None, 20_000)),
        "player_limit": 2 * team if team else choose.choice((None, 1, 2, 3)) if clock else None,
        "time_limit": choose.choice((1, 5, 60, 600)) if clock else None,
        "time_enable": clock,
        "lonely_void_s": choose.choice((None, None, 1, 3)),
        "open_max_s": choose.choice((None, None, 3600, 86_400)),
        "allowed_items": choose.choice((None, None, None, [7, 8])),
        "shares": choose.choice(([50, 30, 20], [1], [5, 3, 1], [2, 2], list(range(9, 0, -1)))) if several else None,
        "team_limit": team,
        "global_pot_limit": choose.choice((1_000, 5_000, 40_000) if mode == "pot" else (None, None, None, 9_000)),
        "min_players": 2 * team if team else choose.choice((1, 1, 2, 2, 3)),
        "tickets": TICKETS.get(mode, choose.choice(("cent", "cent", "item"))),
        "entropy": choose.choice((*TYPED, *AUTOMATIC) if mode == "pot" else AUTOMATIC),
        "entropy_margin_s": choose.choice((3, 6, 60)),
        "unsettled": choose.random() < 0.5,
        "ranges": choose.choice(RANGES) if mode == "teams" else None,
        "rake": choose.choice((None, *TABLES)) if mode in ("classic", "teams", "pot") else None,
        "rake_change_max": choose.choice((0, 100, 5000)),
        "rake_change_max_bp": choose.choice((None, None, 50, 1000)),
        "priority_items": choose.choice(([], [3, 4, 5], [7])),
        "referral_percent": choose.choice((0, 20, 40)),
    }
    rules["rake_carry"] = mode == "classic" and rules["rake"] is not None and choose.random() < 0.3
    if mode == "raffle":
        rules.update(dict.fromkeys(("item_limit_max", "bet_item_limit_max", "bet_value_min", "bet_value_max", "allowed_items")))
        rules.update(dict.fromkeys(("player_limit", "global_pot_limit", "lonely_void_s")), min_players=1)
        tickets, full = choose.choice((1, 5, 20)), choose.randrange(1, 2000)
        price = -(-full // tickets)
        terms = {"template": choose.randrange(1, 9), "prize": "a knife", "price": full // 2, "commission": full - full // 2}
        rules["raffle"] = {**terms, "tickets": tickets, "ticket_price": price}
    return rules


def random_room(choose: Random) -> Room:
    """A room of the package, or any other whose rules make sense."""
    if choose.random() < 0.2:
        name = choose.choice([name for name in rooms.names() if name != "global-pot"])
        changes = {"time_limit": 600} if name == "giveaway" else {}
        return rooms.load(name, entropy=choose.choice(AUTOMATIC), **changes)
    while True:
        try:
            return rooms.parse(random_rules(choose))
        except RoomError:
            continue


def random_record(seed: str) -> Json:
    """A sealed record of any room and any end."""
    choose = Random(seed)
    room = random_room(choose)
    return play(seed, room, choose.choice(["", "", "", "", "", "", "warmup", "game"]), FEWER)
