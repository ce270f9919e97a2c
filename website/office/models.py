"""Members of the staff, what they did and propose, and what they write for the site. Players never stand here."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q


def new_word() -> str:
    return secrets.token_urlsafe(16)


class Staff(AbstractUser):
    """One person who runs the site. `key_hash` is of the key by which an operation at the command line is theirs.

    `roles` are words of `office.roles`, with blanks between. Of the one-time code the secret is kept sealed, and the newest
    step that was used, so that a code works once. A new `session_word` ends all sessions. `join_hash` is of the word by which
    somebody who is invited sets a password, until `join_until_ms`.
    """

    key_hash = models.CharField(max_length=128, blank=True, default="", editable=False)
    roles = models.CharField(max_length=100, blank=True, default="")
    code_sealed = models.BinaryField(max_length=128, blank=True, default=b"")
    code_step = models.BigIntegerField(default=0)
    wrong_tries = models.IntegerField(default=0)
    locked_until_ms = models.BigIntegerField(default=0)
    session_word = models.CharField(max_length=32, default=new_word, editable=False)
    join_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    join_until_ms = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = "member of the staff"
        verbose_name_plural = "staff"

    @property
    def role_set(self) -> frozenset[str]:
        return frozenset(self.roles.split())

    def _get_session_auth_hash(self, secret: Any = None) -> str:
        """What a session is held against: of the password, and of the word that ends them all."""
        return str(super()._get_session_auth_hash(secret)) + self.session_word  # type: ignore[misc]


class Head(models.Model):
    """Where the staff log ends. Its one row is the lock under which every operation of the office happens."""

    number = models.BigIntegerField(default=0)
    hash = models.BinaryField(max_length=32, default=bytes(32))


class Line(models.Model):
    """One line of the staff log, chained to the one before it. Never changed, never removed: a trigger sees to it."""

    number = models.BigIntegerField(unique=True)
    at_ms = models.BigIntegerField(db_index=True)
    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="lines")
    operation = models.CharField(max_length=40, db_index=True)
    target = models.CharField(max_length=200)
    line = models.TextField()
    hash = models.BinaryField(max_length=32)


class Proposal(models.Model):
    """What one person wants and another has to approve. `before` and `after` are the dry run; `args` what was filled in."""

    OPEN, APPROVED, REFUSED, WITHDRAWN = "open", "approved", "refused", "withdrawn"

    operation = models.CharField(max_length=40)
    target = models.CharField(max_length=200)
    args = models.TextField()
    before = models.TextField()
    after = models.TextField()
    why = models.CharField(max_length=200)
    by = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="proposals")
    at_ms = models.BigIntegerField()
    state = models.CharField(max_length=10, default=OPEN)
    decided_by = models.ForeignKey(Staff, null=True, on_delete=models.PROTECT, related_name="decided")
    decided_at_ms = models.BigIntegerField(null=True)
    note = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="approved") | (Q(decided_by__isnull=False) & ~Q(decided_by=F("by"))),
                name="proposal_two_people",
            ),
        ]
        indexes = [models.Index(fields=["state", "at_ms"], name="proposal_open")]


class Text(models.Model):
    """What a page says, as it was approved once; the newest version counts. An empty body means: the site's own text.

    `name` is a page of information, or `news-` and a word. Bodies are the plain marks of `office.marks`.
    """

    name = models.CharField(max_length=64)
    version = models.IntegerField()
    title_en = models.CharField(max_length=120)
    body_en = models.TextField(blank=True, default="")
    title_ru = models.CharField(max_length=120)
    body_ru = models.TextField(blank=True, default="")
    written_by = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="written")
    approved_by = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="approved_texts")
    why = models.CharField(max_length=200)
    at_ms = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="text_version_once"),
            models.CheckConstraint(condition=~Q(approved_by=F("written_by")), name="text_two_people"),
        ]


class Day(models.Model):
    """What one room brought in on one day (UTC) that is over: a projection of its sealed rounds, cents. It may be dropped."""

    day = models.DateField()
    room = models.CharField(max_length=64)
    rounds = models.IntegerField()
    void = models.IntegerField()
    staked = models.BigIntegerField()
    paid = models.BigIntegerField()
    due = models.BigIntegerField()
    taken = models.BigIntegerField()
    change = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "room"], name="day_of_room_once")]
