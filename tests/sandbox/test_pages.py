"""The page for playing a partner by hand, and OpenID sign-in as a website checks it."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
from requests.models import Response
from requests.sessions import Session
from sandbox_lab import Bench, Person
from steampy.client import SteamClient

NS = "http://specs.openid.net/auth/2.0"
SELECT = f"{NS}/identifier_select"
RETURN_TO = "http://127.0.0.1:9/auth/steam/return?state=abc"


class Tags(HTMLParser):
    """All tags of a page with their attributes; a page that is not well nested is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[Any]) -> None:
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "input", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture
def browse(bench: Bench) -> Iterator[Any]:
    with requests.Session() as session:

        def go(method: str, path: str, data: dict[str, str] | None = None, **headers: Any) -> Response:
            return session.request(
                method, bench.running.control_url + path, data=data, headers=headers, timeout=120, allow_redirects=False
            )

        yield go


def test_the_front_page_lists_players_to_play(bench: Bench, browse: Callable[..., Any], player: Person) -> None:
    links = [a["href"] for a in Tags(browse("GET", "/").text).all("a")]

    assert f"/play/{player['steam_id']}" in links


def test_a_person_accepts_an_offer_by_hand(bench: Bench, browse: Callable[..., Any], bot: SteamClient, player: Person) -> None:
    wanted = bench.stock(player["steam_id"])[0]
    offer = bench.deposit(bot, player, [wanted], "See https://site.example/t/1?a=1&b=2 <b>now</b>")["tradeofferid"]
    page = browse("GET", f"/play/{player['steam_id']}")
    tags = Tags(page.text)

    assert wanted["market_hash_name"] in page.text
    assert player["trade_url"].replace("&", "&amp;") in page.text
    assert "https://site.example/t/1?a=1&b=2" in [a["href"] for a in tags.all("a")]
    assert "<b>now</b>" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    forms = [f["action"] for f in tags.all("form")]
    assert f"/play/{player['steam_id']}/offers/{offer}" in forms
    done = browse("POST", f"/play/{player['steam_id']}/offers/{offer}", {"action": "accept"}, Origin=bench.running.control_url)
    assert (done.status_code, done.headers["Location"]) == (303, f"/play/{player['steam_id']}")
    assert bench.offer(offer)["state"] == 3
    assert "accepted" in browse("GET", f"/play/{player['steam_id']}").text


def test_the_page_says_what_steam_refuses(bench: Bench, browse: Callable[..., Any], bot: SteamClient, player: Person) -> None:
    offer = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    bench.patch(player["steam_id"], banned=True)

    answer = browse("POST", f"/play/{player['steam_id']}/offers/{offer}", {"action": "accept"})

    assert "(15)" in browse("GET", answer.headers["Location"]).text
    assert bench.offer(offer)["state"] == 2


def test_forms_of_other_sites_are_refused(bench: Bench, browse: Callable[..., Any], bot: SteamClient, player: Person) -> None:
    offer = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    path = f"/play/{player['steam_id']}/offers/{offer}"

    assert browse("POST", path, {"action": "accept"}, Origin="https://evil.example").status_code == 403
    assert browse("POST", path, {"action": "accept"}, Origin="null").status_code == 403
    assert bench.offer(offer)["state"] == 2


def test_a_habit_is_set_by_the_form(bench: Bench, browse: Callable[..., Any], player: Person) -> None:
    path = f"/play/{player['steam_id']}/habit"

    assert browse("POST", path, {"habit": "decline", "delay_s": "1.5"}).status_code == 303
    changed = bench.control("GET", f"/control/accounts/{player['steam_id']}")
    assert (changed["habit"], changed["delay_s"]) == ("decline", 1.5)
    assert browse("POST", path, {"habit": "dance", "delay_s": "1"}).status_code == 400
    assert browse("POST", path, {"habit": "accept", "delay_s": "nan"}).status_code == 400


def test_names_cannot_break_the_page(bench: Bench, browse: Callable[..., Any]) -> None:
    made = bench.control("POST", "/control/accounts", {"kind": "player", "name": "<script>alert(1)</script>"}, 201)

    for path in ("/", f"/play/{made['steam_id']}"):
        assert "<script>" not in browse("GET", path).text


# --- OpenID --------------------------------------------------------------------------------------

ASK = {
    "openid.ns": NS,
    "openid.mode": "checkid_setup",
    "openid.return_to": RETURN_TO,
    "openid.realm": "http://127.0.0.1:9",
    "openid.identity": SELECT,
    "openid.claimed_id": SELECT,
}


@pytest.fixture(params=["control", "steam"])
def provider(request: Any, bench: Bench) -> tuple[Session, str, str]:
    """(a session, the endpoint, the origin of its ids) of the control port's provider and of Steam's own."""
    if request.param == "steam":
        return bench.session(), "https://steamcommunity.com/openid/login", "https://steamcommunity.com"
    session = bench.session()
    session.mount(bench.running.control_url, requests.adapters.HTTPAdapter())
    return session, f"{bench.running.control_url}/openid/login", bench.running.control_url


def come_back(session: Session, endpoint: str, steam_id: str, **changes: Any) -> str:
    answer = session.get(endpoint, params=ASK | {"auto": steam_id} | changes, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def fields_of(location: str) -> dict[str, str]:
    return {name: value for name, value in parse_qsl(urlsplit(location).query) if name.startswith("openid.")}


def is_valid(session: Session, endpoint: str, fields: dict[str, str]) -> bool:
    answer = session.post(endpoint, data=fields | {"openid.mode": "check_authentication"})
    assert answer.headers["Content-Type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert lines[0] == f"ns:{NS}"
    return lines[1] == "is_valid:true"


def test_a_sign_in_is_valid_once(provider: tuple[Session, str, str], player: Person) -> None:
    session, endpoint, origin = provider
    location = come_back(session, endpoint, player["steam_id"])
    fields = fields_of(location)

    assert location.startswith(RETURN_TO + "&")
    assert parse_qs(urlsplit(location).query)["state"] == ["abc"]
    assert fields["openid.op_endpoint"] == endpoint
    assert fields["openid.claimed_id"] == fields["openid.identity"] == f"{origin}/openid/id/{player['steam_id']}"
    assert fields["openid.return_to"] == RETURN_TO
    assert fields["openid.signed"] == "signed,op_endpoint,claimed_id,identity,return_to,response_nonce,assoc_handle"
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ.", fields["openid.response_nonce"])
    assert is_valid(session, endpoint, fields)
    assert not is_valid(session, endpoint, fields)


def test_a_newcomer_becomes_a_player_with_items_at_a_click(provider: tuple[Session, str, str], bench: Bench) -> None:
    session, endpoint, origin = provider
    assert 'value="new"' in session.get(endpoint, params=ASK).text
    made = []
    for _ in range(2):
        answer = session.post(endpoint, data=ASK | {"pick": "new"}, allow_redirects=False)
        made.append(fields_of(answer.headers["Location"])["openid.claimed_id"].removeprefix(f"{origin}/openid/id/"))
    assert len(set(made)) == 2
    people = {row["steam_id"]: row for row in bench.control("GET", "/control/accounts")["accounts"]}
    assert all(people[each]["kind"] == "player" for each in made)
    shown = session.get(endpoint, params=ASK | {"pick": "new"}, allow_redirects=False)
    assert shown.status_code == 200, "a link makes nobody"


def test_a_server_may_name_steam_as_its_origin_when_it_checks(provider: tuple[Session, str, str], player: Person) -> None:
    session, endpoint, _ = provider
    fields = fields_of(come_back(session, endpoint, player["steam_id"]))
    session.headers["Origin"] = "https://steamcommunity.com"

    assert is_valid(session, endpoint, fields)


@pytest.mark.parametrize("name", ["claimed_id", "identity", "return_to", "op_endpoint", "sig", "signed", "response_nonce"])
def test_a_changed_answer_is_not_valid(bench: Bench, provider: tuple[Session, str, str], player: Person, name: str) -> None:
    session, endpoint, _ = provider
    other = bench.accounts("player")[1]["steam_id"]
    fields = fields_of(come_back(session, endpoint, player["steam_id"]))
    fields[f"openid.{name}"] = fields[f"openid.{name}"].replace(player["steam_id"], other) + "x"

    assert not is_valid(session, endpoint, fields)


def test_the_page_lets_a_person_pick_a_player_or_go_back(provider: tuple[Session, str, str], player: Person) -> None:
    session, endpoint, _ = provider
    page = session.get(endpoint, params=ASK)
    tags = Tags(page.text)
    hidden = {i["name"]: i["value"] for i in tags.all("input")}
    picks = [b["value"] for b in tags.all("button") if b.get("name") == "pick"]

    assert hidden == ASK
    assert player["steam_id"] in picks
    answer = session.post(endpoint, data=hidden | {"pick": player["steam_id"]}, allow_redirects=False)
    assert is_valid(session, endpoint, fields_of(answer.headers["Location"]))
    gone = session.post(endpoint, data=hidden | {"cancel": "1"}, allow_redirects=False)
    assert fields_of(gone.headers["Location"])["openid.mode"] == "cancel"


@pytest.mark.parametrize(
    "change",
    [
        {"openid.return_to": ""},
        {"openid.return_to": "javascript:alert(1)"},
        {"openid.realm": "http://elsewhere.example"},
        {"openid.identity": "https://steamcommunity.com/openid/id/1"},
        {"openid.ns": "http://openid.net/signon/1.1"},
        {"openid.mode": "associate"},
    ],
)
def test_requests_that_do_not_fit_get_no_answer_to_carry_home(
    provider: tuple[Session, str, str], player: Person, change: dict[str, str]
) -> None:
    session, endpoint, _ = provider

    answer = session.get(endpoint, params=ASK | {"auto": player["steam_id"]} | change, allow_redirects=False)

    assert answer.status_code == 400


def test_a_provider_does_not_vouch_for_answers_of_another(bench: Bench, player: Person) -> None:
    session = bench.session()
    session.mount(bench.running.control_url, requests.adapters.HTTPAdapter())
    steam, control = "https://steamcommunity.com/openid/login", f"{bench.running.control_url}/openid/login"
    fields = fields_of(come_back(session, control, player["steam_id"]))

    assert not is_valid(session, steam, fields)
