"""The guide's table of what is kept for how long names the settings' defaults, and every setting of `[retention]`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared import settings as settings_module
from shared.sections import RetentionSettings

GUIDE = Path(__file__).parents[2] / "docs" / "http-api.md"
TEXT = GUIDE.read_text(encoding="utf-8").partition("\n## What is kept, and for how long\n")[2].partition("\n## ")[0]
SAID = re.findall(r"`\[(\w+)\] (\w+)` \((\d+) (\w+?)s?\)", TEXT)
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "year": 365 * 86_400}


@pytest.mark.parametrize(("section", "name", "number", "unit"), SAID, ids=lambda value: value)
def test_a_time_is_the_settings_default(section: str, name: str, number: str, unit: str) -> None:
    default = getattr(getattr(settings_module.load(), section), name)
    assert default * (SECONDS["day"] if name.endswith("_days") else 1) == int(number) * SECONDS[unit]


def test_every_setting_of_retention_is_named() -> None:
    assert set(RetentionSettings.model_fields) <= {name for section, name, *_ in SAID if section == "retention"}
    assert len(SAID) >= len(RetentionSettings.model_fields) + 5
