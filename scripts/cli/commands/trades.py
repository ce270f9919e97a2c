"""`fleet trades`: one trade's whole story, an operator's word about a doubt, and letting a blocked player trade again."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from scripts.cli.commands.clients import JSON, _opened
from scripts.cli.fleet import App

if TYPE_CHECKING:
    from balancer.journal.story import Step
    from balancer.journal.views import Trade

cli = click.Group(
    help="The story of one trade; decide about a trade in doubt or a frozen item; let a blocked player trade again."
)


@cli.command()
@click.argument("trade_id")
@JSON
@click.pass_obj
def show(app: App, trade_id: str, as_json: bool) -> None:
    """Tell TRADE_ID's story: choice, orders, reports, Steam's results. Shows no secrets."""
    from balancer import fields
    from balancer.journal import story
    from balancer.journal import views as show_trades
    from shared.clock import Clock

    settings = app.settings()
    with _opened(app) as (connection, master):
        views = show_trades.views(show_trades.by_ids(connection, [trade_id]), master, settings, Clock().now())
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
@click.pass_obj
def doubt(app: App, trade_id: str, offer_id: str | None, none_there: bool, reason: str) -> None:
    """Say what has become of TRADE_ID, which stays in doubt: its offer's id, or that there is none.

    Without an offer the trade is sent again, or ends if it is to be canceled or its attempts are used up. Should there be an
    offer all the same, a trade that was sent again is still watched; the offer of one that has ended is only told as unknown.
    """
    from balancer.journal import record
    from balancer.journal.rules import Rules
    from balancer.upkeep import doubts
    from balancer.web.schemas.operator import DoubtBody
    from shared.clock import Clock

    if none_there == (offer_id is not None):
        raise click.UsageError("give either --offer ID or --none")
    try:
        said = DoubtBody(offer_id=offer_id, reason=reason)
    except ValueError as error:
        raise click.UsageError("an offer's id is a number; a reason is one line of up to 200 characters") from error
    rules, who = Rules.of(app.settings()), f"cli:{getpass.getuser()}"
    with _opened(app) as (connection, _):
        doubts.decide(connection, trade_id, said.offer_id, said.reason, who, rules, Clock().now())
        status = record.read_trade(connection, trade_id).status
    click.echo("the trade's bot will look this offer up" if offer_id else f"noted; the trade is {status}")


@cli.command()
@click.argument("deposit_id")
@click.option("--reason", required=True, help="What you have seen; it is shown in the event feed.")
@click.pass_obj
def thaw(app: App, deposit_id: str, reason: str) -> None:
    """Release the item of DEPOSIT_ID, which a reversal or a failed exchange has frozen. Check it on Steam first."""
    from balancer.custody import deposits
    from balancer.web.schemas.operator import ThawBody
    from shared.clock import Clock

    try:
        said = ThawBody(reason=reason)
    except ValueError as error:
        raise click.UsageError("a reason is one line of up to 200 characters") from error
    with _opened(app) as (connection, _):
        deposits.thaw(connection, deposit_id, said.reason, f"cli:{getpass.getuser()}", Clock().now())
    click.echo(f"{deposit_id} may be used again")


@cli.command()
@click.argument("steam_id")
@click.pass_obj
def unblock(app: App, steam_id: str) -> None:
    """Unblock the player with STEAM_ID, who was blocked because a trade was reversed."""
    from balancer.trades import reversal
    from shared.clock import Clock
    from shared.domain.ids import SteamId

    try:
        account = SteamId(steam_id)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with _opened(app) as (connection, _):
        user_id = reversal.unblock(connection, None, int(account), f"cli:{getpass.getuser()}", Clock().now())
    if user_id is None:
        raise click.ClickException("no player with this Steam id is blocked")
    click.echo(f"{user_id} may trade again")
