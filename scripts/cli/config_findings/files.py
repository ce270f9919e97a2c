"""Files that the settings name: there or not, open to others, one in the place of two."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url

from balancer.items.feeds import sources
from scripts.cli.config_facts import Facts, File
from scripts.cli.config_findings.finding import BALANCER, HOST, Findings, Part, error, warning
from shared.settings import Settings

MAKES = {
    "balancer.master_key_file": "make one with `fleet keys new`, or put your copy there",
    "balancer.prices_file": 'write names and cents into it: {"AK-47 | Redline (Field-Tested)": 1234}',
    "balancer.site_logo_file": 'put the site\'s logo there, or write ""',
    "group.vault_file": "the first `fleet bots import` makes it",
    "group.vault_key_file": "the first `fleet bots import` makes it; or give it by FLEET_VAULT_KEY or --vault-key-prompt",
}

SECRET = {"balancer.master_key_file", "group.vault_key_file", "group.vault_file", "database.url"}


def files_of(settings: Settings, parts: frozenset[Part]) -> dict[str, Path]:
    """The files that these settings name, by setting."""
    files: dict[str, Path] = {}
    if BALANCER in parts:
        files["balancer.master_key_file"] = settings.balancer.master_key_file
        if sources.FILE in settings.prices.sources:
            files["balancer.prices_file"] = settings.balancer.prices_file
        for name, feed in settings.prices.feeds.items():
            for key, path in (("file", feed.file), ("authorization_file", feed.authorization_file)):
                if path is not None:
                    files[f"prices.feeds.{name}.{key}"] = path
        if settings.balancer.site_logo_file:
            files["balancer.site_logo_file"] = Path(settings.balancer.site_logo_file)
        url = make_url(settings.database.url)
        if url.get_backend_name() == "sqlite" and url.database and ":memory:" not in url.database:
            files["database.url"] = Path(url.database)
    if HOST in parts:
        files["group.vault_file"] = settings.group.vault_file
        files["group.vault_key_file"] = settings.group.vault_key_file
        files["group.status_dir"] = settings.group.status_dir
    return files


def same_file(settings: Settings, parts: frozenset[Part]) -> Findings:
    seen: dict[Path, str] = {}
    for setting, path in files_of(settings, parts).items():
        if other := seen.get(path.absolute()):
            section, _, key = other.rpartition(".")
            yield error(setting, f"[{section}] {key} names {path} too", "give each a file of its own", other)
        seen.setdefault(path.absolute(), setting)


def around(settings: Settings, facts: Facts) -> Findings:
    for setting, file in facts.files.items():
        yield from _file(setting, file, facts)
    where = _where_a_password_is(settings)
    if where and facts.settings_file is not None and facts.settings_file.open_to_others:
        path = facts.settings_file.path
        yield error(where, f"{path} holds a password and may be read by others", f"chmod 600 {path}")
    for setting, trouble in facts.trouble.items():
        yield error(setting, trouble.what, trouble.do)
    for setting, remark in facts.remarks.items():
        yield warning(setting, remark.what, remark.do)


def _file(setting: str, file: File, facts: Facts) -> Findings:
    path, user = file.path, facts.user
    if not file.there:
        yield from _missing(setting, file, facts)
    elif file.folder is not (setting == "group.status_dir"):
        yield error(setting, f"{path} is {'a folder' if file.folder else 'no folder'}", "name another")
    elif not file.readable:
        yield error(setting, f"{user} may not read {path}", f"let {user} read it, and nobody else")
    elif not file.writable and setting == "database.url":
        yield error(setting, f"{user} may not write {path}", f"let {user} write the file and its folder")
    elif file.open_to_others and (setting in SECRET or setting.endswith(".authorization_file")):
        both = "*" if setting == "database.url" else ""  # with -wal and -shm
        yield error(setting, f"{path} may be read by others on this machine", f"chmod 600 {path}{both}")
    elif file.writable_by_others:
        yield error(setting, f"others on this machine may change {path}", f"chmod go-w {path}")
    if file.there and file.in_open_folder:
        yield error(
            setting, f"others on this machine may put something else in the place of {path}", f"chmod go-w {path.parent}"
        )


def _missing(setting: str, file: File, facts: Facts) -> Findings:
    if setting == "group.vault_key_file" and facts.key_elsewhere:
        return
    if setting in MAKES:
        yield error(setting, f"there is no {file.path}", MAKES[setting])
    elif setting.startswith("prices.feeds."):
        yield error(setting, f"there is no {file.path}", "put it there, on the machine of each balancer, or name another")
    elif not file.may_be_made:
        yield error(setting, f"{facts.user} cannot make {file.path}", f"make its folder, and let {facts.user} write in it")


def _where_a_password_is(settings: Settings) -> str | None:
    if urlsplit(settings.redis.url).password:
        return "redis.url"
    return "database.url" if make_url(settings.database.url).password else None
