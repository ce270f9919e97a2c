from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from website import sealing


class AccountsConfig(AppConfig):
    name = "website.accounts"
    label = "accounts"

    def ready(self) -> None:
        checks.register(seal_key, checks.Tags.security)


def seal_key(**_: Any) -> list[checks.CheckMessage]:
    """Without a key the site runs, but keeps no trade link; engines need none. A key that is none is a mistake."""
    if not settings.SITE_SEAL_KEY:
        text = "SITE_SEAL_KEY_FILE names no file with a key: processes that serve pages cannot keep trade links"
        return [checks.Info(text, id="accounts.I001")]
    try:
        sealing.Key.read(settings.SITE_SEAL_KEY)
    except ValueError as error:
        return [checks.Error(f"SITE_SEAL_KEY_FILE: {error}", id="accounts.E001")]
    return []
