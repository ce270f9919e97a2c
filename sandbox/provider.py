"""What an OpenID 2.0 provider remembers: its own origin, its secret, and the answers that may still be checked once."""

import secrets
from dataclasses import dataclass, field


@dataclass(slots=True)
class Provider:
    """`base` is its own origin, such as https://steamcommunity.com; `fresh` maps nonces to real times in seconds."""

    base: str
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    fresh: dict[str, float] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"{self.base}/openid/login"
