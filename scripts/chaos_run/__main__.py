"""`scripts/chaos`: hurt a whole fleet by a seed, heal it, audit every item. Exit 1 names every difference."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import click

from fleet_client.errors import FleetError
from scripts.chaos_run.plan import KINDS
from scripts.chaos_run.report import report_lines
from scripts.chaos_run.run import Options, run
from scripts.lab.parts import StackError, interruptible
from scripts.lab.servers import EmbeddedError
from shared import log


@click.command()
@click.option("--seed", default=1, show_default=True, help="Decides which faults happen, and what the players do.")
@click.option("--minutes", default=2.0, show_default=True, type=click.FloatRange(min=0.1), help="For how long faults happen.")
@click.option(
    "--profile", default="bad-day", show_default=True, help="Faults of the simulated Steam: a profile's name, or `none`."
)
@click.option("--bots", default=3, show_default=True, type=click.IntRange(1, 10), help="Bots per group.")
@click.option("--group", "groups", multiple=True, default=("red:1", "blue:1"), show_default=True, help="Groups; repeatable.")
@click.option("--players", default=60, show_default=True, type=click.IntRange(min=2))
@click.option("--balancers", default=2, show_default=True, type=click.IntRange(1, 8))
@click.option(
    "--power-cut",
    is_flag=True,
    help="Only this: under full load everything gets SIGKILL at once; then again, and Redis loses its data.",
)
@click.option(
    "--only", multiple=True, type=click.Choice([kind.name for kind in KINDS]), help="Only this kind of fault; repeatable."
)
@click.option("--settle-minutes", default=5.0, show_default=True, help="How long it may take until all is at rest again.")
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), help="Keep settings, logs and tables here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("--plan", "only_plan", is_flag=True, help="Print which faults would happen, and end.")
def cli(directory: Path | None, as_json: bool, only_plan: bool, **given: object) -> None:
    """Run two groups of bots, players and balancers, hurt them by the seed, heal everything and audit every item."""
    options = Options(**given)  # type: ignore[arg-type]
    if only_plan:
        for blow in options.plan():
            amount = f" by {blow.amount_s:+.0f} s" if blow.amount_s else ""
            lasts = f" for {blow.lasts_s:.1f} s" if blow.lasts_s else ""
            click.echo(f"{blow.at_s:7.1f} s  {blow.kind} {blow.target}{lasts}{amount}")
        return
    log.set_up("error")
    folder = (directory or Path(tempfile.mkdtemp(prefix="fleet-chaos-"))).absolute()
    started = time.monotonic()
    try:
        with interruptible():
            result = run(options, folder, lambda text: click.echo(text, err=True))
    except (StackError, EmbeddedError, FleetError) as error:
        click.echo(f"{error}\nlogs are in {folder}", err=True)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        click.echo(f"stopped; logs are in {folder}", err=True)
        raise SystemExit(130) from None
    result["took_s"] = round(time.monotonic() - started, 1)
    (folder / "result.json").write_text(json.dumps(result))
    click.echo(json.dumps(result) if as_json else "\n".join(report_lines(result)))
    raise SystemExit(1 if result["differences"] else 0)


if __name__ == "__main__":
    cli(prog_name="scripts/chaos", args=sys.argv[1:])
