"""Who the bot's account is in Steam: read once a day, told in the heartbeat, and no trouble of it is the bot's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bot_lab import Lab, ask, does_otherwise

from bot_worker import identity
from shared.errors import NotSignedIn, SteamThrottled, SteamUnavailable


def test_the_account_is_read_once_a_day_and_for_no_trade(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab()
    bot, before = lab.bot, lab.bot.session.observer.counted
    at_steam = ask(lab.me.url)
    assert lab.heartbeat().identity is None

    assert identity.refresh(bot)

    told: Any = lab.heartbeat().identity
    assert told["name"] == at_steam["name"] and told["level"] == bot.session.level(bot.session.steam_id)
    assert told["avatar"] == f"{int(bot.session.steam_id) - 76561197960265728:040x}" and told["since"] > 1_000_000_000
    observer = bot.session.observer
    assert observer.counted - before == 3 and set(observer.by_direction.values()) == {0.0}
    assert not identity.refresh(bot) and observer.counted - before == 3
    bot.memory.identity_at = 0.0
    assert not identity.refresh(bot), "nothing else is known than before"
    assert observer.counted - before == 5


@pytest.mark.parametrize("error", [NotSignedIn(), SteamThrottled(), SteamUnavailable("no answer")])
def test_what_cannot_be_read_stays_as_it_was_and_is_asked_for_hours_later(
    make_lab: Callable[..., Lab], error: Exception
) -> None:
    bot = make_lab().bot
    identity.refresh(bot)
    known, asked = bot.health.identity, 0

    def fails() -> None:
        nonlocal asked
        asked += 1
        raise error

    does_otherwise(bot, "session", profile=fails)
    bot.memory.identity_at = 0.0
    assert not identity.refresh(bot) and not identity.refresh(bot)

    assert asked == 1 and bot.health.identity == known
    assert not bot.needs_sign_in
    assert bot.memory.identity_at > bot.clock.monotonic() + 3600
