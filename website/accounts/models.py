"""Players. The fleet's `user_id` of a player is the text of `id`."""

from __future__ import annotations

import secrets

from django.db import models

CODE_SIGNS = "23456789abcdefghjkmnpqrstuvwxyz"
"""Signs of a referral code: none that is taken for another."""


def new_code() -> str:
    return "".join(secrets.choice(CODE_SIGNS) for _ in range(8))


class Player(models.Model):
    """One person, bound to one Steam account for good."""

    steam_id = models.BigIntegerField(unique=True)
    name = models.CharField(max_length=64)  # what others see: the pseudonym, else the name at Steam
    steam_name = models.CharField(max_length=64, blank=True, default="")
    pseudonym = models.CharField(max_length=64, blank=True, default="")
    avatar = models.CharField(max_length=300, blank=True, default="")
    steam_level = models.IntegerField(null=True, blank=True)  # None: Steam has never shown it
    steam_made_ms = models.BigIntegerField(null=True, blank=True)  # when the Steam account was made; None as above
    language = models.CharField(max_length=8, blank=True, default="")
    code = models.CharField(max_length=16, unique=True, default=new_code, editable=False)
    trade_url_sealed = models.BinaryField(max_length=512, blank=True, default=b"")
    show_statistics = models.BooleanField(default=True)
    show_raffles = models.BooleanField(default=True)
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

    @property
    def picture(self) -> str:
        """The picture at Steam that others may see: none of somebody who goes by another name here."""
        return "" if self.pseudonym else self.avatar


class PlayerSession(models.Model):
    """One browser in which a player is signed in. The browser has the key, here stands its hash."""

    key_hash = models.CharField(max_length=64, unique=True)
    player = models.ForeignKey(Player, on_delete=models.CASCADE, related_name="sessions")
    created_ms = models.BigIntegerField()
    expires_ms = models.BigIntegerField()
    seen_ms = models.BigIntegerField()
    agent = models.CharField(max_length=120, blank=True, default="")


class SignInNonce(models.Model):
    """An answer of Steam that was used: it works once."""

    nonce = models.CharField(max_length=255, unique=True)
    seen_ms = models.BigIntegerField()
