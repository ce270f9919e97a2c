"""Messages to single players, numbered without a gap as those of lanes are."""

from __future__ import annotations

from django.db import models

from website.accounts.models import Player


class Mailbox(models.Model):
    """How many messages a player was sent. Its row is locked while one is added, so that numbers have no gap."""

    player = models.OneToOneField(Player, on_delete=models.PROTECT, related_name="mailbox")
    seq = models.BigIntegerField(default=0)


class UserMessage(models.Model):
    """What one player is told, written in the transaction of its cause. `body` is canonical JSON."""

    player = models.ForeignKey(Player, on_delete=models.PROTECT, related_name="messages")
    seq = models.BigIntegerField()
    at_ms = models.BigIntegerField()
    kind = models.CharField(max_length=24)
    body = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["player", "seq"], name="user_message_once")]
