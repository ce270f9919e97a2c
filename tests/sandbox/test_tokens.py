"""Sign-in and tokens beyond what steampy does: other platforms, other codes, renewals, transfers."""

import base64
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hand_clock import SteamsHandClock
from sandbox_lab import Bench
from steampy.client import SteamClient

from sandbox import guard

COMMUNITY = "https://steamcommunity.com"
API = "https://api.steampowered.com"


def sign_in(bench: Bench, name: str = "red-1", poll_first: bool = False, code_shift: int = 0, **extra: Any) -> tuple[Any, ...]:
    """The calls of a client that asks for a platform of its own; the answer of the last poll."""
    known, session = bench.credentials(name), bench.session()
    auth = f"{API}/IAuthenticationService"
    key = session.get(f"{auth}/GetPasswordRSAPublicKey/v1", params={"account_name": known["account_name"]})
    numbers = key.json()["response"]
    public = rsa.RSAPublicNumbers(int(numbers["publickey_exp"], 16), int(numbers["publickey_mod"], 16)).public_key()
    form = {
        "account_name": known["account_name"],
        "encrypted_password": base64.b64encode(public.encrypt(known["password"].encode(), padding.PKCS1v15())).decode(),
        "encryption_timestamp": numbers["timestamp"],
        "persistence": 1,
    }
    begun = session.post(f"{auth}/BeginAuthSessionViaCredentials/v1/", data=form | extra).json()["response"]
    poll = {"client_id": begun["client_id"], "request_id": begun["request_id"]}
    if poll_first:
        early = session.post(f"{auth}/PollAuthSessionStatus/v1", data=poll).json()["response"]
        assert early == {"had_remote_interaction": False}
    step = int(bench.running.clock.real()) // 30 + code_shift
    code = {"code_type": 3, "code": guard.code(known["shared_secret"], step)}
    update = session.post(
        f"{auth}/UpdateAuthSessionWithSteamGuardCode/v1",
        data={"client_id": begun["client_id"], "steamid": begun["steamid"]} | code,
    )
    done = session.post(f"{auth}/PollAuthSessionStatus/v1", data=poll)
    return update.headers["x-eresult"], done.json()["response"], session


def test_an_encrypted_password_may_lack_its_leading_zeros(bench: Bench) -> None:
    """node-bignumber writes the number and not the block: one password in 256 is a byte shorter."""
    known, session = bench.credentials("red-1"), bench.session()
    url = f"{API}/IAuthenticationService"
    key = session.get(f"{url}/GetPasswordRSAPublicKey/v1", params={"account_name": known["account_name"]}).json()["response"]
    public = rsa.RSAPublicNumbers(int(key["publickey_exp"], 16), int(key["publickey_mod"], 16)).public_key()
    ciphers = (public.encrypt(known["password"].encode(), padding.PKCS1v15()) for _ in iter(int, 1))
    short = next(cipher for cipher in ciphers if cipher[0] == 0).lstrip(b"\0")
    form = {"account_name": known["account_name"], "encryption_timestamp": key["timestamp"], "persistence": 1}

    form["encrypted_password"] = base64.b64encode(short).decode()
    begun = session.post(f"{url}/BeginAuthSessionViaCredentials/v1/", data=form)
    assert (len(short) < 256, begun.headers["x-eresult"]) == (True, "1")


def test_polling_before_the_code_gives_no_token(bench: Bench) -> None:
    eresult, done, _ = sign_in(bench, poll_first=True)

    assert eresult == "1"
    assert done["refresh_token"].count(".") == 2


def test_the_tokens_are_given_once_and_a_second_poll_under_way_is_no_error(make_bench: Callable[..., Bench]) -> None:
    clock = SteamsHandClock()
    bench = make_bench(clock=clock)
    done, results = sign_in(bench)[1], []
    steam = bench.running.steam
    (begun,) = bench.running.on_loop(lambda: list(steam.desk.sessions.values()))
    poll = {"client_id": begun.client_id, "request_id": begun.request_id}
    for later in (0, 6):
        clock.at += later
        again = bench.session().post(f"{API}/IAuthenticationService/PollAuthSessionStatus/v1", data=poll)
        results.append((again.headers["x-eresult"], again.json()["response"]))

    assert done["refresh_token"].count(".") == 2
    assert results == [("1", {"had_remote_interaction": False}), ("9", {})]


def test_codes_of_neighbouring_steps_are_taken_and_older_ones_not(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(clock=SteamsHandClock())  # half a minute may end at any moment

    assert sign_in(bench, code_shift=-1)[0] == "1"
    assert sign_in(bench, code_shift=3)[0] == "88"
    assert sign_in(bench, code_shift=-4)[0] == "88"


def test_app_tokens_are_renewed_and_web_tokens_are_refused(bench: Bench) -> None:
    steam_id = bench.credentials("red-1")["steam_id"]
    url = f"{API}/IAuthenticationService/GenerateAccessTokenForApp/v1"
    _, web, session = sign_in(bench)
    refused = session.post(url, data={"refresh_token": web["refresh_token"], "steamid": steam_id})
    assert (refused.json(), refused.headers["x-eresult"]) == ({"response": {}}, "15")

    _, app, session = sign_in(bench, "red-2", platform_type=3)
    form = {"refresh_token": app["refresh_token"], "steamid": bench.credentials("red-2")["steam_id"]}
    plain = session.post(url, data=form).json()["response"]
    renewed = session.post(url, data=form | {"renewal_type": 1}).json()["response"]
    assert set(plain) == {"access_token"}
    assert set(renewed) == {"access_token", "refresh_token"}
    assert session.post(url, data=form).json() == {"response": {}}
    cookie = f"{form['steamid']}%7C%7C{renewed['access_token']}"
    session.cookies.set("steamLoginSecure", cookie, domain="steamcommunity.com", path="/")
    assert form["steamid"] in session.get(COMMUNITY).text


def test_jwt_refresh_leads_to_a_new_cookie(bench: Bench, bot: SteamClient) -> None:
    session = bench.session()
    for cookie in bot._session.cookies:
        if cookie.name == "steamRefresh_steam" and cookie.domain == "login.steampowered.com":
            session.cookies.set_cookie(cookie)

    page = session.get("https://login.steampowered.com/jwt/refresh", params={"redir": COMMUNITY})

    assert page.url.rstrip("/") == COMMUNITY
    assert f'g_steamID = "{bot.steam_guard["steamid"]}";' in page.text
    lost = bench.session().get("https://login.steampowered.com/jwt/refresh", params={"redir": COMMUNITY})
    assert "/login/home" in lost.url


def test_a_transfer_is_good_once_and_for_its_own_host(bench: Bench) -> None:
    _, done, session = sign_in(bench)
    form = {"nonce": done["refresh_token"], "sessionid": "x", "redir": ""}
    answer = session.post("https://login.steampowered.com/jwt/finalizelogin", data=form).json()
    community = next(t for t in answer["transfer_info"] if "steamcommunity" in t["url"])
    params = community["params"] | {"steamID": answer["steamID"]}

    assert session.post("https://steam.tv/login/settoken", data=params).status_code == 400
    assert session.post(community["url"], data=params | {"auth": "no"}).status_code == 400
    assert session.post(community["url"], data=params).json()["result"] == 1
    assert session.post(community["url"], data=params).status_code == 400
    bad = session.post("https://login.steampowered.com/jwt/finalizelogin", data=form | {"nonce": "a.b.c"})
    assert bad.json() == {"success": False, "step": "nonce", "error": 8}


def test_the_server_time_is_the_real_one(bench: Bench) -> None:
    bench.advance(86400 * 30)

    answer = bench.session().post(f"{API}/ITwoFactorService/QueryTime/v1").json()["response"]

    assert abs(int(answer["server_time"]) - time.time()) < 200
    assert isinstance(answer["server_time"], str)


def test_the_web_api_takes_the_tokens_of_all_five_sites(bench: Bench, bot: SteamClient) -> None:
    """Whether it takes those of help, checkout and steam.tv is a setting; a refresh token it never takes."""
    tokens = {c.domain: c.value.partition("%7C%7C")[2] for c in bot._session.cookies if c.name == "steamLoginSecure"}
    refresh = next(c.value.partition("%7C%7C")[2] for c in bot._session.cookies if c.name == "steamRefresh_steam")
    url, session = f"{API}/IEconService/GetTradeOffersSummary/v1", bench.session()

    def taken() -> set[str]:
        return {host for host, token in tokens.items() if session.get(url, params={"access_token": token}).status_code == 200}

    assert len(tokens) == 5
    assert taken() == set(tokens)
    bench.change(api_takes_every_web_token=False)
    assert taken() == {"steamcommunity.com", "store.steampowered.com"}
    assert session.get(url, params={"access_token": refresh}).status_code == 401
