"""Who this account is as players see it in Steam, read in an idle moment once a day for the page that checks an offer.

It costs two calls a day and bot, none for a trade. Nothing depends on it: what cannot be read stays as it was, a call is asked
for again hours later, and not while Steam wants fewer calls or is in maintenance.
"""

from __future__ import annotations

from bot_worker.bot import Bot
from shared import log
from shared.domain.identity import Identity
from shared.errors import SteamError

EVERY_S = 86_400.0
AGAIN_S = 6 * 3_600.0

_log = log.get(__name__)


def refresh(bot: Bot) -> bool:
    """Ask Steam, if it is time to. Whether anything else is known than before."""
    now = bot.clock.monotonic()
    if now < bot.memory.identity_at or bot.session.maintenance.on or bot.session.connection.pace.pause() is not None:
        return False
    bot.memory.identity_at = now + AGAIN_S
    before = bot.health.identity
    try:
        profile = bot.session.profile()
        bot.health.identity = profile.over(before)
        level = bot.session.level(bot.session.steam_id)
        bot.health.identity = Identity.of({"level": level}).over(bot.health.identity)
    except SteamError as error:
        # Also when Steam says that we are not signed in: the next order notices that, if it is true.
        _log.info("identity_not_read", reason=error.error_code)
    else:
        bot.memory.identity_at = now + EVERY_S
    return bot.health.identity != before
