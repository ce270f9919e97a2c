"""Settings that hold everywhere. What differs between machines comes from the environment (`environment`)."""

from pathlib import Path

from csp.constants import NONE, SELF

from website.settings import environment

FOLDER = Path(__file__).resolve().parent.parent

DEBUG = False
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "django.contrib.sessions",  # of staff; players have their own
    "django.contrib.staticfiles",
    "csp",
    "website.office",
    "website.office.lists_app.Lists",
    "website.accounts",
    "website.care",
    "website.rooms",
    "website.custody",
    "website.ledger",
    "website.engine",
    "website.live",
    "website.pages",
    "website.raffles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "website.pages.files.StaticFiles",
    "csp.middleware.CSPMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "website.pages.nul.NoNul",
    "website.accounts.middleware.signed_in_player",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "website.urls"
ASGI_APPLICATION = "website.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "website.pages.context.of_the_site",
            ],
            "builtins": ["website.pages.templatetags.site"],
        },
    }
]
AUTH_USER_MODEL = "office.Staff"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": environment.database(environment.text("SITE_DATABASE_URL", "sqlite:////var/lib/site/site.sqlite3"))}
ATOMIC_REQUESTS = False
USE_TZ = True
TIME_ZONE = "UTC"

# --- pages -------------------------------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ru", "Русский")]
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_AGE = 365 * 86_400
LANGUAGE_COOKIE_SAMESITE = "Lax"
FORMAT_MODULE_PATH = ["website.formats"]  # dates in one form on every page
STATIC_URL = "/static/"
STATICFILES_DIRS = [FOLDER / "static"]
STATIC_ROOT = environment.text("SITE_STATIC_ROOT", "/var/lib/site/static")
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "website.pages.errors.form_refused"
DATA_UPLOAD_MAX_MEMORY_SIZE = 262_144
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

# What the site is called, and where players find it (no slash at the end): Steam sends them back there.
SITE_NAME = environment.text("SITE_NAME", "Evenly")
SITE_ADDRESS = environment.text("SITE_ADDRESS", "http://127.0.0.1:8430")
# How players reach whoever runs the site: an address of mail, shown on the page of contacts. Empty: the page says so.
SITE_CONTACT = environment.text("SITE_CONTACT")
# Where players sign in: Steam's own origin, or that of the simulated Steam.
SITE_STEAM_URL = environment.text("SITE_STEAM_URL", "https://steamcommunity.com")
# Steam's Web API, and a key for it (SITE_STEAM_API_KEY_FILE): with it the site knows names, pictures and levels of players.
# Without one a player is called "Player 12345" until they choose a name, and no level is known.
SITE_STEAM_API_URL = environment.text("SITE_STEAM_API_URL", "https://api.steampowered.com")
SITE_STEAM_API_KEY = environment.secret("SITE_STEAM_API_KEY")
# The least Steam level of who plays: an account of years is not made for one evening. 0: none is asked for. A level that Steam
# does not show (no key, a private profile) is too low. Nobody is kept from signing in and taking items home.
SITE_STEAM_LEVEL_MIN = int(environment.text("SITE_STEAM_LEVEL_MIN", "0"))
# The key that seals players' trade links and keys of games in stock, 32 bytes in hex (SITE_SEAL_KEY_FILE). A lost one costs
# players typing their links again, and the house every key of a game: keep it twice.
SITE_SEAL_KEY = environment.secret("SITE_SEAL_KEY")
# For the demo only: the control API of the simulated Steam, which tells trade links of its players. Empty at the real Steam.
SITE_SANDBOX_URL = environment.text("SITE_SANDBOX_URL")
# Where pictures of items, and those of players, are fetched from, with a slash at the end; pages show them from the site
# itself. The folder that keeps them, and its bound in megabytes.
SITE_PICTURES_URL = environment.text("SITE_PICTURES_URL", "https://community.akamai.steamstatic.com/economy/image/")
SITE_PICTURES_DIR = environment.text("SITE_PICTURES_DIR", "/var/lib/site/pictures")
SITE_AVATARS_URL = environment.text("SITE_AVATARS_URL", "https://avatars.steamstatic.com/")
SITE_PICTURES_MAX_MB = int(environment.text("SITE_PICTURES_MAX_MB", "256"))
# Days that a player stays signed in.
SITE_SIGNED_IN_DAYS = int(environment.text("SITE_SIGNED_IN_DAYS", "14"))
# So long a page waits for a fleet that is not there; the player is told, and may ask again.
SITE_FLEET_PATIENCE_S = float(environment.text("SITE_FLEET_PATIENCE_S", "4"))
# What the house keeps of items that players take from it, in basis points: the fleet's `[games] exchange_fee_bp`, shown before.
SITE_EXCHANGE_FEE_BP = int(environment.text("SITE_EXCHANGE_FEE_BP", "300"))
# An address that shows an offer holds a secret word: it stands in no log.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"masked": {"()": "website.custody.masking.Masked"}},
    "loggers": {name: {"filters": ["masked"]} for name in ("django.request", "django.server", "django.security.csrf")},
}

# Nothing foreign and nothing inline on any page. `form-action` names Steam, since signing in is a form that leads there.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "font-src": [SELF],
        "img-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF, SITE_STEAM_URL],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
SECRET_KEY = environment.secret("SITE_SECRET_KEY")

# Where the public source of this site is, for whoever wants the checking program from elsewhere than from the house that draws.
# Empty: pages name the folder of the source alone.
SITE_SOURCE_URL = environment.text("SITE_SOURCE_URL")

# --- who may play ------------------------------------------------------------------------------------------------------------

# ISO 3166 codes. Gambling with items needs a licence in many places, so nobody may play anywhere until an operator says where.
SITE_COUNTRIES = environment.words("SITE_COUNTRIES")
# A fleet that says it is live moves real items: rooms stay closed until an operator turns them on here, knowingly ("on"), and
# names the countries above. With a fleet that tests, everybody may play: nothing has a value.
SITE_REAL_ITEMS = environment.text("SITE_REAL_ITEMS") == "on"
# What holds for a player who has chosen nothing: kind (deposit, stake, loss), window (day, week, month), cents.
SITE_LIMITS = [tuple(each.split(":")) for each in environment.words("SITE_LIMITS", "stake:day:50000 loss:week:50000")]
# Between the last stake in one game and the first in another, at least (RTS 14E).
SITE_PACE_MS = int(environment.text("SITE_PACE_MS", "5000"))

# --- play coins --------------------------------------------------------------------------------------------------------------

# They are no money, and are never sold. What a player may take, in cents of them: once for each Steam account, and on each day
# (UTC); 0: none. And what all players together may take on one day: a day keeps the total that it began with.
SITE_COINS_WELCOME = int(environment.text("SITE_COINS_WELCOME", "1000"))
SITE_COINS_DAILY = int(environment.text("SITE_COINS_DAILY", "200"))
SITE_COINS_DAY_TOTAL = int(environment.text("SITE_COINS_DAY_TOTAL", "1000000"))
# Who may take them: the least Steam level, and how many days the Steam account has existed; 0: nothing is asked for. Accounts
# that are made for coins have neither. What Steam does not show (no key, a private profile) is too little.
SITE_COINS_STEAM_LEVEL_MIN = int(environment.text("SITE_COINS_STEAM_LEVEL_MIN", "5"))
SITE_COINS_STEAM_AGE_DAYS = int(environment.text("SITE_COINS_STEAM_AGE_DAYS", "30"))

# --- rooms -------------------------------------------------------------------------------------------------------------------

# Lanes of a room: while one is drawn and paid, another takes bets.
SITE_LANES_PER_ROOM = int(environment.text("SITE_LANES_PER_ROOM", "2"))
# How far what a bet is worth may lie from what the player saw, in basis points; 0 refuses any change.
SITE_PRICE_SLIP_BP = int(environment.text("SITE_PRICE_SLIP_BP", "0"))
# The key that receipts of bets are signed with, 32 bytes in hex (SITE_RECEIPT_KEY_FILE). Without one, receipts are not signed.
SITE_RECEIPT_KEY = environment.secret("SITE_RECEIPT_KEY")
# Where the draw of the Global Pot is shown live; empty: nowhere yet.
SITE_STREAM_URL = environment.text("SITE_STREAM_URL")
# Seconds that a bet of a page with scripts waits for its answer; after that the page asks again.
SITE_BET_WAIT_S = float(environment.text("SITE_BET_WAIT_S", "5"))

# --- what is told at once ---------------------------------------------------------------------------------------------------

# Redis for hints that something is new (SITE_REDIS_URL_FILE where it has a password); empty: everybody looks for it themselves.
# Nothing is lost with it. Several sites may share one: each has a prefix of its own.
SITE_REDIS_URL = environment.secret("SITE_REDIS_URL", environment.text("SITE_REDIS_URL"))
SITE_REDIS_PREFIX = environment.text("SITE_REDIS_PREFIX", "site:")
# Messages of lanes are kept so long, and so many of each lane however old they are; those of players as long as the third says.
SITE_MESSAGES_MS = int(environment.text("SITE_MESSAGES_MS", str(24 * 3_600_000)))
SITE_MESSAGES_MIN = int(environment.text("SITE_MESSAGES_MIN", "2000"))
SITE_USER_MESSAGES_MS = int(environment.text("SITE_USER_MESSAGES_MS", str(90 * 24 * 3_600_000)))
# Sockets (and requests that wait for messages) that one player and one address may hold open in a process that serves pages.
SITE_SOCKETS_PER_USER = int(environment.text("SITE_SOCKETS_PER_USER", "8"))
SITE_SOCKETS_PER_ADDRESS = int(environment.text("SITE_SOCKETS_PER_ADDRESS", "30"))

# --- the engine --------------------------------------------------------------------------------------------------------------

# Balancers, and the file with this process's key (SITE_FLEET_KEY_FILE): an engine's has the scopes `play` and `read`, that of a
# process which serves pages `trade` and `read`, so that nobody who breaks into a page can hand items over.
SITE_FLEET_URLS = environment.words("SITE_FLEET_URLS")
SITE_FLEET_KEY = environment.secret("SITE_FLEET_KEY")
# The key that opens secrets of rounds, 32 bytes in hex (SITE_CHAIN_KEY_FILE). Keep it twice: a lost one ends every lane.
SITE_CHAIN_KEY = environment.secret("SITE_CHAIN_KEY")
# Rounds that a new chain of secrets lasts; the next chain is bound before the last is used up.
SITE_CHAIN_LENGTH = int(environment.text("SITE_CHAIN_LENGTH", "65536"))
# Relays of drand, tried in turn.
SITE_BEACON_RELAYS = environment.words("SITE_BEACON_RELAYS", "https://api.drand.sh https://drand.cloudflare.com")
# Free pieces of the house that a round may give as change; 0: none.
SITE_STOCK_MAX = int(environment.text("SITE_STOCK_MAX", "64"))
# An unanswered lock is given up after so long (never later than the round's deadline).
SITE_BET_GIVE_UP_MS = int(environment.text("SITE_BET_GIVE_UP_MS", "10000"))
# An engine that has taken a call has so long for it before another engine tries too.
SITE_CALL_MS = int(environment.text("SITE_CALL_MS", "5000"))
# So long an engine drives a lane alone unless it says so again; nothing rests on it but double work.
SITE_LEASE_MS = int(environment.text("SITE_LEASE_MS", "10000"))
# How often what the fleet has bound for us is held against what is in play; 0: never.
SITE_RECONCILE_MS = int(environment.text("SITE_RECONCILE_MS", "60000"))
# How often an engine looks for work that nobody told it of.
SITE_LOOK_MS = int(environment.text("SITE_LOOK_MS", "100"))
# A folder outside the database, best on another disk, where an engine notes how far each lane was, and keeps what a round is
# rebuilt from when the database comes back older (the witness). Empty: only Redis knows how far, and nothing can be rebuilt.
SITE_MARKS_DIR = environment.text("SITE_MARKS_DIR")
# Days that the witness is kept: longer than the oldest backup that may come back.
SITE_WITNESS_DAYS = int(environment.text("SITE_WITNESS_DAYS", "35"))
# For tests: where an engine dies, and how far its clock is off.
SITE_CRASH_AT = environment.text("SITE_CRASH_AT")
SITE_CLOCK_SKEW_MS = int(environment.text("SITE_CLOCK_SKEW_MS", "0"))
