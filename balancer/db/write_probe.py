"""Can the database still be written? On a full disk reads still work.

A row is written every few seconds, and `/readyz` shows whether the last try succeeded; the request itself changes nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from balancer.db import pipeline, tables
from balancer.db.engine import Database
from shared import log
from shared.clock import Clock
from shared.errors import DatabaseUnavailable

EVERY_S = 5.0
# As much as a deposit of some items; bytes that no database can make smaller.
SIZE = 16 * 1024
# A try that is older says nothing any more.
STALE_S = 60.0
ROW = "disk"

_log = log.get(__name__)


@dataclass
class WriteProbe:
    """How the last try of this process went."""

    clock: Clock
    failed: DatabaseUnavailable | None = None
    tried_at: float | None = None

    async def round(self, db: Database) -> None:
        """Try once."""
        try:
            await db.run(_write, self.clock.now(), secrets.token_bytes(SIZE))
        except DatabaseUnavailable as error:
            if self.failed is None:
                _log.error("the database takes no writes", action="probe", reason=error.reason)
            self.failed = error
        else:
            if self.failed is not None:
                _log.warning("the database takes writes again", action="probe")
            self.failed = None
        self.tried_at = self.clock.monotonic()

    def standing(self) -> dict[str, Any]:
        """As in `/readyz`; before the first try it is believed to work."""
        if self.failed is not None:
            return {"ok": False, "error": type(self.failed).__name__, "reason": self.failed.reason}
        if self.tried_at is not None and self.clock.monotonic() - self.tried_at > STALE_S:
            return {"ok": False, "error": "not written lately", "reason": None}
        return {"ok": True}


def _write(connection: Connection, now: datetime, filler: bytes) -> None:
    probes = tables.probes
    new = pipeline.insert(connection, probes).values(name=ROW, written_at=now, filler=filler)
    connection.execute(new.on_conflict_do_update(index_elements=["name"], set_={"written_at": now, "filler": filler}))
