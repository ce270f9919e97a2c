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
