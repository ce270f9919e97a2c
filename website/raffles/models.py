"""What is raffled off, again and again: templates and their versions, prizes, and what players want to buy of it.

An instance is a round of the lane `raffle-TEMPLATE-SLOT` (`website.rooms`). Money is cents of play coins, times are unix ms.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from website.accounts.models import Player
from website.rooms.models import Piece


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
    `expires_s` is void; None: it waits. `share_max_percent`: so much of the tickets one player may have. `entropy` and `beacon`
    (JSON, empty: the network's own) say where the draw's number comes from, as in the rules of rooms.
    """

    DRAFT, APPROVED = "draft", "approved"
    ITEM, KEY, HAND = (
        "item",  # an item of the house in the fleet's custody, handed over like any guarantee
        "key",  # a key of a game out of the template's stock
        "hand",  # sent by one of the staff
    )
    GOLD, SILVER, BRONZE = "gold", "silver", "bronze"

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="versions")
    version = models.IntegerField()
    prize = models.CharField(max_length=1000)
    prize_kind = models.CharField(max_length=8)
    genre = models.CharField(max_length=60, blank=True, default="")
    tier = models.CharField(max_length=8, default=BRONZE)
    price_cents = models.BigIntegerField()
    commission_cents = models.BigIntegerField()
    tickets = models.BigIntegerField()
    parallel = models.IntegerField()
    expires_s = models.BigIntegerField(null=True)
    steam_level_min = models.IntegerField()
    share_max_percent = models.IntegerField()
    entropy = models.CharField(max_length=80, default="drand:quicknet")
    beacon = models.TextField(blank=True, default="")
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


class Prize(models.Model):
    """What one instance is about where the fleet has no part in it: a key of a game, or something sent by hand.

    A key: stock → bound (to an instance that runs) → owed (won) → sent (the winner has read it). By hand: bound → owed → sent →
    confirmed. A void instance puts a key back into stock; what is sent by hand is `void` then. `dropped`: taken out of stock.
    `sealed` is the key under the seal key; `mark` tells two equal keys, and nothing else. `piece` is its number in records.
    """

    STOCK, BOUND, OWED, SENT, CONFIRMED = "stock", "bound", "owed", "sent", "confirmed"
    VOID, DROPPED = "void", "dropped"

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="prizes")
    kind = models.CharField(max_length=8)
    state = models.CharField(max_length=12)
    sealed = models.BinaryField(max_length=1024, default=b"")
    mark = models.CharField(max_length=64, null=True, unique=True)
    piece = models.ForeignKey(Piece, null=True, on_delete=models.PROTECT, related_name="+")
    lane = models.CharField(max_length=64, blank=True, default="")
    round = models.BigIntegerField(default=0)
    player = models.ForeignKey(Player, null=True, on_delete=models.PROTECT, related_name="prizes")
    added_by = models.ForeignKey("office.Staff", null=True, on_delete=models.PROTECT, related_name="added_prizes")
    why = models.CharField(max_length=500, blank=True, default="")
    made_ms = models.BigIntegerField()
    owed_ms = models.BigIntegerField(null=True)
    # When the winner first read the key, or when somebody sent it, who, and with what note.
    sent_ms = models.BigIntegerField(null=True)
    sent_by = models.ForeignKey("office.Staff", null=True, on_delete=models.PROTECT, related_name="sent_prizes")
    note = models.CharField(max_length=500, blank=True, default="")
    confirmed_ms = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lane", "round"],
                condition=Q(state__in=["bound", "owed", "sent", "confirmed"]),
                name="prize_of_instance_once",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["owed", "sent", "confirmed"]) | Q(player__isnull=False), name="prize_won_by_somebody"
            ),
        ]
        indexes = [models.Index(fields=["template", "state"], name="prize_of_template")]


class Purchase(models.Model):
    """What a player wants to buy, from the click to its end: new → placed → over, or refused, and then nothing was paid.

    `token` is the form's own word: the same one is the same purchase. `code` and `details` (JSON) say why it was refused.
    """

    NEW, PLACED, REFUSED, OVER = "new", "placed", "refused", "over"

    purchase_id = models.CharField(max_length=40, unique=True)
    lane = models.CharField(max_length=64)
    round = models.BigIntegerField()
    player = models.ForeignKey(Player, on_delete=models.PROTECT, related_name="purchases")
    token = models.CharField(max_length=64)
    quantity = models.BigIntegerField()
    client_seed = models.CharField(max_length=64, blank=True, default="")
    state = models.CharField(max_length=12, default=NEW)
    code = models.CharField(max_length=40, blank=True, default="")
    details = models.TextField(blank=True, default="{}")
    receipt = models.TextField(blank=True, default="")
    created_ms = models.BigIntegerField()
    touched_ms = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["player", "token"], name="purchase_token_once")]
        indexes = [
            models.Index(fields=["lane", "round"], name="purchase_of_round"),
            models.Index(fields=["lane"], name="purchase_new", condition=Q(state="new")),
        ]
