"""Prices change without a restart, and a bad file changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from balancer.prices import BadPrices, Prices, parse


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "prices.json"
    write(path, '{"Knife": 12345}')
    return path


def write(path: Path, text: str) -> None:
    """With an mtime of its own each time, as two writes may fall into one tick of the file system."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


@pytest.mark.parametrize("text", ['{"Knife": 12345}', '{"source": "somewhere", "prices": {"Knife": 12345}}'])
def test_both_forms_are_read(text: str) -> None:
    assert parse(text) == {"Knife": 12345}


@pytest.mark.parametrize(
    "text", ["", "[1]", '{"a": 1.5}', '{"a": "1"}', '{"a": true}', '{"a": -1}', '{"a": null}', '{"a": 1e300}']
)
def test_anything_but_whole_cents_is_bad(text: str) -> None:
    with pytest.raises(BadPrices):
        parse(text)


async def test_a_changed_file_is_read_again(file: Path) -> None:
    prices = Prices(file)
    assert await prices.check()
    assert prices.value("Knife") == 12345
    assert prices.value("Glove") is None
    assert not await prices.check()
    write(file, '{"Knife": 1, "Glove": 2}')
    assert await prices.check()
    assert (prices.value("Knife"), prices.value("Glove"), len(prices)) == (1, 2, 2)


@pytest.mark.parametrize("text", ["{", '{"Knife": "free"}'])
async def test_a_bad_file_keeps_the_old_prices(file: Path, text: str) -> None:
    prices = Prices(file)
    await prices.check()
    write(file, text)
    assert not await prices.check()
    assert prices.value("Knife") == 12345


async def test_a_missing_file_keeps_the_old_prices_and_is_read_when_it_is_back(file: Path) -> None:
    prices = Prices(file)
    await prices.check()
    file.unlink()
    assert not await prices.check()
    assert prices.value("Knife") == 12345
    write(file, '{"Knife": 777}')
    assert await prices.check()
    assert prices.value("Knife") == 777
