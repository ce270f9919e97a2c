"""`fleet redis`: who may do what in a Redis of your own."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.cli.asking import JSON, answer
from scripts.cli.fleet import App

if TYPE_CHECKING:
    from scripts.cli import redis_acl

cli = click.Group("redis", help="Make an access list for a Redis of your own.")

ADDRESS = re.compile(r"[A-Za-z0-9_.:*\[\]-]{1,255}")
PASSWORD = ".password"  # noqa: S105 - a file's suffix


@cli.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--group", "groups", multiple=True, metavar="COLOR:NUMBER", help="A group of bots whose host gets a user; repeat it."
)
@click.option("--site", is_flag=True, help="A user for the website too, which reaches nothing of the fleet.")
@click.option(
    "--egress", multiple=True, help="An address whose spacing of calls hosts share: a host's name, proxy:port. Else all."
)
@click.option("--for", "version", metavar="VERSION", help="Version of the Redis or Valkey that reads the list, as in 7.0.")
@JSON
@click.pass_obj
def acl(
    app: App, folder: Path, groups: tuple[str, ...], site: bool, egress: tuple[str, ...], version: str | None, as_json: bool
) -> None:
    """Write FOLDER/users.acl for Redis, and a password file beside it for the operator, the balancers and each host.

    Users that already have a password file are kept; to change a password, delete its file and run this again. No password is
    shown. The list has only rules that your Redis knows: the one of [redis] url if it answers, else the one that is installed
    here; without either, rules that every server from Redis 7.0 on knows.

    \b
    fleet redis acl /etc/fleet/redis --group red:1 --group red:2
    """
    from scripts.cli import redis_acl
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
    reader, whose = _version_at_hand(app) if version is None else (_parse(version), "the one that was named")
    if reader < redis_acl.OLDEST:
        raise click.ClickException(
            f"Redis {_dotted(reader)} ({whose}) has no selectors, which this list needs; use Redis 7.0 or newer, or Valkey"
        )
    private_files.make_folder(folder)
    kept = [path.name.removesuffix(PASSWORD) for path in sorted(folder.glob(f"host-*{PASSWORD}"))]
    sites = [redis_acl.SITE] * (site or (folder / f"{redis_acl.SITE}{PASSWORD}").exists())
    users = [
        redis_acl.OPERATOR,
        redis_acl.BALANCER,
        *sites,
        *sorted({*kept, *(redis_acl.host_user(group) for group in groups)}),
    ]
    hashes = {user: redis_acl.hash_of(_password(folder / f"{user}{PASSWORD}")) for user in users}
    private_files.replace(folder / "users.acl", "\n".join(redis_acl.lines(hashes, egress or ("*",), reader)) + "\n")
    lines = [
        f"for Redis {_dotted(reader)} and newer ({whose}); --for names another version",
        f"{folder / 'users.acl'}: name it as `aclfile` in redis.conf, or `ACL LOAD` if it is named there",
        *(f"{user}: password in {folder / f'{user}{PASSWORD}'}" for user in users),
        'each part gets its own user: [redis] url = "redis://USER:PASSWORD@HOST:6379/0"',
    ]
    told = {"file": str(folder / "users.acl"), "users": users, "version": _dotted(reader)}
    answer(told, "\n".join(lines), as_json=as_json)


def _version_at_hand(app: App) -> tuple[redis_acl.Version, str]:
    """The version of the Redis that will probably read the list, and how it was found."""
    from redis import RedisError

    from scripts.cli import redis_acl
    from scripts.lab.redis_server import redis_version
    from scripts.lab.servers import EmbeddedError
    from shared import wire

    settings = app.settings().redis
    try:
        with wire.connect(settings.url, timeout_s=settings.timeout_s) as client:
            said: Any = client.execute_command("HELLO")  # which every user may say
        return _parse(said[b"version"].decode()), "the one of [redis] url"
    except (RedisError, KeyError):
        pass  # it is not there yet, or lets nobody in whom the settings know
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            with contextlib.suppress(EmbeddedError):
                return redis_version(Path(found))[1], found
    return redis_acl.OLDEST, "there is none to ask"


def _parse(version: str) -> redis_acl.Version:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)*", version):
        raise click.UsageError(f"{version} is not a version; write it as in 7.0")
    return tuple(int(part) for part in version.split("."))


def _dotted(version: redis_acl.Version) -> str:
    return ".".join(map(str, version))


def _password(path: Path) -> str:
    """The password in this file; a new one if there is none."""
    from shared import private_files

    if not path.exists():
        private_files.replace(path, secrets.token_urlsafe(32) + "\n")
    return path.read_text(encoding="ascii").strip()
