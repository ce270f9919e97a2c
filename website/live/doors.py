"""How many sockets one person and one address may hold open in a process (W31), and how much may be said on one."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


class FullError(Exception):
    """Nobody more of this person or address; come back after `retry_s`."""

    retry_s = 10


@dataclass
class Doors:
    """Counts who is in. A socket counts until it is really closed, so who does not read cannot open ever more."""

    per_user: int
    per_address: int
    _inside: Counter[tuple[str, object]] = field(default_factory=Counter)

    @contextlib.contextmanager
    def entered(self, address: str, user_id: int | None) -> Iterator[None]:
        """Inside while the block runs. Raises FullError."""
        keys: list[tuple[tuple[str, object], int]] = [(("address", address), self.per_address)]
        if user_id is not None:
            keys.append((("user", user_id), self.per_user))
        if any(self._inside[key] >= most for key, most in keys):
            raise FullError
        self._inside.update(key for key, _ in keys)
        try:
            yield
        finally:
            for key, _ in keys:
                self._inside[key] -= 1
                if not self._inside[key]:
                    del self._inside[key]


@dataclass
class Pace:
    """Lets through so many at once and so many a second in the long run."""

    at_once: int = 64
    per_s: float = 20.0
    _free_at: float = 0.0

    def allows(self, now_s: float) -> bool:
        start = max(self._free_at, now_s - self.at_once / self.per_s)
        if start > now_s:
            return False
        self._free_at = start + 1 / self.per_s
        return True
