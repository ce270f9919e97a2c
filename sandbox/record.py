"""What was asked of the sandbox, without anything that would let a reader sign in."""

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

RECENT_MAX = 2000


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: `status` is a number, or what became of an answer that never arrived whole."""

    method: str
    host: str
    path: str
    route: str
    status: int | str
    time: float
    faults: list[str]


class Requests:
    """The last requests and exact counts per account and route; queries, cookies and bodies are never kept."""

    def __init__(self) -> None:
        self.recent: deque[dict[str, Any]] = deque(maxlen=RECENT_MAX)
        self.counts: Counter[str] = Counter()
        self.by_account: dict[int, Counter[str]] = {}

    def note(self, seen: Seen, steam_id: int | None) -> None:
        self.counts[seen.route] += 1
        if steam_id is not None:
            self.by_account.setdefault(steam_id, Counter())[seen.route] += 1
        self.recent.append({**asdict(seen), "account": None if steam_id is None else str(steam_id)})

    def reset(self) -> None:
        self.recent.clear()
        self.counts.clear()
        self.by_account.clear()
