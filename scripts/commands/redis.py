"""`fleet redis`: who may do what in a Redis of your own."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import click

cli = click.Group("redis", help="Who may do what in a Redis of your own.")

ADDRESS = re.compile(r"[A-Za-z0-9_.:*\[\]-]{1,255}")
PASSWORD = ".password"  # noqa: S105 - a file's suffix


@cli.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--group", "groups", multiple=True, metavar="COLOR:NUMBER", help="A group of bots whose host gets a user; repeat it."
)
@click.option(
    "--egress", multiple=True, help="An address whose spacing of calls hosts share: a host's name, proxy:port. Else all."
)
def acl(folder: Path, groups: tuple[str, ...], egress: tuple[str, ...]) -> None:
    """Write FOLDER/users.acl for Redis, and a password file beside it for the operator, the balancers and each host.

    Users that have a password file there already are kept; delete one and run this again for a new one. No password is shown.
    """
    from scripts import redis_acl
    from shared import private_files
    from shared.domain.ids import parse_color

    for group in groups:
        color, _, number = group.partition(":")
        if not re.fullmatch(r"[1-9][0-9]{0,4}", number):
            raise click.UsageError(f"{group} is not a group; write it as in red:1")
        try:
            parse_color(color)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    for address in egress:
        if not ADDRESS.fullmatch(address):
            raise click.UsageError(f"{address!r} is not an address; write it as in bots-1.example or 192.0.2.7:3128")
    private_files.make_folder(folder)
    kept = [path.name.removesuffix(PASSWORD) for path in sorted(folder.glob(f"host-*{PASSWORD}"))]
    users = [redis_acl.OPERATOR, redis_acl.BALANCER, *sorted({*kept, *(redis_acl.host_user(group) for group in groups)})]
    hashes = {user: redis_acl.hash_of(_password(folder / f"{user}{PASSWORD}")) for user in users}
    private_files.replace(folder / "users.acl", "\n".join(redis_acl.lines(hashes, egress or ("*",))) + "\n")
    click.echo(f"{folder / 'users.acl'}: name it as `aclfile` in redis.conf, or `ACL LOAD` if it is named there")
    for user in users:
        click.echo(f"{user}: password in {folder / f'{user}{PASSWORD}'}")
    click.echo('each part gets its own user: [redis] url = "redis://USER:PASSWORD@HOST:6379/0"')


def _password(path: Path) -> str:
    """The password in this file; a new one if there is none."""
    from shared import private_files

    if not path.exists():
        private_files.replace(path, secrets.token_urlsafe(32) + "\n")
    return path.read_text(encoding="ascii").strip()
