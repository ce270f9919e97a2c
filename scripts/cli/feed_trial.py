"""What a feed would give, for `fleet prices try`: it is fetched and read, and nothing is changed or kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from balancer.items.feeds import reader, sources
from balancer.items.feeds.fetch import fetch
from balancer.items.feeds.sources import Feed
from balancer.items.price_list import BadPrices, PriceList
from balancer.outward import Outward
from shared.errors import SettingsError
from shared.sections import FeedSettings
from shared.settings import Settings

SAMPLE = 5
TRIAL = "trial"
SEVERAL = ("price", "phases_at")


def feed_of(place: str, preset: str, parts: Sequence[str], settings: Settings) -> Feed:
    """The feed at an address or in a file; ``parts`` are as in ``unit=cents``, over the preset's. A feed that the settings
    name may be named instead of a place.

    Raises:
        SettingsError: it cannot be one; says why.
    """
    if place in settings.prices.feeds:
        return sources.of(place, settings.prices.feeds[place], settings)
    told: dict[str, Any] = {"preset": preset, **({"address": place} if "://" in place else {"file": Path(place)})}
    for part in parts:
        name, sign, value = part.partition("=")
        if not sign:
            raise SettingsError(f"{part!r} is no part of a feed; write it as in unit=cents")
        told[name] = [*told.get(name, []), value] if name in SEVERAL else value
    try:
        return sources.of(TRIAL, FeedSettings.model_validate(told), settings)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{where}: {first['msg']}".removeprefix(": ")) from None


def tried(feed: Feed, settings: Settings) -> dict[str, Any]:
    """What came of it: ``error``, or ``names``, ``left_out`` by reason, and the dearest and cheapest prices in our cents."""
    told: dict[str, Any] = {"place": feed.host, "currency": feed.shape.currency, "rate": str(feed.rate), "error": None}
    try:
        found = asyncio.run(_read(feed, settings))
    except BadPrices as error:
        return {**told, "error": str(error)}
    dearest = sorted(found.cents.items(), key=lambda each: (-each[1], each[0]))
    some = dearest if len(dearest) <= 2 * SAMPLE else dearest[:SAMPLE] + dearest[-SAMPLE:]
    return {**told, "names": len(found.cents), "left_out": dict(found.left_out), "sample": dict(some)}


async def _read(feed: Feed, settings: Settings) -> PriceList:
    rules, outward = settings.prices, Outward(private=settings.prices.private_addresses)
    try:
        data = await fetch(feed, outward, rules.feed_bytes_max, rules.feed_timeout_s)
    finally:
        await outward.close()
    return reader.read(data, feed.shape, feed.rate)


def lines(told: Mapping[str, Any], currency: str) -> list[str]:
    """For people."""
    if told["error"] is not None:
        return [f"{told['place']}: {told['error']}"]
    rate = "" if told["currency"] == currency else f", from {told['currency']} at {told['rate']}"
    shown = [f"{told['place']}: {told['names']} names{rate}"]
    if told["left_out"]:
        shown.append(f"  left out: {reader.reasons(told['left_out'])}")
    shown += [f"  {cents // 100}.{cents % 100:02} {currency}  {name}" for name, cents in told["sample"].items()]
    return [*shown, "Nothing was changed."]
