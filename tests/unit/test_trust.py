"""Who decides what an item is worth, when several sources know it; and which lists are not believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from balancer.items import belief, trust
from balancer.items.feeds.kept import NewList
from balancer.items.price_list import PriceList
from balancer.items.prices import Prices
from balancer.items.trust import SourceList
from shared import settings
from shared.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY_S = 86400.0


def of(source: str, age_h: float = 1.0, **cents: int) -> SourceList:
    return SourceList(source, NOW - timedelta(hours=age_h), cents, f"{source}{cents}")


def decided(*lists: SourceList) -> dict[str, int]:
    return dict(trust.decide(trust.order(lists, NOW, DAY_S)).cents)


def test_the_first_source_that_knows_the_name_decides() -> None:
    assert decided(of("a", knife=1, case=2), of("b", knife=5, glove=7)) == {"knife": 1, "case": 2, "glove": 7}
    assert decided(of("b", knife=5, glove=7), of("a", knife=1, case=2)) == {"knife": 5, "case": 2, "glove": 7}
    assert decided(of("a", age_h=23, knife=1), of("b", age_h=0, knife=5)) == {"knife": 1}  # younger is no reason


def test_a_list_that_is_too_old_comes_behind_all_others_and_still_counts_alone() -> None:
    assert decided(of("a", age_h=25, knife=1, case=2), of("b", knife=5)) == {"knife": 5, "case": 2}
    assert decided(of("a", age_h=99, knife=1), of("b", age_h=25, knife=5)) == {"knife": 1}


def test_each_value_stands_with_the_source_and_time_that_give_it() -> None:
    values = trust.decide(trust.order([of("a", 2, knife=1), of("b", 1, knife=5, glove=7)], NOW, DAY_S))
    assert [(part.source, part.at, part.cents) for part in values.parts] == [
        ("a", NOW - timedelta(hours=2), {"knife": 1}),
        ("b", NOW - timedelta(hours=1), {"glove": 7}),
    ]


def two_feeds(tmp_path: Path) -> Settings:
    shop = {"file": str(tmp_path / "x"), "preset": "plain"}
    told: dict[str, Any] = {"sources": ["a", "b"], "feeds": {"a": shop, "b": shop}}
    return settings.load(overrides={"prices": told})


def test_values_change_when_a_list_gets_too_old_and_say_so(tmp_path: Path) -> None:
    prices = Prices(two_feeds(tmp_path))
    assert prices.standing(NOW)["error"] == "not fetched yet" and not prices.standing(NOW)["ok"]
    prices.take(of("a", 20, knife=1))
    prices.take(of("b", 1, knife=5))
    assert prices.combine(NOW) and prices.value("knife") == 1
    assert not prices.combine(NOW) and prices.generation == 1
    assert prices.standing(NOW)["ok"] and prices.standing(NOW)["age_s"] == 3600
    assert prices.combine(NOW + timedelta(hours=5)) and prices.value("knife") == 5
    prices.troubles({"a": "not fetched: timeout"})
    told = prices.standing(NOW)
    assert not told["ok"] and told["error"] == "not fetched: timeout"
    assert told["sources"]["a"] == {"known": 1, "age_s": 72000, "error": "not fetched: timeout"}


# --- what is believed -------------------------------------------------------------------------------------------------

RULES = settings.load().prices
OLD = {f"item {number}": 1000 for number in range(20)}


def test_the_limits_are_settings() -> None:
    kept = {name: OLD[name] for name in list(OLD)[:12]}
    moved = {**OLD, **dict.fromkeys(list(OLD)[:5], 2500)}
    assert belief.why_not(OLD, kept, RULES) is None and belief.why_not(OLD, moved, RULES) is None
    strict = RULES.model_copy(update={"names_kept_min": 0.9, "factor_max": 2.0})
    assert belief.why_not(OLD, kept, strict) == "it has lost 8 of 20 names"
    assert belief.why_not(OLD, moved, strict) == "5 of 20 prices have moved by more than the factor 2"
    assert belief.why_not(OLD, moved, strict.model_copy(update={"moved_max": 0.3})) is None


@pytest.mark.parametrize("factor", [100, 0.01])
def test_a_first_list_in_another_unit_than_what_is_in_use_is_held_back(factor: float) -> None:
    first = {name: round(cents * factor) for name, cents in OLD.items()} | {"new": 1}
    why = belief.why_not_first(OLD, first, RULES)
    assert why is not None and "20 of 20 prices differ" in why and "unit and currency" in why
    assert belief.why_not_first(OLD, dict.fromkeys(OLD, 900), RULES) is None
    assert belief.why_not_first({}, first, RULES) is None
    assert belief.why_not_first(OLD, {"other": 1}, RULES) is None  # nothing in common says nothing


def test_a_list_is_known_by_its_names_and_prices() -> None:
    def digest(**cents: int) -> str:
        return NewList.of(PriceList(cents)).digest

    assert digest(a=1, b=2) == digest(b=2, a=1) != digest(a=1, b=3)
