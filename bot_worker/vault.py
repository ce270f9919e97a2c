"""The secrets of this host's bots, encrypted at rest.

``vault_file`` holds one entry per bot: credentials and the two wire keys, each field sealed on its own with the bot's and the
field's name as associated data, so an entry that was changed or moved to another bot does not open. What the workers write (a
refresh token, "trade protection acknowledged") lies in ``<vault_file>.d/<bot>``, a file per bot: ten workers write at once and
nobody waits. Every write is a new file put in place of the old one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from shared.errors import VaultError
from shared.sealing import BotKeys, SealBroken, seal, unseal
from shared.settings import GroupSettings

KEY_VARIABLE = "FLEET_VAULT_KEY"
_KEYS_FIELD = "wire_keys"
_SESSION_FIELD = "session"


@dataclass(frozen=True, slots=True)
class Account:
    """What it takes to sign one bot in. The secrets are base64, as maFiles hold them.

    ``proxy`` is the address (``http://user:password@host:port``) through which this bot reaches Steam; empty: directly.
    """

    bot: str
    account_name: str
    password: str = field(repr=False)
    steam_id: str
    shared_secret: str = field(repr=False)
    identity_secret: str = field(repr=False)
    device_id: str
    proxy: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SavedSession:
    """What outlives a worker: the refresh token, and whether the account has acknowledged trade protection."""

    refresh_token: str | None = field(default=None, repr=False)
    acknowledged: bool = False


class Vault:
    """Reads and writes the entries of one host."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._key = key

    def __repr__(self) -> str:
        return f"Vault({str(self.path)!r})"

    @classmethod
    def open(cls, settings: GroupSettings, *, create: bool = False) -> Vault:
        """The vault of this host. With ``create`` a missing key is made; the file itself appears with the first entry.

        Raises:
            VaultError: there is no key, others may read it, or it is not a key.
        """
        text = os.environ.get(KEY_VARIABLE)
        if text is None:
            if create and not settings.vault_key_file.exists():
                if settings.vault_file.exists():
                    raise VaultError(f"{settings.vault_file} exists, but its key {settings.vault_key_file} is gone")
                _write_new_key(settings.vault_key_file)
            text = _read_key(settings.vault_key_file)
        try:
            key = bytes.fromhex(text.strip())
        except ValueError:
            key = b""
        if len(key) != 32:
            raise VaultError(f"the vault key (variable {KEY_VARIABLE} or {settings.vault_key_file}) is not 64 hex digits")
        return cls(settings.vault_file, key)

    def bots(self) -> list[str]:
        """Names of all bots with credentials or keys, in no order."""
        return list(self._read())

    def account(self, bot: str) -> Account:
        """Credentials of one bot.

        Raises:
            VaultError: it is not in the vault, or its entry does not open.
        """
        entry = self._entry(bot)
        needed = {each.name for each in fields(Account) if each.name not in ("bot", "proxy")}
        if not needed <= entry.keys():
            raise VaultError(f"the vault has no credentials of {bot}; import them with `fleet bots import`")
        names = needed | ({"proxy"} & entry.keys())
        return Account(bot, **{name: self._unseal(bot, name, entry[name]).decode() for name in names})

    def has_account(self, bot: str) -> bool:
        return "password" in self._read().get(bot, {})

    def has_keys(self, bot: str) -> bool:
        return _KEYS_FIELD in self._read().get(bot, {})

    def keys(self, bot: str) -> BotKeys | None:
        """The wire keys of one bot, if `fleet bots keys` has put them here.

        Raises:
            VaultError: the entry does not open.
        """
        entry = self._read().get(bot, {})
        if _KEYS_FIELD not in entry:
            return None
        return BotKeys.from_json(json.loads(self._unseal(bot, _KEYS_FIELD, entry[_KEYS_FIELD])))

    def put(self, accounts: Iterable[Account]) -> None:
        """Add or replace credentials; all of them or none. What else an entry holds stays."""
        with self._writing() as entries:
            for account in accounts:
                entry = entries.setdefault(account.bot, {})
                for name, value in asdict(account).items():
                    if name != "bot":
                        entry[name] = self._seal(account.bot, name, value.encode())

    def put_keys(self, keys: Iterable[BotKeys]) -> None:
        """Add or replace wire keys; all of them or none."""
        with self._writing() as entries:
            for each in keys:
                sealed = self._seal(each.bot, _KEYS_FIELD, json.dumps(each.to_json()).encode())
                entries.setdefault(each.bot, {})[_KEYS_FIELD] = sealed

    def session(self, bot: str) -> SavedSession:
        """What was saved of a bot's Steam session; an empty one if nothing was.

        Raises:
            VaultError: it was changed.
        """
        try:
            sealed = self._session_file(bot).read_text(encoding="ascii")
        except FileNotFoundError:
            return SavedSession()
        except (OSError, UnicodeDecodeError) as error:
            raise VaultError(f"cannot read the saved session of {bot}") from error
        return SavedSession(**json.loads(self._unseal(bot, _SESSION_FIELD, sealed)))

    def save_session(self, bot: str, session: SavedSession) -> None:
        """Keep a session for the next start. Only the worker that holds the bot's lease calls this."""
        path = self._session_file(bot)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, self._seal(bot, _SESSION_FIELD, json.dumps(asdict(session)).encode()))

    def _session_file(self, bot: str) -> Path:
        return self.path.with_name(self.path.name + ".d") / bot

    def _entry(self, bot: str) -> dict[str, str]:
        try:
            return self._read()[bot]
        except KeyError:
            raise VaultError(f"the vault {self.path} does not hold {bot}") from None

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise VaultError(f"cannot read the vault {self.path}") from error
        try:
            data: Any = json.loads(text)
            entries: dict[str, dict[str, str]] = data["bots"]
        except (ValueError, KeyError, TypeError) as error:
            raise VaultError(f"{self.path} is not a vault, or was changed") from error
        return entries

    @contextlib.contextmanager
    def _writing(self) -> Iterator[dict[str, dict[str, str]]]:
        """All entries, to be changed; written when the block ends well. One writer at a time on this host."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.with_name(self.path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = self._read()
            yield entries
            replace_file(self.path, json.dumps({"version": 1, "bots": entries}, indent=1) + "\n")

    def _seal(self, bot: str, name: str, text: bytes) -> str:
        return seal(self._key, text, purpose=f"vault:{bot}:{name}")

    def _unseal(self, bot: str, name: str, sealed: str) -> bytes:
        try:
            return unseal(self._key, sealed, purpose=f"vault:{bot}:{name}")
        except SealBroken as error:
            raise VaultError(f"{name} of {bot} in the vault was changed, or the key is another vault's") from error


def _write_new_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32) + "\n")


def _read_key(path: Path) -> str:
    try:
        mode = path.stat().st_mode & 0o077
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise VaultError(f"cannot read the vault key {path}; the first `fleet bots import` makes one") from error
    if mode:
        raise VaultError(f"the vault key {path} may be read by others; `chmod 600` it")
    return text


def replace_file(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file so that a reader, or a crash, meets the old text or the new one, never a half."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
