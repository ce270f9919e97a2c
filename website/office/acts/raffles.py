"""Raffles: what a template sells, by version and with two people; whether it goes on, by one."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import fields as fields_of
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from lottery.errors import RoomError

from website.office import fields
from website.office.operation import PLAIN, RULES, Acting, Args, Operation, Plan, RefusedError
from website.office.roles import ROOMS, SUPPORT
from website.raffles import prizes, services
from website.raffles.models import Prize, Template, TemplateVersion
from website.raffles.prizes import PrizeError
from website.raffles.services import TemplateError, Terms

WHO = frozenset((ROOMS,))
TERMS = tuple(each.name for each in fields_of(Terms) if each.name not in ("entropy", "beacon"))
"""What a form may say. Where the number of a draw comes from is the site's, not a template's."""


def terms_of(version: TemplateVersion) -> Terms:
    return Terms(**{name: getattr(version, name) for name in TERMS})


def said(terms: Terms) -> Args:
    """What is sold, as a proposal keeps it."""
    return {name: value for name, value in asdict(terms).items() if name in TERMS}


def newest(template_id: int) -> TemplateVersion:
    """Raises RefusedError."""
    row = services.newest(template_id) or TemplateVersion.objects.filter(template_id=template_id).order_by("-version").first()
    if row is None:
        raise RefusedError(f"there is no template {template_id}")
    return row


def _terms(args: Args) -> Terms:
    """What a form says; the number of a draw comes from where that of the site's newest template does."""
    newest_one = TemplateVersion.objects.order_by("-id").values("entropy", "beacon").first()
    known: Args = dict(newest_one) if newest_one else {}
    return Terms(**{name: args[name] for name in TERMS if args.get(name) is not None}, **known)


def _draft_plan(args: Args) -> Plan:
    terms, template_id = _terms(args), args.get("template")
    _try(lambda: services.check(terms))
    before: dict[str, Any] = {}
    if template_id is not None:
        row = newest(template_id)
        before = {"version": row.version, **said(terms_of(row))}
        if said(terms) == said(terms_of(row)):
            raise RefusedError(_("Nothing is changed."))
    after = said(terms)
    changed = {name for name in after if before.get(name) != after[name]} | {"prize"}
    total = terms.price_cents + terms.commission_cents
    meaning = (
        _("One ticket costs %(price)s coins; a player has at most %(most)s of %(tickets)s.")
        % {"price": f"{-(-total // terms.tickets) / 100:.2f}", "most": terms.tickets_max, "tickets": terms.tickets},
        _("Raffles that run keep what they began with; the next one takes this."),
        _("It stays switched off until somebody activates it.") if template_id is None else "",
    )
    kept = {name: value for name, value in before.items() if name in changed or name == "version"}
    target = _("new raffle") if template_id is None else f"raffle {template_id}"
    return Plan(target, kept, {name: after[name] for name in TERMS if name in changed}, tuple(filter(None, meaning)))


def _draft(args: Args, acting: Acting) -> None:
    def both() -> None:
        row = services.draft(_terms(args), acting.by, acting.why, acting.now_ms, args.get("template"))
        services.approve(row.template_id, row.version, acting.other)

    _try(both)


def _template(args: Args) -> Template:
    row = Template.objects.filter(id=args["template"]).first()
    if row is None:
        raise RefusedError(f"there is no template {args['template']}")
    return row


def _on_plan(args: Args) -> Plan:
    row = _template(args)
    meaning = (_("Raffles of this kind begin by themselves, one after the other, until somebody switches it off."),)
    return Plan(f"raffle {row.id}", {"active": row.active}, {"active": True}, meaning)


def _on(args: Args, acting: Acting) -> None:
    _try(lambda: services.activate(args["template"], acting.by, acting.why, acting.now_ms))


def _off_plan(args: Args) -> Plan:
    row = _template(args)
    meaning = (_("No new raffle of this kind begins. Those that run go on to their end."),)
    return Plan(f"raffle {row.id}", {"active": row.active}, {"active": False}, meaning)


def _off(args: Args, acting: Acting) -> None:
    _try(lambda: services.deactivate(args["template"], acting.by, acting.why, acting.now_ms))


# ---- prizes


def _keys_plan(args: Args) -> Plan:
    """How many, and never which: a key stands in no log and in no preview."""
    row, has = _template(args), prizes.in_stock(args["template"])
    if not args["keys"]:
        raise RefusedError(_("Name one key at least."), "keys")
    meaning = (_("Each is sealed, and shown to nobody but the one who wins it."),)
    return Plan(f"raffle {row.id}", {"keys": has}, {"keys": has + len(args["keys"])}, meaning)


def _add_keys(args: Args, acting: Acting) -> None:
    _try(lambda: prizes.add_keys(args["template"], args["keys"], acting.by, acting.why, acting.now_ms))


def _prize(args: Args) -> Prize:
    row = Prize.objects.filter(id=args["prize"]).first()
    if row is None:
        raise RefusedError(f"there is no prize {args['prize']}")
    return row


def _sent_plan(args: Args) -> Plan:
    row = _prize(args)
    meaning = (_("The winner reads your note, and confirms when it has come."),)
    return Plan(f"prize {row.id}", {"state": row.state}, {"state": Prize.SENT, "note": args["note"]}, meaning)


def _sent(args: Args, acting: Acting) -> None:
    _try(lambda: prizes.mark_sent(args["prize"], acting.by, args["note"], acting.now_ms))


def _key_fields(given: Args) -> dict[str, forms.Field]:
    label, more = gettext_lazy("Keys"), gettext_lazy("With blanks or lines between.")
    return {**_one(given), "keys": fields.Ids(label=label, help_text=more)}


def _sent_fields(_given: Args) -> dict[str, forms.Field]:
    return {"prize": fields.Number(), "note": forms.CharField(max_length=300, label=gettext_lazy("How it was sent"))}


def _try(work: Any) -> None:
    try:
        work()
    except RoomError as error:
        raise RefusedError(error.reason, error.field) from None
    except (TemplateError, PrizeError) as error:
        raise RefusedError(str(error)) from None


def _draft_fields(given: Args) -> dict[str, forms.Field]:
    """Filled with what the template sells now, if it is one that is there."""
    number = str(given.get("template") or "")
    made = _new_fields()
    if number.isascii() and number.isdigit() and len(number) < 19:
        terms = said(terms_of(newest(int(number))))
        for name in TERMS:
            made[name].initial = terms[name]
    return {"template": forms.IntegerField(required=False, widget=forms.HiddenInput), **made}


def _new_fields() -> dict[str, forms.Field]:
    kinds = [(each, _(KINDS.get(each, each))) for each in services.KINDS]
    return {
        "prize_kind": forms.ChoiceField(choices=kinds, label=gettext_lazy("Kind of prize")),
        "prize": forms.CharField(
            max_length=1000,
            label=gettext_lazy("Prize"),
            help_text=gettext_lazy("What players read, such as the name of the game."),
        ),
        "genre": forms.CharField(required=False, max_length=60, label=gettext_lazy("Genre")),
        "tier": forms.ChoiceField(choices=[(each, _(each)) for each in TIERS], label=gettext_lazy("Type")),
        "tickets": forms.IntegerField(
            min_value=1, label=gettext_lazy("Tickets"), help_text=gettext_lazy("It is drawn when all are sold.")
        ),
        "price_cents": fields.Cents(
            label=gettext_lazy("All tickets together, coins"), help_text=gettext_lazy("Without the commission.")
        ),
        "commission_cents": fields.Cents(
            label=gettext_lazy("Commission, coins"), help_text=gettext_lazy("What the house adds to it.")
        ),
        "parallel": forms.IntegerField(
            min_value=1,
            initial=1,
            label=gettext_lazy("At the same time"),
            help_text=gettext_lazy("So many raffles of this kind run side by side."),
        ),
        "expires_s": forms.IntegerField(
            required=False,
            min_value=1,
            label=gettext_lazy("Ends unsold after, seconds"),
            help_text=gettext_lazy("Then everybody gets the coins back. Empty: it waits."),
        ),
        "steam_level_min": forms.IntegerField(min_value=0, initial=0, label=gettext_lazy("Least Steam level of a buyer")),
        "share_max_percent": forms.IntegerField(
            min_value=1, max_value=100, initial=50, label=gettext_lazy("Most of the tickets for one player, per cent")
        ),
    }


TIERS = (gettext_noop("bronze"), gettext_noop("silver"), gettext_noop("gold"))
KINDS = {
    "item": gettext_noop("an item of the house"),
    "key": gettext_noop("a game key"),
    "code": gettext_noop("a game key"),
    "hand": gettext_noop("given by hand"),
}


def _one(_given: Args) -> dict[str, forms.Field]:
    return {"template": fields.Number()}


OPERATIONS = (
    Operation(
        *("draft_raffle", gettext_noop("Make or change a raffle"), WHO, 2, RULES),
        *(_draft_plan, _draft, _draft_fields, "office:raffles"),
    ),
    Operation(
        "add_keys",
        gettext_noop("Put game keys into stock"),
        WHO,
        1,
        PLAIN,
        _keys_plan,
        _add_keys,
        _key_fields,
        "office:raffles",
    ),
    Operation(
        *("prize_sent", gettext_noop("A prize was sent"), frozenset((ROOMS, SUPPORT)), 1, PLAIN, _sent_plan, _sent),
        *(_sent_fields, "office:raffles"),
    ),
    Operation("activate_raffle", gettext_noop("Switch a raffle on"), WHO, 1, PLAIN, _on_plan, _on, _one, "office:raffles"),
    Operation("deactivate_raffle", gettext_noop("Switch a raffle off"), WHO, 1, PLAIN, _off_plan, _off, _one, "office:raffles"),
)
