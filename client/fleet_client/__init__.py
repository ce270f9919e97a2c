"""A typed client of the trade fleet's HTTP API; README.md begins with ten lines.

`Client` and `AsyncClient` are looked up when they are asked for, so that whoever wants `fleet_client.openid` alone needs, and
loads, nothing but the standard library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fleet_client.asking import Patience
    from fleet_client.drivers import AsyncClient, Client

__version__ = "0.1.0"
__all__ = ["AsyncClient", "Client", "Patience"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fleet_client import asking, drivers

    return getattr(asking if name == "Patience" else drivers, name)
