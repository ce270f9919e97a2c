"""A fleet of two groups at a Redis with an access list: each part has a user of its own there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flow_site import Website
from intruders.guarded import GuardedStack

from scripts.stack import Wish

QUICK_LOOKS = {"trades": {"watch_s": 0.5, "sweep_s": 0.5, "settle_again_s": 1.0, "items_look_s": 1.0, "inventory_cache_s": 1.0}}


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedStack]:
    wish = Wish(
        directory=tmp_path_factory.mktemp("guarded"),
        groups=["red:1", "blue:1"],
        bots_per_group=2,
        players=0,
        protection_s=2,
        overrides=QUICK_LOOKS,
    )
    with GuardedStack(wish) as running:
        yield running


@pytest.fixture
def site(guarded: GuardedStack) -> Website:
    return Website(guarded)
