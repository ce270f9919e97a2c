"""Settings that hold everywhere. What differs between machines comes from the environment (`environment`)."""

from website.settings import environment

DEBUG = False
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "website.office",
    "website.accounts",
    "website.care",
    "website.rooms",
    "website.engine",
]
AUTH_USER_MODEL = "office.Staff"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": environment.database(environment.text("SITE_DATABASE_URL", "sqlite:////var/lib/site/site.sqlite3"))}
ATOMIC_REQUESTS = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
SECRET_KEY = environment.secret("SITE_SECRET_KEY")
