"""What differs behind the other door: the office is a process of its own, with its own addresses, cookies and sessions.

The players' process has none of these addresses, and this one has none of theirs.
"""

from csp.constants import NONE, SELF

ROOT_URLCONF = "website.office.urls"
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "website.pages.files.StaticFiles",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "website.pages.nul.NoNul",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "website.office.context.of_the_office",
            ],
            "builtins": ["website.pages.templatetags.site"],
        },
    }
]
CSRF_FAILURE_VIEW = "website.office.guard.form_refused"
LOGIN_URL = "office:enter"

SESSION_COOKIE_NAME = "office"
SESSION_COOKIE_PATH = "/office"
SESSION_COOKIE_SAMESITE = "Strict"
# Fifteen minutes without a click, and the door is shut again.
SESSION_COOKIE_AGE = 15 * 60
SESSION_SAVE_EVERY_REQUEST = True
CSRF_COOKIE_NAME = "office_csrf"
CSRF_COOKIE_PATH = "/office"
CSRF_COOKIE_SAMESITE = "Strict"
DATA_UPLOAD_MAX_MEMORY_SIZE = 262_144

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "style-src": [SELF],
        "font-src": [SELF],
        "img-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
