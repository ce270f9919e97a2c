"""The two numbers a mobile authenticator makes: sign-in codes and confirmation keys."""

import base64
import hashlib
import hmac
import struct

ALPHABET = "23456789BCDFGHJKMNPQRTVWXY"
STEP_S = 30


def code(shared_secret: str, step: int) -> str:
    """The five-sign code of one 30 s step, `step` being unix seconds // 30 (steampy 1.2.0: `guard.py`)."""
    digest = hmac.new(base64.b64decode(shared_secret), struct.pack(">Q", step), hashlib.sha1).digest()
    start = digest[19] & 0xF
    value = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    signs = []
    for _ in range(5):
        value, index = divmod(value, len(ALPHABET))
        signs.append(ALPHABET[index])
    return "".join(signs)


def confirmation_key(identity_secret: str, unix: int, tag: str) -> str:
    """The base64 key for one time and one tag; nothing else of the request is signed."""
    text = struct.pack(">Q", unix) + tag.encode()[:32]
    return base64.b64encode(hmac.new(base64.b64decode(identity_secret), text, hashlib.sha1).digest()).decode()


def device_id(steam_id: int) -> str:
    """The id that steampy and node-steam-totp derive from a SteamID64."""
    digest = hashlib.sha1(str(steam_id).encode()).hexdigest()  # noqa: S324 - Steam's own derivation
    return "android:" + "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
