"""One page for every operation: fill in, look at what it would do, do it or propose it. And what waits for a second person."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from lottery import simulate
from lottery.errors import LotteryError

from website.engine.clock import wall_ms
from website.office import door, guard, operations, words
from website.office.acts import rooms
from website.office.door import DoorError
from website.office.forms import CODE, SEEN, STEP, OperationForm, mark
from website.office.guard import asker, staff_of, staff_only
from website.office.models import Proposal
from website.office.operation import CODE_AGAIN, Args, Operation, Plan, RefusedError
from website.office.operations import TABLE, NotAllowedError

SIMULATED = 150
"""Rounds that a preview of rules plays, old against new: more would keep the page waiting."""
DECIDED = 20


@staff_only()
def do(request: HttpRequest, name: str) -> HttpResponseBase:
    """The page of an operation. Raises nothing: what is refused is said at the form."""
    try:
        operation = operations.allowed(name, asker(request))
    except NotAllowedError:
        return guard.refused(request) if name in TABLE else guard.not_found(request)
    try:
        given = dict(request.POST.items() if request.method == "POST" else request.GET.items())
        form = OperationForm(operation, given, request.POST if request.method == "POST" else None)
    except RefusedError as error:
        return render(request, "office/error.html", {"said": str(error)}, status=409)
    if request.method != "POST" or not form.is_valid():
        return _page(request, operation, form)
    return _filled_in(request, operation, form)


def _filled_in(request: HttpRequest, operation: Operation, form: OperationForm) -> HttpResponseBase:
    args, now_ms = form.args, wall_ms()
    try:
        plan = operations.dry_run(operation.name, args, asker(request))
        if request.POST.get(STEP) != "do" or request.POST.get(SEEN) != mark(args):
            return _page(request, operation, form, plan, args)
        if operation.kind in CODE_AGAIN:
            door.confirm(asker(request).staff, request.POST.get(CODE, ""), now_ms)
        done = operations.run(operation.name, args, form.why, asker(request), now_ms)
    except RefusedError as error:
        form.refused(error)
        return _page(request, operation, form)
    except DoorError as error:
        return _page(request, operation, form, plan, args, words.door(error.code))
    if isinstance(done, Proposal):
        messages.success(request, _("Proposed. Another person has to approve it."))
        return redirect("office:approvals")
    messages.success(request, _("Done: %(title)s, %(target)s.") % {"title": _(operation.title), "target": done.target})
    return redirect(operation.back)


def _page(
    request: HttpRequest,
    operation: Operation,
    form: OperationForm,
    plan: Plan | None = None,
    args: Args | None = None,
    wrong: str = "",
) -> HttpResponse:
    known: dict[str, Any] = {"operation": operation, "title": _(operation.title), "form": form, "plan": plan, "wrong": wrong}
    if plan is not None and args is not None:
        known |= {
            "rows": words.compared(plan.before, plan.after),
            "seen": mark(args),
            "code_again": operation.kind in CODE_AGAIN,
        }
        known["simulated"] = simulated(args) if operation.name == "change_rules" else None
        known["texts"] = words.texts(plan.after) if operation.name == "change_text" else None
    status = 422 if (form.is_bound and form.errors) or wrong else 200
    return render(request, "office/do.html", known, status=status)


def simulated(args: Args) -> list[tuple[str, simulate.Report]] | None:
    """Rounds of made-up players under the old rules and the new ones; None where none can be made up."""
    try:
        _number, now = rooms.current(args["room"])
        then = rooms.wanted(args)
        return [(name, simulate.simulate(room, SIMULATED)) for name, room in ((_("now"), now), (_("then"), then))]
    except (RefusedError, LotteryError):
        return None


# ---- what waits for a second person


@require_safe
@staff_only()
def approvals(request: HttpRequest) -> HttpResponseBase:
    person, now_ms = staff_of(request), wall_ms()
    assert person is not None
    open_rows = [_card(row, person) for row in operations.waiting(now_ms)]
    decided = Proposal.objects.exclude(state=Proposal.OPEN).select_related("by", "decided_by").order_by("-decided_at_ms")
    old = [_card(row, person) for row in decided[:DECIDED]]
    return render(request, "office/approvals.html", {"open": open_rows, "decided": old})


def _card(row: Proposal, person: Any) -> dict[str, Any]:
    operation = TABLE.get(row.operation)
    before, after = json.loads(row.before), json.loads(row.after)
    return {
        "row": row,
        "title": row.operation if operation is None else _(operation.title),
        "rows": words.compared(before, after),
        "texts": words.texts(after) if row.operation == "change_text" else None,
        "own": row.by_id == person.id,
        "may": operation is not None and operation.may(person),
        "code_again": operation is not None and operation.kind in CODE_AGAIN,
        "until_ms": row.at_ms + operations.EXPIRES_MS,
    }


@require_POST
@staff_only()
def decide(request: HttpRequest, number: int) -> HttpResponseBase:
    """Approve, refuse or withdraw a proposal."""
    now_ms, who = wall_ms(), asker(request)
    row = Proposal.objects.filter(id=number).first()
    operation = TABLE.get(row.operation) if row is not None else None
    if row is None or operation is None:
        return guard.not_found(request)
    try:
        match request.POST.get("decision"):
            case "approve":
                operations.allowed(row.operation, who)
                if row.by_id == who.staff.id:
                    raise NotAllowedError
                if operation.kind in CODE_AGAIN:
                    door.confirm(who.staff, request.POST.get(CODE, ""), now_ms)
                operations.approve(number, who, now_ms)
                messages.success(request, _("Approved and done."))
            case "refuse":
                operations.refuse(number, request.POST.get("note", ""), who, now_ms)
                messages.success(request, _("Refused."))
            case "withdraw":
                operations.withdraw(number, who, now_ms)
                messages.success(request, _("Withdrawn."))
    except NotAllowedError:
        return guard.refused(request)
    except RefusedError as error:
        messages.error(request, str(error))
    except DoorError as error:
        messages.error(request, words.door(error.code))
    return redirect("office:approvals")
