"""What was asked of the sandbox, without anything that would let a reader sign in."""

from collections import Counter, deque
from typing import Any

from sandbox.steam_api.messages import Answer, Call

RECENT_MAX = 2000


class Requests:
    """The last requests and exact counts per account and route; queries, cookies and bodies are never kept."""

    def __init__(self) -> None:
        self.recent: deque[dict[str, Any]] = deque(maxlen=RECENT_MAX)
        self.counts: Counter[str] = Counter()
        self.by_account: dict[int, Counter[str]] = {}

    def note(self, call: Call, answer: Answer) -> None:
        steam_id = call.known_as.steam_id if call.known_as else None
        self.counts[call.route] += 1
        if steam_id is not None:
            self.by_account.setdefault(steam_id, Counter())[call.route] += 1
        self.recent.append(
            {
                "method": call.method,
                "host": call.host,
                "path": call.path,
                "route": call.route,
                "account": str(steam_id) if steam_id is not None else None,
                "status": answer.trouble or answer.status,
                "time": call.now,
                "faults": call.struck,
            }
        )

    def reset(self) -> None:
        self.recent.clear()
        self.counts.clear()
        self.by_account.clear()
