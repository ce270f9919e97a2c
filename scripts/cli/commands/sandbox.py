"""`fleet sandbox`: the simulated Steam, a program of its own that shares nothing with the fleet."""

from __future__ import annotations

import os
import sys

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def cli(arguments: tuple[str, ...]) -> None:
    """Run a simulated Steam; all options are those of ``python -m sandbox``.

    \b
    fleet sandbox --help
    """
    os.execv(sys.executable, [sys.executable, "-P", "-m", "sandbox", *arguments])
