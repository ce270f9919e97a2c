"""The sources that an operator has configured, in the order of trust."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from balancer import outward
from balancer.items.feeds import shapes
from balancer.items.feeds.shapes import BadShape, Shape
from shared.errors import SettingsError
from shared.sections import FeedSettings
from shared.settings import Settings

# The price file of `[balancer] prices_file`, which every balancer reads by itself.
FILE = "file"


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed: where it is, how it is read, and what one unit of its currency is in the fleet's.

    The address may hold a key, so it is never shown; `host` is.
    """

    name: str
    shape: Shape
    rate: Decimal
    address: str = field(default="", repr=False)
    file: Path | None = None
    authorization_file: Path | None = None

    @property
    def host(self) -> str:
        """Where it is, as it may be shown."""
        return str(self.file) if self.file is not None else urlsplit(self.address).hostname or ""


def feeds(settings: Settings) -> list[Feed]:
    """Every feed, in the order of trust.

    Raises:
        SettingsError: one cannot be read as it is written; says which part and what is wanted.
    """
    return [of(name, settings.prices.feeds[name], settings) for name in settings.prices.sources if name != FILE]


def of(name: str, feed_settings: FeedSettings, settings: Settings) -> Feed:
    """One feed as it is written. Raises: SettingsError."""
    about = f"[prices.feeds.{name}]"
    parts = {part: value for part in shapes.PARTS if (value := getattr(feed_settings, part)) not in (None, [])}
    try:
        shape = shapes.of(feed_settings.preset, parts)
        if feed_settings.address:
            outward.check_url(feed_settings.address, private=settings.prices.private_addresses)
    except (BadShape, outward.Refused) as error:
        raise SettingsError(f"{about} {error}") from None
    rate = rate_of(shape.currency, settings)
    if rate is None:
        raise SettingsError(
            f"{about} its prices are in {shape.currency}, the fleet's in {settings.balancer.currency}: write what one "
            f"{shape.currency} is worth, as in [prices.rates] {shape.currency} = 1.08, or take a feed in "
            f"{settings.balancer.currency}"
        )
    return Feed(name, shape, rate, feed_settings.address, feed_settings.file, feed_settings.authorization_file)


def rate_of(currency: str, settings: Settings) -> Decimal | None:
    """What one unit of a currency is in the fleet's; ``None`` if nobody has said so. It is never guessed."""
    return Decimal(1) if currency == settings.balancer.currency else settings.prices.rates.get(currency)
