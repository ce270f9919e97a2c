"""`/webhooks`: where events are sent, for operators only."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.exc import IntegrityError

from balancer.context import Context
from balancer.journal.by import By
from balancer.outward import Outward, Refused
from balancer.trades.requests import Caller
from balancer.web import api
from balancer.web.schemas import answers, operator
from balancer.webhooks import deliveries, targets
from shared.errors import Conflict, NotFound, RequestReused

OUTWARD: web.AppKey[Outward] = web.AppKey("outward", Outward)


@api.operation(scope="operate", answers={200: answers.Webhooks})
async def find(ctx: Context) -> web.Response:
    """Every target, with what it is still owed."""
    return api.answer(answers.Webhooks(await ctx.db.read(targets.every)))


@api.operation(
    scope="operate",
    answers={201: targets.WithSecret},
    errors=(
        (Conflict, "webhook_exists"),
        (Conflict, "too_many_webhooks"),
        (NotFound, "not_found"),
        (RequestReused, "idempotency_mismatch"),
    ),
)
async def create(
    request: web.Request, ctx: Context, caller: Caller, key: api.IdempotencyKey, body: operator.WebhookBody
) -> web.Response:
    """Send events to an address, from now on or from behind event `after`.

    The answer holds the secret that signs them, which is shown again only to the same request with the same key. The address
    must be https on port 443 or 8443 and lead to a machine on the Internet.
    """
    try:
        await request.app[OUTWARD].check(body.url)
    except Refused as error:
        raise api.invalid_field("body.url", f"{str(error)[:1].upper()}{str(error)[1:]}.", "refused") from None
    once = targets.Once(caller.client_id, key.key, key.body_hash)
    wanted, by = targets.Wanted(ctx.new_id("whk"), body.url, body.kinds, body.after), By(caller.who, ctx.clock.now())
    asked = (wanted, ctx.master, by, ctx.settings.webhooks.targets_max, once)
    try:
        made = await ctx.db.run(targets.add, *asked)
    except IntegrityError:  # another request was quicker, and is over
        made = await ctx.db.run(targets.add, *asked)
    return api.answer(made, 201)


@api.operation(scope="operate", answers={200: targets.Target}, errors=((NotFound, "not_found"),))
async def show(ctx: Context, path: operator.WebhookPath) -> web.Response:
    """One target."""
    return api.answer(await ctx.db.read(targets.one, path.target_id))


@api.operation(scope="operate", answers={200: answers.WebhookRemoved}, errors=((NotFound, "not_found"),))
async def remove(ctx: Context, caller: Caller, path: operator.WebhookPath) -> web.Response:
    """Forget a target, with what it was sent and what it is owed."""
    await ctx.db.run(targets.remove, path.target_id, By(caller.who, ctx.clock.now()))
    return api.answer(answers.WebhookRemoved(path.target_id))


@api.operation(scope="operate", answers={200: targets.WithSecret}, errors=((NotFound, "not_found"),))
async def rotate(ctx: Context, caller: Caller, path: operator.WebhookPath) -> web.Response:
    """Make a new secret; the one before signs too for a day (`[webhooks] rotate_s`), beside it."""
    rules = ctx.settings.webhooks
    made = await ctx.db.run(targets.rotate, path.target_id, ctx.master, By(caller.who, ctx.clock.now()), rules.rotate_s)
    return api.answer(made)


@api.operation(scope="operate", answers={200: targets.Target}, errors=((NotFound, "not_found"),))
async def enable(ctx: Context, caller: Caller, path: operator.WebhookPath) -> web.Response:
    """Send to a target again that was disabled, first everything that it is owed."""
    return api.answer(await ctx.db.run(targets.enable, path.target_id, By(caller.who, ctx.clock.now())))


@api.operation(scope="operate", answers={202: answers.WebhookTest}, errors=((NotFound, "not_found"),))
async def try_out(ctx: Context, caller: Caller, path: operator.WebhookPath) -> web.Response:
    """Send an event of kind `webhook_test` to this target alone; what became of it stands in the deliveries."""
    number = await ctx.db.run(targets.try_out, path.target_id, By(caller.who, ctx.clock.now()))
    return api.answer(answers.WebhookTest(path.target_id, number), 202)


@api.operation(scope="operate", answers={200: answers.DeliveryPage}, errors=((NotFound, "not_found"),))
async def find_deliveries(ctx: Context, path: operator.WebhookPath, query: operator.DeliveriesQuery) -> web.Response:
    """What a target was sent or is owed, in the order of the events; `next` goes into `after`."""
    listed = await ctx.db.read(deliveries.find, path.target_id, query.after, query.limit, query.state)
    return api.answer(answers.DeliveryPage(listed, listed[-1].number if len(listed) == query.limit else None))


@api.operation(scope="operate", answers={202: answers.Redelivery}, errors=((NotFound, "not_found"),))
async def redeliver(ctx: Context, caller: Caller, path: operator.WebhookPath, body: operator.RedeliverBody) -> web.Response:
    """Send events again, with the same ids: from number `first` to `last`, at most 1 000 of them."""
    last = body.first if body.last is None else body.last
    count = await ctx.db.run(deliveries.redeliver, path.target_id, body.first, last, By(caller.who, ctx.clock.now()))
    return api.answer(answers.Redelivery(path.target_id, count), 202)
