"""Rooms in tables: what is true, what was wanted, and what only repeats the truth for readers.

`LaneEvent` is the truth of every round: a round is the fold of its events. `Bet` and `RoomVersion` say what was asked for and
how far it is. `Round`, `RoundItem`, `RoundPlayer` and `LaneMessage` follow from the events, may be dropped at any time, and
come back equal. Money is cents, times are unix milliseconds.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from website.accounts.models import Player

# ---- things


SNG_TICKET, RAFFLE_TICKET = 1, 2
TICKET_NAMES = {"SnG Ticket": SNG_TICKET, "Raffle Ticket": RAFFLE_TICKET}
"""The two kinds that rules of rooms name by their number: the house issues them, and they are never change."""
OWN_PRIZE = "prize "
"""How kinds and pieces begin that the site gives itself (keys, things sent by hand): no name of the fleet has a blank."""


class Kind(models.Model):
    """A kind of item. `id` is its number in records; the fleet's own name for it is `item_id`.

    A ticket has its number from the start; until the fleet has shown one, its `item_id` is `unseen(name)`.
    """

    item_id = models.CharField(max_length=64, unique=True)
    market_hash_name = models.CharField(max_length=255)
    icon_url = models.TextField(blank=True, default="")
    color = models.CharField(max_length=8, blank=True, default="")
    type = models.CharField(max_length=128, blank=True, default="")


def unseen(name: str) -> str:
    """Stands for the fleet's name of a kind that it has not shown yet; no name of the fleet has a blank."""
    return f"unseen {name}"


class Piece(models.Model):
    """One item in the fleet's custody. `id` is its number in records. Who owns it only the fleet knows."""

    deposit_id = models.CharField(max_length=64, unique=True)
    kind = models.ForeignKey(Kind, on_delete=models.PROTECT, related_name="pieces")


# ---- rooms and lanes


class RoomVersion(models.Model):
    """The rules of a room as they were at one time. The next round takes the newest approved version."""

    DRAFT, APPROVED, IN_USE, RETIRED = "draft", "approved", "in_use", "retired"

    room = models.CharField(max_length=64)
    version = models.IntegerField()
    rules = models.TextField()
    rules_hash = models.BinaryField(max_length=32)
    state = models.CharField(max_length=8, default=DRAFT)
    drafted_by = models.ForeignKey("office.Staff", on_delete=models.PROTECT, related_name="drafted")
    approved_by = models.ForeignKey("office.Staff", null=True, on_delete=models.PROTECT, related_name="approved")
    why = models.CharField(max_length=500)
    made_ms = models.BigIntegerField()
    not_before_ms = models.BigIntegerField(default=0)
    first_lane = models.CharField(max_length=64, blank=True, default="")
    first_round = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["room", "version"], name="room_version_once"),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=models.F("drafted_by")), name="room_version_two_people"
            ),
        ]


class Lane(models.Model):
    """One chain of rounds of a room, one after the other. Its row is the lock of everything that happens on it."""

    OPEN, PAUSED, RETIRED = "open", "paused", "retired"
    WAITS = {
        "other_lane": "the room's other lane takes bets; this round begins after it",
        "players": "more players, or more items",
        "clock_to_end": "the clock runs; then bets are closed",
        "numbers": "two operators type the next number",
        "opening": "bets are closed; the secret is opened a second later",
        "beacon_time": "the random number of the round is not public yet",
        "beacon": "the random number is late: no relay of the beacon has it yet",
        "fleet": "everybody knows who won; the fleet hands the items over",
        "fleet_refuses": "the fleet refuses to hand the items over: somebody has to look",
        "fleet_before": "the fleet binds the house's items for the next round",
        "prize": "the house has set no prize aside for the next round",
        "clock": "the clock of the machine is wrong; no round begins until it is right",
        "rules": "no rules are approved",
        "off": "its template is switched off, or has as many raffles open as it is to have",
        "paused": "an operator has paused it, or something is wrong: `paused_why`",
        "older": "the database is older than what was told before: somebody has to look",
    }
    """Everything that a round may wait for, in words."""

    name = models.CharField(max_length=64, unique=True)
    room = models.CharField(max_length=64, db_index=True)
    state = models.CharField(max_length=8, default=OPEN)
    paused_why = models.CharField(max_length=200, blank=True, default="")
    round = models.BigIntegerField(default=0)
    seq = models.BigIntegerField(default=0)
    next_at_ms = models.BigIntegerField(default=0, db_index=True)
    # What its newest round waits for, one of `WAITS`, and since when: written by the engine, for pages and operators.
    waits_for = models.CharField(max_length=16, blank=True, default="")
    waits_since_ms = models.BigIntegerField(default=0)
    driver = models.CharField(max_length=64, blank=True, default="")
    driver_until_ms = models.BigIntegerField(default=0)
    # Its chain of secrets is to be left with the next round: the lane was rebuilt from outside the database.
    renew = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name


class LaneEvent(models.Model):
    """One event of a round, as `lottery.event_json` writes it. Never changed, never removed: a trigger sees to it."""

    lane = models.CharField(max_length=64)
    round = models.BigIntegerField()
    number = models.IntegerField()
    at_ms = models.BigIntegerField()
    kind = models.CharField(max_length=16)
    token = models.CharField(max_length=160, blank=True, default="")
    body = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["lane", "round", "number"], name="lane_event_once"),
            models.UniqueConstraint(fields=["lane", "round", "token"], condition=~Q(token=""), name="lane_event_token_once"),
        ]


# ---- what pages read


class Round(models.Model):
    lane = models.CharField(max_length=64)
    round = models.BigIntegerField()
    room = models.CharField(max_length=64)
    version = models.IntegerField()
    rules_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    salt = models.BinaryField(max_length=32)
    log = models.BinaryField(max_length=32)
    phase = models.CharField(max_length=12)
    time_start_ms = models.BigIntegerField(null=True)
    deadline_ms = models.BigIntegerField(null=True)
    closed_ms = models.BigIntegerField(null=True)
    closed_by = models.CharField(max_length=16, blank=True, default="")
    pot_cents = models.BigIntegerField()
    tickets = models.BigIntegerField()
    items = models.IntegerField()
    players = models.IntegerField()
    source_round = models.BigIntegerField(null=True)
    opened_ms = models.BigIntegerField(null=True)
    late = models.BooleanField(default=False)
    entropy = models.BinaryField(max_length=32)
    winners = models.TextField()
    outcome = models.TextField(blank=True, default="")
    outcome_hash = models.BinaryField(max_length=32)
    seal = models.BinaryField(max_length=32)
    record = models.BinaryField()
    sealed_ms = models.BigIntegerField(null=True)
    void_reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lane", "round"], name="round_once")]
        indexes = [models.Index(fields=["room", "phase"], name="round_of_room")]


class RoundItem(models.Model):
    """One item of a pot; `number` and `item_no` are those of the record."""

    lane = models.CharField(max_length=64)
    round = models.BigIntegerField()
    place = models.IntegerField()
    bet = models.IntegerField()
    user_id = models.BigIntegerField()
    number = models.BigIntegerField()
    item_no = models.BigIntegerField()
    price_cents = models.BigIntegerField()
    first = models.BigIntegerField()
    tickets = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lane", "round", "place"], name="round_item_once")]


class RoundPlayer(models.Model):
    lane = models.CharField(max_length=64)
    round = models.BigIntegerField()
    user_id = models.BigIntegerField()
    team = models.IntegerField()
    items = models.IntegerField()
    value_cents = models.BigIntegerField()
    tickets = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lane", "round", "user_id"], name="round_player_once")]


class LaneMessage(models.Model):
    """What those who watch a lane are told. `seq` has no gap: it is written in the transaction of its cause."""

    lane = models.CharField(max_length=64)
    seq = models.BigIntegerField()
    at_ms = models.BigIntegerField()
    kind = models.CharField(max_length=16)
    body = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lane", "seq"], name="lane_message_once")]


# ---- intents


class Bet(models.Model):
    """What a player wants to stake, from the click to its end.

    new → locking → locked → placed → over, or by way of unlocking to refused. Refused for good only when the fleet has said
    that nothing is bound any more.
    """

    NEW, LOCKING, LOCKED, PLACED, UNLOCKING, REFUSED, OVER = (
        *("new", "locking", "locked", "placed"),
        *("unlocking", "refused", "over"),
    )
    OPEN = (NEW, LOCKING, LOCKED)

    bet_id = models.CharField(max_length=40, unique=True)
    lane = models.CharField(max_length=64)
    round = models.BigIntegerField()
    player = models.ForeignKey(Player, on_delete=models.PROTECT, related_name="bets")
    token = models.CharField(max_length=64)
    deposit_ids = models.TextField()
    team = models.IntegerField(default=0)
    client_seed = models.CharField(max_length=64, blank=True, default="")
    seen_cents = models.BigIntegerField()
    state = models.CharField(max_length=12, default=NEW)
    code = models.CharField(max_length=40, blank=True, default="")
    details = models.TextField(blank=True, default="{}")
    receipt = models.TextField(blank=True, default="")
    created_ms = models.BigIntegerField()
    give_up_ms = models.BigIntegerField(default=0)
    touched_ms = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["player", "token"], name="bet_token_once")]
        indexes = [
            models.Index(fields=["lane", "round"], name="bet_of_round"),
            models.Index(fields=["lane"], name="bet_open", condition=Q(state__in=["new", "locking", "locked", "unlocking"])),
        ]


class Guarantee(models.Model):
    """What the house puts into one round of a room beside the pot: the winner gets it, a giveaway is about nothing else.

    waiting → asked → bound → given. A void round puts it back to waiting. Refused: the fleet would not bind it, and no round is
    created on that lane until somebody drops it.
    """

    WAITING, ASKED, BOUND, GIVEN, REFUSED, DROPPED = "waiting", "asked", "bound", "given", "refused", "dropped"
    OPEN = (WAITING, ASKED, BOUND, REFUSED)

    room = models.CharField(max_length=64)
    deposit_ids = models.TextField()
    state = models.CharField(max_length=8, default=WAITING)
    code = models.CharField(max_length=40, blank=True, default="")
    lane = models.CharField(max_length=64, blank=True, default="")
    round = models.BigIntegerField(default=0)
    ref = models.CharField(max_length=128, blank=True, default="")
    set_aside_by = models.ForeignKey("office.Staff", on_delete=models.PROTECT, related_name="guarantees")
    why = models.CharField(max_length=500)
    made_ms = models.BigIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["room", "state"], name="guarantee_of_room"),
            models.Index(fields=["lane", "round"], name="guarantee_of_round"),
        ]


class TypedNumber(models.Model):
    """What one operator has typed for a round. Two of them type each number; it counts when both have typed the same."""

    WAITING, TAKEN, DIFFERS, REFUSED = "waiting", "taken", "differs", "refused"

    lane = models.CharField(max_length=64)
    round = models.BigIntegerField()
    number = models.IntegerField()
    operator = models.ForeignKey("office.Staff", on_delete=models.PROTECT, related_name="typed")
    digits = models.CharField(max_length=100)
    evidence = models.CharField(max_length=300)
    state = models.CharField(max_length=8, default=WAITING)
    code = models.CharField(max_length=40, blank=True, default="")
    made_ms = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lane", "round", "number", "operator"], condition=Q(state="waiting"), name="typed_number_once"
            ),
        ]


class Order(models.Model):
    """What two people have an engine do to a round: one proposes it, another agrees, an engine carries it out.

    proposed → agreed → done, or refused with the reason in `code`. `why` stands in the record of a round that is void by it.
    """

    VOID, FAIL, MAKE_GOOD = "void", "fail", "make_good"
    PROPOSED, AGREED, DONE, REFUSED, DROPPED = "proposed", "agreed", "done", "refused", "dropped"

    kind = models.CharField(max_length=12)
    lane = models.CharField(max_length=64)
    round = models.BigIntegerField()
    # Of a make_good: the item that was lost, whose it would have been, and what it was worth in the round.
    deposit_id = models.CharField(max_length=64, blank=True, default="")
    player = models.ForeignKey(Player, null=True, on_delete=models.PROTECT, related_name="made_good")
    cents = models.BigIntegerField(default=0)
    why = models.CharField(max_length=200)
    state = models.CharField(max_length=8, default=PROPOSED)
    code = models.CharField(max_length=40, blank=True, default="")
    proposed_by = models.ForeignKey("office.Staff", on_delete=models.PROTECT, related_name="orders")
    agreed_by = models.ForeignKey("office.Staff", null=True, on_delete=models.PROTECT, related_name="agreed")
    made_ms = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(agreed_by__isnull=True) | ~Q(agreed_by=models.F("proposed_by")), name="order_two_people"
            ),
        ]
        indexes = [models.Index(fields=["lane", "round"], name="order_of_round")]

    @property
    def ref(self) -> str:
        """Under which the fleet credits what is made good: each lost item once."""
        return f"mkg:{self.lane}:{self.round}:{self.deposit_id}"
