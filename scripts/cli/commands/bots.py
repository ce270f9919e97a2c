"""`fleet bots`: what this host's vault holds; and, at the balancer, how bots are and what is wanted of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from balancer.journal.by import By
from scripts.cli.asking import DRY, JSON, YES, answer, dangerous, opened, sure
from scripts.cli.fleet import App
from scripts.cli.lines import colored, one_line

if TYPE_CHECKING:
    from balancer.fleet.bot import Bot
    from bot_worker.vault import Account, Vault
    from shared.domain.ids import BotName

File = click.Path(exists=True, dir_okay=False, path_type=Path)


cli = click.Group(
    help="The vault of this host: import, list, Guard codes. At the balancer: status of bots, pause, drain, resume, unfreeze."
)


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
@click.option("--replace", is_flag=True, help="Allow another account for a bot that the vault knows.")
@JSON
@click.pass_obj
def import_(
    app: App,
    files: tuple[Path, ...],
    color: str | None,
    first: int,
    passwords: Path | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Take credentials from maFiles or CSV FILES into the vault. All of them or, if anything is wrong, none.

    maFiles are numbered in the natural order of their names, whatever order they are given in: bot_2 before bot_10.

    \b
    fleet bots import maFiles/*.maFile --color red
    fleet bots import bots.csv
    """
    from bot_worker.credentials.accounts import check_together
    from shared.errors import VaultError

    try:
        accounts = _read_all(files, color, first)
        vault = _vault(app, create=True)
        known = {bot: vault.account(bot) for bot in sorted(vault.bots()) if vault.has_account(bot)}
        new = {account.bot for account in accounts}
        check_together([*accounts, *(account for bot, account in known.items() if bot not in new)])
        _show_mapping(accounts, known)
        _check_replaced(accounts, known, allowed=replace)
        vault.put(_with_passwords(accounts, passwords))
    except VaultError as error:
        raise click.ClickException(error.detail) from None
    rows = [{"bot": each.bot, "account_name": each.account_name, "steam_id": each.steam_id} for each in accounts]
    lines = [f"{len(accounts)} imported into {vault.path}:"]
    lines += [f"  {account.bot:12} {account.account_name} ({account.steam_id})" for account in accounts]
    answer({"vault": str(vault.path), "bots": rows}, "\n".join(lines), as_json=as_json)


def _show_mapping(accounts: list[Account], known: dict[str, Account]) -> None:
    """Which bot is to be which account, and which one it is now."""
    click.echo("to be imported:", err=True)
    for account in accounts:
        before = known.get(account.bot)
        was = (
            "new" if before is None else "known" if _same(before, account) else f"was {before.account_name} ({before.steam_id})"
        )
        click.echo(f"  {account.bot:12} {account.account_name} ({account.steam_id})  {was}", err=True)


def _check_replaced(accounts: list[Account], known: dict[str, Account], *, allowed: bool) -> None:
    """Another account under a known bot has other items than the rows say: only if the operator confirms it."""
    from shared.errors import VaultError

    other = [account.bot for account in accounts if account.bot in known and not _same(known[account.bot], account)]
    if other and not allowed:
        raise VaultError(f"another account for {', '.join(other)}: with --replace, if that is meant. Nothing was imported")


def _same(one: Account, other: Account) -> bool:
    return one.steam_id == other.steam_id


def _read_all(files: tuple[Path, ...], color: str | None, first: int) -> list[Account]:
    """Every account with its bot's name; those of maFiles still without a password. Each file is read before any fails."""
    from functools import partial

    from bot_worker.credentials import fields, ma_files, tables
    from shared.domain.ids import BotName, parse_color
    from shared.errors import VaultError

    csv_files = [path for path in files if path.suffix.lower() == ".csv"]
    others = sorted((path for path in files if path not in csv_files), key=ma_files.natural_order)
    if others and color is None:
        raise click.UsageError("--color is needed to name the bots of maFiles")
    try:
        names = [str(BotName(parse_color(color or ""), first + number)) for number in range(len(others))] if others else []
    except ValueError as error:
        raise VaultError(str(error)) from None
    readers = [partial(tables.read_csv, path) for path in csv_files]
    readers += [partial(_ma_file, path, bot) for path, bot in zip(others, names, strict=True)]
    found = fields.all_or_none(readers)
    return [account for accounts in found for account in accounts]


def _ma_file(path: Path, bot: str) -> list[Account]:
    from dataclasses import replace

    from bot_worker.credentials import ma_files

    return [replace(ma_files.read_ma_file(path), bot=bot)]


def _with_passwords(accounts: list[Account], passwords: Path | None) -> list[Account]:
    """The same with every password; those that are missing are looked up, or asked for."""
    from dataclasses import replace
    from functools import partial

    from bot_worker.credentials import fields, tables
    from shared.errors import VaultError

    known = tables.read_passwords(passwords) if passwords else None

    def filled(account: Account) -> Account:
        if account.password:
            return account
        if known is None:
            return replace(account, password=str(click.prompt(f"Password of {account.account_name}", hide_input=True)))
        if account.account_name not in known:
            raise VaultError(f"{passwords} has no password of {account.account_name}")
        try:
            fields.check_password(known[account.account_name])
        except VaultError as error:
            raise VaultError(f"{passwords}: {account.account_name}: {error.detail}") from None
        return replace(account, password=known[account.account_name])

    return fields.all_or_none(partial(filled, account) for account in accounts)


@cli.command()
@click.argument("file", type=File)
@JSON
@click.pass_obj
def keys(app: App, file: Path, as_json: bool) -> None:
    """Put the keys that `fleet keys issue` wrote into the vault. All of them or, if anything is wrong, none.

    \b
    fleet bots keys keys.json
    """
    from bot_worker.credentials import wire_keys
    from shared.errors import VaultError

    try:
        found = wire_keys.read_keys(file)
    except VaultError as error:
        raise click.ClickException(error.detail) from None
    _vault(app, create=True).put_keys(found)
    answer({"bots": len(found)}, f"keys of {len(found)} bots are in the vault", as_json=as_json)


@cli.command("list")
@JSON
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """All bots of this host. Shows no secrets.

    \b
    fleet bots list --json
    """
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
    from bot_worker.credentials.accounts import egress_of

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
@click.option("--clear", is_flag=True, help="Let the bot connect without a proxy again.")
@JSON
@click.pass_obj
def proxy(app: App, bot: str, clear: bool, as_json: bool) -> None:
    """Let BOT reach Steam through a proxy, whose address is asked for (it may hold a password). Restart the bot then.

    \b
    fleet bots proxy red-3
    fleet bots proxy red-3 --clear
    """
    from dataclasses import replace

    from bot_worker.credentials.accounts import egress_of
    from bot_worker.credentials.fields import check_proxy
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
    egress = egress_of(address) if address else None
    line = f"{bot} connects {'through ' + egress if egress else 'directly'} from its next start on"
    answer({"bot": bot, "proxy": egress}, line, as_json=as_json)


@cli.command()
@click.argument("bots", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="For programs; as in `GET /bots`.")
@click.pass_obj
def status(app: App, bots: tuple[str, ...], as_json: bool) -> None:
    """At the balancer: how BOTS are (all, if none is named), what they may do, hold and wait for, and what to do about it.

    Exit status 1: one of them is away, or may not do everything.

    \b
    fleet bots status
    fleet bots status red-3 red-4 --json
    """
    from balancer import fields
    from scripts.cli.commands.status import seeing

    names = _names(bots)
    with seeing(app) as seen:
        seen.look()
        found = seen.bots()
    if unknown := sorted(names.keys() - {bot.name for bot in found}):
        raise click.ClickException(f"no balancer knows {', '.join(unknown)}")
    found = [bot for bot in found if not names or bot.name in names]
    if as_json:
        click.echo(json.dumps({"bots": [fields.plain(bot) for bot in found]}))
    else:
        click.echo("\n".join(line for bot in found for line in _status_lines(bot)) or "no bot has been heard of yet")
    if any(bot.why_not for bot in found):
        raise SystemExit(1)


def _status_lines(bot: Bot) -> list[str]:
    may = ", ".join(sorted(what.value for what in bot.may)) or "nothing"
    beat = "never heard of" if bot.heartbeat_age_s is None else f"heard of {max(0, bot.heartbeat_age_s):.0f} s ago"
    line = (
        f"{bot.name:12} {colored(bot.state, 11)} {bot.mode:9} may {may}; {bot.used} items, {bot.open_offers} offers, "
        f"{bot.waiting} withdrawals wait; {beat}"
    )
    return [line, *(one_line(f"    {why.reason}: {why.action or 'wait'}") for why in bot.why_not)]


def _names(bots: tuple[str, ...]) -> dict[str, BotName]:
    """What was typed as bots' names, each once."""
    from shared.domain.ids import BotName

    try:
        parsed = [BotName.parse(bot) for bot in bots]
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return {str(name): name for name in parsed}


BOTS = click.argument("bots", nargs=-1, required=True)


@cli.command()
@BOTS
@DRY
@YES
@JSON
@click.pass_obj
def pause(app: App, bots: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool) -> None:
    """At the balancer: give BOTS no new trades. They finish what they have begun; `fleet bots resume` ends it.

    \b
    fleet bots pause red-3
    fleet bots pause red-3 red-4 --dry-run
    """
    _set_modes(app, bots, "paused", dry_run=dry_run, yes=yes, as_json=as_json)


@cli.command()
@BOTS
@DRY
@YES
@JSON
@click.pass_obj
def drain(app: App, bots: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool) -> None:
    """At the balancer: let BOTS only give items back, so that they become empty; `fleet bots resume` ends it.

    \b
    fleet bots drain red-3
    """
    _set_modes(app, bots, "draining", dry_run=dry_run, yes=yes, as_json=as_json)


@cli.command()
@BOTS
@DRY
@JSON
@click.pass_obj
def resume(app: App, bots: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """At the balancer: let BOTS take and give again. A frozen bot stays frozen: `fleet bots unfreeze`.

    \b
    fleet bots resume red-3
    """
    _set_modes(app, bots, "active", dry_run=dry_run, yes=True, as_json=as_json)


def _set_modes(app: App, bots: tuple[str, ...], mode: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """All of them or, if one is not known, none. What is so already stays."""
    import getpass

    from balancer.fleet import snapshot
    from shared.domain.ids import bot_name
    from shared.domain.status import BotMode

    names = _names(bots)
    if len(names) > 1 and not yes and not dry_run:
        click.confirm(f"{', '.join(names)}: {mode}?", abort=True, err=True)
    with opened(app, only_reads=dry_run) as (connection, _):
        before = {bot_name(row): row.mode for row in snapshot.all_bots(connection)}
        if unknown := sorted(names.keys() - before.keys()):
            raise click.ClickException(f"no balancer knows {', '.join(unknown)}; nothing was changed")
        changed = {name: parts for name, parts in names.items() if before[name] != mode}
        for each in changed.values() if not dry_run else ():
            who, now = f"cli:{getpass.getuser()}", app.clock().now()
            snapshot.set_mode(connection, each.color, each.bot_id, BotMode(mode), By(who, now))
    if as_json:
        rows = [{"bot": name, "from": before[name], "to": mode} for name in names]
        click.echo(json.dumps({"bots": rows, "dry_run": dry_run}))
        return
    verb = "would be" if dry_run else "is"
    for name in names:
        click.echo(f"{name} {verb} {mode} (was {before[name]})" if name in changed else f"{name} is {mode} already")


@cli.command()
@click.argument("bot")
@dangerous
@click.pass_obj
def unfreeze(app: App, bot: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """At the balancer: release BOT, which an audit has frozen. Its differences are then known and do not freeze it again.

    \b
    fleet bots unfreeze red-3
    """
    import getpass

    from balancer.custody.audit import freeze
    from shared.domain.ids import BotName

    try:
        name = BotName.parse(bot)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    sure(f"Have you looked at the differences of {name} (`fleet audit`)?", yes=yes, dry_run=dry_run)
    with opened(app, dry_run=dry_run) as (connection, _):
        frozen = freeze.unfreeze(connection, name.color, name.bot_id, By(f"cli:{getpass.getuser()}", app.clock().now()))
    if not frozen:
        raise click.ClickException(f"{name} is not frozen")
    line = f"{name} gives and takes again within seconds"
    answer({"bot": str(name)}, line, as_json=as_json, dry_run=dry_run)


@cli.command()
@click.argument("bot")
@JSON
@click.pass_obj
def code(app: App, bot: str, as_json: bool) -> None:
    """Print the Guard code of BOT (as in red-3) for signing in by hand.

    \b
    fleet bots code red-3
    """
    from bot_worker.credentials.accounts import guard_code
    from shared.clock import Clock
    from shared.errors import VaultError

    now_s = Clock().now_ms() // 1000
    try:
        text = guard_code(_vault(app).account(bot).shared_secret, now_s)
    except VaultError as error:
        raise click.ClickException(error.detail) from None
    left_s = 30 - now_s % 30
    answer({"bot": bot, "code": text, "valid_s": left_s}, text, as_json=as_json)
    click.echo(f"valid for {left_s} more seconds", err=True)
