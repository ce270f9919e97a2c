"""The chaos run, short enough for every day; the long one is `scripts/chaos`, which the guide to operations explains."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.chaos_run.plan import POWER_CUTS
from scripts.chaos_run.run import Options, run

# Offers end soon, so that everything is at rest soon.
SHORT = {
    "trades": {
        "offer_timeout_s": 8.0,
        "find_s": 1.0,
        "order_expiry_s": 6.0,
        "order_in_hand_s": 8.0,
        "absent_after_s": 2.0,
        "audit_again_s": 1.0,
    },
    # A bot that is only slow is no difference to the audit at the end.
    "group": {"offline_after_s": 30.0},
}
PATIENCE_S = 60.0


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.timeout(900)
def test_a_short_bad_day_with_a_power_cut_loses_nothing(tmp_path: Path) -> None:
    options = Options(
        seed=5, minutes=0.25, bots=2, groups=("red:1",), players=8, protection_s=3, offer_lifetime_s=10, paces=SHORT
    )
    result = run(options, tmp_path / "fleet", print)
    assert result["differences"] == [], f"{result['differences']}\n{result['folder']}"
    assert len(result["blows"]) == len(options.plan()) >= 2
    assert result["compared"]["trades"] > 0


@pytest.mark.long
@pytest.mark.postgresql
@pytest.mark.timeout(600)
def test_service_is_back_after_everything_was_killed_at_once_in_full_load(tmp_path: Path) -> None:
    options = Options(seed=1, power_cut=True, profile="none", bots=10, patience_s=PATIENCE_S)
    result = run(options, tmp_path / "fleet", print)
    assert result["differences"] == [], f"{result['differences']}\n{result['folder']}"
    assert [blow["kind"] for blow in result["blows"]] == [kind.name for kind in POWER_CUTS]
    assert all(blow["in_flight"] > 0 and blow["recovered_s"] is not None for blow in result["blows"])


@pytest.mark.long
@pytest.mark.postgresql
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [101, 102])
def test_minutes_of_a_bad_day_lose_nothing(tmp_path: Path, seed: int) -> None:
    result = run(Options(seed=seed, minutes=3), tmp_path / "fleet", print)
    assert result["differences"] == [], f"{result['differences']}\n{result['folder']}"
