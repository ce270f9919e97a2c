"""Prices change without a restart, and a bad file changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from odd_shapes import check, odd_text

from balancer.items import belief
from balancer.items.price_file import PriceFile, parse
from balancer.items.price_list import BadPrices
from shared import settings

RULES = settings.load().prices


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
    assert parse(text).cents == {"Knife": 12345}


@pytest.mark.parametrize(
    "text", ["", "[1]", '{"a": 1.5}', '{"a": "1"}', '{"a": true}', '{"a": -1}', '{"a": null}', '{"a": 1e300}']
)
def test_anything_but_whole_cents_is_bad(text: str) -> None:
    with pytest.raises(BadPrices):
        parse(text)


async def test_a_changed_file_is_read_again(file: Path) -> None:
    prices = PriceFile(file, RULES)
    assert await prices.check()
    assert prices.value("Knife") == 12345
    assert prices.value("Glove") is None
    assert not await prices.check()
    write(file, '{"Knife": 1, "Glove": 2}')
    assert await prices.check()
    assert (prices.value("Knife"), prices.value("Glove"), len(prices)) == (1, 2, 2)


@pytest.mark.parametrize("text", ["{", '{"Knife": "free"}'])
async def test_a_bad_file_keeps_the_old_prices(file: Path, text: str) -> None:
    prices = PriceFile(file, RULES)
    await prices.check()
    write(file, text)
    assert not await prices.check()
    assert prices.value("Knife") == 12345


async def test_a_missing_file_keeps_the_old_prices_and_is_read_when_it_is_back(file: Path) -> None:
    prices = PriceFile(file, RULES)
    await prices.check()
    file.unlink()
    assert not await prices.check()
    assert prices.value("Knife") == 12345
    write(file, '{"Knife": 777}')
    assert await prices.check()
    assert prices.value("Knife") == 777


def test_bad_names_and_values_are_left_out_and_counted() -> None:
    found = parse('{"Knife": 1, "": 5, "Glove": null, "Cap": "free", "A\\u0000": 7, "Mask": 1.5}')
    assert (found.cents, dict(found.left_out)) == ({"Knife": 1}, {"name": 2, "value": 3})


OLD = {f"item {number}": 1000 for number in range(20)}


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"status": 503}, "it has lost 20 of 20 names"),
        (dict.fromkeys(list(OLD)[:9], 1000), "it has lost 11 of 20 names"),
        ({**OLD, **dict.fromkeys(list(OLD)[:5], 100000)}, "5 of 20 prices have moved by more than the factor 3"),
        ({**OLD, **dict.fromkeys(list(OLD)[:5], 0)}, "5 of 20 prices have moved by more than the factor 3"),
        ({**OLD, **dict.fromkeys(list(OLD)[:4], 100000)}, None),
        ({**dict.fromkeys(OLD, 2900), "new": 1}, None),
    ],
)
def test_a_list_that_loses_most_names_or_moves_too_far_is_held_back(now: dict[str, int], said: str | None) -> None:
    assert belief.why_not(OLD, now, RULES) == said
    assert belief.why_not({}, now, RULES) is None


async def test_what_was_wrong_and_how_old_the_prices_are_is_told(file: Path) -> None:
    prices = PriceFile(file, RULES)
    assert prices.standing() == {"ok": False, "known": 0, "left_out": 0, "age_s": None, "error": None}
    await prices.check()
    assert prices.standing()["ok"] and prices.standing()["age_s"] is not None
    write(file, '{"status":503}')
    assert not await prices.check()
    assert (prices.standing()["ok"], prices.standing()["error"]) == (False, "held back: it has lost 1 of 1 names")
    assert prices.value("Knife") == 12345
    write(file, '{"Knife": 12000, "Glove": null}')
    assert await prices.check()
    assert (prices.standing()["ok"], prices.standing()["left_out"]) == (True, 1)
    file.unlink()
    assert not await prices.check()
    assert not prices.standing()["ok"] and prices.standing()["error"] == "No such file or directory"


def test_a_price_file_of_any_shape_is_prices_or_bad_ones(shapes: int) -> None:
    def read(content: bytes) -> None:
        try:
            found = parse(content)
        except BadPrices:
            return
        assert all(type(cents) is int and cents >= 0 and name for name, cents in found.cents.items())

    assert check(odd_text({"source": "x", "prices": {"Knife": 1, "Glove": 2}}), read, shapes) >= shapes
