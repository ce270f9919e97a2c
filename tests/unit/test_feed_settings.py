"""Feeds as an operator writes them: what cannot be meant is refused before anything is fetched, and tried before it counts."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from balancer.items.feeds import sources
from balancer.items.feeds.sources import Feed
from scripts.cli.fleet import main
from shared import settings
from shared.errors import SettingsError

SHOP = {"address": "https://shop.example/list.json?key=secret", "preset": "market_csgo"}


def feeds(**prices: Any) -> list[Feed]:
    return sources.feeds(settings.load(overrides={"prices": prices}))


def test_feeds_come_in_the_order_of_trust() -> None:
    found = feeds(sources=["b", "file", "a"], feeds={"a": SHOP, "b": {**SHOP, "unit": "cents"}})
    assert [(feed.name, feed.shape.unit) for feed in found] == [("b", "cents"), ("a", "dollars")]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"sources": ["file"], "feeds": {"a": SHOP}}, "a is not in sources"),
    ({"sources": ["file", "a"]}, "names a, and there is no"),
    ({"sources": ["a", "a"], "feeds": {"a": SHOP}}, "twice"),
    ({"sources": []}, "at least 1"),
    ({"sources": ["file"], "feeds": {"file": SHOP}}, "cannot be called file"),
    ({"sources": ["house"], "feeds": {"house": SHOP}}, "cannot be called house"),
    ({"sources": ["a"], "feeds": {"a": {"preset": "plain"}}}, "either its address or its file"),
    ({"sources": ["a"], "feeds": {"a": {**SHOP, "file": "x"}}}, "either its address or its file"),
    ({"sources": ["a"], "feeds": {"a": {"file": "x", "authorization_file": "y"}}}, "authorization_file"),
    ({"sources": ["a"], "feeds": {"a": {**SHOP, "units": "cents"}}}, "units"),
    ({"sources": ["a"], "feeds": {"a": {**SHOP, "preset": "skinprot"}}}, "no preset"),
    ({"sources": ["a"], "feeds": {"a": {**SHOP, "address": "http://shop.example/"}}}, "https"),
    ({"sources": ["a"], "feeds": {"a": {**SHOP, "address": "https://10.0.0.1/"}}}, "not on the Internet"),
    ({"sources": ["a"], "feeds": {"a": {**SHOP, "currency": "EUR"}}}, "[prices.rates] EUR"),
    ({"rates": {"EUR": 0}}, "greater than 0"),
    ({"rates": {"EUR": "NaN"}}, ""),
    ({"names_kept_min": 1.5}, "less than or equal to 1"),
]


@pytest.mark.parametrize(("prices", "said"), WRONG)
def test_what_cannot_be_meant_is_refused(prices: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        feeds(**prices)
    assert said in str(caught.value) and "secret" not in str(caught.value)


def test_a_mistake_in_a_feed_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(
        '[prices]\nsources = ["a"]\n\n[prices.feeds.a]\nfile = "x"\nunits = "cents"\nphases = "all"\n\n'
        "[prices.rates]\nEUR = -1\n"
    )
    with pytest.raises(SettingsError) as caught:
        settings.load(file)
    told = str(caught.value).replace(str(file), "FILE").splitlines()
    assert told[0] == "FILE, line 6: [prices.feeds.a] units: no such setting; did you mean unit?"
    assert told[1].startswith("FILE, line 7: [prices.feeds.a] phases: ")
    assert told[2].startswith("FILE, line 10: [prices.rates] EUR: ")
    file.write_text('[prices]\nsources = ["a"]\n[prices.feeds.a]\npreset = "plain"\n')
    with pytest.raises(SettingsError, match=r"line 3: \[prices.feeds.a\]: write either its address or its file"):
        settings.load(file)


def test_a_rate_is_exact_and_another_currency_without_one_is_refused() -> None:
    [feed] = feeds(sources=["a"], feeds={"a": {**SHOP, "currency": "EUR"}}, rates={"EUR": 1.08})
    assert feed.rate == Decimal("1.08")


def test_an_address_that_may_hold_a_key_is_never_shown() -> None:
    read = settings.load(overrides={"prices": {"sources": ["a"], "feeds": {"a": SHOP}}})
    [feed] = sources.feeds(read)
    assert "secret" not in repr(feed) + repr(read.prices) + feed.host
    assert feed.host == "shop.example"


# --- fleet prices try -------------------------------------------------------------------------------------------------


def tried(tmp_path: Path, *arguments: str, config: str = "") -> Any:
    file = tmp_path / "fleet.toml"
    file.write_text(config)
    return CliRunner().invoke(main, ["--config", str(file), "prices", "try", *arguments])


def test_a_feed_is_tried_without_changing_anything(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"items": [{"market_hash_name": f"Item {n}", "price": f"{n}.5"} for n in range(30)] + [5]}))
    told = json.loads(tried(tmp_path, str(path), "--preset", "market_csgo", "--json").stdout)
    assert (told["names"], told["left_out"]) == (30, {"name": 1})
    assert next(iter(told["sample"].items())) == ("Item 29", 2950) and len(told["sample"]) == 10
    shown = tried(tmp_path, str(path), "--preset", "market_csgo", "--set", "unit=cents").stdout
    assert "0.30 USD  Item 29" in shown and "1 name" in shown and "Nothing was changed." in shown
    euros = (
        '[prices.rates]\nEUR = 2\n[prices]\nsources = ["own"]\n'
        '[prices.feeds.own]\nfile = "{}"\npreset = "market_csgo"\ncurrency = "EUR"\n'
    )
    shown = tried(tmp_path, "own", config=euros.format(path)).stdout
    assert "59.00 USD  Item 29" in shown and "from EUR at 2" in shown
    assert sorted(each.name for each in tmp_path.iterdir()) == ["fleet.toml", "list.json"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("{}", "--preset", "skinport"), "no price in it can be used"),
        (("{}.none", "--preset", "plain"), "No such file"),
        (("{}", "--preset", "nothing"), "no preset"),
        (("{}",), "name is missing"),
        (("{}", "--set", "unit"), "unit=cents"),
        (("{}", "--set", "unit=euros"), "unit"),
        (("http://shop.example/x", "--preset", "plain"), "https"),
        (("{}", "--preset", "plain", "--set", "currency=EUR"), "[prices.rates] EUR"),
    ],
)
def test_what_cannot_be_tried_is_told(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    path = tmp_path / "list.json"
    path.write_text("[1]")
    done = tried(tmp_path, *(each.format(path) for each in arguments))
    assert done.exit_code != 0 and said in done.output and "Traceback" not in done.output


# --- fleet config check -----------------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_feed_is_found_by_the_check(tmp_path: Path) -> None:
    file, key = tmp_path / "fleet.toml", tmp_path / "key"
    key.write_text("Bearer abc")
    key.chmod(0o644)
    file.write_text(
        '[balancer]\nport = 8420\n[prices]\nsources = ["a", "b"]\n'
        f'[prices.feeds.a]\nfile = "{tmp_path}/none.json"\npreset = "plain"\n'
        f'[prices.feeds.b]\naddress = "https://shop.example/"\nauthorization_file = "{key}"\n'
        'preset = "plain"\ncurrency = "EUR"\n'
    )
    said = CliRunner().invoke(main, ["--config", str(file), "config", "check"]).output
    assert f"line 6: [prices.feeds.a] file: there is no {tmp_path}/none.json" in said
    assert f"line 10: [prices.feeds.b] authorization_file: {key} may be read by others" in said
    assert "[prices] feeds: [prices.feeds.b] its prices are in EUR" in said and "[prices.rates] EUR = 1.08" in said
    assert "prices_file" not in said  # which is no source here
