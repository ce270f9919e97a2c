"""Players. The fleet's `user_id` of a player is the text of `id`."""

from __future__ import annotations

from django.db import models


class Player(models.Model):
    """One person, bound to one Steam account for good."""

    steam_id = models.BigIntegerField(unique=True)
    name = models.CharField(max_length=64)
    registered_ms = models.BigIntegerField()
    inviter = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="invited")
    first_deposit_ms = models.BigIntegerField(null=True, blank=True)
    blocked_why = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = [models.CheckConstraint(condition=~models.Q(inviter=models.F("id")), name="player_not_own_inviter")]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"

    @property
    def user_id(self) -> str:
        """The player as the fleet knows them."""
        return str(self.id)
