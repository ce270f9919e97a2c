"""`fleet completion`: click's own lines for a shell."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def cli(shell: str) -> None:
    """Print the lines that let SHELL complete commands and options of `fleet`. Nothing is installed.

    \b
    bash:  eval "$(fleet completion bash)"      in ~/.bashrc
    zsh:   eval "$(fleet completion zsh)"       in ~/.zshrc, behind compinit
    fish:  fleet completion fish > ~/.config/fish/completions/fleet.fish
    """
    from click.shell_completion import get_completion_class

    from scripts.cli.fleet import main

    kind = get_completion_class(shell)
    if kind is None:  # the choice above names click's own
        raise click.ClickException(f"{shell} cannot be completed")
    click.echo(kind(main, {}, "fleet", "_FLEET_COMPLETE").source())
