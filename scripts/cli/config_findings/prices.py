"""Sources of values: what would let a wrong list be used, or a right one come too late."""

from __future__ import annotations

from urllib.parse import urlsplit

from scripts.cli.config_findings.addresses import is_here
from scripts.cli.config_findings.finding import DAY_S, Findings, error, warning
from shared.settings import Settings

WILD_FACTOR = 20


def prices(settings: Settings) -> Findings:
    rules = settings.prices
    if rules.private_addresses and not is_here(urlsplit(settings.balancer.site_url).hostname):
        text = "a feed may be plain HTTP, and may lead into this machine's own network: anybody on the way sets the prices"
        yield error("prices.private_addresses", text, "leave it out; it is for development")
    if rules.feeds and rules.feed_every_s > rules.value_age_max_s:
        text = "values are too old for games before they are fetched again"
        yield warning("prices.feed_every_s", text, "write 21600, six hours", "prices.value_age_max_s")
    if rules.feed_retry_s > rules.feed_every_s:
        text = "a feed that fails is tried less often than one that does not"
        yield warning("prices.feed_retry_s", text, "write 600", "prices.feed_every_s")
    if rules.feeds and rules.feed_every_s < DAY_S / 288:
        yield warning("prices.feed_every_s", "the well-known feeds refuse who asks every few minutes", "write 21600, six hours")
    for key, wild in (
        ("names_kept_min", rules.names_kept_min < 0.1),
        ("moved_max", rules.moved_max > 0.8),
        ("factor_max", rules.factor_max > WILD_FACTOR),
    ):
        if wild:
            text = "a list of another game, or in another currency or unit, is used without anybody having looked at it"
            yield warning(f"prices.{key}", text, "leave it out")
