"""A fleet of two groups with every kind of secret: each part has a Redis user of its own, the first bot a proxy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from flow_site import Website, patient
from forward_proxy import proxied
from intruders import trading
from intruders.guarded import GuardedStack
from intruders.intruder import Intruder

from scripts.lab.postgres import EmbeddedPostgres, find_postgres
from scripts.lab.stack import Wish

# A lease that an intruder takes lapses, and an offer that was never made is known not to be, while a trade is waited for.
QUICK_LOOKS = patient(
    trades={
        "watch_s": 0.5,
        "sweep_s": 0.5,
        "find_s": 0.5,
        "absent_after_s": 1.0,
        "inventory_cache_s": 60.0,
    },
    group={"lease_s": 10.0, "heartbeat_s": 0.5},
)
DATABASE_PASSWORD = "Planted-database-password"
PROXY_PASSWORD = "Planted-proxy-password"


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[EmbeddedPostgres | None]:
    """A server that a test may kill; none where PostgreSQL is not installed, and the fleet runs on SQLite."""
    if find_postgres() is None:
        yield None
        return
    with EmbeddedPostgres() as server:
        yield server


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory, own_postgres: EmbeddedPostgres | None) -> Iterator[GuardedStack]:
    wish = Wish(
        directory=tmp_path_factory.mktemp("guarded"),
        groups=["red:1", "blue:1"],
        bots_per_group=2,
        players=0,
        protection_s=1,
        log_level="debug",
        overrides=QUICK_LOOKS,
    )
    if own_postgres is not None:
        # This server asks for no password, but whatever connects has one to lose.
        url = own_postgres.create_database("guarded")
        wish.database_url = url.replace("postgres@", f"postgres:{DATABASE_PASSWORD}@")
        assert DATABASE_PASSWORD in wish.database_url
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(proxied()).replace("http://", f"http://bot:{PROXY_PASSWORD}@")
        running = stack.enter_context(GuardedStack(wish, proxy))
        Website(running).settings(bound_share=0)
        yield running


@pytest.fixture
def site(guarded: GuardedStack) -> Website:
    return Website(guarded)


@pytest.fixture
def intruder(guarded: GuardedStack, site: Website) -> Iterator[Intruder]:
    made = Intruder(guarded, site)
    trading.all_online(site)
    yield made
    made.close()
    trading.all_online(site)
    site.agree()
