"""What an error means to a person at a command line, and what to do about it: an exception in, two lines out.

The API words the same errors for a website, which can only ask again. Here somebody can create the role, free the disk or mend
the address. PostgreSQL's library gives no code for a connection that was never made, only the server's sentence; so that is
looked at for a hint, and a sentence that is not known (or not English) still gets the general one.
"""

from __future__ import annotations

import errno
import os
import pwd
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import urlsplit

import redis
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.errors import DatabaseUnavailable, FleetError
from shared.log import redact_text

if TYPE_CHECKING:
    from shared.settings import Settings

WHAT_TO_DO = "\n  What to do: "

_DATABASE = (
    (r'role "([^"]*)" does not exist', "create that user (`createuser --pwprompt NAME`), or name another in [database] url"),
    (r'database "([^"]*)" does not exist', "create it (`createdb --owner USER NAME`), or name another in [database] url"),
    (r"password authentication failed|no password supplied", "put the right user and password into [database] url"),
    (r"no pg_hba\.conf entry", "allow this machine, user and database by a line in the server's pg_hba.conf, and reload it"),
    (r"SSL|TLS|certificate", "set sslmode and sslrootcert in [database] url as the server needs them"),
    (
        r"resolve|translate host name|Name or service not known",
        "check the host in [database] url: this name cannot be resolved",
    ),
    (r"[Cc]onnection refused|No such file or directory", "start PostgreSQL, or correct host and port in [database] url"),
    (r"timeout expired|timed out", "nobody answered: check host and port in [database] url and the firewalls between"),
    (r"too many clients|connection slots", "lower [database] units_of_work_max, or raise the server's max_connections"),
    (r"starting up|shutting down|in recovery", "wait until the server is up, then run this again"),
    (r"read-only", "name the primary in [database] url: the server that answers there is a standby"),
    (r"permission denied", "let the user of [database] url own the database (`ALTER DATABASE … OWNER TO …`)"),
    (
        r"no such table|relation .* does not exist",
        "name the fleet's database in [database] url; a balancer makes the tables when it starts",
    ),
    (r"[Nn]o space left|[Dd]isk ?[Ff]ull", "give the database's disk space, then run this again; nothing is half done"),
)
_SQLITE = {
    sqlite3.SQLITE_FULL: "free space on the disk of that file, then run this again; nothing is half done",
    sqlite3.SQLITE_IOERR: "look at the disk of that file (space, quota, its health), then run this again; nothing is half done",
    sqlite3.SQLITE_CANTOPEN: "make it a file that {user} may write, in a folder that {user} may write; "
    "a relative path starts at the folder in which the command is typed",
    sqlite3.SQLITE_READONLY: "let {user} write the file and its folder, or run this as the user of the balancer",
    sqlite3.SQLITE_PERM: "let {user} write the file and its folder, or run this as the user of the balancer",
    sqlite3.SQLITE_BUSY: "wait until the program that is writing has ended, then run this again; nothing is half done",
    sqlite3.SQLITE_LOCKED: "wait until the program that is writing has ended, then run this again; nothing is half done",
    sqlite3.SQLITE_NOTADB: "name the right file in [database] url, or put a backup back (`fleet restore FILE`)",
    sqlite3.SQLITE_CORRUPT: "stop all balancers and put a backup back (`fleet restore FILE`)",
}
_REDIS = (
    (
        r"WRONGPASS|invalid username-password|NOAUTH|[Aa]uthentication required|without any password",
        "put the right user and password into [redis] url (`redis://USER:PASSWORD@HOST:6379/0`)",
    ),
    (r"NOPERM|no permissions", "write the access list again (`fleet redis acl`) and `ACL LOAD` it: this user may not do that"),
    (r"SSL|TLS|certificate", "write rediss:// for a Redis with TLS, redis:// for one without, in [redis] url"),
    (r"MISCONF|OOM|[Nn]o space left", "give Redis space (its log says whether disk or memory is full); no trade is lost"),
    (r"LOADING|MASTERDOWN", "wait until Redis has loaded its data, then run this again"),
    (r"READONLY|ReadOnly", "name the primary in [redis] url: the server that answers there is a replica"),
    (r"Name or service not known|name resolution|No address", "check the host in [redis] url: this name cannot be resolved"),
    (
        r"[Tt]ime",
        "nobody answered: check host, port and scheme in [redis] url (rediss:// is for one with TLS), and firewalls between",
    ),
    (r"refused|No such file|closed", "start Redis, or correct the address in [redis] url"),
)
_FILES = {
    errno.EACCES: "let {user} read and write it, or run this as the user who owns it",
    errno.EPERM: "let {user} read and write it, or run this as the user who owns it",
    errno.ENOENT: "check the path; a relative one starts at the folder in which the command is typed",
    errno.ENOTDIR: "check the path: one of the names in it is a file, not a folder",
    errno.EISDIR: "check the path: it is a folder, but it must be a file",
    errno.EEXIST: "name another file; no file is overwritten",
    errno.ENOSPC: "free space on that disk, then run this again; nothing is half done",
    errno.EDQUOT: "free space in this user's quota, then run this again; nothing is half done",
    errno.EFBIG: "raise the size limit for files (`ulimit -f`), then run this again; nothing is half done",
    errno.EROFS: "name a place on a disk that can be written",
    errno.EMFILE: "raise the limit for open files (`ulimit -n`; LimitNOFILE= in a unit)",
    errno.ENAMETOOLONG: "name a shorter path",
    errno.ECONNREFUSED: "start the program that should answer there, or correct the address",
}


def of(error: BaseException, settings: Settings | None = None) -> str | None:
    """What happened, and below it what to do. ``None``: not one of the errors that a person can mend.

    ``settings`` are those that the command ran with; they tell where the database or Redis was looked for.
    """
    if isinstance(error, DatabaseUnavailable) and isinstance(error.__cause__, SQLAlchemyError):
        error = error.__cause__
    if isinstance(error, FleetError):
        return error.detail
    if isinstance(error, SQLAlchemyError | sqlite3.Error):
        return database(error, settings)
    if isinstance(error, redis.RedisError):
        return broken_redis(error, settings)
    if isinstance(error, UnicodeEncodeError):
        return _two("what was given is not text in UTF-8", "type it again, in a terminal that is set to UTF-8")
    if isinstance(error, URLError):
        return _two(
            f"nobody answers there: {getattr(error.reason, 'strerror', None) or error}", "start it, or correct the address"
        )
    if isinstance(error, OSError) and error.errno is not None and error.errno != errno.EPIPE:
        return _file(error)
    return None


def database(error: SQLAlchemyError | sqlite3.Error, settings: Settings | None = None) -> str:
    """A database that could not be used."""
    where = f" ({place_of_database(settings.database.url)})" if settings else ""
    driver: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    said = _first_line(driver or error)
    return _two(f"the database cannot be used: {said}{where}", _do_about_database(driver or error, said))


def _do_about_database(driver: BaseException, said: str) -> str:
    if isinstance(driver, PoolTimeout):
        return "run this again when the balancers have less to do"
    if isinstance(driver, sqlite3.Error):
        known = _SQLITE.get(getattr(driver, "sqlite_errorcode", 0) & 0xFF)
        if known:
            return known.format(user=me())
    return _first_match(_DATABASE, said) or "look at [database] url and at the database's log; `fleet config check` tries it"


def broken_redis(error: redis.RedisError, settings: Settings | None = None) -> str:
    """A Redis that could not be used."""
    where = f" ({place_of_redis(settings.redis.url)})" if settings else ""
    said = _first_line(error)
    do = (
        _first_match(_REDIS, f"{type(error).__name__} {said}")
        or "look at [redis] url and at Redis' log; `fleet config check` tries it"
    )
    return _two(f"Redis cannot be used: {said}{where}", do)


def _file(error: OSError) -> str:
    what = error.strerror or str(error)
    if error.filename is not None:
        names = [str(Path(os.fsdecode(name)).absolute()) for name in (error.filename, error.filename2) if name is not None]
        what = f"{' → '.join(names)}: {what}"
    do = _FILES.get(error.errno or 0, "put that right, then run this again")
    return _two(what, do.format(user=me()))


def me() -> str:
    """The user that this process acts as."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def place_of_database(url: str) -> str:
    """Where a database lies, without its password."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return str(Path(parsed.database).absolute()) if parsed.database else "in memory"
    host = parsed.host or parsed.query.get("host") or "this machine"
    return f"{parsed.database or ''} at {host}:{parsed.port or 5432}".strip()


def place_of_redis(url: str) -> str:
    """Where a Redis listens, without its password."""
    parsed = urlsplit(url)
    if parsed.scheme == "unix":
        return f"at {parsed.path}"
    return f"at {parsed.hostname or 'localhost'}:{parsed.port or 6379}"


def _first_match(table: tuple[tuple[str, str], ...], said: str) -> str | None:
    for pattern, do in table:
        if match := re.search(pattern, said):
            return do.replace("NAME", match[1]) if match.groups() and match[1] else do
    return None


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return redact_text(lines[0]) if lines else type(error).__name__


def _two(what: str, do: str) -> str:
    return f"{what}{WHAT_TO_DO}{do}."
