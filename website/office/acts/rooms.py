"""Rooms: pause and resume, rules by version, rounds that are made void, numbers that are typed, alarms."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from lottery import rooms as rules_of_rooms
from lottery.errors import RoomError
from lottery.rooms import Room

from website.engine.models import Alarm
from website.office import fields
from website.office.operation import MONEY, PLAIN, RULES, Acting, Args, Operation, Plan, RefusedError
from website.office.roles import MONEY as MONEY_ROLE
from website.office.roles import ROOMS, SUPPORT
from website.pages import parameters
from website.rooms import definitions, lanes, numbers, orders, services
from website.rooms.models import Lane, RoomVersion, Round

FIXED = frozenset(("name", "mode", "tickets", "entropy", "beacon", "raffle", "ranges"))
"""What a room is. Another kind of room is another room, by `manage.py rooms load`."""
ROOM_ONLY = frozenset((ROOMS,))
RULES_OF = ("room", "not_before_ms")


# ---- pause and resume


def _lanes(room: str) -> list[Lane]:
    found = list(Lane.objects.filter(room=room).exclude(state=Lane.RETIRED).order_by("name"))
    if not found:
        raise RefusedError(f"there is no room {room}")
    return found


def _pause_plan(args: Args) -> Plan:
    before = {lane.name: lane.state for lane in _lanes(args["room"])}
    meaning = (
        _("Rounds that run go on to their end; everybody gets what is theirs."),
        _("Then no new round begins and no bet is taken until somebody resumes the room."),
    )
    return Plan(args["room"], before, dict.fromkeys(before, Lane.PAUSED), meaning)


def _pause(args: Args, acting: Acting) -> None:
    for lane in _lanes(args["room"]):
        lanes.pause(lane.name, f"{acting.by.username}: {acting.why}")


def _resume_plan(args: Args) -> Plan:
    found = _lanes(args["room"])
    before = {lane.name: f"{lane.state} {lane.paused_why}".strip() for lane in found}
    meaning = (_("Rounds go on. What the fleet refused to hand over is tried again."),)
    return Plan(args["room"], before, dict.fromkeys(before, Lane.OPEN), meaning)


def _resume(args: Args, acting: Acting) -> None:
    for lane in _lanes(args["room"]):
        lanes.resume(lane.name, acting.now_ms)


# ---- rules


def current(room: str) -> tuple[int, Room]:
    """The newest approved version of a room, and its number; of a room of the seed that is not open yet, version 0.

    Raises RefusedError.
    """
    row = RoomVersion.objects.filter(room=room).exclude(state=RoomVersion.DRAFT).order_by("-version").first()
    if row is not None:
        return row.version, rules_of_rooms.parse(json.loads(row.rules))
    try:
        return 0, definitions.load(room)
    except RoomError as error:
        raise RefusedError(str(error)) from None


def wanted(args: Args) -> Room:
    """The rules as they would be. Raises RefusedError, naming the parameter as the core does."""
    _number, now = current(args["room"])
    changes = {name: value for name, value in args.items() if name not in RULES_OF}
    if changes.get("priority_items", ()) is None:  # an empty field: no kind is taken first
        changes["priority_items"] = []
    try:
        return rules_of_rooms.parse({**now.rules, **changes})
    except RoomError as error:
        raise RefusedError(error.reason, error.field) from None


def _rules_plan(args: Args) -> Plan:
    number, now = current(args["room"])
    then = wanted(args)
    changed = [name for name, value in then.rules.items() if now.rules[name] != value]
    if number and not changed:
        raise RefusedError(_("Nothing is changed."))
    before = {"version": number, "rules_hash": now.rules_hash.hex() if number else ""}
    after = {"version": number + 1, "rules_hash": then.rules_hash.hex(), "not_before_ms": args.get("not_before_ms") or 0}
    before |= {name: now.rules[name] for name in changed}
    after |= {name: then.rules[name] for name in changed}
    return Plan(args["room"], before, after, tuple(_rules_meaning(args["room"], now, then, changed)))


def _rules_meaning(room: str, now: Room, then: Room, changed: list[str]) -> Any:
    old, new = ({row.name: row for row in parameters.described(each.rules)} for each in (now, then))
    for name in changed:
        rows = [each.get(name) for each in (old, new)]
        texts = [row.value if row is not None else _("no limit") for row in rows]
        meaning = next((row.meaning for row in rows if row is not None), name)
        yield f"{meaning}: {texts[0]} → {texts[1]}"
    running = Round.objects.filter(room=room, sealed_ms=None).count()
    yield _("Rounds that have begun keep their rules: %(count)s of them.") % {"count": running}


def _rules(args: Args, acting: Acting) -> None:
    row = services.draft(wanted(args), acting.by, acting.why, acting.now_ms, args.get("not_before_ms") or 0)
    services.approve(row.room, row.version, acting.other)


def _rules_fields(given: Args) -> dict[str, forms.Field]:
    """One field for each parameter that may be changed, with the present value."""
    _number, now = current(str(given.get("room", "")))
    made: dict[str, forms.Field] = {"room": fields.Target()}
    for name, value in now.rules.items():
        if name not in FIXED:
            made[name] = _parameter(name, value)
    made["not_before_ms"] = fields.Moment(
        required=False,
        label=gettext_lazy("Not before (UTC)"),
        help_text=gettext_lazy("Players read of it until then. Empty: from the next round on."),
    )
    return made


def _parameter(name: str, value: Any) -> forms.Field:
    meaning = parameters.MEANINGS.get(name, name)
    label = _(meaning)[:1].upper() + _(meaning)[1:]
    more: dict[str, Any] = {"required": False, "label": label, "initial": value, "help_text": name}
    if name in ("time_enable", "unsettled", "rake_carry"):
        return forms.BooleanField(**more)
    if name == "rake":
        return fields.Table(**more)
    if name in ("allowed_items", "shares", "priority_items"):
        return fields.Numbers(**more)
    if name in parameters.MONEY:
        return fields.Cents(**more)
    if name in parameters.SECONDS:
        return forms.IntegerField(**{**more, "help_text": _("%(name)s, seconds") % {"name": name}})
    return forms.IntegerField(**more)


# ---- rounds


def _at(args: Args) -> Round:
    row = Round.objects.filter(lane=args["lane"], round=args["round"]).first()
    if row is None:
        raise RefusedError(f"there is no round {args['round']} of {args['lane']}")
    return row


def _void_plan(args: Args) -> Plan:
    at = _at(args)
    if at.phase not in orders.VOIDABLE:
        raise RefusedError(f"round {at.round} of {at.lane} is {at.phase}: after the close nobody can take a round back")
    meaning = (
        _("Nothing is drawn. %(items)s items go back to %(players)s players.") % {"items": at.items, "players": at.players},
        _("The reason stands in the public record."),
    )
    return Plan(f"{at.lane}/{at.round}", {"phase": at.phase}, {"phase": "void"}, meaning)


def _void(args: Args, acting: Acting) -> None:
    try:
        order = orders.propose_void(args["lane"], args["round"], acting.by, acting.why, acting.now_ms)
        orders.agree(order.id, acting.other)
    except orders.OrderError as error:
        raise RefusedError(str(error)) from None


def _good_plan(args: Args) -> Plan:
    at = _at(args)
    meaning = (_("Who was given the item is credited what it was worth in the round, by the record."),)
    return Plan(f"{at.lane}/{at.round}", {"lost": args["deposit_id"]}, {"credited": args["deposit_id"]}, meaning)


def _good(args: Args, acting: Acting) -> None:
    lost = (args["lane"], args["round"], args["deposit_id"])
    try:
        order = orders.propose_make_good(*lost, acting.by, acting.why, acting.now_ms)
        orders.agree(order.id, acting.other)
    except orders.OrderError as error:
        raise RefusedError(str(error)) from None


def _type_plan(args: Args) -> Plan:
    """What was typed is in no log before both have typed it: nobody reads what the other saw."""
    lane = Lane.objects.filter(name=args["lane"]).first()
    if lane is None or not numbers.awaits_number(lane):
        raise RefusedError(f"{args['lane']} awaits no number now")
    meaning = (_("It counts when the other seat has typed the same. When the two differ, both type again."),)
    return Plan(f"{lane.name}/{lane.round}", {}, {"number": args["number"], "evidence": args["evidence"]}, meaning)


def _type(args: Args, acting: Acting) -> None:
    typed = (args["lane"], args["number"], args["digits"], args["evidence"])
    try:
        numbers.type_in(*typed, acting.by, acting.now_ms)
    except numbers.NumberError as error:
        raise RefusedError(str(error)) from None


# ---- alarms


def _alarm(args: Args) -> Alarm:
    row = Alarm.objects.filter(id=args["alarm"], ended_ms=None).first()
    if row is None:
        raise RefusedError("this alarm has ended already")
    return row


def _alarm_plan(args: Args) -> Plan:
    row = _alarm(args)
    meaning = (_("It goes from the top of the page. The same trouble raises it again."),)
    return Plan(f"{row.kind} {row.about}", {"text": row.text}, {"ended": True}, meaning)


def _end_alarm(args: Args, acting: Acting) -> None:
    Alarm.objects.filter(id=_alarm(args).id).update(ended_ms=acting.now_ms)


def _room(_given: Args) -> dict[str, forms.Field]:
    return {"room": fields.Target()}


def _round(_given: Args) -> dict[str, forms.Field]:
    return {"lane": fields.Target(), "round": fields.Number()}


def _lost(given: Args) -> dict[str, forms.Field]:
    return {**_round(given), "deposit_id": forms.CharField(label=gettext_lazy("The lost item (deposit id)"))}


def _typed(_given: Args) -> dict[str, forms.Field]:
    return {
        "lane": fields.Target(),
        "number": fields.Number(),
        "digits": forms.CharField(
            label=gettext_lazy("What you have seen"),
            widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        ),
        "evidence": forms.CharField(label=gettext_lazy("Address and hash of the recording"), max_length=numbers.EVIDENCE_MAX),
    }


def _any_alarm(_given: Args) -> dict[str, forms.Field]:
    return {"alarm": fields.Number()}


OPERATIONS = (
    Operation("pause_room", gettext_noop("Pause a room"), ROOM_ONLY, 1, PLAIN, _pause_plan, _pause, _room, "office:rooms"),
    Operation("resume_room", gettext_noop("Resume a room"), ROOM_ONLY, 1, PLAIN, _resume_plan, _resume, _room, "office:rooms"),
    Operation(
        *("change_rules", gettext_noop("Change the rules of a room"), ROOM_ONLY, 2, RULES),
        *(_rules_plan, _rules, _rules_fields, "office:rooms"),
    ),
    Operation("void_round", gettext_noop("Make a round void"), ROOM_ONLY, 2, RULES, _void_plan, _void, _round, "office:rooms"),
    Operation(
        *("make_good", gettext_noop("Make good a lost item"), frozenset((MONEY_ROLE,)), 2, MONEY),
        *(_good_plan, _good, _lost, "office:rooms"),
    ),
    Operation("type_number", gettext_noop("Type a number"), ROOM_ONLY, 1, PLAIN, _type_plan, _type, _typed, "office:typing"),
    Operation(
        *("end_alarm", gettext_noop("Acknowledge an alarm"), frozenset((ROOMS, SUPPORT, MONEY_ROLE)), 1, PLAIN),
        *(_alarm_plan, _end_alarm, _any_alarm, "office:start"),
    ),
)
