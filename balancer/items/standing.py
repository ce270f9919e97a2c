"""How each source of values stands: what of it is in use, how old that is, and what of it is held back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from balancer.items import price_file, price_lists
from balancer.items.feeds import kept, sources
from balancer.items.feeds.kept import Standing
from balancer.items.feeds.sources import FILE
from balancer.items.price_list import BadPrices
from shared.settings import Settings


def read(settings: Settings, connection: Connection, now: datetime) -> dict[str, Any]:
    """Every source in the order of trust, and every list of the price file that was held back, the newest first.

    Times are ISO 8601; ``age_s`` is of the list in use, ``usable`` says whether that is the newest.
    """
    lists = price_lists.standing(connection)
    standings = kept.standings(connection)
    places = {feed.name: feed.host for feed in sources.feeds(settings)}
    shown = [
        _of_file(settings.balancer.prices_file, lists, now)
        if name == FILE
        else _of_feed(name, places[name], standings.get(name), now)
        for name in settings.prices.sources
    ]
    return {"sources": shown, "file_lists": [_of_list(each) for each in lists]}


def _of_file(path: Path, lists: list[price_lists.Standing], now: datetime) -> dict[str, Any]:
    """What lies in the file now, and whether the balancers may use it."""
    shown: dict[str, Any] = {"source": FILE, "place": str(path), "usable": False, "names": None, "age_s": None, "held": None}
    try:
        data, at_s = path.read_bytes(), path.stat().st_mtime
        parsed = price_file.parse(data)
    except (OSError, BadPrices) as error:
        return {**shown, "error": (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)}
    digest = price_file.digest_of(data)
    held = next((each for each in lists if each.digest == digest and each.accepted_by is None), None)
    shown |= {"names": len(parsed.cents), "left_out": parsed.left_out.total(), "digest": digest, "error": None}
    if held is not None:
        return {**shown, "held": {"digest": digest, "why": held.why, "names": held.names, "held_at": held.held_at.isoformat()}}
    return {**shown, "usable": True, "age_s": max(0, round(now.timestamp() - at_s))}


def _of_feed(name: str, place: str, feed: Standing | None, now: datetime) -> dict[str, Any]:
    shown: dict[str, Any] = {"source": name, "place": place, "usable": False, "names": None, "age_s": None, "held": None}
    if feed is None:
        return {**shown, "error": "not fetched yet: no balancer has run with this feed"}
    if feed.held is not None:
        shown["held"] = {
            "digest": feed.held.digest,
            "why": feed.held.why,
            "names": feed.held.names,
            "held_at": feed.held.held_at.isoformat(),
        }
    if feed.good_at is not None:
        shown |= {"names": feed.names, "age_s": max(0, round((now - feed.good_at).total_seconds())), "digest": feed.digest}
    return {
        **shown,
        "left_out": feed.left_out,
        "usable": feed.good_at is not None and feed.held is None and feed.error is None,
        "error": feed.error,
        "failing_since": None if feed.failing_since is None else feed.failing_since.isoformat(),
        "next_at": feed.next_at.isoformat(),
    }


def _of_list(each: price_lists.Standing) -> dict[str, Any]:
    return {
        "digest": each.digest,
        "why": each.why,
        "names": each.names,
        "held_at": each.held_at.isoformat(),
        "accepted_at": None if each.accepted_at is None else each.accepted_at.isoformat(),
        "accepted_by": each.accepted_by,
    }
