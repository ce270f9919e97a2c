"""One small fleet of real processes behind gates for all tests of this folder; others are made by `nerves_lab.GatedStack`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nerves_fleet import BalancerFleet
from nerves_lab import NO_SHARES, Fleet, GatedStack, short, wish

from scripts.lab.postgres import EmbeddedPostgres
from scripts.lab.stack import Wish


@pytest.fixture(scope="session")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatedStack]:
    with GatedStack(wish(tmp_path_factory.mktemp("nerves"))) as running:
        Fleet(running).settings(bound_share=0)
        yield running


@pytest.fixture
def fleet(gated: GatedStack) -> Iterator[Fleet]:
    """The fleet, healed before and after whatever a test does to it."""
    it = Fleet(gated)
    it.heal()
    yield it
    it.heal()


@pytest.fixture(scope="session")
def balancers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BalancerFleet]:
    """Three bots and, at first, one balancer, on a PostgreSQL that a test may stop."""
    folder = tmp_path_factory.mktemp("balancers")
    with EmbeddedPostgres() as server:
        settings = Wish(
            directory=folder,
            bots_per_group=3,
            players=0,
            protection_s=1,
            log_level="info",
            database_url=server.create_database("fleet"),
            overrides=short(limits=NO_SHARES, balancer={"stop_idle_s": 10.0}),
        )
        with BalancerFleet(settings, server) as running:
            running.site(running.balancer_url).settings(bound_share=0)
            yield running
