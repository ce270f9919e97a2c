"""`fleet config`: show the settings that come with the program, and check one's own."""

from __future__ import annotations

import click

from scripts.fleet import App

cli = click.Group("config", help="Show and check settings.")


@cli.command()
@click.pass_obj
def check(app: App) -> None:
    """Read all settings as a program would and say what is wrong, and where. Starts nothing."""
    app.settings()
    click.echo(f"settings are fine: defaults{f' and {app.config}' if app.config else ''}")


@cli.command()
def default() -> None:
    """Print every setting with its unit and the reason for its value."""
    from shared.settings import default_toml

    click.echo(default_toml(), nl=False)
