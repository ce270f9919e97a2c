"""Play coins in double entry. They are no money: there is no way in and no way out.

An entry is a few postings that sum to zero; entries and postings only grow. What an account holds is a column that the
database keeps above its floor, and that an audit holds against the sum of its postings (W12).
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class Account(models.Model):
    """Whose coins: `wallet:12` of a player, `escrow:LANE:ROUND` of a raffle, `house`, or `mint`, where coins come from.

    `mint:DAY` is where the coins of one day come from that players take themselves; below its floor that day gives no more.
    """

    WALLET, ESCROW, HOUSE, MINT = "wallet", "escrow", "house", "mint"

    owner = models.CharField(max_length=128, unique=True)
    kind = models.CharField(max_length=8)
    balance_cents = models.BigIntegerField(default=0)
    floor_cents = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(balance_cents__gte=F("floor_cents")), name="account_not_below_floor"),
        ]

    def __str__(self) -> str:
        return self.owner


class Entry(models.Model):
    """One thing that happened to coins. `ref` makes it happen once; `who` did it: a player, the engine, or one of the staff."""

    GRANT, BUY, REFUND, SELL_OUT, COUNTER = "grant", "buy", "refund", "sell_out", "counter"

    ref = models.CharField(max_length=160, unique=True)
    at_ms = models.BigIntegerField()
    kind = models.CharField(max_length=8)
    who = models.CharField(max_length=80)
    memo = models.CharField(max_length=300, blank=True, default="")


class Posting(models.Model):
    """One line of an entry: cents that an account gets (or gives, below zero)."""

    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="postings")
    line = models.IntegerField()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="postings")
    cents = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["entry", "line"], name="posting_once"),
            models.UniqueConstraint(fields=["entry", "account"], name="posting_of_account_once"),
            models.CheckConstraint(condition=~Q(cents=0), name="posting_moves_something"),
        ]
