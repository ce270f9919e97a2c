"""What the house has: items that are set aside as guarantees and prizes of rounds."""

from __future__ import annotations

import json

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from website.office import fields
from website.office.operation import MONEY, Acting, Args, Operation, Plan, RefusedError
from website.office.roles import MONEY as MONEY_ROLE
from website.office.roles import ROOMS
from website.rooms import guarantees
from website.rooms.models import Guarantee, Lane

WHO = frozenset((ROOMS, MONEY_ROLE))


def _aside_plan(args: Args) -> Plan:
    if not args["deposit_ids"]:
        raise RefusedError(_("Name one item at least."), "deposit_ids")
    meaning = (_("The items go into the next round of the room that has none yet. Whoever wins it gets them."),)
    return Plan(args["room"], {}, {"deposit_ids": args["deposit_ids"]}, meaning)


def _aside(args: Args, acting: Acting) -> None:
    try:
        guarantees.set_aside(args["room"], args["deposit_ids"], acting.by, acting.why, acting.now_ms)
    except guarantees.GuaranteeError as error:
        raise RefusedError(str(error)) from None


def _drop_plan(args: Args) -> Plan:
    row = Guarantee.objects.filter(id=args["guarantee"]).first()
    if row is None:
        raise RefusedError(f"there is no guarantee {args['guarantee']}")
    before = {"state": row.state, "deposit_ids": json.loads(row.deposit_ids)}
    return Plan(f"{row.room} {row.id}", before, {"state": Guarantee.DROPPED}, (_("The items are free stock again."),))


def _drop(args: Args, acting: Acting) -> None:
    try:
        guarantees.drop(args["guarantee"], acting.now_ms)
    except guarantees.GuaranteeError as error:
        raise RefusedError(str(error)) from None


def _aside_fields(_given: Args) -> dict[str, forms.Field]:
    rooms = [(name, name) for name in Lane.objects.order_by("room").values_list("room", flat=True).distinct()]
    return {
        "room": forms.ChoiceField(choices=rooms, label=gettext_lazy("Room")),
        "deposit_ids": fields.Ids(label=gettext_lazy("Items of the house (deposit ids)")),
    }


def _drop_fields(_given: Args) -> dict[str, forms.Field]:
    return {"guarantee": fields.Number()}


OPERATIONS = (
    Operation(
        *("set_aside", gettext_noop("Set items aside for a round"), WHO, 1, MONEY, _aside_plan, _aside),
        *(_aside_fields, "office:stock"),
    ),
    Operation(
        "drop_guarantee", gettext_noop("Take a guarantee back"), WHO, 1, MONEY, _drop_plan, _drop, _drop_fields, "office:stock"
    ),
)
