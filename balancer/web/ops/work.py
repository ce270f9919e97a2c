"""What waits for a person: alarms, audits with what they found, locks; webhooks, prices, switches; and doing something."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, select, text

from balancer.custody import decisions, deposits
from balancer.custody.audit import show as audits
from balancer.custody.locks import by_operator
from balancer.db.tables import alarm_acks, clients, items
from balancer.db.tables import decisions as decision_rows
from balancer.db.tables import deposits as deposit_rows
from balancer.db.tables import events as journal
from balancer.fleet import switches
from balancer.items import standing
from balancer.journal import events, open_alarms
from balancer.journal.kinds import cards
from balancer.web import problems
from balancer.web.ops import actions, gate, links, render, sessions, shell
from balancer.web.ops.gate import Visit
from balancer.webhooks import deliveries, targets
from shared.domain.ids import bot_name
from shared.errors import FleetError, Forbidden, NotFound

ALARMS_SHOWN = 100
ACKS_SHOWN = 20
FROZEN_SHOWN = 100
LOCKS_SHOWN = 100
DELIVERIES_SHOWN = 200
_ALARMS = text("events.kind = 'alarm'")


# --- alarms --------------------------------------------------------------------------------------------


@gate.signed_in
async def show_alarms(visit: Visit) -> web.StreamResponse:
    """Alarms that nobody has acknowledged, and the last that somebody has."""
    livemode = visit.ctx.settings.balancer.livemode
    unseen, seen = await visit.ctx.db.read(_alarms, livemode)
    more = {event.data["alarm"]: cards.card_of(event.data["alarm"]) for event in unseen}
    return await shell.page(visit, "alarms.html", "/ops/alarms", alarms=unseen, acknowledged=seen, cards=more)


def _alarms(connection: Connection, livemode: bool) -> tuple[list[events.Event], list[Any]]:
    query = select(journal, alarm_acks.c.at.label("seen_at"), alarm_acks.c.who.label("seen_by"), alarm_acks.c.note)
    query = query.join(alarm_acks, alarm_acks.c.number == journal.c.number).where(_ALARMS)
    rows = connection.execute(query.order_by(journal.c.number.desc()).limit(ACKS_SHOWN))
    seen = [(events.view(row, livemode), int(row.seen_at.timestamp()), row.seen_by, row.note) for row in rows]
    return open_alarms.unseen(connection, ALARMS_SHOWN, livemode), seen


# --- audit ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FrozenItem:
    """An item that stays where it is until a person has looked."""

    deposit_id: str
    name: str
    value_cents: int
    user_id: str
    bot: str | None
    asset_id: str | None
    frozen_by: str
    since: int
    thaws: bool  # one person may release it, once a bot has seen it
    stuck: bool  # two people decide
    proposed: str | None
    proposed_by: str | None
    agreed_by: str | None


@gate.signed_in
async def show_audit(visit: Visit) -> web.StreamResponse:
    """What the last audits found, and items that stay frozen."""
    readings, frozen = await visit.ctx.db.read(_audit)
    return await shell.page(visit, "audit.html", "/ops/audit", audits=readings, frozen=frozen)


def _audit(connection: Connection) -> tuple[list[Any], list[FrozenItem]]:
    readings = audits.show(connection)
    readings.sort(key=lambda view: (not view.frozen_by, not [each for each in view.differences if not each.known]))
    return readings, _frozen(connection)


def _frozen(connection: Connection) -> list[FrozenItem]:
    decided = decision_rows
    query = (
        select(deposit_rows, items.c.market_hash_name, decided.c.decision, decided.c.who, decided.c.agreed_by)
        .join(items, items.c.item_id == deposit_rows.c.item_id)
        .outerjoin(decided, decided.c.deposit_id == deposit_rows.c.deposit_id)
        .where(deposit_rows.c.frozen_by.is_not(None), deposit_rows.c.status.in_(["active", "withdraw_pending"]))
        .order_by(deposit_rows.c.touched.desc())
        .limit(FROZEN_SHOWN)
    )
    return [
        FrozenItem(
            row.deposit_id,
            row.market_hash_name,
            row.value_cents,
            row.user_id,
            None if row.bot_id is None else bot_name(row),
            None if row.asset_id is None else str(row.asset_id),
            row.frozen_by,
            int(row.touched.timestamp()),
            thaws=row.frozen_by in deposits.THAWED,
            stuck=row.frozen_by in decisions.STUCK and row.bot_id is not None,
            proposed=row.decision,
            proposed_by=row.who,
            agreed_by=row.agreed_by,
        )
        for row in connection.execute(query)
    ]


# --- locks, webhooks, prices, switches -----------------------------------------------------------------


@gate.signed_in
async def show_locks(visit: Visit) -> web.StreamResponse:
    """Locks of games that still hold something, the oldest first, and those that an operator has released."""
    held = await visit.ctx.db.read(partial(by_operator.find_open, limit=LOCKS_SHOWN))
    freed = await visit.ctx.db.read(by_operator.find_freed, LOCKS_SHOWN)
    return await shell.page(visit, "locks.html", "/ops/locks", held=held, freed=freed, most=LOCKS_SHOWN)


@gate.signed_in
async def show_webhooks(visit: Visit) -> web.StreamResponse:
    """Where events are sent. Of an address only its host is shown: the rest may be a secret of the receiver's."""
    listed = await visit.ctx.db.read(targets.every)
    shown = [(target, targets.host_of(target.url)) for target in listed]
    return await shell.page(visit, "webhooks.html", "/ops/webhooks", targets=shown)


@gate.signed_in
async def show_webhook(visit: Visit) -> web.StreamResponse:
    """One target with its last deliveries, or those that it is still owed."""
    target_id = visit.request.match_info["target_id"]
    state = "waiting" if visit.request.query.get("state") == "waiting" else None
    try:
        target, listed = await visit.ctx.db.read(_deliveries, target_id, state)
    except NotFound:
        text = "It may have been removed."
        return gate.refused(visit.request, 404, "There is no such target.", text, "/ops/webhooks")
    values: dict[str, Any] = {"target": target, "host": targets.host_of(target.url), "deliveries": listed, "state": state}
    return await shell.page(visit, "webhook.html", "/ops/webhooks", **values)


def _deliveries(connection: Connection, target_id: str, state: str | None) -> tuple[targets.Target, list[deliveries.Delivery]]:
    listed = deliveries.newest(connection, target_id, DELIVERIES_SHOWN, state)
    return next(each for each in targets.every(connection) if each.target_id == target_id), listed


@gate.signed_in
async def show_prices(visit: Visit) -> web.StreamResponse:
    """Every source of values in the order of trust, and what of it is held back."""
    settings, now = visit.ctx.settings, visit.ctx.clock.now()
    prices_now = await visit.ctx.db.read(partial(standing.read, settings), now)
    return await shell.page(visit, "prices.html", "/ops/prices", **prices_now)


@gate.signed_in
async def show_switches(visit: Visit) -> web.StreamResponse:
    """What is paused, by whom and why."""
    pauses = await visit.ctx.db.read(switches.read)
    names = await visit.ctx.db.read(_client_names)
    values: dict[str, Any] = {
        "pauses": pauses,
        "clients": names,
        "names": switches.NAMES,
        "maintenance": visit.ctx.fleet.maintenance,
    }
    return await shell.page(visit, "switches.html", "/ops/switches", **values)


def _client_names(connection: Connection) -> list[str]:
    return list(connection.scalars(select(clients.c.name).where(clients.c.revoked_at.is_(None)).order_by(clients.c.name)))


# --- doing it ------------------------------------------------------------------------------------------


@gate.signed_in
async def do(visit: Visit) -> web.StreamResponse:
    """Do what a form says, if this operator may; some things are asked once more first."""
    action = actions.of(visit.request)
    form = await gate.form_of(visit.request, visit.session)
    if form is None:
        return gate.refused(visit.request, 403, "This form is not ours.", "Nothing was done. Load the page again.")
    if not visit.operator.may(action.role):
        text = f"You may {visit.operator.role}; this takes somebody who may {action.role}. Nothing was done."
        return gate.refused(visit.request, 403, "This is not yours to do.", text)
    back = action.back(form)
    try:
        question = None if form.one("sure") == "yes" else action.asks(form)
        if question is not None:
            fields = [pair for pair in form.pairs if pair[0] not in ("csrf", "sure")]
            action_path = f"/ops/do/{visit.request.match_info['action']}"
            values: dict[str, Any] = {"question": question, "fields": fields, "action": action_path, "back": back}
            return await shell.page(visit, "sure.html", back, **values)
        notice = await action.does(visit, form)
    except FleetError as error:
        return _not_done(visit, error, back)
    await visit.ctx.db.run(partial(sessions.change, said=notice), visit.session.session_id)
    return web.Response(status=303, headers={**render.HEADERS, "Location": links.path_of(visit.ctx.settings, back)})


def _not_done(visit: Visit, error: FleetError, back: str) -> web.Response:
    """Why not, in the words that the API says it in.

    Raises:
        FleetError: it is trouble of ours, which is logged and told elsewhere.
    """
    status, body = problems.describe(error)
    if status >= 500:
        raise error
    heading = "This is not yours to do." if isinstance(error, Forbidden) else "It was not done."
    detail = str(body["detail"])
    text = f"{detail[:1].upper()}{detail[1:].removesuffix('.')}."
    return gate.refused(visit.request, status, heading, text, back)
