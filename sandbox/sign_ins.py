"""Sign-ins under way, and what must be remembered of those that are over. The real clock's seconds."""

import functools
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.tokens import Claims
from sandbox.world.accounts import Account


@functools.cache
def password_key() -> rsa.RSAPrivateKey:
    """One key pair per process; making one takes a noticeable moment."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class AuthSession:
    """A sign-in under way, times by the real clock."""

    client_id: int
    request_id: str
    account: Account
    platform: str
    begun: float
    confirmed: bool = False
    given: float | None = None
    """When its tokens were handed out."""


@dataclass
class Desk:
    """What sign-in must remember: keys handed out, sessions under way, codes used, failures, transfers."""

    key_times: dict[str, float] = field(default_factory=dict)
    sessions: dict[int, AuthSession] = field(default_factory=dict)
    used_steps: dict[int, set[int]] = field(default_factory=dict)
    failures: dict[str, list[float]] = field(default_factory=dict)
    transfers: dict[str, tuple[str, str, Claims]] = field(default_factory=dict)
    """Nonce -> auth, host, claims of the refresh token; each is good for one use."""
