"""One fleet of real processes for all flow tests of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flow_site import Website, patient

from scripts.lab.stack import Stack, Wish

PROTECTION_S = 2
QUICK_LOOKS = patient(
    group={"probe_s": 0.5, "probe_max_s": 2.0},
    trades={
        "watch_s": 0.5,
        "sweep_s": 0.5,
        "settle_again_s": 1.5,
        "protection_look_s": 1.0,
        "items_look_s": 1.0,
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


@pytest.fixture
def site(stack: Stack) -> Website:
    return Website(stack)
