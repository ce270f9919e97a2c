"""For this machine: the demo, the tests and the type checker."""

from website.settings.base import *  # noqa: F403

SECRET_KEY = "for the demo and the tests only, nothing is signed with it that leaves this machine"  # noqa: S105
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
SITE_SEAL_KEY = SITE_SEAL_KEY or "5e" * 32  # noqa: F405 - the demo has nothing to keep from who reads this
