"""`fleet approvals`: withdrawals that wait for a second operator."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING, Any

import click

from balancer.journal.rules import ByRules
from scripts.cli.asking import DRY, JSON, answer, opened
from scripts.cli.fleet import App

if TYPE_CHECKING:
    from sqlalchemy import Connection

cli = click.Group(help="Withdrawals that wait for a second operator.")


@cli.command("list")
@JSON
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """List the withdrawals that wait, oldest first.

    \b
    fleet approvals list --json
    """
    from balancer.trades import approvals

    with opened(app) as (connection, _):
        rows = [_row(connection, trade_id) for trade_id in approvals.waiting_for_approval(connection)]
    if as_json:
        click.echo(json.dumps({"approvals": rows}))
        return
    for row in rows:
        worth = f"{row['value_cents'] / 100:.2f}"
        click.echo(
            f"{row['trade_id']}  {row['user_id']:20} {row['steam_id']}  {row['items']} items  {worth}  {row['client_id']}"
        )
    if not rows:
        click.echo("nothing waits for an approval")


def _row(connection: Connection, trade_id: str) -> dict[str, Any]:
    from balancer.journal import record
    from balancer.journal.views import by_ids

    trade = record.read_trade(connection, trade_id)
    _, items = by_ids(connection, [trade_id])
    return {
        "trade_id": trade_id,
        "user_id": trade.user_id,
        "steam_id": str(trade.partner),
        "client_id": trade.client_id,
        "items": len(items),
        "value_cents": sum(item.value_cents for item in items),
        "created_at": trade.created_at.isoformat(),
    }


@cli.command()
@click.argument("trade_id")
@DRY
@JSON
@click.pass_obj
def approve(app: App, trade_id: str, dry_run: bool, as_json: bool) -> None:
    """Approve a withdrawal: its order is given within seconds, or when its items have settled.

    \b
    fleet approvals approve trd_01jdv
    """
    _decide(app, trade_id, approve=True, dry_run=dry_run)
    answer({"trade_id": trade_id, "decision": "approved"}, "approved", as_json=as_json, dry_run=dry_run)


@cli.command()
@click.argument("trade_id")
@DRY
@JSON
@click.pass_obj
def reject(app: App, trade_id: str, dry_run: bool, as_json: bool) -> None:
    """Reject a withdrawal; its items are free at once.

    \b
    fleet approvals reject trd_01jdv
    """
    _decide(app, trade_id, approve=False, dry_run=dry_run)
    answer({"trade_id": trade_id, "decision": "rejected"}, "rejected", as_json=as_json, dry_run=dry_run)


def _decide(app: App, trade_id: str, *, approve: bool, dry_run: bool) -> None:
    from balancer.journal.rules import Rules
    from balancer.trades import approvals

    settings = app.settings()
    who = f"cli:{getpass.getuser()}"
    with opened(app, dry_run=dry_run) as (connection, _):
        rules = Rules.of(settings)
        approvals.decide_in(
            connection, trade_id, None, ByRules(who, app.clock().now(), rules), settings.trades, approve=approve
        )
