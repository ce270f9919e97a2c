"""What the engine keeps beside the rounds: calls to the fleet, chains of secrets, how far the feed is read, alarms."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Call(models.Model):
    """One call to the fleet that was decided on, until it has its answer. The fleet does it once however often it is sent."""

    LOCK, UNLOCK, TRANSFER, USER, EXCHANGE, CREDIT = "lock", "unlock", "transfer", "user", "exchange", "credit"
    DUE, WAITS, DONE, REFUSED, DROPPED = "due", "waits", "done", "refused", "dropped"

    kind = models.CharField(max_length=8)
    ref = models.CharField(max_length=128)
    body = models.TextField()
    state = models.CharField(max_length=8, default=DUE)
    tries = models.IntegerField(default=0)
    next_try_ms = models.BigIntegerField(default=0)
    code = models.CharField(max_length=40, blank=True, default="")
    answer = models.TextField(blank=True, default="")
    lane = models.CharField(max_length=64, blank=True, default="")
    round = models.BigIntegerField(default=0)
    made_ms = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "ref"], name="call_once")]
        indexes = [
            models.Index(fields=["next_try_ms"], name="call_due", condition=Q(state="due")),
            models.Index(fields=["lane", "round"], name="call_of_round"),
        ]


class Chain(models.Model):
    """A lane's secrets from round `first_round` on. `last_sealed` is the last one, sealed with the chain key."""

    lane = models.CharField(max_length=64)
    first_round = models.BigIntegerField()
    length = models.IntegerField()
    anchor = models.BinaryField(max_length=32)
    last_sealed = models.BinaryField(max_length=128)
    made_ms = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lane", "first_round"], name="chain_once")]


class ChainPoint(models.Model):
    """A value of a chain on the way, sealed too, so that no secret is more than a thousand steps away."""

    chain = models.ForeignKey(Chain, on_delete=models.PROTECT, related_name="points")
    place = models.IntegerField()
    sealed = models.BinaryField(max_length=128)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chain", "place"], name="chain_point_once")]


class Feed(models.Model):
    """How far a reader has taken the fleet's events: moved on in the transaction of their effects."""

    reader = models.CharField(max_length=32, unique=True)
    after = models.BigIntegerField(default=0)
    livemode = models.BooleanField(null=True)  # what the fleet last said of itself; None: it has not answered yet
    known_to = models.BigIntegerField(default=0)  # events up to here were compared as a whole when rounds were rebuilt
    # The event at `after`, as it was when it was taken: a fleet that has another one there, or none, is an older one.
    seen = models.CharField(max_length=200, blank=True, default="")
    older_ms = models.BigIntegerField(null=True)  # since when the fleet is known to be older than we are; None: it is not


class Alarm(models.Model):
    """Something that a person has to look at. The same trouble raises one alarm, which stays until somebody ends it."""

    kind = models.CharField(max_length=40)
    about = models.CharField(max_length=160)
    text = models.TextField()
    at_ms = models.BigIntegerField()
    ended_ms = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "about"], condition=Q(ended_ms__isnull=True), name="alarm_once")]


class CustodyCheck(models.Model):
    """One look at what the fleet has bound for us (`engine.reconciliation`), for the page about custody.

    `at_ms` is the minute, `done_ms` when it was looked at; null: an engine is at it, or died at it. `lanes`: JSON, lane → how
    many items its rounds have and how many of these the fleet has bound. `differences`: JSON, sentences, of which there were
    `count`.
    """

    at_ms = models.BigIntegerField(unique=True)
    done_ms = models.BigIntegerField(null=True)
    items_in_rounds = models.IntegerField(default=0)
    items_bound = models.IntegerField(default=0)
    locks = models.IntegerField(default=0)
    under_way = models.IntegerField(default=0)
    lanes = models.TextField(default="{}")
    differences = models.TextField(default="[]")
    count = models.IntegerField(default=0)
