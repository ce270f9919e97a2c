"""For the public: refuses to start half set up, and says what is missing.

TLS ends at a proxy on the same machine that sets `X-Forwarded-Proto` and removes it from what comes from outside
(docs/nginx.md shows one); the site itself speaks HTTP to it only.
"""

from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from website.settings.base import *  # noqa: F403
from website.settings.base import SECRET_KEY, SITE_ADDRESS, SITE_FLEET_KEY, SITE_FLEET_URLS, SITE_SANDBOX_URL

LEAST_KEY = 50


def _must(good: object, text: str) -> None:
    if not good:
        raise ImproperlyConfigured(text)


_must(len(SECRET_KEY) >= LEAST_KEY, f"SITE_SECRET_KEY_FILE names a file with at least {LEAST_KEY} random signs")
_must(SITE_FLEET_URLS, "SITE_FLEET_URLS names the balancers, as in https://balancer.example")
_must(SITE_FLEET_KEY, "SITE_FLEET_KEY_FILE names a file with this process's key for the fleet")
_must(SITE_ADDRESS.startswith("https://"), "SITE_ADDRESS is where players find the site, as in https://site.example")
_must(not SITE_SANDBOX_URL, "SITE_SANDBOX_URL is for the demo: at the real Steam it must be empty")

ALLOWED_HOSTS = [urlsplit(SITE_ADDRESS).hostname or ""]
CSRF_TRUSTED_ORIGINS = [SITE_ADDRESS]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 86_400
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
LANGUAGE_COOKIE_SECURE = True
# Files are named by their hash, so browsers keep them for good; `manage.py collectstatic` puts them into SITE_STATIC_ROOT.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "website.settings.static_files.HashedModules"},
}
