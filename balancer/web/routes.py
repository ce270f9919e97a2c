"""Every URL on one screen."""

from __future__ import annotations

from aiohttp import web

from balancer.web import openapi
from balancer.web.handlers import (
    approvals,
    audit,
    bots,
    credits,
    deposit,
    deposits,
    events,
    exchanges,
    health,
    inventory,
    locks,
    operate,
    precheck,
    stock,
    trade,
    transfers,
    users,
    withdraw,
)
from balancer.web.handlers.verify import check, sign_in

ROUTES: list[web.RouteDef] = [
    web.post("/deposit", deposit.create),
    web.post("/withdraw", withdraw.create),
    web.get("/trade/{trade_id}", trade.show, allow_head=False),
    web.get("/trade", trade.find, allow_head=False),
    web.post("/trade", trade.look),
    web.post("/trade/{trade_id}/cancel", trade.cancel),
    web.post("/trade/{trade_id}/doubt", trade.doubt),
    web.get("/trade/{trade_id}/story", trade.story, allow_head=False),
    web.get("/approvals", approvals.find, allow_head=False),
    web.post("/approvals/{trade_id}/{decision}", approvals.decide),
    web.get("/switches", operate.show_switches, allow_head=False),
    web.post("/switches", operate.turn_switch),
    web.post("/users/{user_id}/unblock", operate.unblock),
    web.post("/inventory", inventory.show),
    web.post("/precheck", precheck.show),
    web.get("/deposits", deposits.find, allow_head=False),
    web.post("/deposits/give", deposits.give),
    web.post("/deposits/{deposit_id}/thaw", deposits.thaw),
    web.post("/deposits/{deposit_id}/decision", deposits.settle_frozen),
    web.post("/locks", locks.create),
    web.get("/locks/{ref}", locks.show, allow_head=False),
    web.get("/locks", locks.find, allow_head=False),
    web.delete("/locks/{ref}", locks.release),
    web.post("/transfers", transfers.create),
    web.get("/transfers/{ref}", transfers.show, allow_head=False),
    web.get("/transfers", transfers.find, allow_head=False),
    web.post("/issues", exchanges.issue),
    web.post("/exchanges", exchanges.create),
    web.post("/credits", credits.create),
    web.get("/credits", credits.find, allow_head=False),
    web.put("/users/{user_id}", users.bind),
    web.get("/stock", stock.show, allow_head=False),
    web.get("/items", stock.items, allow_head=False),
    web.get("/bots", bots.find, allow_head=False),
    web.post("/bots/{color}/{bot_id}/{action}", bots.change),
    web.get("/audit", audit.show, allow_head=False),
    web.post("/audit", audit.start),
    web.get("/events", events.find, allow_head=False),
    web.get("/events/stream", events.stream, allow_head=False),
    web.post("/verify", check.consume),
    web.get("/verify/signed-in", sign_in.signed_in, allow_head=False),
    web.get("/verify/{token}", check.show),
    web.get("/verify/{token}/sign-in", sign_in.leave, allow_head=False),
    web.get("/healthz", health.alive),
    web.get("/readyz", health.ready),
    web.get("/openapi.json", openapi.document),
    web.get("/docs", openapi.page),
    web.get("/docs/{file}", openapi.file),
]

# What only a person comes to, by a link that is not whole; it is no part of the API.
PAGES: list[web.RouteDef] = [web.get("/verify/{rest:.*}", check.odd, allow_head=False)]
