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
    "website.custody",
    "website.engine",
    "website.live",
]
AUTH_USER_MODEL = "office.Staff"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": environment.database(environment.text("SITE_DATABASE_URL", "sqlite:////var/lib/site/site.sqlite3"))}
ATOMIC_REQUESTS = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
SECRET_KEY = environment.secret("SITE_SECRET_KEY")

# --- who may play ------------------------------------------------------------------------------------------------------------

# ISO 3166 codes. Gambling with items needs a licence in many places, so nobody may play anywhere until an operator says where.
SITE_COUNTRIES = environment.words("SITE_COUNTRIES")
# What holds for a player who has chosen nothing: kind (stake, loss), window (day, week, month), cents.
SITE_LIMITS = [tuple(each.split(":")) for each in environment.words("SITE_LIMITS", "stake:day:50000 loss:week:50000")]
# Between the last stake in one game and the first in another, at least (RTS 14E).
SITE_PACE_MS = int(environment.text("SITE_PACE_MS", "5000"))

# --- rooms -------------------------------------------------------------------------------------------------------------------

# Lanes of a room: while one is drawn and paid, another takes bets.
SITE_LANES_PER_ROOM = int(environment.text("SITE_LANES_PER_ROOM", "2"))
# How far what a bet is worth may lie from what the player saw, in basis points; 0 refuses any change.
SITE_PRICE_SLIP_BP = int(environment.text("SITE_PRICE_SLIP_BP", "0"))

# --- what is told at once ---------------------------------------------------------------------------------------------------

# Redis for hints that something is new (SITE_REDIS_URL_FILE where it has a password); empty: everybody looks for it themselves.
# Nothing is lost with it. Several sites may share one: each has a prefix of its own.
SITE_REDIS_URL = environment.secret("SITE_REDIS_URL", environment.text("SITE_REDIS_URL"))
SITE_REDIS_PREFIX = environment.text("SITE_REDIS_PREFIX", "site:")
# Messages of lanes are kept so long, and so many of each lane however old they are; those of players as long as the third says.
SITE_MESSAGES_MS = int(environment.text("SITE_MESSAGES_MS", str(24 * 3_600_000)))
SITE_MESSAGES_MIN = int(environment.text("SITE_MESSAGES_MIN", "2000"))
SITE_USER_MESSAGES_MS = int(environment.text("SITE_USER_MESSAGES_MS", str(90 * 24 * 3_600_000)))

# --- the engine --------------------------------------------------------------------------------------------------------------

# Balancers, and the file with a key of scope `play read` (SITE_FLEET_KEY_FILE).
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
# How often an engine looks for work that nobody told it of.
SITE_LOOK_MS = int(environment.text("SITE_LOOK_MS", "100"))
# For tests: where an engine dies, and how far its clock is off.
SITE_CRASH_AT = environment.text("SITE_CRASH_AT")
SITE_CLOCK_SKEW_MS = int(environment.text("SITE_CLOCK_SKEW_MS", "0"))
