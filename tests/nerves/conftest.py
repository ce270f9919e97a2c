"""One small fleet of real processes behind gates for all tests of this folder; others are made by `nerves_lab.GatedStack`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nerves_lab import Fleet, GatedStack, wish


@pytest.fixture(scope="session")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatedStack]:
    with GatedStack(wish(tmp_path_factory.mktemp("nerves"))) as running:
        yield running


@pytest.fixture
def fleet(gated: GatedStack) -> Iterator[Fleet]:
    """The fleet, healed before and after whatever a test does to it."""
    it = Fleet(gated)
    it.heal()
    yield it
    it.heal()
