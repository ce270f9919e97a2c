"""Whether a request has left this machine: the connections themselves say so; it is not guessed from the error.

A name that is not found, a proxy that is away or refuses, a certificate that does not fit: nothing was asked of Steam then, and
nothing can have been done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


def pool_classes(leaves: Callable[[], None]) -> dict[str, type[HTTPConnectionPool]]:
    """Connection pools by scheme; ``leaves`` is called right before the first byte of each request is written.

    What a connection writes to be opened (to a proxy, for TLS) is no request.
    """

    class Marking:
        _opening = False
        sock: Any = None

        def connect(self) -> None:
            self._opening = True
            try:
                super().connect()  # type: ignore[misc]
            finally:
                self._opening = False

        def send(self, data: Any) -> None:
            if self._opening:
                super().send(data)  # type: ignore[misc]
                return
            if self.sock is None:
                self.connect()
            leaves()
            super().send(data)  # type: ignore[misc]

    class Plain(Marking, HTTPConnection):
        """Over TCP."""

    class Secure(Marking, HTTPSConnection):
        """Over TLS."""

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
