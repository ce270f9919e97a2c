"""How long requests took, by route and status. A path may hold a token, so a route is told by its pattern."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry, Histogram

UNKNOWN = "(unknown)"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0)


class Requests:
    """Written down by every answer, so it costs a look into a dictionary and little more."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "fleet_http_request_duration_seconds",
            "Time from a request's head to the end of its answer, with the waits that a caller asked for (?wait=)",
            ("route", "status"),
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._known: dict[tuple[str, str, int], Histogram] = {}

    def note(self, method: str, pattern: str, status: int, seconds: float) -> None:
        """``pattern`` is the route's, or `UNKNOWN` where none fits; then the method may be anything, and is left out."""
        series = self._known.get((method, pattern, status)) if pattern != UNKNOWN else None
        if series is None:
            route = UNKNOWN if pattern == UNKNOWN else f"{method} {pattern}"
            series = self._seconds.labels(route, str(status))
            if pattern != UNKNOWN:
                self._known[method, pattern, status] = series
        series.observe(seconds)


REQUESTS: web.AppKey[Requests] = web.AppKey("requests", Requests)
