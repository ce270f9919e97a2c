"""The ledger of play coins: an entry that was wrong is met by another one, never changed."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from website.ledger import services as ledger
from website.ledger.models import Entry
from website.office import fields
from website.office.operation import MONEY, Acting, Args, Operation, Plan, RefusedError
from website.office.roles import MONEY as MONEY_ROLE


def _entry(args: Args) -> Entry:
    row = Entry.objects.filter(ref=args["entry"]).first()
    if row is None:
        raise RefusedError(f"there is no entry {args['entry']}")
    if row.kind == Entry.COUNTER:
        raise RefusedError(_("This is a counter-entry itself."))
    if row.kind != Entry.GRANT:
        # What a raffle took in must be there when it is drawn; a void gives it back to all who paid.
        raise RefusedError(_("Coins of a raffle move with the raffle only. To give them back, void the raffle."))
    return row


def _lines(entry: Entry) -> dict[str, int]:
    return dict(entry.postings.order_by("line").values_list("account__owner", "cents"))


def _plan(args: Args) -> Plan:
    lines = _lines(_entry(args))
    meaning = (_("Every posting of the entry is met by one of the other sign. Both stay in the books."),)
    return Plan(args["entry"], lines, {owner: -cents for owner, cents in lines.items()}, meaning)


def _do(args: Args, acting: Acting) -> None:
    entry = _entry(args)
    ref = f"counter:{entry.ref}"[:160]
    if Entry.objects.filter(ref=ref).exists():
        raise RefusedError(_("It was met already."))
    who = f"staff {acting.by.username}, {acting.other.username}"
    back = {owner: -cents for owner, cents in _lines(entry).items()}
    try:
        ledger.post(ledger.Wanted(ref, Entry.COUNTER, who, back, acting.why), acting.now_ms)
    except ledger.LedgerError as error:
        raise RefusedError(str(error)) from None


def _fields(_given: Args) -> dict[str, forms.Field]:
    return {"entry": fields.Target()}


OPERATIONS = (
    Operation(
        *(
            "counter_entry",
            gettext_noop("Meet an entry of the ledger by its counter-entry"),
            frozenset((MONEY_ROLE,)),
            2,
            MONEY,
        ),
        *(_plan, _do, _fields, "office:ledger"),
    ),
)
