"""Asks Steam whether it signed a sign-in's answer. What such an answer must look like is `fleet_client.openid`'s business."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from fleet_client import openid
from shared.domain.ids import SteamId
from shared.errors import FleetError, SteamUnavailable
from shared.settings import Settings

TRIES = 3
TIMEOUT = aiohttp.ClientTimeout(total=10)


def provider_of(settings: Settings) -> openid.Provider:
    """Where players sign in, by the settings."""
    return openid.Provider(settings.openid.endpoint, settings.openid.identity_prefix, settings.openid.nonce_max_age_s)


async def confirm(
    session: aiohttp.ClientSession, provider: openid.Provider, claim: openid.Claim, question: Mapping[str, str]
) -> SteamId:
    """Whose answer it is, by Steam's word.

    Raises:
        openid.SignInRefused: Steam says no.
        SteamUnavailable: Steam gave no usable answer, several times.
    """
    last: FleetError = SteamUnavailable("Steam did not answer the sign-in.")
    for _ in range(TRIES):
        try:
            async with session.post(provider.endpoint, data=question, timeout=TIMEOUT, allow_redirects=False) as response:
                text = (await response.content.read(openid.ANSWER_MAX_BYTES)).decode("utf-8", "replace")
            return SteamId(openid.confirmed(claim, response.status, text))
        except (aiohttp.ClientError, TimeoutError):
            continue
        except openid.SteamAway as away:
            last = SteamUnavailable(str(away))
    raise last
