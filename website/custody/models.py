"""What players ask of the fleet's custody, from the click to its answer."""

from __future__ import annotations

from django.db import models

from website.accounts.models import Player


class Exchange(models.Model):
    """Items of a player for tickets, or tickets for items of the house; what is over is credited. `answer` is the fleet's."""

    ASKED, DONE, REFUSED = "asked", "done", "refused"

    exchange_id = models.CharField(max_length=40, unique=True)
    player = models.ForeignKey(Player, on_delete=models.PROTECT, related_name="exchanges")
    token = models.CharField(max_length=64)
    asked = models.TextField()
    state = models.CharField(max_length=8, default=ASKED)
    code = models.CharField(max_length=40, blank=True, default="")
    answer = models.TextField(blank=True, default="")
    made_ms = models.BigIntegerField()
    touched_ms = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["player", "token"], name="exchange_token_once")]


class Errand(models.Model):
    """What a player asked the fleet to do with items, kept before the fleet is asked: `errand_id` is the key of the request.

    asked → done, with the trades that came of it, or refused: then nothing was done. `sent_ms` is when it was last sent without
    an answer that can be relied on; the same request is sent again under the same key until there is one.
    """

    DEPOSIT, WITHDRAW = "deposit", "withdraw"
    ASKED, DONE, REFUSED = "asked", "done", "refused"

    errand_id = models.CharField(max_length=40, unique=True)
    player = models.ForeignKey(Player, on_delete=models.PROTECT, related_name="errands")
    token = models.CharField(max_length=64)
    kind = models.CharField(max_length=8)
    body = models.TextField()
    state = models.CharField(max_length=8, default=ASKED)
    code = models.CharField(max_length=40, blank=True, default="")
    details = models.TextField(blank=True, default="{}")
    trades = models.TextField(blank=True, default="[]")
    # Of a deposit: what it counts for the player's limit of deposits until it has come in or is over.
    held_cents = models.BigIntegerField(default=0, db_default=0)
    sent_ms = models.BigIntegerField(null=True)
    made_ms = models.BigIntegerField()
    touched_ms = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["player", "token"], name="errand_token_once")]
        indexes = [models.Index(fields=["player", "-made_ms"], name="errand_of_player")]


class SteamInventory(models.Model):
    """What a player has on Steam, as it was last read. `asked_ms`: when the fleet was last asked to read it."""

    player = models.OneToOneField(Player, on_delete=models.CASCADE, related_name="steam_inventory")
    asked_ms = models.BigIntegerField(default=0)
    read_ms = models.BigIntegerField(null=True)
    hold_days = models.IntegerField(null=True)
    items = models.TextField(blank=True, default="[]")
