"""Every address of the operators' page. None of it is part of the API."""

from __future__ import annotations

from aiohttp import web

from balancer.web.ops import fleet, sign_in, trades, work

ROUTES: list[web.RouteDef] = [
    web.get("/ops/sign-in", sign_in.show, allow_head=False),
    web.get("/ops/steam", sign_in.leave, allow_head=False),
    web.get("/ops/signed-in", sign_in.signed_in, allow_head=False),
    web.get("/ops/code", sign_in.ask_code, allow_head=False),
    web.post("/ops/code", sign_in.take_code),
    web.post("/ops/sign-out", sign_in.leave_for_good),
    web.get("/ops/static/{file}", sign_in.file, allow_head=False),
    web.get("/ops", fleet.show, allow_head=False),
    web.get("/ops/bots/{bot}", fleet.show_bot, allow_head=False),
    web.get("/ops/trades", trades.show_all, allow_head=False),
    web.get("/ops/trades/{trade_id}", trades.show, allow_head=False),
    web.get("/ops/doubts", trades.show_doubts, allow_head=False),
    web.get("/ops/approvals", trades.show_approvals, allow_head=False),
    web.get("/ops/alarms", work.show_alarms, allow_head=False),
    web.get("/ops/audit", work.show_audit, allow_head=False),
    web.get("/ops/locks", work.show_locks, allow_head=False),
    web.get("/ops/webhooks", work.show_webhooks, allow_head=False),
    web.get("/ops/webhooks/{target_id}", work.show_webhook, allow_head=False),
    web.get("/ops/prices", work.show_prices, allow_head=False),
    web.get("/ops/switches", work.show_switches, allow_head=False),
    web.post("/ops/do/{action}", work.do),
]
