"""`fleet vault`: the encryption of this host's secrets."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.cli.asking import JSON, answer
from scripts.cli.fleet import App

cli = click.Group("vault", help="Change the key of this host's vault, or check that everything in it opens.")


@cli.command()
@JSON
@click.pass_obj
def check(app: App, as_json: bool) -> None:
    """Open everything in the vault and say what does not open: it was changed, or the key is another vault's.

    \b
    fleet vault check
    """
    from bot_worker.vault import Vault

    vault = Vault.open(app.settings().group)
    vault.check()
    bots, sessions = len(vault.bots()), len(vault.bots_with_session())
    line = f"{vault.path}: {bots} bots, {sessions} saved sessions, everything opens"
    answer({"vault": str(vault.path), "bots": bots, "sessions": sessions}, line, as_json=as_json)


@cli.command()
@click.option(
    "--new-key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the new key goes if the old one is in a variable or typed; take it from there and remove the file.",
)
@JSON
@click.pass_obj
def rekey(app: App, new_key_file: Path | None, as_json: bool) -> None:
    """Put everything under a new key. Stop the groups of this host first.

    Cut short at any moment, the vault opens with the old key or the new one; run it again then.

    \b
    fleet vault rekey
    """
    from bot_worker.rekey import rekey
    from bot_worker.vault import key_is_in_file

    settings = app.settings().group
    if key_is_in_file() is (new_key_file is not None):
        said = "is only for a key" if new_key_file else "is needed: the old key is"
        raise click.UsageError(f"--new-key-file {said} in a variable or typed")
    if running := _running(app):
        raise click.ClickException(f"group {running} runs on this host; stop it first")
    try:
        bots = rekey(settings, new_key_file)
    except FileExistsError:
        raise click.ClickException(f"{new_key_file} exists; keys are never overwritten") from None
    key_file = str(new_key_file or settings.vault_key_file)
    line = f"{settings.vault_file}: {len(bots)} bots under the new key in {key_file}"
    answer({"vault": str(settings.vault_file), "bots": len(bots), "key_file": key_file}, line, as_json=as_json)


def _running(app: App) -> str | None:
    """A group that runs on this host."""
    from bot_worker.group import read_status
    from shared.clock import Clock

    settings = app.settings().group
    names = sorted(path.stem.removeprefix("group-") for path in settings.status_dir.glob("group-*.json"))
    for name in names:
        status = read_status(settings.status_dir, name, Clock().now_ms(), settings.offline_after_s)
        if status is not None and status["state"] != "stopped":
            return name
    return None
