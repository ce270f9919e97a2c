"""Everything that can be done on the page: by name, from which role on, and by which function of the balancer's.

A form is posted to `/ops/do/NAME`. What several bots, or a game's items, hang on is asked once more before it is done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection

from balancer.custody import decide, deposits
from balancer.custody.audit import ask, freeze
from balancer.custody.locks import by_operator
from balancer.fleet import snapshot
from balancer.items import price_lists
from balancer.items.feeds import kept
from balancer.items.feeds.sources import FILE
from balancer.journal import open_alarms
from balancer.journal.by import By
from balancer.journal.rules import ByRules, Rules
from balancer.trades import approvals, holding
from balancer.upkeep import doubts
from balancer.web.ops import links
from balancer.web.ops.gate import Form, Visit
from balancer.web.ops.operators import ACT, APPROVE, Role
from balancer.web.schemas import operator as schemas
from balancer.web.schemas.forms import RecordId
from balancer.webhooks import deliveries, targets
from shared.domain.ids import BotName
from shared.domain.status import BotMode
from shared.errors import Forbidden, InvalidRequest, NotFound

NUMBERS_MAX = 500
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do. ``does`` says what it came to; ``asks`` gives a question that is to be answered first, if any."""

    role: Role
    does: Callable[[Visit, Form], Awaitable[str]]
    back: Callable[[Form], str]
    asks: Callable[[Form], str | None] = lambda _form: None


class Named(BaseModel):
    """What an address of the page may end in."""

    record: RecordId


def _read(model: type[Model], **values: Any) -> Model:
    """The values as the API would take them.

    Raises:
        InvalidRequest: one of them does not have its form; the detail says what to write.
    """
    try:
        return model.model_validate(values, strict=False)  # a form knows texts only
    except ValidationError as error:
        [first, *_] = error.errors(include_url=False, include_input=False)
        field = str(first["loc"][0]) if first["loc"] else "it"
        raise InvalidRequest(f"{field.replace('_', ' ').capitalize()}: {_plain(first)}") from None


def _plain(problem: Any) -> str:
    if problem["type"] in ("string_too_short", "missing"):
        return "write something here; it stands in the feed of events."
    return str(problem["msg"]).removeprefix("Value error, ") + "."


def _count(number: int, one: str) -> str:
    return f"{number} {one}{'' if number == 1 else 's'}"


# --- bots ----------------------------------------------------------------------------------------------


def chosen_bots(form: Form) -> list[BotName]:
    """The bots that are ticked, or all that were shown.

    Raises:
        InvalidRequest: none, or what is no bot's name.
    """
    names = form.all("shown" if form.one("every") else "bot")
    try:
        chosen = [BotName.parse(name) for name in names]
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    if not chosen:
        raise InvalidRequest("No bot is chosen. Tick some, or all that are shown.")
    return chosen


def _set_modes(connection: Connection, names: Sequence[BotName], mode: BotMode, by: By) -> None:
    for name in names:
        snapshot.set_mode(connection, name.color, name.bot_id, mode, by)


def _unfreeze(connection: Connection, names: Sequence[BotName], by: By) -> int:
    return sum(freeze.unfreeze(connection, name.color, name.bot_id, by) for name in names)


def _mode(mode: BotMode, notice: str) -> Callable[[Visit, Form], Awaitable[str]]:
    async def does(visit: Visit, form: Form) -> str:
        names, ctx = chosen_bots(form), visit.ctx
        await ctx.db.run(_set_modes, names, mode, By(visit.operator.who, ctx.clock.now()))
        await ctx.fleet.read_again(names[0].color, names[0].bot_id)
        return f"{_listed(names)}: {notice}."

    return does


async def _unfreeze_bots(visit: Visit, form: Form) -> str:
    names, ctx = chosen_bots(form), visit.ctx
    count = await ctx.db.run(_unfreeze, names, By(visit.operator.who, ctx.clock.now()))
    await ctx.fleet.read_again(names[0].color, names[0].bot_id)
    return f"{_count(count, 'bot')} released; the differences that were told are known from now on."


async def _audit(visit: Visit, form: Form) -> str:
    names = None if form.one("all_bots") else [str(name) for name in chosen_bots(form)]
    audit_id = visit.ctx.new_id("audit")
    asked = await visit.ctx.db.run(ask.want, names, audit_id, By(visit.operator.who, visit.ctx.clock.now()))
    return f"{_count(len(asked), 'bot')} will read the inventory and compare it."


def _listed(names: Sequence[BotName]) -> str:
    return ", ".join(map(str, names)) if len(names) <= 5 else _count(len(names), "bot")


def _several(verb: str) -> Callable[[Form], str | None]:
    def question(form: Form) -> str | None:
        names = chosen_bots(form)
        return f"{verb} {_listed(names)}?" if len(names) > 1 else None

    return question


def _to_bots(form: Form) -> str:
    only = form.one("bot")
    return links.within(f"/ops/bots/{only}") if form.one("from") == "bot" else links.HOME


# --- trades --------------------------------------------------------------------------------------------


def _decision(*, approve: bool) -> Callable[[Visit, Form], Awaitable[str]]:
    async def does(visit: Visit, form: Form) -> str:
        trade_id = _read(Named, record=form.one("trade_id")).record
        await approvals.decide(visit.ctx, trade_id, None, visit.operator.who, approve=approve)
        return "Approved: it goes to its bot when its items have settled." if approve else "Rejected: its items are free again."

    return does


def _doubt(*, named: bool) -> Callable[[Visit, Form], Awaitable[str]]:
    async def does(visit: Visit, form: Form) -> str:
        ctx, trade_id = visit.ctx, _read(Named, record=form.one("trade_id")).record
        offer_id = form.one("offer_id") if named else None
        body = _read(schemas.DoubtBody, offer_id=offer_id, reason=form.one("reason"))
        rules, now = Rules.of(ctx.settings), ctx.clock.now()
        await ctx.db.run(doubts.decide, trade_id, body.offer_id, body.reason, ByRules(visit.operator.who, now, rules))
        ctx.changes.notify([trade_id])
        return "The trade's bot looks this offer up." if named else "The trade goes on as if a bot had found no offer."

    return does


def _to_trade(form: Form) -> str:
    return links.within(f"/ops/trades/{form.one('trade_id')}")


# --- what waits for a person ---------------------------------------------------------------------------


async def _acknowledge(visit: Visit, form: Form) -> str:
    numbers = [text for text in form.all("shown" if form.one("every") else "number") if text.isascii() and text.isdigit()]
    if not numbers:
        raise InvalidRequest("No alarm is chosen. Tick some, or all that are shown.")
    note = form.one("note")
    if len(note) > open_alarms.NOTE_MAX or not note.isprintable():
        raise InvalidRequest(f"A note is one line of at most {open_alarms.NOTE_MAX} characters.")
    chosen = [int(text[:18]) for text in numbers[:NUMBERS_MAX]]
    seen = await visit.ctx.db.run(open_alarms.acknowledge, chosen, By(visit.operator.who, visit.ctx.clock.now()), note)
    return f"{_count(len(seen), 'alarm')} acknowledged. What they tell of is not mended by it."


async def _thaw(visit: Visit, form: Form) -> str:
    deposit_id = _read(Named, record=form.one("deposit_id")).record
    body = _read(schemas.ThawBody, reason=form.one("reason"))
    await visit.ctx.db.run(deposits.thaw, deposit_id, body.reason, By(visit.operator.who, visit.ctx.clock.now()))
    return "The item may be used again."


async def _decide(visit: Visit, form: Form) -> str:
    deposit_id = _read(Named, record=form.one("deposit_id")).record
    asset_id = form.one("asset_id") or None
    body = _read(schemas.DecisionBody, decision=form.one("decision"), asset_id=asset_id, reason=form.one("reason"))
    decided = await visit.ctx.db.run(_decide_in, visit, deposit_id, body)
    return "Agreed: the bot's next reading carries it out." if decided.agreed_by else "Proposed: a second person has to agree."


def _decide_in(connection: Connection, visit: Visit, deposit_id: str, body: schemas.DecisionBody) -> decide.Decided:
    """Proposing is acting; to agree takes somebody who may approve. What is refused is taken back whole."""
    asset_id = None if body.asset_id is None else int(body.asset_id)
    who, audit_id, now = visit.operator.who, visit.ctx.new_id("audit"), visit.ctx.clock.now()
    decided = decide.decide(connection, deposit_id, body.decision, asset_id, body.reason, By(who, now), audit_id)
    if decided.agreed_by == who and not visit.operator.may(APPROVE):
        raise Forbidden(f"{decided.proposed_by} has proposed this; to agree takes somebody who may approve.")
    return decided


def _to_audit(_form: Form) -> str:
    return "/ops/audit"


async def _release_lock(visit: Visit, form: Form) -> str:
    ref, client, reason = _lock_of(form)
    now = visit.ctx.clock.now()
    freed = await visit.ctx.db.run(by_operator.release, ref, client, reason, By(visit.operator.who, now))
    return f"{_count(len(freed), 'item')} of {ref} may be withdrawn. It can be restored while they are there."


async def _restore_lock(visit: Visit, form: Form) -> str:
    ref, client, reason = _lock_of(form)
    now = visit.ctx.clock.now()
    bound = await visit.ctx.db.run(by_operator.restore, ref, client, reason, By(visit.operator.who, now))
    return f"{_count(len(bound), 'item')} of {ref} locked again."


def _lock_of(form: Form) -> tuple[str, str, str]:
    reason = _read(schemas.ThawBody, reason=form.one("reason")).reason
    return form.one("ref")[:200], form.one("client")[:200], reason


# --- the fleet as a whole ------------------------------------------------------------------------------


def _switch(*, paused: bool) -> Callable[[Visit, Form], Awaitable[str]]:
    async def does(visit: Visit, form: Form) -> str:
        values = {"switch": form.one("switch"), "client": form.one("client") or None, "paused": paused}
        body = _read(schemas.SwitchBody, **values, reason=form.one("reason"))
        who = visit.operator.who
        await visit.ctx.switches.turn(body.switch, who, body.reason, paused=body.paused, client=body.client)
        await holding.hold(visit.ctx)
        of = f" of {body.client}" if body.client else ""
        return f"{body.switch.capitalize()}{of} are paused in every balancer." if paused else f"{body.switch}{of} go on."

    return does


async def _enable(visit: Visit, form: Form) -> str:
    target_id = _read(Named, record=form.one("target_id")).record
    target = await visit.ctx.db.run(targets.enable, target_id, By(visit.operator.who, visit.ctx.clock.now()))
    return f"It is sent events again, first the {target.waiting} that it is owed."


async def _try_out(visit: Visit, form: Form) -> str:
    target_id = _read(Named, record=form.one("target_id")).record
    number = await visit.ctx.db.run(targets.try_out, target_id, By(visit.operator.who, visit.ctx.clock.now()))
    return f"Event {number} is for this target alone; what it answers stands below in a moment."


async def _redeliver(visit: Visit, form: Form) -> str:
    target_id = _read(Named, record=form.one("target_id")).record
    first, last = form.one("first"), form.one("last") or form.one("first")
    if not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()) or max(len(first), len(last)) > 18:
        raise InvalidRequest("Write the numbers of the first and the last event.")
    body = _read(schemas.RedeliverBody, first=int(first), last=int(last))
    who, now = visit.operator.who, visit.ctx.clock.now()
    count = await visit.ctx.db.run(deliveries.redeliver, target_id, body.first, body.last or body.first, By(who, now))
    return f"{_count(count, 'event')} will be sent again."


def _to_target(form: Form) -> str:
    return links.within(f"/ops/webhooks/{form.one('target_id')}")


async def _accept_prices(visit: Visit, form: Form) -> str:
    source, digest = form.one("source"), form.one("digest")
    reason = _read(schemas.ThawBody, reason=form.one("reason")).reason
    if source not in visit.ctx.settings.prices.sources or not digest:
        raise NotFound("There is no such source of values.")
    taken = await visit.ctx.db.run(_accept, source, digest, reason, By(visit.operator.who, visit.ctx.clock.now()))
    return f"Accepted: {taken} names of {source}; balancers take them at their next look."


def _accept(connection: Connection, source: str, digest: str, reason: str, by: By) -> int | None:
    if source == FILE:
        return price_lists.accept(connection, FILE, digest, reason, by).names
    return kept.accept(connection, source, digest, reason, by).names


ACTIONS: dict[str, Action] = {
    "pause-bots": Action(ACT, _mode(BotMode.PAUSED, "paused; what was begun is finished"), _to_bots, _several("Pause")),
    "drain-bots": Action(ACT, _mode(BotMode.DRAINING, "give back only"), _to_bots, _several("Let run empty:")),
    "resume-bots": Action(ACT, _mode(BotMode.ACTIVE, "take and give again"), _to_bots, _several("Resume")),
    "unfreeze-bots": Action(
        ACT,
        _unfreeze_bots,
        _to_bots,
        lambda form: f"Release {_listed(chosen_bots(form))}, although their audits found differences? These are then known.",
    ),
    "audit-bots": Action(ACT, _audit, lambda form: "/ops/audit" if form.one("from") == "audit" else _to_bots(form)),
    "acknowledge": Action(ACT, _acknowledge, lambda _form: "/ops/alarms"),
    "approve": Action(
        APPROVE,
        _decision(approve=True),
        lambda _form: "/ops/approvals",
        lambda form: f"Approve {form.one('trade_id')[:64]}? Its items go out then, and nobody can take them back.",
    ),
    "reject": Action(APPROVE, _decision(approve=False), lambda _form: "/ops/approvals"),
    "doubt-offer": Action(ACT, _doubt(named=True), _to_trade),
    "doubt-none": Action(
        APPROVE,
        _doubt(named=False),
        _to_trade,
        lambda _form: (
            "Have you looked at the bot's sent offers and at its history on Steam, and is there no such offer? "
            "The trade may then be sent once more."
        ),
    ),
    "thaw": Action(ACT, _thaw, _to_audit),
    "decide": Action(ACT, _decide, _to_audit),
    "release-lock": Action(
        APPROVE,
        _release_lock,
        lambda _form: "/ops/locks",
        lambda form: f"Free the items of {form.one('ref')[:200]}? If its game still runs, its winner gets nothing.",
    ),
    "restore-lock": Action(APPROVE, _restore_lock, lambda _form: "/ops/locks"),
    "pause": Action(
        ACT,
        _switch(paused=True),
        lambda _form: "/ops/switches",
        lambda form: (
            f"Pause {form.one('switch')[:20]} {'of ' + form.one('client')[:100] if form.one('client') else 'for all'}?"
        ),
    ),
    "resume": Action(ACT, _switch(paused=False), lambda _form: "/ops/switches"),
    "enable-webhook": Action(ACT, _enable, _to_target),
    "test-webhook": Action(ACT, _try_out, _to_target),
    "redeliver": Action(ACT, _redeliver, _to_target),
    "accept-prices": Action(APPROVE, _accept_prices, lambda _form: "/ops/prices"),
}


def of(request: web.Request) -> Action:
    """
    Raises:
        web.HTTPNotFound: nothing of this name can be done.
    """
    action = ACTIONS.get(request.match_info["action"])
    if action is None:
        raise web.HTTPNotFound()
    return action
