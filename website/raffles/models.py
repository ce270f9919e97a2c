"""What is raffled off, again and again: templates and their versions. Money is cents of play coins, times are unix ms."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class Template(models.Model):
    """A raffle that comes again while it is `active`. Its id is its number in records; what it sells its versions say.

    `switched_by` has turned it on or off last, at `switched_ms`, and why; nobody while it never was on.
    """

    active = models.BooleanField(default=False)
    switched_by = models.ForeignKey("office.Staff", null=True, on_delete=models.PROTECT, related_name="switched_templates")
    switched_why = models.CharField(max_length=500, blank=True, default="")
    switched_ms = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(active=False) | Q(switched_by__isnull=False), name="template_on_by_somebody"),
        ]


class TemplateVersion(models.Model):
    """What a template sells, as it was at one time. A new instance takes the newest approved version, and keeps it to its end.

    `price_cents` and `commission_cents` are what all tickets together bring at least. An instance that is not sold out after
    `expires_s` is void; None: it waits. `share_max_percent`: so much of the tickets one player may have.
    """

    DRAFT, APPROVED = "draft", "approved"
    ITEM = "item"  # an item of the house in the fleet's custody

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="versions")
    version = models.IntegerField()
    prize = models.CharField(max_length=1000)
    prize_kind = models.CharField(max_length=8)
    price_cents = models.BigIntegerField()
    commission_cents = models.BigIntegerField()
    tickets = models.BigIntegerField()
    parallel = models.IntegerField()
    expires_s = models.BigIntegerField(null=True)
    steam_level_min = models.IntegerField()
    share_max_percent = models.IntegerField()
    state = models.CharField(max_length=8, default=DRAFT)
    drafted_by = models.ForeignKey("office.Staff", on_delete=models.PROTECT, related_name="drafted_templates")
    approved_by = models.ForeignKey("office.Staff", null=True, on_delete=models.PROTECT, related_name="approved_templates")
    why = models.CharField(max_length=500)
    made_ms = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["template", "version"], name="template_version_once"),
            models.CheckConstraint(
                condition=Q(state="draft", approved_by=None) | Q(state="approved", approved_by__isnull=False),
                name="template_version_approved",
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("drafted_by")), name="template_version_two_people"
            ),
        ]
