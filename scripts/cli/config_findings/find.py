"""Everything that is to be found in a set of settings, for the parts that a machine runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scripts.cli.config_facts import Facts
from scripts.cli.config_findings import addresses, files, hosts, limits, prices
from scripts.cli.config_findings.finding import BALANCER, HOST, SECTIONS, Finding, Findings, Part
from shared.settings import Settings
from shared.settings_text import ENV_PREFIX, nearest

OTHER_VARIABLES = frozenset(
    {"FLEET_CONFIG", "FLEET_VAULT_KEY", "FLEET_VENV", "FLEET_REDIS_SERVER", "FLEET_TEST_DATABASE_URL", "FLEET_BENCH_REDIS"}
)


def parts_of(told: Mapping[str, Any]) -> frozenset[Part]:
    """Which parts a machine runs, by the sections that its settings name; both if none of them tells."""
    named = {SECTIONS[section] for section in told if section in SECTIONS}
    return frozenset(named or {BALANCER, HOST})


def find(settings: Settings, parts: frozenset[Part], facts: Facts | None) -> list[Finding]:
    """Everything, in no order. Without ``facts`` only what the settings themselves tell."""
    checks: list[Callable[[Settings], Findings]] = [addresses.redis, limits.orders, hosts.process]
    if BALANCER in parts:
        checks += [addresses.database, addresses.addresses, addresses.proxies, addresses.http, addresses.metrics]
        checks += [addresses.ops, addresses.webhooks, addresses.notices, addresses.sign_in, addresses.mode]
        checks += [limits.limits, limits.rates, limits.trades, limits.looks, limits.requests, limits.retention, limits.games]
        checks.append(prices.prices)
    checks += [hosts.group, hosts.steam, hosts.pace] if HOST in parts else []
    checks += [addresses.both] if parts == {BALANCER, HOST} else []
    found = [each for check in checks for each in check(settings)]
    found += files.same_file(settings, parts)
    if facts is not None:
        found += files.around(settings, facts)
    return found


def strange_variables(environ: Mapping[str, str], names: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Variables that look like ours and are not read, with what to do about each."""
    ours = [f"{ENV_PREFIX}{section}__{key}".upper() for section, keys in names.items() for key in keys]
    found = []
    for name in sorted(environ):
        if name.startswith(ENV_PREFIX) or name in OTHER_VARIABLES:
            continue
        meant = nearest(name.upper(), ours, cutoff=0.88)
        if meant or name.upper().startswith("FLEET_"):
            found.append(
                (name, f"set {meant} instead" if meant else "remove it; a setting is named as in FLEET__BALANCER__PORT")
            )
    return found
