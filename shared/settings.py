"""Every setting of every program, checked at start and passed down.

`config/default.toml` holds all values with unit and reason; a file of the operator's and ``FLEET__SECTION__KEY`` variables lie
over it. An unknown key is an error, not a surprise: `load` names it, says where it stands and what would be allowed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from shared.errors import SettingsError
from shared.sections import (
    AlarmSettings,
    BalancerSettings,
    BlockedSettings,
    ClockSettings,
    DatabaseSettings,
    FeedSettings,
    GameSettings,
    GroupSettings,
    HttpSettings,
    LimitSettings,
    ListeningSettings,
    LogSettings,
    MetricsSettings,
    OpenIdSettings,
    OpsSettings,
    PaceSettings,
    PriceSettings,
    RateSettings,
    RedisSettings,
    RetentionSettings,
    Section,
    SteamSettings,
    TradeSettings,
    WebhookSettings,
)
from shared.settings_text import Place, Written, merge, parse, unknown


class Settings(Section):
    """All sections. Immutable; never printed whole, as two URLs may hold passwords."""

    redis: RedisSettings
    database: DatabaseSettings
    balancer: BalancerSettings
    http: HttpSettings
    listening: ListeningSettings
    metrics: MetricsSettings
    alarms: AlarmSettings
    ops: OpsSettings
    webhooks: WebhookSettings
    rates: RateSettings
    limits: LimitSettings
    blocked: BlockedSettings
    trades: TradeSettings
    prices: PriceSettings
    games: GameSettings
    retention: RetentionSettings
    openid: OpenIdSettings
    group: GroupSettings
    steam: SteamSettings
    pace: PaceSettings
    log: LogSettings
    clock: ClockSettings


def default_toml() -> str:
    """The text of ``config/default.toml``."""
    return resources.files("config").joinpath("default.toml").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that keeps the settings from being read. ``key`` is empty when it is about a whole section."""

    section: str
    key: str
    text: str
    place: Place

    def __str__(self) -> str:
        name = f"[{self.section}] {self.key}".strip()
        where = str(self.place)
        if self.place.variable:
            return f"{where}: {self.text}"
        return f"{where}: {name}: {self.text}" if where else f"{name}: {self.text}"


def names() -> dict[str, list[str]]:
    """Every setting there is: the keys by section."""
    models = {section: field.annotation for section, field in Settings.model_fields.items()}
    return {section: list(model.model_fields) for section, model in models.items() if issubclass(model, BaseModel)}  # type: ignore[arg-type,union-attr]


_FEEDS = "prices.feeds."


def _whose(place: tuple[int | str, ...]) -> tuple[str, str]:
    """The section and key that stand at this place, as they are written: ``[prices.feeds.shop]`` and ``unit``."""
    section, key = [*(str(part) for part in place), "", ""][:2]
    tables = [part for part in place[2:] if isinstance(part, str) and part != "[key]"]
    if not tables:
        return section, key
    if key == "feeds":
        return f"{_FEEDS}{tables[0]}", tables[1] if len(tables) > 1 else ""
    return f"{section}.{key}", tables[0]


def _problems(error: ValidationError, written: Written) -> list[Problem]:
    found = []
    for each in error.errors(include_url=False, include_input=False):
        section, key = _whose(each["loc"])
        no_such = each["type"] == "extra_forbidden"
        known = {**names(), section: list(FeedSettings.model_fields)} if section.startswith(_FEEDS) else names()
        text = unknown(known, section, key) if no_such else each["msg"].removeprefix("Value error, ")
        found.append(Problem(section, key, text, written.place(section, key)))
    return sorted(found, key=lambda problem: problem.place.order())


def load(path: Path | None = None, overrides: dict[str, dict[str, Any]] | None = None) -> Settings:
    """Defaults, then the file, then the environment, then ``overrides`` (``{"balancer": {"port": 0}}``).

    Raises:
        SettingsError: a file cannot be read, a key is unknown or a value is bad; the message has a line for each.
    """
    written = Written.read(path, os.environ)
    settings, problems = understand(written, overrides)
    if problems or settings is None:
        raise SettingsError("\n".join(str(problem) for problem in problems))
    return settings


def understand(written: Written, overrides: dict[str, dict[str, Any]] | None = None) -> tuple[Settings | None, list[Problem]]:
    """The settings, and what is wrong with them, by line. What is wrong is left out of them: its default stands there.

    ``None`` instead of settings when they cannot be had even so.

    Raises:
        SettingsError: the file is not TOML.
    """
    told = written.values()
    problems: list[Problem] = []
    for _ in range(2):
        try:
            defaults = parse(default_toml(), "default.toml")
            return Settings.model_validate(merge(merge(defaults, told), overrides or {})), problems
        except ValidationError as error:
            found = _problems(error, written)
            problems = problems or found
            told = _without(told, found)
    return None, problems


def _without(told: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """What was written, less what is wrong in it."""
    kept = {section: dict(keys) for section, keys in told.items() if isinstance(keys, dict)}
    for problem in problems:
        if "." in problem.section:  # a table below a section is left out with all of it
            kept.pop(problem.section.partition(".")[0], None)
        elif problem.key and problem.section in Settings.model_fields:
            kept.get(problem.section, {}).pop(problem.key, None)
        else:
            kept.pop(problem.section, None)
    return kept
