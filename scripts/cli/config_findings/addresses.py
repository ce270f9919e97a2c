"""Where the parts listen and whom they speak to: Redis, the database, HTTP, sign-in at Steam."""

from __future__ import annotations

import ipaddress
from urllib.parse import parse_qs, urlsplit

from sqlalchemy.engine import make_url

from scripts.cli.config_findings.finding import DAY_S, Findings, error, warning
from shared.errors import SettingsError
from shared.settings import Settings

STEAM = "steamcommunity.com"

# A wait for orders or reports takes this long; a shorter time-out would end each of them as an error.
LONGEST_WAIT_S = 1.0
BODY_MAX_BYTES = 16 * 1024 * 1024
PROXIES_MAX = 65536  # addresses of one network of proxies; those of a large CDN have fewer
READERS_MAX = 256  # addresses of one public network that may read `/metrics`
FILES_MAX = 65536  # LimitNOFILE in config/systemd/fleet-balancer@.service


def is_here(host: str | None) -> bool:
    """Whether an address is this machine's alone; none at all is, too."""
    if not host or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_within(host: str | None) -> bool:
    """Whether an address is of no use to players: this machine's, or of a private network."""
    try:
        return is_here(host) or ipaddress.ip_address(host or "").is_private
    except ValueError:
        return False


def is_real(settings: Settings) -> bool:
    """Whether this is about real accounts. A sandbox is told by its addresses: players sign in at it, bots speak to it."""
    return settings.steam.base_url == "" and urlsplit(settings.openid.endpoint).hostname == STEAM


def redis(settings: Settings) -> Findings:
    url = urlsplit(settings.redis.url)
    if url.scheme != "unix" and not is_here(url.hostname):
        yield from _redis_elsewhere(url.scheme, url.hostname or "", user=bool(url.username), password=bool(url.password))
    if parse_qs(url.query).get("ssl_cert_reqs", [""])[0].lower() in ("none", "optional"):
        yield error(
            "redis.url", "Redis' certificate is not checked, so anybody can pretend to be Redis", "leave ssl_cert_reqs out"
        )
    if settings.redis.timeout_s <= LONGEST_WAIT_S:
        text = f"a wait for orders takes {LONGEST_WAIT_S:g} s, so each would end as an error"
        yield error("redis.timeout_s", text, "write 5, or at least 2")
    if settings.redis.timeout_s >= settings.group.lease_s:
        text = f"a call that hangs outlasts a bot's lease of {settings.group.lease_s:g} s, which another worker then takes"
        yield error("redis.timeout_s", text, "make it less than a third of [group] lease_s", "group.lease_s")


def _redis_elsewhere(scheme: str, host: str, *, user: bool, password: bool) -> Findings:
    if not password:
        text = f"Redis on another machine ({host}) without a password: whoever reaches it stops every trade"
        yield error("redis.url", text, "make users with `fleet redis acl`, and write rediss://USER:PASSWORD@HOST:6379/0")
    elif not user:
        text = "this is Redis' default user, who may do everything: a host that is taken over reaches all bots' queues"
        yield warning("redis.url", text, "make a user for each part with `fleet redis acl`")
    if scheme == "redis":
        text = f"the connection to Redis on another machine ({host}) is not encrypted, so its password can be read on the way"
        yield warning(
            "redis.url", text, "give Redis TLS and write rediss://, unless a tunnel (WireGuard, stunnel) lies between"
        )


def database(settings: Settings) -> Findings:
    url = make_url(settings.database.url)
    if url.get_backend_name() == "sqlite":
        if not url.database or ":memory:" in url.database or "mode=memory" in str(url):
            text = "this database is in memory: every item in custody is forgotten when the balancer ends"
            yield error("database.url", text, "name a file, as in sqlite:////var/lib/fleet/fleet.db")
        if settings.database.sqlite_synchronous == "NORMAL":
            text = "after a power cut the last trades may be forgotten although their offers were sent"
            yield warning("database.sqlite_synchronous", text, "write FULL, unless you accept such losses")
        return
    encrypted = url.query.get("sslmode") in ("require", "verify-ca", "verify-full")
    if not encrypted and not is_here(url.host) and not str(url.host).startswith("/"):
        text = f"the connection to the database on another machine ({url.host}) may be unencrypted"
        do = "add ?sslmode=verify-full&sslrootcert=FILE (or require), unless a tunnel lies between"
        yield warning("database.url", text, do)


def addresses(settings: Settings) -> Findings:
    balancer, site = settings.balancer, urlsplit(settings.balancer.site_url)
    yield from _listening(balancer.host, site.scheme)
    if site.scheme == "http" and not is_here(site.hostname):
        text = "players check their offers over plain HTTP: anybody on the way can change the answer and take their session"
        yield error("balancer.site_url", text, "write https://, with a TLS proxy in front")
    if is_within(site.hostname) and is_real(settings):
        text = f"{site.hostname} cannot be reached by players elsewhere, and it is in every offer's message"
        yield warning("balancer.site_url", text, "write the site's public https:// address")
    site_port = site.port or {"http": 80, "https": 443}[site.scheme]
    if is_here(site.hostname) and balancer.port and site_port != balancer.port:
        text = f"it leads to this machine, but not to the balancer, which has port {balancer.port}"
        yield warning("balancer.site_url", text, "write the same port in both, or the public address", "balancer.port")
    if site.username or site.password:
        yield error("balancer.site_url", "a user or password in it would be in every offer's message", "leave it out")
    for name, address in (("pictures_url", balancer.pictures_url), ("avatars_url", balancer.avatars_url)):
        if urlsplit(address).scheme == "http" and site.scheme == "https":
            text = "browsers load no pictures over plain HTTP into a page that came over https://"
            yield error(f"balancer.{name}", text, 'write https://, or "" to show none', "balancer.site_url")
        if address and not address.endswith("/"):
            yield error(f"balancer.{name}", "a picture's name is put right behind it", "end it with /")
    if balancer.port == 0:
        yield warning(
            "balancer.port", "the port is another one at each start: no proxy and no link can find it", "write a fixed port"
        )
    elif balancer.port < 1024:
        text = "ports below 1024 need a privilege that the systemd units do not give"
        yield warning("balancer.port", text, "write 8420, and let the TLS proxy have 443")


def mode(settings: Settings) -> Findings:
    players_at_steam = urlsplit(settings.openid.endpoint).hostname == STEAM
    if settings.balancer.livemode and not players_at_steam:
        text = "players sign in at a sandbox, and every answer and event says that this is live"
        yield warning("balancer.livemode", text, "write livemode = false, and give the site a test key", "openid.endpoint")
    elif not settings.balancer.livemode and is_real(settings):
        text = "players sign in and trade at Steam, and every answer and event says that this is a test; live keys are refused"
        yield warning("balancer.livemode", text, "leave it out, and give the site a live key")


def _listening(host: str, scheme: str) -> Findings:
    if host and is_here(host):
        return
    shown = host or "every address"
    if scheme == "http":
        text = f"{shown} lets others in over plain HTTP: API keys and players' sessions can be read on the way"
        yield error("balancer.host", text, "listen on 127.0.0.1 behind a TLS proxy, and write https:// in site_url")
    else:
        text = f"{shown} is reached past the TLS proxy too, over plain HTTP"
        do = "listen on 127.0.0.1; or, with the proxy on another machine, let only that one in and name it in trusted_proxies"
        yield warning("balancer.host", text, do)


def proxies(settings: Settings) -> Findings:
    for network in settings.balancer.trusted_proxies:
        each = ipaddress.ip_network(network, strict=False)
        if not each.is_private and each.num_addresses > PROXIES_MAX:
            text = f"{network} is a large part of the internet: anybody in it can claim another address for a request"
            yield error("balancer.trusted_proxies", text, "name the proxies' own addresses only")


def metrics(settings: Settings) -> Findings:
    for network in settings.metrics.allow:
        each = ipaddress.ip_network(network)
        if not each.is_private and each.num_addresses > READERS_MAX:
            text = f"{network} is a part of the internet: strangers read how the fleet does, and what the site earns with it"
            yield error("metrics.allow", text, "name Prometheus' own address only")


def ops(settings: Settings) -> Findings:
    """Of the operators' page. That it comes over plain HTTP is said of `site_url`, which it shares."""
    rules, roles = settings.ops, [each.role for each in settings.ops.operators]
    if roles and "approve" not in roles:
        text = "none of the operators may approve: large withdrawals and frozen items wait for the command line"
        yield warning("ops.operators", text, 'give one of them role = "approve"')
    if rules.idle_s > rules.session_s:
        text = f"a sign-in ends after {rules.session_s:g} s anyway"
        yield warning("ops.idle_s", text, "make it at most session_s", "ops.session_s")
    if rules.wrong_codes_max > 20 or rules.locked_s < 60:
        text = "somebody who has an operator's Steam account may try thousands of codes a day"
        yield warning("ops.wrong_codes_max", text, "write 5, and 900 for locked_s", "ops.locked_s")


def http(settings: Settings) -> Findings:
    http = settings.http
    for key in ("head_s", "body_s", "unread_s"):
        if getattr(http, key) > 120:
            text = "a client that opens connections and sends nothing takes places that others need"
            yield warning(f"http.{key}", text, "leave it out")
    if http.idle_s < 60:
        text = "proxies keep a connection for 60 s: a request on one that was just closed fails"
        yield warning("http.idle_s", text, "write 75")
    if http.linger_s > 30:
        yield warning("http.linger_s", "a refused sender keeps a place for a long time", "write 2")
    if http.connections_per_address_max > http.connections_max:
        text = "one address can take every connection there is"
        yield warning("http.connections_per_address_max", text, "write 100", "http.connections_max")
    if http.connections_max > FILES_MAX:
        text = f"a process may hold {FILES_MAX} files and connections (LimitNOFILE of the unit)"
        yield warning("http.connections_max", text, "write 2000")
    if settings.listening.streams_max > http.connections_max // 2:
        text = "those who listen to events can take most connections, and requests find none"
        yield warning("listening.streams_max", text, f"write {http.connections_max // 2}", "http.connections_max")


def webhooks(settings: Settings) -> Findings:
    rules = settings.webhooks
    if rules.private_targets and not is_here(urlsplit(settings.balancer.site_url).hostname):
        text = "whoever has a key of scope operate can make this machine call addresses of its own network"
        yield error("webhooks.private_targets", text, "leave it out; it is for development")
    if rules.give_up_s < DAY_S:
        text = "a receiver that is away over night is disabled"
        yield warning("webhooks.give_up_s", text, "write 259200, three days", "webhooks.retry_max_s", "webhooks.away_look_s")
    if rules.retry_min_s < 1:
        text = "a receiver that refuses an event is asked again and again at once"
        yield warning("webhooks.retry_min_s", text, "write 5")
    if rules.at_once * rules.targets_max > FILES_MAX // 64:
        text = "so many calls at once take the files of other connections"
        yield warning("webhooks.at_once", text, "write 8", "webhooks.targets_max")


def sign_in(settings: Settings) -> Findings:
    openid = settings.openid
    endpoint, prefix = urlsplit(openid.endpoint), urlsplit(openid.identity_prefix)
    for key, url in (("endpoint", endpoint), ("identity_prefix", prefix)):
        if is_here(url.hostname):
            continue
        if url.hostname != STEAM:
            text = f"{url.hostname} would decide who a player is, and it is not Steam"
            yield error(f"openid.{key}", text, "leave it out; only a sandbox on this machine changes it")
        elif url.scheme != "https":
            text = "over plain HTTP anybody on the way can pretend to be another player"
            yield error(f"openid.{key}", text, "write https://, or leave it out")
    if (endpoint.scheme, endpoint.netloc) != (prefix.scheme, prefix.netloc):
        text = f"players sign in at {endpoint.netloc}, whose ids start otherwise: nobody can sign in"
        do = f"write {endpoint.scheme}://{endpoint.netloc}/openid/id/"
        yield error("openid.identity_prefix", text, do, "openid.endpoint")
    if openid.nonce_max_age_s > 3600:
        yield warning("openid.nonce_max_age_s", "an answer of Steam's that leaked is good for hours", "write 300")
    if openid.checks_max > 200:
        text = "forged sign-ins all go to Steam at once, and Steam then refuses this address"
        yield warning("openid.checks_max", text, "write 20")
    if openid.session_s > DAY_S:
        yield warning("openid.session_s", "a player stays signed in for days, on shared machines too", "write 3600")


def both(settings: Settings) -> Findings:
    bots_in_sandbox, players_at_steam = bool(settings.steam.base_url), urlsplit(settings.openid.endpoint).hostname == STEAM
    if bots_in_sandbox and players_at_steam:
        yield error("steam.base_url", "bots trade in a sandbox, but players sign in at Steam", "point both at one, or neither")
    if not bots_in_sandbox and is_here(urlsplit(settings.openid.endpoint).hostname):
        yield error("openid.endpoint", "players sign in at a sandbox, but bots trade at Steam", "point both at one, or neither")


def notices(settings: Settings) -> Findings:
    """The addresses hold passwords: they are named by their place in the list."""
    from balancer.notices import people

    try:
        unknown = people.check(settings.alarms.notify)
    except SettingsError as missing:
        yield error("alarms.notify", missing.detail, "install it, or leave the list empty")
        return
    for number in unknown:
        text = f"address {number} in the list is none that apprise knows"
        yield error("alarms.notify", text, "write it as the pages of apprise show for that service; then `fleet alarms test`")
