"""`fleet bots`: what this host's vault holds; and, at the balancer, letting a frozen bot go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.fleet import App

if TYPE_CHECKING:
    from bot_worker.vault import Account, Vault

File = click.Path(exists=True, dir_okay=False, path_type=Path)


cli = click.Group(help="The vault of this host: import, list, Guard codes; at the balancer: unfreeze.")


def _vault(app: App, *, create: bool = False) -> Vault:
    from bot_worker.vault import Vault
    from shared.errors import VaultError

    try:
        return Vault.open(app.settings().group, create=create)
    except VaultError as error:
        raise click.ClickException(error.detail) from None


@cli.command("import")
@click.argument("files", nargs=-1, required=True, type=File)
@click.option("--color", help="Color of the bots in maFiles; a CSV file names its bots itself.")
@click.option("--first", type=click.IntRange(min=1), default=1, show_default=True, help="Number of the first maFile's bot.")
@click.option("--passwords", type=File, help="CSV with the columns account_name and password; else they are asked for.")
@click.pass_obj
def import_(app: App, files: tuple[Path, ...], color: str | None, first: int, passwords: Path | None) -> None:
    """Take credentials from maFiles or CSV FILES into the vault. All of them or, if anything is wrong, none."""
    from bot_worker import credentials
    from shared.errors import VaultError

    try:
        accounts = _read_all(files, color, first, passwords)
        vault = _vault(app, create=True)
        known = [vault.account(bot) for bot in vault.bots() if vault.has_account(bot)]
        new = {account.bot for account in accounts}
        credentials.check_together([*accounts, *(account for account in known if account.bot not in new)])
        vault.put(accounts)
    except VaultError as error:
        raise click.ClickException(error.detail) from None
    click.echo(f"{len(accounts)} imported into {vault.path}: {', '.join(account.bot for account in accounts)}")


def _read_all(files: tuple[Path, ...], color: str | None, first: int, passwords: Path | None) -> list[Account]:
    from bot_worker import credentials
    from shared.domain.ids import BotName, parse_color
    from shared.errors import VaultError

    known = credentials.read_passwords(passwords) if passwords else None

    def password_of(account_name: str) -> str:
        if known is None:
            return str(click.prompt(f"Password of {account_name}", hide_input=True))
        if account_name not in known:
            raise VaultError(f"{passwords} has no password of {account_name}")
        return known[account_name]

    accounts: list[Account] = []
    number = first
    for path in files:
        if path.suffix.lower() == ".csv":
            accounts.extend(credentials.read_csv(path))
            continue
        if color is None:
            raise click.UsageError("--color is needed to name the bots of maFiles")
        try:
            bot = str(BotName(parse_color(color), number))
        except ValueError as error:
            raise VaultError(str(error)) from None
        accounts.append(credentials.read_ma_file(path, bot, password_of))
        number += 1
    return accounts


@cli.command()
@click.argument("file", type=File)
@click.pass_obj
def keys(app: App, file: Path) -> None:
    """Put the keys that `fleet keys issue` wrote into the vault."""
    from shared.domain.ids import BotName
    from shared.sealing import BotKeys

    try:
        found = [BotKeys.from_json(row) for row in json.loads(file.read_text(encoding="utf-8"))]
        for each in found:
            BotName.parse(each.bot)
            if len(each.order) != 32 or len(each.report) != 32:
                raise ValueError(f"a key of {each.bot} does not have 32 bytes")
    except (ValueError, KeyError, TypeError) as error:
        raise click.ClickException(f"{file} is not what `fleet keys issue` writes: {error}") from None
    _vault(app, create=True).put_keys(found)
    click.echo(f"keys of {len(found)} bots are in the vault")


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """All bots of this host. Shows no secrets."""
    from shared.domain.ids import BotName
    from shared.errors import VaultError

    vault = _vault(app)
    try:
        rows = [_row(vault, bot) for bot in sorted(vault.bots(), key=BotName.parse)]
    except VaultError as error:
        raise click.ClickException(error.detail) from None
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        marks = ["keys" if row["keys"] else "no keys", "signed in before" if row["session"] else "no session yet"]
        if row["proxy"]:
            marks.append(f"through {row['proxy']}")
        click.echo(f"{row['bot']:12} {row['account_name'] or '-':24} {row['steam_id'] or '-':18} {', '.join(marks)}")


def _row(vault: Vault, bot: str) -> dict[str, object]:
    from bot_worker.credentials import egress_of

    account = vault.account(bot) if vault.has_account(bot) else None
    return {
        "bot": bot,
        "account_name": account.account_name if account else None,
        "steam_id": account.steam_id if account else None,
        "keys": vault.has_keys(bot),
        "session": vault.session(bot).refresh_token is not None,
        "proxy": egress_of(account.proxy) if account and account.proxy else None,
    }


@cli.command()
@click.argument("bot")
@click.option("--clear", is_flag=True, help="Let the bot go out directly again.")
@click.pass_obj
def proxy(app: App, bot: str, clear: bool) -> None:
    """Let BOT reach Steam through a proxy, whose address is asked for (it may hold a password). Restart the bot then."""
    from dataclasses import replace

    from bot_worker.credentials import check_proxy, egress_of
    from shared.errors import VaultError

    vault = _vault(app)
    try:
        account = vault.account(bot)
        address = "" if clear else str(click.prompt("Proxy (http://user:password@host:port)", hide_input=True))
        if address:
            check_proxy(address)
        vault.put([replace(account, proxy=address)])
    except VaultError as error:
        raise click.ClickException(error.detail) from None
    click.echo(f"{bot} goes out {'through ' + egress_of(address) if address else 'directly'}, from its next start on")


@cli.command()
@click.argument("bot")
@click.pass_obj
def unfreeze(app: App, bot: str) -> None:
    """At the balancer: let BOT go on that an audit has frozen. Its differences are known from then on and freeze it no more."""
    import getpass

    from balancer import audits
    from scripts.commands.clients import _opened
    from shared.clock import Clock
    from shared.domain.ids import BotName

    try:
        name = BotName.parse(bot)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with _opened(app) as (connection, _):
        frozen = audits.unfreeze(connection, name.color, name.bot_id, f"cli:{getpass.getuser()}", Clock().now())
    if not frozen:
        raise click.ClickException(f"{name} is not frozen")
    click.echo(f"{name} gives and takes again, within seconds")


@cli.command()
@click.argument("bot")
@click.pass_obj
def code(app: App, bot: str) -> None:
    """Print the Guard code of BOT (as in red-3) for signing in by hand."""
    from bot_worker.credentials import guard_code
    from shared.clock import Clock
    from shared.errors import VaultError

    now_s = Clock().now_ms() // 1000
    try:
        text = guard_code(_vault(app).account(bot).shared_secret, now_s)
    except VaultError as error:
        raise click.ClickException(error.detail) from None
    click.echo(text)
    click.echo(f"good for {30 - now_s % 30} more seconds", err=True)
