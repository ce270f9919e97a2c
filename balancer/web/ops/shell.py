"""What every page of a signed-in operator shows around its own part: where one is, what waits, what was just done."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp import web

from balancer.metrics import glance
from balancer.metrics.glance import Glance
from balancer.web.ops import gate, render, sessions
from balancer.web.ops.gate import Visit
from balancer.web.ops.operators import Operator

LIVE_S, LIVE_LARGE_S = 5, 15


@dataclass(frozen=True, slots=True)
class Tab:
    """One page of the navigation."""

    path: str
    title: str
    count: int = 0  # of what waits there for a person
    loud: bool = False


@dataclass(frozen=True, slots=True)
class Shell:
    """Around the page."""

    operator: Operator
    csrf: str = field(repr=False)
    tabs: list[Tab]
    here: str
    glance: Glance
    notice: str | None
    may_act: bool
    may_approve: bool


def _tabs(now: Glance) -> list[Tab]:
    return [
        Tab("/ops", "Fleet"),
        Tab("/ops/alarms", "Alarms", now.alarms, loud=True),
        Tab("/ops/approvals", "Approvals", now.waiting.get("approval", 0)),
        Tab("/ops/trades", "Trades"),
        Tab("/ops/doubts", "Doubts", now.doubts, loud=True),
        Tab("/ops/audit", "Audit", now.differences, loud=True),
        Tab("/ops/locks", "Locks"),
        Tab("/ops/webhooks", "Webhooks", now.webhooks_disabled, loud=True),
        Tab("/ops/prices", "Prices"),
        Tab("/ops/switches", "Switches", len(now.paused), loud=True),
    ]


async def page(visit: Visit, template: str, tab: str, status: int = 200, **values: Any) -> web.Response:
    """A page below this tab. What the last action came to is shown once."""
    ctx, session = visit.ctx, visit.session
    now = await ctx.db.read(glance.read, ctx.clock.now())
    notice = None if visit.live else session.notice
    if notice is not None:
        await ctx.db.run(partial(sessions.change, said=None), session.session_id)
    operator = visit.operator
    shell = Shell(
        operator, session.csrf, _tabs(now), tab, now, notice, may_act=operator.may("act"), may_approve=operator.may("approve")
    )
    frame = gate.frame(ctx.settings) | {"shell": shell, "currency": ctx.settings.balancer.currency}
    live_s = LIVE_LARGE_S if ctx.fleet.count > 300 else LIVE_S
    return render.page(template, status, **frame, live_s=live_s, now=int(ctx.clock.now().timestamp()), **values)
