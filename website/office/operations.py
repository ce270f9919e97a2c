"""Everything that staff can do, in one table, and the one way by which it is done.

What takes one person is run at once. What takes two becomes a proposal: somebody else, who might have proposed it as well,
approves it, and only then it is run, from its dry run on. Whatever happens has its line in the staff log, in the same
transaction (W24, W25).
"""

from __future__ import annotations

import json

from django.db import transaction
from lottery import encoding

from website.office import log
from website.office.acts import OPERATIONS
from website.office.log import Asker
from website.office.models import Line, Proposal
from website.office.operation import Acting, Args, Operation, Plan, RefusedError

TABLE: dict[str, Operation] = {each.name: each for each in OPERATIONS}
WHY_MAX = 200
EXPIRES_MS = 7 * 86_400_000


class NotAllowedError(Exception):
    """This person may not do this."""


def dry_run(name: str, args: Args, asker: Asker) -> Plan:
    """What it would do. Raises NotAllowedError, RefusedError; writes nothing."""
    return allowed(name, asker).plan(args)


def run(name: str, args: Args, why: str, asker: Asker, now_ms: int) -> Line | Proposal:
    """Does what one person may do; proposes what takes two. Raises NotAllowedError, RefusedError, and changes nothing then."""
    operation = allowed(name, asker)
    _reason(why)
    with transaction.atomic():
        log.lock()
        plan = operation.plan(args)
        if operation.people > 1:
            return _propose(operation, args, plan, why, asker, now_ms)
        operation.do(args, Acting(asker.staff, why, now_ms))
        return log.write(asker, name, plan.target, now_ms, before=plan.before, after=plan.after, why=why)


def approve(proposal_id: int, asker: Asker, now_ms: int) -> Proposal:
    """A second person lets it happen, and it happens. Raises NotAllowedError, RefusedError.

    If what it would change is not any more what the proposer saw, it is refused for good: it has to be proposed anew.
    """
    with transaction.atomic():
        row = _open(proposal_id, now_ms)
        operation = allowed(row.operation, asker)
        if row.by_id == asker.staff.id:
            raise NotAllowedError("nobody approves what they have proposed themselves")
        if not operation.may(row.by):
            raise RefusedError(f"{row.by.username} may not do this any more")
        plan = operation.plan(json.loads(row.args))
        if _text(plan.before) != row.before:
            _decide(row, Proposal.REFUSED, asker, now_ms, "changed_meanwhile")
            changed = True
        else:
            changed = False
            acting = Acting(row.by, row.why, now_ms, asker.staff, f"office:{row.id}")
            operation.do(json.loads(row.args), acting)
            _decide(row, Proposal.APPROVED, asker, now_ms)
    if changed:
        raise RefusedError("it has changed since it was proposed: changed_meanwhile")
    return row


def refuse(proposal_id: int, note: str, asker: Asker, now_ms: int) -> Proposal:
    """Somebody who might approve it says no, and why. Raises NotAllowedError, RefusedError."""
    _reason(note)
    with transaction.atomic():
        row = _open(proposal_id, now_ms)
        allowed(row.operation, asker)
        if row.by_id == asker.staff.id:
            raise NotAllowedError("who has proposed it withdraws it")
        _decide(row, Proposal.REFUSED, asker, now_ms, note)
    return row


def withdraw(proposal_id: int, asker: Asker, now_ms: int) -> Proposal:
    """Who has proposed it does not want it any more. Raises NotAllowedError, RefusedError."""
    with transaction.atomic():
        row = _open(proposal_id, now_ms)
        if row.by_id != asker.staff.id:
            raise NotAllowedError("only who has proposed it withdraws it")
        _decide(row, Proposal.WITHDRAWN, asker, now_ms)
    return row


def waiting(now_ms: int) -> list[Proposal]:
    """Proposals that may still be approved, the oldest first."""
    rows = Proposal.objects.filter(state=Proposal.OPEN, at_ms__gt=now_ms - EXPIRES_MS)
    return list(rows.select_related("by").order_by("id"))


def noted(asker: Asker, operation: str, target: str, now_ms: int, why: str = "") -> Line:
    """A line about something that changes nothing here: a player who was looked at, a list that was taken away."""
    with transaction.atomic():
        return log.write(asker, operation, target, now_ms, why=why)


def allowed(name: str, asker: Asker) -> Operation:
    """The operation, if this person may do it. Raises NotAllowedError."""
    operation = TABLE.get(name)
    if operation is None or not operation.may(asker.staff):
        raise NotAllowedError(f"{asker.staff.username} may not do {name}")
    return operation


def _propose(operation: Operation, args: Args, plan: Plan, why: str, asker: Asker, now_ms: int) -> Proposal:
    row = Proposal.objects.create(
        operation=operation.name,
        target=plan.target[:200],
        args=_text(args),
        before=_text(plan.before),
        after=_text(plan.after),
        why=why,
        by=asker.staff,
        at_ms=now_ms,
    )
    said = {"before": plan.before, "after": plan.after, "why": why, "proposal": row.id}
    log.write(asker, f"propose {operation.name}", plan.target, now_ms, **said)
    return row


def _decide(row: Proposal, state: str, asker: Asker, now_ms: int, note: str = "") -> None:
    row.state, row.decided_by, row.decided_at_ms, row.note = state, asker.staff, now_ms, note
    row.save(update_fields=["state", "decided_by", "decided_at_ms", "note"])
    what = {Proposal.APPROVED: "", Proposal.REFUSED: "refuse ", Proposal.WITHDRAWN: "withdraw "}
    said = {"before": json.loads(row.before), "after": json.loads(row.after), "why": note or row.why, "proposal": row.id}
    log.write(asker, what[state] + row.operation, row.target, now_ms, **said)


def _open(proposal_id: int, now_ms: int) -> Proposal:
    log.lock()
    row = Proposal.objects.select_for_update(of=("self",)).select_related("by").filter(id=proposal_id).first()
    if row is None or row.state != Proposal.OPEN:
        raise RefusedError("nothing waits here for a second person")
    if row.at_ms <= now_ms - EXPIRES_MS:
        raise RefusedError("it has waited for more than seven days: propose it anew")
    return row


def _reason(why: str) -> None:
    if not why.strip() or len(why) > WHY_MAX or not why.isprintable():
        raise RefusedError(f"say why, in 1 to {WHY_MAX} signs", "why")


def _text(value: object) -> str:
    return encoding.canonical_json(value).decode()
