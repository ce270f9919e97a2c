"""Sign-in: password, Guard code, tokens, and the cookies that steampy 1.2.0 collects from five hosts."""

import base64
import binascii
import json
import secrets
from collections.abc import Callable
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import padding

from sandbox import guard
from sandbox.answers import API, COMMUNITY, Answer, as_json, html, key_page, redirect, response, set_cookie, split_url
from sandbox.sign_ins import AuthSession, password_key
from sandbox.steam_api import session
from sandbox.steam_api.call import Call
from sandbox.tokens import Claims
from sandbox.world.accounts import Account

INVALID_PASSWORD, INVALID_PARAM, FILE_NOT_FOUND, ACCESS_DENIED = 5, 8, 9, 15
EXPIRED, DUPLICATE_REQUEST, THROTTLED, CODE_MISMATCH = 27, 29, 87, 88
DEVICE_CODE = 3
POLL_INTERVAL_S = 5
THROTTLE_S = 600


def public_key(call: Call) -> Answer:
    """GetPasswordRSAPublicKey: hexadecimal modulus and exponent and the timestamp that names the key."""
    if not call.value("account_name"):
        return response({}, INVALID_PARAM)
    numbers = password_key().public_key().public_numbers()
    desk = call.steam.desk
    stamp = str(512_300_000_000 + int(call.real_now * 1000) % 10**9 * 100 + secrets.randbelow(100))
    for old in [s for s, at in desk.key_times.items() if at + call.world.settings.password_key_s < call.real_now]:
        del desk.key_times[old]
    desk.key_times[stamp] = call.real_now
    return response({"publickey_mod": f"{numbers.n:x}", "publickey_exp": f"{numbers.e:06x}", "timestamp": stamp})


def begin(call: Call) -> Answer:
    """BeginAuthSessionViaCredentials. Wrong name or password is result 5, too many of them 87, an old key 27."""
    desk, name = call.steam.desk, call.value("account_name").lower()
    refused = {"interval": POLL_INTERVAL_S, "extended_error_message": ""}
    failures = [at for at in desk.failures.get(name, []) if at > call.real_now - THROTTLE_S]
    if len(failures) >= call.world.settings.sign_in_failures_max:
        return response(refused, THROTTLED)
    issued = desk.key_times.get(call.value("encryption_timestamp"))
    if issued is None or issued + call.world.settings.password_key_s < call.real_now:
        return response(refused, EXPIRED)
    account = call.world.accounts.by_account_name.get(name)
    if account is None or not _password_fits(call.value("encrypted_password"), account):
        desk.failures[name] = [*failures, call.real_now]
        return response(refused, INVALID_PASSWORD)
    begun = AuthSession(
        client_id=secrets.randbits(62) | 1 << 61,
        request_id=base64.b64encode(secrets.token_bytes(12)).decode(),
        account=account,
        platform=_platform(call),
        begun=call.real_now,
    )
    for old in [s for s in desk.sessions.values() if s.begun + call.world.settings.sign_in_session_s < call.real_now]:
        del desk.sessions[old.client_id]
    desk.sessions[begun.client_id] = begun
    return response(
        {
            "client_id": str(begun.client_id),
            "request_id": begun.request_id,
            "interval": POLL_INTERVAL_S,
            "allowed_confirmations": [{"confirmation_type": DEVICE_CODE}, {"confirmation_type": 4}],
            "steamid": str(account.steam_id),
            "weak_token": base64.urlsafe_b64encode(secrets.token_bytes(24)).decode(),
            "extended_error_message": "",
        }
    )


def _password_fits(encrypted: str, account: Account) -> bool:
    """Whether it is the account's password; a cipher that begins with zeros comes without them (node-bignumber)."""
    key = password_key()
    try:
        cipher = base64.b64decode(encrypted.replace(" ", "+"), validate=True)
        clear = key.decrypt(cipher.rjust(key.key_size // 8, bytes(1)), padding.PKCS1v15())
    except (binascii.Error, ValueError):
        return False
    return secrets.compare_digest(clear, account.password.encode())


def _platform(call: Call) -> str:
    """Which kind of refresh token is asked for: platform type 1 client, 2 web browser, 3 mobile app."""
    kind = call.value("platform_type") or call.value("device_details[platform_type]")
    details = call.value("device_details")
    if not kind and details.startswith("{"):
        try:
            kind = str(json.loads(details).get("platform_type", ""))
        except ValueError:
            kind = ""
    if call.value("website_id") == "Mobile":
        kind = "3"
    return {"1": "client", "3": "mobile"}.get(kind, "web")


def update_code(call: Call) -> Answer:
    """UpdateAuthSessionWithSteamGuardCode: one step either way is tolerated, each code is good for one sign-in."""
    begun = call.steam.desk.sessions.get(call.number("client_id"))
    if begun is None or call.value("steamid") != str(begun.account.steam_id):
        return response({}, FILE_NOT_FOUND)
    if begun.begun + call.world.settings.sign_in_session_s < call.real_now:
        return response({}, EXPIRED)
    if begun.confirmed:
        return response({}, DUPLICATE_REQUEST)
    if call.number("code_type") != DEVICE_CODE:
        return response({}, INVALID_PARAM)
    used = call.steam.desk.used_steps.setdefault(begun.account.steam_id, set())
    now_step = int(call.real_now) // guard.STEP_S
    for step in (now_step, now_step - 1, now_step + 1):
        if guard.code(begun.account.shared_secret, step) != call.value("code").upper():
            continue
        if step in used and call.world.settings.codes_used_once:
            break
        used.add(step)
        used -= {old for old in used if old < now_step - 2}
        begun.confirmed = True
        return response({})
    return response({}, CODE_MISMATCH)


def poll(call: Call) -> Answer:
    """PollAuthSessionStatus: the tokens once the code was right, without them before; a session gives them once.

    A client may have two polls under way: steam-session begins one as soon as it may be confirmed in the app and another
    one after its code. The answers may change places, so the second poll is not told that there was never such a session
    until the interval between polls is over.
    """
    desk = call.steam.desk
    begun = desk.sessions.get(call.number("client_id"))
    if begun is None or begun.request_id != call.value("request_id"):
        return response({}, FILE_NOT_FOUND)
    if begun.begun + call.world.settings.sign_in_session_s < call.real_now:
        return response({}, EXPIRED)
    if begun.given is not None and begun.given + POLL_INTERVAL_S < call.real_now:
        del desk.sessions[begun.client_id]
        return response({}, FILE_NOT_FOUND)
    if not begun.confirmed or begun.given is not None:
        return response({"had_remote_interaction": False})
    begun.given = call.real_now
    tokens = call.steam.tokens
    refresh = tokens.refresh(begun.account.steam_id, begun.platform, call.real_now)
    claims = tokens.read(refresh, call.real_now)
    content = {"refresh_token": refresh, "had_remote_interaction": False, "account_name": begun.account.account_name}
    if claims is not None:
        audience = {"web": "web:store", "mobile": "web mobile", "client": "client web"}[begun.platform]
        content["access_token"] = tokens.access(claims, audience, call.real_now)
    return response(content)


def access_for_app(call: Call) -> Answer:
    """GenerateAccessTokenForApp: since 2025-04-30 refused (15) for tokens of the web (node-steam-session)."""
    token = call.value("refresh_token")
    found = session.valid_claims(call, token)
    if found is None or not found[1].is_refresh or call.value("steamid") != str(found[0].steam_id):
        return response({}, ACCESS_DENIED)
    account, claims = found
    if "mobile" not in claims.audience:
        return response({}, ACCESS_DENIED)
    tokens = call.steam.tokens
    content = {}
    if call.number("renewal_type") == 1:
        renewed = tokens.refresh(account.steam_id, "mobile", call.real_now)
        tokens.revoked.add(claims.token_id)
        content["refresh_token"] = renewed
        claims = tokens.read(renewed, call.real_now) or claims
    content["access_token"] = tokens.access(claims, "web mobile", call.real_now)
    return response(content)


def finalize(call: Call) -> Answer:
    """jwt/finalizelogin: turns a refresh token into one transfer per host."""
    found = _web_refresh(call, call.value("nonce"))
    if found is None:
        return as_json({"success": False, "step": "nonce", "error": INVALID_PARAM})
    account, claims = found
    content = {
        "steamID": str(account.steam_id),
        "redir": call.value("redir"),
        "transfer_info": [
            {"url": f"https://{host}/login/settoken", "params": _transfer(call, claims, host)}
            for host in session.COOKIE_AUDIENCES
        ],
        "primary_domain": COMMUNITY,
    }
    answer = as_json(content)
    answer.cookies.append(set_cookie("steamRefresh_steam", f"{account.steam_id}%7C%7C{call.value('nonce')}"))
    return answer


def _web_refresh(call: Call, token: str) -> tuple[Account, Claims] | None:
    found = session.valid_claims(call, token)
    if found is None or not found[1].is_refresh or "client" in found[1].audience:
        return None
    call.known_as = found[0]
    return found


def _transfer(call: Call, claims: Claims, host: str) -> dict[str, str]:
    nonce, auth = secrets.token_hex(16), secrets.token_hex(16)
    transfers = call.steam.desk.transfers
    transfers[nonce] = (auth, host, claims)
    while len(transfers) > 2000:
        del transfers[next(iter(transfers))]
    return {"nonce": nonce, "auth": auth}


def set_token(call: Call) -> Answer:
    """login/settoken on each host: the cookie `steamLoginSecure` for that host, against a transfer used once."""
    auth, host, claims = call.steam.desk.transfers.get(call.value("nonce"), ("", "", None))
    fits = secrets.compare_digest(auth.encode(), call.value("auth").encode()) and host == call.host
    if claims is None or not fits or call.value("steamID") != str(claims.steam_id):
        return as_json({"result": INVALID_PARAM}, 400)
    del call.steam.desk.transfers[call.value("nonce")]
    token = call.steam.tokens.access(claims, session.COOKIE_AUDIENCES[host], call.real_now)
    cookies = [set_cookie("steamLoginSecure", f"{claims.steam_id}%7C%7C{token}")]
    if not call.cookie("sessionid"):
        cookies.append(new_session_cookie())
    where = split_url(call.value("redir"))
    if call.method == "GET" and where.scheme == "https" and where.hostname in session.COOKIE_AUDIENCES:
        return redirect(call.value("redir"), cookies)
    answer = as_json({"result": 1, "rtExpiry": claims.expires})
    answer.cookies += cookies
    return answer


def refresh(call: Call) -> Answer:
    """jwt/refresh: with the cookie of a refresh token, redirects until `steamLoginSecure` of the target is new."""
    steam_id, _, token = call.cookie("steamRefresh_steam").partition("||")
    target = split_url(call.value("redir") or f"https://{COMMUNITY}")
    found = _web_refresh(call, token)
    if found is None or str(found[0].steam_id) != steam_id or target.hostname not in session.COOKIE_AUDIENCES:
        return redirect(f"https://{COMMUNITY}/login/home/?goto=")
    params = _transfer(call, found[1], target.hostname)
    return redirect(
        f"https://{target.hostname}/login/settoken?steamID={steam_id}&nonce={params['nonce']}&auth={params['auth']}"
        f"&redir={quote(target.geturl(), safe='')}"
    )


def logout(call: Call) -> Answer:
    """login/logout: the cookie is taken back and its tokens end."""
    account = session.signed_in(call)
    if account is None or not session.form_is_ours(call):
        return redirect(f"https://{COMMUNITY}/")
    token = call.cookie("steamLoginSecure").partition("||")[2]
    claims = call.steam.tokens.read(token, call.real_now)
    if claims is not None:
        call.steam.tokens.revoked.add(claims.issuer.removeprefix("r:"))
    gone = "steamLoginSecure=deleted; Path=/; Expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0"
    return redirect(f"https://{COMMUNITY}/", [gone])


def login_page(_: Call) -> Answer:
    return html("<html><head><title>Sign In</title></head><body><script>g_steamID = false;</script>Sign In</body></html>")


def new_session_cookie() -> str:
    return set_cookie("sessionid", secrets.token_hex(12), http_only=False)


def query_time(call: Call) -> Answer:
    """ITwoFactorService/QueryTime, by the real clock: codes are checked against it."""
    return response(
        {
            "server_time": str(int(call.real_now)),
            "skew_tolerance_seconds": "60",
            "large_time_jink": "86400",
            "probe_frequency_seconds": 3600,
            "adjusted_time_probe_frequency_seconds": 300,
            "hint_probe_frequency_seconds": 60,
            "sync_timeout": 60,
            "try_again_seconds": 900,
            "max_attempts": 3,
        }
    )


def query_status(call: Call) -> Answer:
    """ITwoFactorService/QueryStatus: the authenticator of the account whose access token asks."""
    account = session.token_account(call)
    if account is None:
        return key_page(401)
    return response(
        {
            "state": 1,
            "inactivation_reason": 0,
            "authenticator_type": 1,
            "authenticator_allowed": True,
            "steamguard_scheme": 2,
            "token_gid": f"{account.account_id:016x}",
            "email_validated": True,
            "device_identifier": account.device_id,
            "time_created": account.created,
            "revocation_attempts_remaining": 5,
            "allow_external_authenticator": True,
            "version": 2,
        }
    )


API_METHODS: dict[tuple[str, str, str], Callable[[Call], Answer]] = {
    ("GET", "IAuthenticationService", "GetPasswordRSAPublicKey"): public_key,
    ("POST", "IAuthenticationService", "BeginAuthSessionViaCredentials"): begin,
    ("POST", "IAuthenticationService", "UpdateAuthSessionWithSteamGuardCode"): update_code,
    ("POST", "IAuthenticationService", "PollAuthSessionStatus"): poll,
    ("POST", "IAuthenticationService", "GenerateAccessTokenForApp"): access_for_app,
    ("POST", "ITwoFactorService", "QueryStatus"): query_status,
    ("POST", "ITwoFactorService", "QueryTime"): query_time,
}

__all__ = ["API", "API_METHODS", "finalize", "login_page", "logout", "refresh", "set_token"]
