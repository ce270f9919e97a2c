"""The office for the public: as `production`, behind the other door.

Its SITE_SECRET_KEY_FILE is another one than the players' process has, and its key for the fleet needs the scope `read` only.
"""

from django.core.exceptions import ImproperlyConfigured

from website.settings.production import *  # noqa: F403
from website.settings.production import SITE_SEAL_KEY

# ruff: isort: split
from website.settings.office_door import *  # noqa: F403

if not SITE_SEAL_KEY:
    raise ImproperlyConfigured("SITE_SEAL_KEY_FILE names the key that seals one-time codes: 32 bytes in hex")
