"""Members of the staff. Players are `accounts.Player`, and never stand here."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models


class Staff(AbstractUser):
    """One person who runs the site. `key_hash` is of the key by which an operation at the command line is theirs."""

    key_hash = models.CharField(max_length=128, blank=True, default="", editable=False)

    class Meta:
        verbose_name = "member of the staff"
        verbose_name_plural = "staff"
