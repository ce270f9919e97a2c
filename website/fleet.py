"""The line of pages to the fleet. Their key has the scopes `trade` and `read`: with it nobody can hand items over."""

from __future__ import annotations

import functools

from django.conf import settings

from fleet_client import Client
from fleet_client.asking import Patience


@functools.cache
def client() -> Client:
    """One client, shared by the threads of this process. A page waits some seconds for the fleet, not half a minute."""
    patience = Patience(patience_s=settings.SITE_FLEET_PATIENCE_S)
    return Client(settings.SITE_FLEET_URLS, settings.SITE_FLEET_KEY, patience=patience)
