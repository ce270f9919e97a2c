"""The secrets of this host's bots, encrypted at rest.

``vault_file`` holds one entry per bot: credentials and the two wire keys, each field sealed on its own with the bot's and the
field's name as associated data, so an entry that was changed or moved to another bot does not open; a seal over all of it tells
any other change. What the workers write (a refresh token, "trade protection acknowledged") lies in ``<vault_file>.d/<bot>``, a
file per bot: ten workers write at once and nobody waits. Every write is a new file put in place of the old one.

The key is typed at a prompt (`give_key`), or stands in the variable FLEET_VAULT_KEY, or in ``vault_key_file``. While a new key
is brought in (`bot_worker.rekey`), the vault holds the one before, sealed with the new one: sessions may still be under it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from shared import private_files
from shared.errors import VaultError
from shared.sealing import BotKeys, SealBroken, seal, unseal
from shared.sections import GroupSettings

KEY_VARIABLE = "FLEET_VAULT_KEY"
_KEYS_FIELD = "wire_keys"
_SESSION_FIELD = "session"
_VERSION = 2
PUT_BACK = "put vault and key back as they were saved together, or import the bots anew"
_given: str | None = None


def key_is_in_file() -> bool:
    """Whether the key is looked for in ``vault_key_file``."""
    return _given is None and KEY_VARIABLE not in os.environ


def give_key(text: str | None) -> None:
    """Use this key, typed by a person, in this process and those that it forks; it stands in no file and no variable.

    ``None`` forgets it.
    """
    global _given
    _given = text


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
        self.key = key

    def __repr__(self) -> str:
        return f"Vault({str(self.path)!r})"

    @classmethod
    def open(cls, settings: GroupSettings, *, create: bool = False) -> Vault:
        """The vault of this host. With ``create`` a missing key is made; the file itself appears with the first entry.

        Raises:
            VaultError: there is no key, others may read it, or it is not a key.
        """
        text = _given if _given is not None else os.environ.get(KEY_VARIABLE)
        if text is not None:
            return cls(settings.vault_file, parse_key(text, settings.vault_key_file))
        if create and not settings.vault_key_file.exists():
            if settings.vault_file.exists():
                advice = "put the key back; without it, move the vault away and import all bots anew"
                raise VaultError(f"{settings.vault_file} exists, but its key {settings.vault_key_file} is gone; {advice}")
            write_new_key(settings.vault_key_file)
        return cls(settings.vault_file, _key_in_file(settings))

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

    def steam_id(self, bot: str) -> str:
        """The account's id alone; empty if there is none.

        Raises:
            VaultError: it does not open.
        """
        sealed = self._entry(bot).get("steam_id")
        return "" if sealed is None else self._unseal(bot, "steam_id", sealed).decode()

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
        """Add or replace credentials; all of them or none. What else an entry holds stays.

        The session of another account is forgotten: its refresh token would sign that one in.
        """
        accounts = list(accounts)
        with self._writing() as entries:
            for account in accounts:
                entry = entries.setdefault(account.bot, {})
                if (
                    "steam_id" in entry
                    and self._unseal(account.bot, "steam_id", entry["steam_id"]).decode() != account.steam_id
                ):
                    self._session_file(account.bot).unlink(missing_ok=True)
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
            path = self._session_file(bot)
            raise VaultError(f"cannot read the saved session of {bot}; remove {path}, and it signs in anew") from error
        previous = self._load()[1]
        if previous is not None:
            with contextlib.suppress(VaultError):
                return SavedSession(**json.loads(Vault(self.path, previous)._unseal(bot, _SESSION_FIELD, sealed)))
        return SavedSession(**json.loads(self._unseal(bot, _SESSION_FIELD, sealed)))

    def save_session(self, bot: str, session: SavedSession) -> None:
        """Keep a session for the next start. Only the worker that holds the bot's lease calls this."""
        path = self._session_file(bot)
        private_files.make_folder(path.parent)
        private_files.replace(path, self._seal(bot, _SESSION_FIELD, json.dumps(asdict(session)).encode()))

    def bots_with_session(self) -> list[str]:
        """Bots of which a session is saved."""
        folder = self._session_file("any").parent
        return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []

    def previous_key(self) -> bytes | None:
        """The key before this one, as long as sessions may be under it."""
        return self._load()[1]

    def sealed_entries(self) -> dict[str, dict[str, str]]:
        """Everything in the file, by bot, as it stands there."""
        return self._read()

    def open_entry(self, bot: str) -> dict[str, bytes]:
        """Every field of one bot.

        Raises:
            VaultError: one does not open.
        """
        return {name: self._unseal(bot, name, sealed) for name, sealed in self._entry(bot).items()}

    def seal_entry(self, bot: str, opened: dict[str, bytes]) -> dict[str, str]:
        """The same under this key."""
        return {name: self._seal(bot, name, text) for name, text in opened.items()}

    def opens(self) -> bool:
        """Whether the vault opens with this key; one that is not there does."""
        try:
            self._load()
        except VaultError:
            return False
        return True

    def check(self) -> None:
        """Open everything.

        Raises:
            VaultError: something was changed, or the key is another vault's.
        """
        for bot in self.bots():
            if self.has_account(bot):
                self.account(bot)
            self.keys(bot)
        for bot in self.bots_with_session():
            self.session(bot)

    def _session_file(self, bot: str) -> Path:
        return self.path.with_name(self.path.name + ".d") / bot

    def _entry(self, bot: str) -> dict[str, str]:
        try:
            return self._read()[bot]
        except KeyError:
            raise VaultError(f"the vault {self.path} does not hold {bot}; import it with `fleet bots import`") from None

    def _read(self) -> dict[str, dict[str, str]]:
        return self._load()[0]

    def _load(self) -> tuple[dict[str, dict[str, str]], bytes | None]:
        """All entries, and the key before this one while there is a need for it."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}, None
        except (OSError, UnicodeDecodeError) as error:
            raise VaultError(
                f"cannot read the vault {self.path}; let the user of this program read it, and nobody else"
            ) from error
        try:
            data: Any = json.loads(text)
            entries: dict[str, dict[str, str]] = data["bots"]
            version, previous = data["version"], data.get("previous")
            if version not in (1, _VERSION) or not all(isinstance(entry, dict) for entry in entries.values()):
                raise ValueError("not a vault")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise VaultError(f"{self.path} is not a vault, or was changed; {PUT_BACK}") from error
        if version == _VERSION:  # the first version had no seal over all of it; it gets one with the next write
            self._check_whole(entries, previous, data.get("check"))
        return entries, None if previous is None else self._unseal("vault", "previous", previous)

    def _check_whole(self, entries: dict[str, dict[str, str]], previous: object, check: object) -> None:
        """Compare with what was written, field by field where it differs, so that the message says which."""
        with contextlib.suppress(VaultError):
            if self._unseal("vault", "check", str(check)) == _digest(entries, previous):
                return
        for bot, entry in entries.items():
            for name, sealed in entry.items():
                self._unseal(bot, name, str(sealed))
        raise VaultError(f"{self.path} was changed, or the key is another vault's; {PUT_BACK}")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[dict[str, dict[str, str]]]:
        """All entries, to be changed; written when the block ends well. One writer at a time on this host."""
        private_files.make_folder(self.path.parent)
        with self.path.with_name(self.path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries, previous = self._load()
            yield entries
            self.write(entries, previous)

    def write(self, entries: dict[str, dict[str, str]], previous: bytes | None) -> None:
        """Put a new file in the old one's place."""
        sealed = None if previous is None else self._seal("vault", "previous", previous)
        data: dict[str, Any] = {"version": _VERSION, "bots": entries}
        if sealed is not None:
            data["previous"] = sealed
        data["check"] = self._seal("vault", "check", _digest(entries, sealed))
        private_files.replace(self.path, json.dumps(data, indent=1) + "\n")

    def _seal(self, bot: str, name: str, text: bytes) -> str:
        return seal(self.key, text, purpose=f"vault:{bot}:{name}")

    def _unseal(self, bot: str, name: str, sealed: str) -> bytes:
        try:
            return unseal(self.key, sealed, purpose=f"vault:{bot}:{name}")
        except SealBroken as error:
            raise VaultError(f"{name} of {bot} in the vault was changed, or the key is another vault's; {PUT_BACK}") from error


def _digest(entries: dict[str, dict[str, str]], previous: object) -> bytes:
    return hashlib.sha256(json.dumps([entries, previous], sort_keys=True).encode()).digest()


def parse_key(text: str, path: Path) -> bytes:
    """The 32 bytes of a key.

    Raises:
        VaultError: it is not one; the text is not repeated.
    """
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        places = f"typed, variable {KEY_VARIABLE}, or {path}"
        raise VaultError(f"the vault key ({places}) is not 64 hex digits; give the one that was made with the vault")
    return key


def new_key_file(settings: GroupSettings) -> Path:
    """Where a new key lies until the vault is under it."""
    return settings.vault_key_file.with_name(settings.vault_key_file.name + ".new")


def _key_in_file(settings: GroupSettings) -> bytes:
    """The key of the file; or the new one beside it, if the vault was put under that and the change of keys ended there."""
    path, new = settings.vault_key_file, new_key_file(settings)
    text = _read_key(path)
    if not new.exists():
        return parse_key(text, path)
    key = parse_key(text, path)
    if Vault(settings.vault_file, key).opens():
        return key
    new_key = parse_key(_read_key(new), new)
    if not Vault(settings.vault_file, new_key).opens():
        return key
    new.replace(path)
    return new_key


def write_new_key(path: Path) -> bytes:
    """Make a key in a new file, safe against a power cut when this returns.

    Raises:
        FileExistsError: there is one.
    """
    private_files.make_folder(path.parent)
    key = secrets.token_bytes(32)
    private_files.create(path, key.hex() + "\n")
    return key


def _read_key(path: Path) -> str:
    try:
        open_to_others = private_files.open_to_others(path)
        text = path.read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise VaultError(f"there is no vault key {path.absolute()}; the first `fleet bots import` makes one") from error
    except (OSError, UnicodeDecodeError) as error:
        advice = "let the user of this program read it, and nobody else"
        raise VaultError(f"cannot read the vault key {path} ({type(error).__name__}); {advice}") from error
    if open_to_others:
        raise VaultError(f"the vault key {path} may be read by others; `chmod 600` it")
    return text
