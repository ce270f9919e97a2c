"""One fleet of real processes for all flow tests of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import declared_events
import pytest
from flow_site import Website, patient

from scripts.lab.stack import Stack, Wish

PROTECTION_S = 1
QUICK_LOOKS = patient(
    group={"probe_s": 0.5, "probe_max_s": 2.0, "heartbeat_s": 0.5},
    listening={"stream_life_s": 0.5},  # one test asks every address and reads each answer to its end
    trades={
        "watch_s": 0.5,
        "sweep_s": 0.5,
        "protection_look_s": 0.5,
        "inventory_cache_s": 1.0,
        # What one test leaves in doubt is not sent again into the trouble that the next one ordered.
        "absent_after_s": 86400.0,
    },
)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("fleet")
    wish = Wish(
        directory=folder,
        bots_per_group=3,
        players=0,
        protection_s=PROTECTION_S,
        log_level="debug",
        overrides=QUICK_LOOKS,
    )
    with Stack(wish) as running:
        Website(running).settings(bound_share=0)
        yield running
        url: str = running.settings().database.url
        if url.startswith("sqlite:///"):
            assert declared_events.misfits(Path(url.removeprefix("sqlite:///"))) == []


@pytest.fixture
def site(stack: Stack) -> Iterator[Website]:
    """Trouble that a test ordered and that has not struck ends with the test: the next one orders its own."""
    seen = Website(stack)
    yield seen
    seen.end_all_faults()


@pytest.fixture(
    scope="session", params=[(3, 8), pytest.param((10, 20), marks=pytest.mark.long)], ids=lambda of: f"{of[0]}x{of[1]}"
)
def small_fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A few bots that hold a few items each and look for a lost offer at once; players answer nothing."""
    bots, slots = request.param
    quick = {
        "inventory_cache_s": 3600.0,
        "absent_after_s": 0.5,
        "find_s": 0.3,
        "find_max_s": 0.5,
        "watch_s": 0.5,
        "sweep_s": 0.3,
    }
    # As many sends as there are slots may take a while.
    quick |= {"order_expiry_s": 1200.0}
    wish = Wish(
        directory=tmp_path_factory.mktemp("small"),
        bots_per_group=bots,
        players=0,
        protection_s=PROTECTION_S,
        overrides=patient(limits={"bot_items_max": slots, "trade_items_max": slots}, trades=quick),
    )
    with Stack(wish) as running:
        Website(running).settings(bound_share=0)
        yield running
