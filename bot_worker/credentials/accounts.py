"""What a vault holds of an account: whether a worker can sign in with it, and what is made from it."""

from __future__ import annotations

import base64
import hashlib
import socket
from urllib.parse import urlsplit

import pyotp.contrib.steam

from bot_worker.credentials import fields
from bot_worker.vault import Account
from shared.errors import VaultError


def check_together(accounts: list[Account]) -> None:
    """One bot, one account: no bot and no Steam id may come twice.

    Raises:
        VaultError: one line per double.
    """
    wrong = []
    for what in ("bot", "steam_id", "account_name"):
        seen: set[str] = set()
        for account in accounts:
            value = getattr(account, what)
            if value in seen:
                wrong.append(f"{what} {value} comes twice")
            seen.add(value)
    if wrong:
        raise VaultError("\n".join(wrong))


def check_account(account: Account) -> None:
    """Whether a worker can sign in with what its vault holds: an entry may be older than the checks of the import.

    Raises:
        VaultError: it cannot; a line for each field that has to be imported anew.
    """
    read = fields.Fields(f"the vault's entry of {account.bot}")
    read.take("password", lambda: fields.password(account.password))
    read.take("steam_id", lambda: fields.steam_id(account.steam_id))
    read.take("shared_secret", lambda: fields.secret_text(account.shared_secret, "shared_secret"))
    read.take("identity_secret", lambda: fields.secret_text(account.identity_secret, "identity_secret"))
    read.take("proxy", lambda: fields.proxy(account.proxy))
    read.finish()


def guard_code(shared_secret: str, at_s: int) -> str:
    """The five signs that the authenticator shows at this unix time.

    Raises:
        VaultError: the secret is none of Steam's.
    """
    secret = base64.b32encode(fields.secret_bytes(shared_secret, "shared_secret")).decode()
    code: str = pyotp.contrib.steam.Steam(secret).at(at_s)
    return code


def default_device_id(steam_id: str) -> str:
    """The id that steampy and node-steam-totp make up for an authenticator of which none is known."""
    digest = hashlib.sha1(steam_id.encode(), usedforsecurity=False).hexdigest()
    return f"android:{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def egress_of(proxy: str) -> str:
    """A name for the address that Steam sees: the proxy's, without its password, else this host's."""
    if not proxy:
        return socket.gethostname()
    parts = urlsplit(proxy)
    return f"{parts.hostname}:{parts.port}"
