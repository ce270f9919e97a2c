"""`fleet trades`: one trade's whole story, an operator's word about doubts and frozen items, and what goes out of the house."""

from __future__ import annotations

import asyncio
import getpass
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from balancer.journal.by import By
from balancer.journal.rules import ByRules
from scripts.cli.asking import DRY, JSON, answer, dangerous, opened, sure
from scripts.cli.fleet import App
from scripts.cli.lines import colored, moment, moment_given, one_line
from shared.domain.status import FINAL, TradeStatus

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from balancer.journal.story import Step
    from balancer.journal.views import Trade
    from balancer.web.schemas.operator import GiveBody
    from shared.sealing import MasterKey
    from shared.settings import Settings

cli = click.Group(
    help="List trades, the story of one; decide about a trade in doubt or a frozen item; give house items; unblock a player."
)


@cli.command("list")
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice([str(one) for one in TradeStatus]), help="Repeat it for more."
)
@click.option("--open", "only_open", is_flag=True, help="Only trades that may still change.")
@click.option("--bot", help="As in red-3.")
@click.option("--user", "user_id", help="The site's own id of the user.")
@click.option("--since", callback=moment_given, help="Made since then: 30m, 2h or 7d ago, or 2026-03-01T12:00:00Z.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many at most.")
@JSON
@click.pass_obj
def list_(
    app: App,
    statuses: tuple[str, ...],
    only_open: bool,
    bot: str | None,
    user_id: str | None,
    since: datetime | timedelta | None,
    limit: int,
    as_json: bool,
) -> None:
    """List trades that fit everything given, the newest first. Shows no secrets.

    \b
    fleet trades list --open
    fleet trades list --status in_doubt --bot red-3
    fleet trades list --user 4711 --since 7d --json
    """
    from balancer import fields
    from balancer.journal import views as show_trades

    settings = app.settings()
    now = app.clock().now()
    only = _conditions(statuses, only_open, bot, user_id, _before(now, since))
    with opened(app, only_reads=True) as (connection, master):
        # One more than is shown says whether there are more.
        views = show_trades.views(show_trades.newest(connection, limit + 1, *only), master, settings, now)
    more, views = len(views) > limit, views[:limit]
    if as_json:
        click.echo(json.dumps({"trades": [fields.plain(one.without_token()) for one in views], "more": more}))
        return
    for one in views:
        click.echo(_listed(one))
    if not views:
        click.echo("there is no such trade")
    if more:
        click.echo(f"only the newest {limit} are shown; --limit shows more", err=True)


def _before(now: datetime, since: datetime | timedelta | None) -> datetime | None:
    try:
        return now - since if isinstance(since, timedelta) else since
    except OverflowError:
        raise click.UsageError("--since is before all time") from None


def _conditions(
    statuses: tuple[str, ...], only_open: bool, bot: str | None, user_id: str | None, since: datetime | None
) -> list[ColumnElement[bool]]:
    from balancer.db.tables import trades
    from shared.domain.ids import BotName

    only: list[ColumnElement[bool]] = []
    if statuses:
        only.append(trades.c.status.in_(statuses))
    if only_open:
        only.append(trades.c.status.not_in([str(status) for status in FINAL]))
    if bot is not None:
        try:
            name = BotName.parse(bot)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        only += [trades.c.color == name.color, trades.c.bot_id == name.bot_id]
    if user_id is not None:
        only.append(trades.c.user_id == user_id)
    if since is not None:
        only.append(trades.c.created_at >= since)
    return only


def _listed(view: Trade) -> str:
    why = view.waits_for or (view.failure.code if view.failure else "")
    worth = sum(item.value_cents for item in view.items) / 100
    return (
        f"{view.trade_id}  {moment(view.created_at)}  {view.direction:8}  {colored(view.status, 10)}  {view.bot:10}  "
        f"{len(view.items):>3} items  {worth:>10.2f} {view.currency}  {one_line(view.user_id)}  {why}"
    ).rstrip()


@cli.command()
@click.argument("trade_id")
@JSON
@click.pass_obj
def show(app: App, trade_id: str, as_json: bool) -> None:
    """Tell TRADE_ID's story: choice, orders, reports, Steam's results. Shows no secrets.

    \b
    fleet trades show trd_01jdv
    """
    from balancer import fields
    from balancer.journal import story
    from balancer.journal import views as show_trades

    settings = app.settings()
    with opened(app) as (connection, master):
        views = show_trades.views(show_trades.by_ids(connection, [trade_id]), master, settings, app.clock().now())
        steps = story.of_trade(connection, trade_id)
    if not views:
        raise click.ClickException(f"there is no trade {trade_id}")
    if as_json:
        click.echo(
            json.dumps({"trade": fields.plain(views[0].without_token()), "story": [fields.plain(step) for step in steps]})
        )
    else:
        _tell(views[0], steps)


def _tell(view: Trade, steps: list[Step]) -> None:
    click.echo(f"{view.trade_id}: {view.direction} of {len(view.items)} items, {view.bot} and {view.steam_id} ({view.user_id})")
    waits = f", waits for its {view.waits_for}" if view.waits_for else ""
    failure = f", {view.failure.code} {view.failure.reason or ''}".rstrip() if view.failure else ""
    click.echo(f"{view.status}{waits}{failure}; attempt {view.attempt}, offer {view.offer_id or 'none yet'}")
    for step in steps:
        at = datetime.fromtimestamp(step.at, UTC)
        click.echo(f"{at:%Y-%m-%d %H:%M:%S}  {step.who:16} {step.text}")
    for item in view.items:
        after = f" → {item.new_asset_id} ({item.matched})" if item.new_asset_id else ""
        click.echo(f"  {item.asset_id}{after}  {item.market_hash_name}  {item.deposit_status or 'removed'}")


@cli.command()
@click.argument("trade_id")
@click.option("--offer", "offer_id", help="The id of the trade's offer. Its bot looks it up, and takes it only if it fits.")
@click.option("--none", "none_there", is_flag=True, help="There is no offer: you have seen the bot's sent offers and history.")
@click.option("--reason", required=True, help="How you found out; it is shown in the trade's story.")
@dangerous
@click.pass_obj
def doubt(
    app: App,
    trade_id: str,
    offer_id: str | None,
    none_there: bool,
    reason: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Say what has become of TRADE_ID, which stays in doubt: its offer's id, or that there is none.

    Without an offer the trade is sent again, or ends if it is to be canceled or its attempts are used up. Should there be an
    offer all the same, a trade that was sent again is still watched; the offer of one that has ended is only told as unknown.

    \b
    fleet trades doubt trd_01jdv --offer 7012345678 --reason "seen in the bot's sent offers"
    fleet trades doubt trd_01jdv --none --reason "neither sent offers nor history have it"
    """
    from balancer.journal import record
    from balancer.journal.rules import Rules
    from balancer.upkeep import doubts
    from balancer.web.schemas.operator import DoubtBody

    if none_there == (offer_id is not None):
        raise click.UsageError("give either --offer ID or --none")
    try:
        said = DoubtBody(offer_id=offer_id, reason=reason)
    except ValueError as error:
        raise click.UsageError("an offer's id is a number; a reason is one line of up to 200 characters") from error
    if none_there:
        sure("The trade may be sent again: is it certain that there is no offer?", yes=yes, dry_run=dry_run)
    rules, who = Rules.of(app.settings()), f"cli:{getpass.getuser()}"
    with opened(app, dry_run=dry_run) as (connection, _):
        doubts.decide(connection, trade_id, said.offer_id, said.reason, ByRules(who, app.clock().now(), rules))
        status = record.read_trade(connection, trade_id).status
    line = "the trade's bot will look this offer up" if offer_id else f"noted; the trade is {status}"
    answer({"trade_id": trade_id, "status": status}, line, as_json=as_json, dry_run=dry_run)


@cli.command()
@click.argument("deposit_id")
@click.option("--reason", required=True, help="What you have seen; it is shown in the event feed.")
@DRY
@JSON
@click.pass_obj
def thaw(app: App, deposit_id: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Release the item of DEPOSIT_ID, which a reversal or a failed exchange has frozen. Check it on Steam first.

    \b
    fleet trades thaw dep_01jdv --reason "it lies in the bot's inventory"
    """
    from balancer.custody import deposits
    from balancer.web.schemas.operator import ThawBody

    try:
        said = ThawBody(reason=reason)
    except ValueError as error:
        raise click.UsageError("a reason is one line of up to 200 characters") from error
    with opened(app, dry_run=dry_run) as (connection, _):
        deposits.thaw(connection, deposit_id, said.reason, By(f"cli:{getpass.getuser()}", app.clock().now()))
    answer({"deposit_id": deposit_id}, f"{deposit_id} may be used again", as_json=as_json, dry_run=dry_run)


@cli.command()
@click.argument("deposit_id")
@click.argument("decision", type=click.Choice(["release", "write_off"]))
@click.option("--asset", "asset_id", help="To release: the asset in the bot's inventory, if another than the row names.")
@click.option("--reason", required=True, help="What you have seen; it is shown in the event feed.")
@DRY
@JSON
@click.pass_obj
def decide(app: App, deposit_id: str, decision: str, asset_id: str | None, reason: str, dry_run: bool, as_json: bool) -> None:
    """Release or write off the item of DEPOSIT_ID, which stays frozen (unmatched, receipt_missing, items_gone, items_left,
    missing). A second person has to say the same within a day; then the bot's next reading carries it out, if it agrees.

    \b
    fleet trades decide dep_01jdv release --asset 27348562001 --reason "it is there under a new id"
    fleet trades decide dep_01jdv write_off --reason "it is in nobody's inventory"
    """
    from balancer.custody import decide as decisions
    from balancer.orders.build import new_id
    from balancer.web.schemas.operator import DecisionBody
    from shared.domain.status import Decision

    try:
        said = DecisionBody(decision=Decision(decision), asset_id=asset_id, reason=reason)
    except ValueError as error:
        raise click.UsageError("an asset's id is a number; a reason is one line of up to 200 characters") from error
    clock, who = app.clock(), f"cli:{getpass.getuser()}"
    asset = None if said.asset_id is None else int(said.asset_id)
    with opened(app, dry_run=dry_run) as (connection, _):
        made = decisions.decide(
            connection, deposit_id, said.decision, asset, said.reason, By(who, clock.now()), new_id(clock, "audit")
        )
    if made.agreed_by is None:
        line = f"proposed by {made.proposed_by}; somebody else has to say the same within a day"
    else:
        line = f"agreed by {made.agreed_by}; the bot reads its inventory now, and the event feed says what came of it"
    told = {"deposit_id": deposit_id, "proposed_by": made.proposed_by, "agreed_by": made.agreed_by}
    answer(told, line, as_json=as_json, dry_run=dry_run)


@cli.command()
@click.argument("deposit_ids", nargs=-1, required=True)
@click.option("--trade-url", prompt="Trade URL of the account that gets them", help="Asked for if not given: it holds a token.")
@click.option("--reason", required=True, help="Why; it stands in the event feed.")
@click.option("--message", default="", help="What stands in the offer behind the link for checking it.")
@JSON
@click.pass_obj
def give(app: App, deposit_ids: tuple[str, ...], trade_url: str, reason: str, message: str, as_json: bool) -> None:
    """Send items of the house (DEPOSIT_IDS) to an account that is not a bot's, after another person has approved each trade.

    Given twice, the second call finds the items in a trade and changes nothing.

    \b
    fleet trades give dep_01jdv dep_01jdw --reason "prize of the raffle in May"
    """
    from balancer.web.schemas.operator import GiveBody

    try:
        said = GiveBody(trade_url=trade_url, deposit_ids=list(deposit_ids), reason=reason, message=message)
    except ValueError as error:
        raise click.UsageError("a trade URL, deposit ids, and a reason of one line of up to 200 characters") from error
    with opened(app) as (_, master):
        pass  # the key and the migrated database are there
    trade_ids = asyncio.run(_give(app.settings(), master, said))
    if as_json:
        click.echo(json.dumps({"trades": trade_ids}))
        return
    for trade_id in trade_ids:
        click.echo(f"{trade_id} waits for another person: `fleet approvals approve {trade_id}`")


async def _give(settings: Settings, master: MasterKey, said: GiveBody) -> list[str]:
    """The trades that the request made, by the settings, the fleet and the prices of now."""
    from balancer import context
    from balancer.items import price_refresh
    from balancer.trades import house
    from balancer.trades.requests import HouseWish, Operator, Request
    from balancer.web.handlers import offers
    from shared import wire
    from shared.clock import Clock

    wish = HouseWish(offers.any_trade_url(said.trade_url), said.deposit_ids, said.reason, said.message)
    ctx = context.build(settings, master, Clock.of(settings.clock))
    try:
        await asyncio.to_thread(wire.measure_time, ctx.redis, ctx.clock, ctx.server_clock)
        await ctx.fleet.refresh()
        await ctx.switches.refresh()
        await price_refresh.read_lists(ctx.db, ctx.prices, ctx.clock)
        asked = Request(Operator.of(f"cli:{getpass.getuser()}"), ctx.new_id("give"), "", ctx.clock.now())
        return (await house.give(ctx, asked, wish)).trade_ids
    finally:
        await context.close(ctx)


@cli.command()
@click.argument("steam_id")
@DRY
@JSON
@click.pass_obj
def unblock(app: App, steam_id: str, dry_run: bool, as_json: bool) -> None:
    """Unblock the player with STEAM_ID, who was blocked because a trade was reversed.

    \b
    fleet trades unblock 76561198000000001
    """
    from balancer.trades import reversal
    from shared.domain.ids import SteamId

    try:
        account = SteamId(steam_id)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with opened(app, dry_run=dry_run) as (connection, _):
        user_id = reversal.unblock(connection, None, int(account), By(f"cli:{getpass.getuser()}", app.clock().now()))
    if user_id is None:
        raise click.ClickException("no player with this Steam id is blocked")
    answer({"user_id": user_id}, f"{user_id} may trade again", as_json=as_json, dry_run=dry_run)
