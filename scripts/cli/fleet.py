"""`fleet`: the operator's command line. Each command lives in a module of its own and is imported only when it is used."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shared import __version__

if TYPE_CHECKING:
    from shared.clock import Clock
    from shared.settings import Settings

COMMANDS = {
    "alarms": "What only an operator can solve: list what nobody has seen yet, acknowledge it.",
    "audit": "Compare every bot's rows with its real inventory.",
    "approvals": "Withdrawals that wait for a second operator.",
    "backup": "Write a whole copy of the database while it is in use.",
    "balancer": "Run the HTTP service.",
    "bots": "The vault of this host; at the balancer: status of bots, pause, drain, resume, unfreeze.",
    "clients": "API keys of the websites that call the balancer.",
    "completion": "Print the lines that let a shell complete this command.",
    "config": "Show and check settings.",
    "crosscheck": "Compare the database with the sandbox's own record.",
    "db": "Bring the database to this release, or say what that would run.",
    "demo": "Run players, ten bots and a simulated Steam, and audit every item at the end.",
    "doctor": "Say what is wrong with this machine's part of the fleet, and what to do about it.",
    "events": "What happened in the fleet, from its numbered feed; follow it.",
    "group": "Ten bots of a color on this host: start, status.",
    "keys": "The master key, and the keys that a host needs for its bots.",
    "locks": "Items that stand in games: list old locks, release or restore one.",
    "logs": "The story of one trade or one bot as lines in time; follow it.",
    "ops": "The operators' page (/ops): who may use it, and their secrets for one-time codes.",
    "prices": "Price lists: which is held back and why, and accepting it.",
    "redis": "Make an access list for a Redis of your own.",
    "restore": "Put a backup in the database's place; bots then search for the offers of open trades.",
    "sandbox": "Run a simulated Steam.",
    "status": "The fleet on one screen: bots, what they can serve, trades under way, what waits for you.",
    "switches": "Pause deposits or withdrawals, and resume them.",
    "tickets": "Items that the house issues for its games: issue some, list their kinds.",
    "top": "Watch bots, queues and trades live.",
    "trades": "List trades, the story of one; decide about doubts, frozen items, house items and blocked players.",
    "vault": "Change the key of this host's vault, or check that everything in it opens.",
    "up": "Run all parts on this machine until Ctrl-C.",
    "webhooks": "Addresses that events are sent to: add, test, list deliveries, send again.",
    "users": "What is kept about a person, and forgetting it.",
}
# Commands that share a module with another one: which, and under what name.
BESIDE = {"logs": ("events", "logs"), "restore": ("backup", "restore")}


class LazyCommands(click.Group):
    """Lists all commands at once and imports the one that is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, command_name = BESIDE.get(name, (name, "cli"))
        command: click.Command = getattr(importlib.import_module(f"scripts.cli.commands.{module}"), command_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. What a person can mend is told with what to do about it, not by a traceback."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            from scripts import advice

            app: App | None = ctx.obj
            said = advice.of(error, app.loaded if app else None)
            if said is None:
                raise
            raise click.ClickException(said) from None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


class App:
    """What the root command hands down: where the settings come from. They are read when a command asks for them.

    ``loaded`` are the ones that were read last, for messages that say where something was looked for. ``wait`` is for commands
    that follow what happens.
    """

    def __init__(self, config: Path | None, wait: Callable[[float], None] = time.sleep) -> None:
        self.config, self.wait = config, wait
        self.loaded: Settings | None = None

    def settings(self, overrides: dict[str, dict[str, Any]] | None = None) -> Settings:
        """The checked settings, or a clear message and exit status 2."""
        from shared import errors, settings

        try:
            self.loaded = settings.load(self.config, overrides)
        except errors.SettingsError as error:
            click.echo(error.detail, err=True)
            raise SystemExit(2) from None
        return self.loaded

    def clock(self) -> Clock:
        """The fleet's time: what is written into its database is dated by it."""
        from shared.clock import Clock

        return Clock.of((self.loaded or self.settings()).clock)


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="FLEET_CONFIG",
    help="Settings that differ from the defaults (TOML).",
)
@click.version_option(__version__, prog_name="fleet")
@click.option("--vault-key-prompt", is_flag=True, help="Type the key of this host's vault; it is not shown and not stored.")
@click.pass_context
def main(ctx: click.Context, config: Path | None, vault_key_prompt: bool) -> None:
    """Take Steam items in, keep them, and give them back through a fleet of bots."""
    if vault_key_prompt:
        from bot_worker.vault import give_key

        give_key(click.prompt("Vault key", hide_input=True, err=True))
    ctx.obj = App(config)


if __name__ == "__main__":
    main()
