"""What the gate needs to know, and what it said. Decisions are a chain of hashes; nobody edits one."""

from __future__ import annotations

from django.db import models

from website.accounts.models import Player


class Declaration(models.Model):
    """What a player says of themselves before the first bet. Nothing of it is checked, and no name or address is kept."""

    player = models.OneToOneField(Player, on_delete=models.PROTECT, related_name="declaration")
    born = models.DateField()
    country = models.CharField(max_length=2)
    at_ms = models.BigIntegerField()


class Profile(models.Model):
    """A player's limits and pauses as `lottery.responsible_play.Profile` has them, as JSON.

    Its row is also the lock under which everything about a player's limits happens: after the lane's, in the order of ids.
    """

    player = models.OneToOneField(Player, on_delete=models.PROTECT, related_name="profile")
    profile = models.TextField()
    version = models.IntegerField(default=1)


class PlayLog(models.Model):
    """One line of what a player deposited, staked or got back. A projection: it may be dropped and comes back equal."""

    player = models.ForeignKey(Player, on_delete=models.PROTECT, related_name="play_log")
    time_ms = models.BigIntegerField()
    kind = models.CharField(max_length=8)  # deposit, stake, return
    currency = models.CharField(max_length=4)  # item, coin
    cents = models.BigIntegerField()
    cycle = models.CharField(max_length=128, blank=True, default="")
    ref = models.CharField(max_length=160, unique=True)

    class Meta:
        indexes = [models.Index(fields=["player", "time_ms"], name="play_log_of_player")]


class PlayDecision(models.Model):
    """One answer of the gate, chained to the player's one before it (`responsible_play.logged`)."""

    player = models.ForeignKey(Player, on_delete=models.PROTECT, related_name="decisions")
    number = models.IntegerField()
    line = models.TextField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["player", "number"], name="play_decision_once")]


class Forgotten(models.Model):
    """A player who was forgotten: how their Steam account is told again, until when it is excluded, if the fleet forgot."""

    player = models.OneToOneField(Player, on_delete=models.PROTECT, related_name="forgotten")
    steam_hash = models.CharField(max_length=64, db_index=True)
    excluded = models.BooleanField()
    until_ms = models.BigIntegerField(null=True)
    time_out_until_ms = models.BigIntegerField()
    at_ms = models.BigIntegerField()
    fleet_forgot = models.BooleanField(default=False)
