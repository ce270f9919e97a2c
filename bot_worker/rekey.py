"""A new key for the vault. Whenever it is cut short, the vault opens with the old key or with the new one, whole.

1. the new key is written to a file of its own;
2. one file is put in the place of another: every entry under the new key, the old key sealed with it. From here on the new
   key is the vault's;
3. the new key's file takes the old one's place (`Vault.open` does so too, if it finds the vault under the new key);
4. saved sessions are put under the new key, one by one, and
5. the old key is taken out of the vault.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from bot_worker.vault import Vault, new_key_file, write_new_key
from shared.errors import VaultError
from shared.sections import GroupSettings


def rekey(settings: GroupSettings, out: Path | None = None) -> list[str]:
    """Give the vault a new key, in the place of ``vault_key_file``, or in the new file ``out`` for one that is kept elsewhere.
    No worker of this host may run. Returns the bots' names.

    Raises:
        VaultError: there is no vault, or something in it does not open; nothing was changed.
        FileExistsError: ``out`` is there.
    """
    vault = Vault.open(settings)
    with _alone(settings):
        vault.check()
        entries = vault.sealed_entries()
        if not entries:
            raise VaultError(f"there is no vault {settings.vault_file}; the first `fleet bots import` makes one")
        _finish(vault)
        place = out or new_key_file(settings)
        if out is None:
            place.unlink(missing_ok=True)  # of a change that was cut short before its second step
        key = write_new_key(place)
        renewed = Vault(settings.vault_file, key)
        renewed.write({bot: renewed.seal_entry(bot, vault.open_entry(bot)) for bot in entries}, previous=vault.key)
        if out is None:
            place.replace(settings.vault_key_file)
        _finish(renewed)
    return sorted(entries)


def _finish(vault: Vault) -> None:
    """Steps 4 and 5, also those of a change that was cut short."""
    if vault.previous_key() is None:
        return
    for bot in vault.bots_with_session():
        vault.save_session(bot, vault.session(bot))
    vault.write(vault.sealed_entries(), previous=None)


@contextlib.contextmanager
def _alone(settings: GroupSettings) -> Iterator[None]:
    """No other writer meanwhile."""
    path = settings.vault_file.with_name(settings.vault_file.name + ".lock")
    if not path.parent.is_dir():
        raise VaultError(f"there is no vault {settings.vault_file}; the first `fleet bots import` makes one")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
