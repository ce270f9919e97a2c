"""Members of the staff: who is one, and what they may do. Only owners decide, and never one alone."""

from __future__ import annotations

from django import forms
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from website.office import fields, roles
from website.office.models import Staff, new_word
from website.office.operation import PLAIN, RULES, Acting, Args, Operation, Plan, RefusedError

WHO = frozenset((roles.OWNER,))


def _person(args: Args) -> Staff:
    row = Staff.objects.filter(username=args["person"]).first()
    if row is None:
        raise RefusedError(f"there is no {args['person']}")
    return row


def _invite_plan(args: Args) -> Plan:
    if Staff.objects.filter(username=args["name"]).exists():
        raise RefusedError(_("There is somebody of this name already."), "name")
    after = {"name": args["name"], "roles": sorted(args["roles"])}
    meaning = (_("When it is approved, the page of staff gives the link by which they set a password, once."),)
    return Plan(args["name"], {}, after, meaning)


def _invite(args: Args, _acting: Acting) -> None:
    person = Staff(username=args["name"], roles=roles.text(frozenset(args["roles"])))
    person.set_unusable_password()
    person.save(force_insert=True)


def _roles_plan(args: Args) -> Plan:
    person = _person(args)
    before, after = sorted(person.role_set), sorted(args["roles"])
    meaning = (_("It counts from their next click on."),) if after else (_("Without a role they see and do nothing."),)
    return Plan(person.username, {"roles": before}, {"roles": after}, meaning)


def _set_roles(args: Args, _acting: Acting) -> None:
    person = _person(args)
    others = Staff.objects.filter(is_active=True).exclude(id=person.id)
    if roles.OWNER not in args["roles"] and not any(roles.OWNER in each.role_set for each in others):
        raise RefusedError(_("Somebody has to be an owner."))
    Staff.objects.filter(id=person.id).update(roles=roles.text(frozenset(args["roles"])))


def _end_plan(args: Args) -> Plan:
    person = _person(args)
    return Plan(person.username, {}, {"sessions": "ended"}, (_("They sign in again, wherever they are signed in now."),))


def _end(args: Args, _acting: Acting) -> None:
    Staff.objects.filter(id=_person(args).id).update(session_word=new_word())


def _roles_field() -> forms.MultipleChoiceField:
    choices = [(name, f"{name}: {_(what)}") for name, what in roles.WHAT.items()]
    return forms.MultipleChoiceField(
        choices=choices, required=False, label=gettext_lazy("Roles"), widget=forms.CheckboxSelectMultiple
    )


def _invite_fields(_given: Args) -> dict[str, forms.Field]:
    name = forms.CharField(max_length=80, validators=[UnicodeUsernameValidator()], label=gettext_lazy("Name"))
    return {"name": name, "roles": _roles_field()}


def _roles_fields(given: Args) -> dict[str, forms.Field]:
    person = Staff.objects.filter(username=given.get("person", "")).first()
    field = _roles_field()
    field.initial = sorted(person.role_set) if person is not None else []
    return {"person": fields.Person(), "roles": field}


def _end_fields(_given: Args) -> dict[str, forms.Field]:
    return {"person": fields.Person()}


OPERATIONS = (
    Operation(
        *("invite_staff", gettext_noop("Invite a member of the staff"), WHO, 2, RULES),
        *(_invite_plan, _invite, _invite_fields, "office:staff"),
    ),
    Operation(
        *("set_roles", gettext_noop("Change what somebody may do"), WHO, 2, RULES),
        *(_roles_plan, _set_roles, _roles_fields, "office:staff"),
    ),
    Operation(
        *(
            "end_sessions",
            gettext_noop("End all sessions of somebody"),
            WHO,
            1,
            PLAIN,
            _end_plan,
            _end,
            _end_fields,
            "office:staff",
        ),
    ),
)
