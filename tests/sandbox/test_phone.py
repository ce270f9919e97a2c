"""The phone: which keys are taken and how often, and what phones are asked beside trade offers."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from requests.models import Response
from sandbox_lab import Bench, Person
from steampy.client import SteamClient

COMMUNITY = "https://steamcommunity.com"
API = "https://api.steampowered.com"


class Phone:
    """mobileconf by hand."""

    def __init__(self, bench: Bench, bot: SteamClient, phone_key: Callable[..., Any]) -> None:
        self.session, self.known, self._key = bot._session, bench.credentials("red-1"), phone_key
        self._actions = 0

    def query(self, tag: str, shift: int = 0, **changes: Any) -> dict[str, str]:
        found: dict[str, str] = self._key(self.known, int(time.time()) + shift, tag) | changes
        return found

    def get(self, what: str, tag: str, shift: int = 0, **changes: Any) -> Response:
        found: Response = self.session.get(f"{COMMUNITY}/mobileconf/{what}", params=self.query(tag, shift, **changes))
        return found

    def action(self, tag: str, **changes: Any) -> Response:
        """One action, with a time of its own however many there are in this second."""
        self._actions += 1
        return self.get("ajaxop", tag, self._actions - 30, **changes)

    def many(self, tag: str, shift: int = 0, **fields: Any) -> Response:
        form = self.query(tag, shift, op="allow") | fields
        found: Response = self.session.post(f"{COMMUNITY}/mobileconf/multiajaxop", data=form)
        return found

    def only(self) -> dict[str, Any]:
        (entry,) = self.get("getlist", "conf").json()["conf"]
        found: dict[str, Any] = entry
        return found


@pytest.fixture
def phone(bench: Bench, bot: SteamClient, phone_key: Callable[[dict[str, str], int, str], dict[str, str]]) -> Phone:
    return Phone(bench, bot, phone_key)


@pytest.fixture
def waiting(bench: Bench, bot: SteamClient, player: Person) -> str:
    found: str = bench.withdraw(bot, player, bench.stock(bot.steam_guard["steamid"])[:1])["tradeofferid"]
    return found


def test_the_list_names_the_offer_and_gives_strings(phone: Phone, waiting: str, player: Person) -> None:
    entry = phone.only()

    assert (entry["type"], entry["creator_id"], entry["headline"]) == (2, waiting, player["name"])
    assert isinstance(entry["id"], str)
    assert isinstance(entry["nonce"], str)
    assert entry["summary"][1] == "Nothing"


@pytest.mark.parametrize("tag", ["conf", "list", "getlist"])
@pytest.mark.parametrize("mode", ["react", "android"])
def test_the_list_is_given_for_all_known_tags_and_modes(phone: Phone, tag: str, mode: str) -> None:
    assert phone.get("getlist", tag, m=mode).json() == {"success": True, "conf": []}


@pytest.mark.parametrize(
    ("tag", "shift", "change"),
    [
        ("allow", 0, {}),
        ("conf", -320, {}),
        ("conf", 320, {}),
        ("conf", 0, {"k": "AAAA"}),
        ("conf", 0, {"a": "76561197960265729"}),
        ("conf", 0, {"p": ""}),
        ("conf", 0, {"t": "soon"}),
    ],
)
def test_a_wrong_key_is_told_with_steams_sentence(phone: Phone, tag: str, shift: int, change: dict[str, Any]) -> None:
    answer = phone.get("getlist", tag, shift, **change).json()

    assert answer["success"] is False
    assert "is providing incorrect Steam Guard codes." in answer["detail"]


def test_keys_go_by_the_real_clock_when_the_sandbox_is_days_ahead(bench: Bench, phone: Phone, waiting: str) -> None:
    bench.advance(3 * 86400)

    assert phone.only()["creator_id"] == waiting
    assert "is providing incorrect" in phone.get("getlist", "conf", 3 * 86400).text


def test_nobody_signed_in_needs_auth(bench: Bench, phone: Phone) -> None:
    answer = bench.session().get(f"{COMMUNITY}/mobileconf/getlist", params=phone.query("conf"))

    assert answer.json()["needauth"] is True


def test_one_confirmation_wants_the_right_nonce_tag_and_operation(bench: Bench, phone: Phone, waiting: str) -> None:
    entry = phone.only()
    good = {"op": "allow", "cid": entry["id"], "ck": entry["nonce"]}

    for change, tag in (({"ck": "1"}, "allow"), ({"cid": "1"}, "allow"), ({}, "cancel"), ({"op": "steal"}, "allow")):
        assert phone.action(tag, **(good | change)).json()["success"] is False
    assert bench.offer(waiting)["state"] == 9
    assert phone.action("accept", **good).json() == {"success": True}
    assert bench.offer(waiting)["state"] == 2
    assert phone.action("allow", **good).json()["success"] is False


def test_cancelling_on_the_phone_is_state_10(bench: Bench, phone: Phone, waiting: str) -> None:
    entry = phone.only()

    assert phone.action("reject", op="cancel", cid=entry["id"], ck=entry["nonce"]).json() == {"success": True}
    assert bench.offer(waiting)["state"] == 10
    assert phone.get("getlist", "conf").json()["conf"] == []


def test_details_come_as_html_for_all_known_tags(phone: Phone, waiting: str) -> None:
    entry = phone.only()
    for tag in (f"details{entry['id']}", "details", "detail"):
        assert f'id="tradeofferid_{waiting}"' in phone.get(f"details/{entry['id']}", tag).json()["html"]
    assert waiting in phone.get(f"detailspage/{entry['id']}", "details").text
    assert phone.get("details/1", "details").json() == {"success": False}


def test_many_confirmations_at_once_need_an_origin(bench: Bench, bot: SteamClient, phone: Phone, player: Person) -> None:
    for asset in bench.stock(bot.steam_guard["steamid"])[:2]:
        bench.withdraw(bot, player, [asset])
    entries = phone.get("getlist", "conf").json()["conf"]
    fields = {"cid[]": [entry["id"] for entry in entries], "ck[]": [entry["nonce"] for entry in entries]}
    form = phone.query("allow", op="allow") | fields

    refused = bot._session.post(f"{COMMUNITY}/mobileconf/multiajaxop", data=form, headers={"Origin": "https://example.com"})
    assert (refused.status_code, refused.content) == (403, b"")
    assert phone.many("allow", 1, **(fields | {"ck[]": ["1", "2"]})).json()["success"] is False
    assert phone.many("allow", 2, **fields).json() == {"success": True}
    assert [bench.offer(entry["creator_id"])["state"] for entry in entries] == [2, 2]


@pytest.mark.parametrize("names", [("cid[]", "ck[]"), ("cid[{}]", "ck[{}]")])
@pytest.mark.parametrize("tag", ["allow", "accept", "conf"])
def test_many_confirmations_are_named_in_either_way_and_signed_by_any_tag(
    bench: Bench, bot: SteamClient, phone: Phone, player: Person, names: tuple[str, str], tag: str
) -> None:
    """`cid[0]`, `cid[1]` is how node's `request` writes a list; ArchiSteamFarm signs everything with `conf`."""
    for asset in bench.stock(bot.steam_guard["steamid"])[:2]:
        bench.withdraw(bot, player, [asset])
    entries = phone.get("getlist", "conf").json()["conf"]
    fields: dict[str, Any] = {}
    for number, entry in enumerate(entries):
        for name, value in zip(names, (entry["id"], entry["nonce"]), strict=True):
            fields.setdefault(name.format(number), []).append(value)

    assert phone.many(tag, **fields).json() == {"success": True}
    assert [bench.offer(entry["creator_id"])["state"] for entry in entries] == [2, 2]


@pytest.mark.parametrize(("operation", "state"), [("allow", 2), ("cancel", 10)])
def test_the_tag_conf_is_good_for_one_action_too(bench: Bench, phone: Phone, waiting: str, operation: str, state: int) -> None:
    entry = phone.only()

    assert phone.action("conf", op=operation, cid=entry["id"], ck=entry["nonce"]).json() == {"success": True}
    assert bench.offer(waiting)["state"] == state


def test_other_peoples_confirmations_are_out_of_reach(bench: Bench, phone: Phone, player: Person) -> None:
    other = bench.client("red-2")
    bench.withdraw(other, player, bench.stock(other.steam_guard["steamid"])[:1])
    known = bench.credentials("red-2")
    entry = other._session.get(f"{COMMUNITY}/mobileconf/getlist", params=phone._key(known, int(time.time()), "conf")).json()[
        "conf"
    ][0]

    answer = phone.get("ajaxop", "allow", op="allow", cid=entry["id"], ck=entry["nonce"])
    assert answer.json()["success"] is False
    assert bench.offer(entry["creator_id"])["state"] == 9


# --- keys are good for one action -----------------------------------------------------------------


def two(bench: Bench, bot: SteamClient, phone: Phone, player: Person) -> list[dict[str, str]]:
    """The queries of two actions that wait."""
    for asset in bench.stock(bot.steam_guard["steamid"])[:2]:
        bench.withdraw(bot, player, [asset])
    entries = phone.get("getlist", "conf").json()["conf"]
    return [{"op": "allow", "cid": entry["id"], "ck": entry["nonce"]} for entry in entries]


def ask(phone: Phone, query: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = phone.session.get(f"{COMMUNITY}/mobileconf/ajaxop", params=query).json()
    return found


@pytest.mark.parametrize("tags", [("allow", "allow"), ("allow", "accept")])
def test_a_time_is_good_for_one_action(
    bench: Bench, bot: SteamClient, phone: Phone, player: Person, tags: tuple[str, str]
) -> None:
    """A key twice, and two keys within one second: Steam says no without a word (node-steamcommunity#58)."""
    first, second = two(bench, bot, phone, player)
    now = int(time.time())

    assert ask(phone, phone._key(phone.known, now, tags[0]) | first) == {"success": True}
    assert ask(phone, phone._key(phone.known, now, tags[1]) | second) == {"success": False}
    assert ask(phone, phone._key(phone.known, now + 1, tags[1]) | second) == {"success": True}


def test_a_refused_action_uses_its_time_up_all_the_same(bench: Bench, phone: Phone, waiting: str) -> None:
    entry = phone.only()
    query = phone.query("allow", op="allow", cid=entry["id"])

    assert ask(phone, query | {"ck": "1"})["success"] is False
    assert ask(phone, query | {"ck": entry["nonce"]}) == {"success": False}
    assert bench.offer(waiting)["state"] == 9


def test_two_accounts_may_act_in_one_second(
    bench: Bench,
    bot: SteamClient,
    phone: Phone,
    player: Person,
    waiting: str,
    phone_key: Callable[[dict[str, str], int, str], dict[str, str]],
) -> None:
    other = Phone(bench, bench.client("red-2"), phone_key)
    other.known = bench.credentials("red-2")
    sent = bench.give(bench.client("red-2"), player)["tradeofferid"]
    now = int(time.time())
    for each in (phone, other):
        entry = each.only()
        query = each._key(each.known, now, "allow") | {"op": "allow", "cid": entry["id"], "ck": entry["nonce"]}
        assert ask(each, query) == {"success": True}
    assert {bench.offer(offer_id)["state"] for offer_id in (waiting, sent)} == {2}


def test_keys_for_reading_are_good_for_five_minutes_and_many_times(phone: Phone, waiting: str) -> None:
    """node-steamcommunity keeps its keys for the list and for details that long (`_confirmationCheckerGetKey`)."""
    query = phone.query("conf", -290)

    for _ in range(3):
        assert len(phone.session.get(f"{COMMUNITY}/mobileconf/getlist", params=query).json()["conf"]) == 1
    assert "is providing incorrect" in phone.get("ajaxop", "allow", -90, op="allow", cid="1", ck="1").text


@pytest.mark.parametrize(
    ("rule", "lists", "actions"), [("all", [True, False], [True, False]), ("never", [True] * 2, [True] * 2)]
)
def test_how_often_keys_are_good_is_a_setting(
    bench: Bench, bot: SteamClient, phone: Phone, player: Person, rule: str, lists: list[bool], actions: list[bool]
) -> None:
    queries = two(bench, bot, phone, player)
    bench.change(confirmation_keys_once=rule)
    listing, now = phone.query("conf", -5), int(time.time())

    listed = [phone.session.get(f"{COMMUNITY}/mobileconf/getlist", params=listing).json()["success"] for _ in range(2)]
    acted = [ask(phone, phone._key(phone.known, now, "allow") | query)["success"] for query in queries]
    assert (listed, acted) == (lists, actions)


def test_whether_many_need_an_origin_is_a_setting(bench: Bench, bot: SteamClient, phone: Phone, waiting: str) -> None:
    bench.change(multiajaxop_needs_origin=False)
    entry = phone.only()
    form = phone.query("allow", op="allow") | {"cid[]": entry["id"], "ck[]": entry["nonce"]}

    answer = bot._session.post(f"{COMMUNITY}/mobileconf/multiajaxop", data=form, headers={"Origin": "null"})
    assert answer.json() == {"success": True}


# --- what is no trade offer -----------------------------------------------------------------------


@pytest.fixture
def account(bench: Bench) -> str:
    return f"/control/accounts/{bench.credentials('red-1')['steam_id']}"


@pytest.mark.parametrize("kind", [1, 3, 5, 6, 9, 12])
@pytest.mark.parametrize("allow", [True, False])
def test_other_kinds_are_listed_and_answered(bench: Bench, phone: Phone, account: str, kind: int, allow: bool) -> None:
    asked = bench.control("POST", f"{account}/confirmations", {"type": kind, "headline": "Hello", "summary": ["a", "b"]}, 201)

    entry = phone.only()
    assert (entry["type"], entry["id"], entry["creator_id"]) == (kind, asked["confirmation_id"], asked["creator_id"])
    assert (entry["headline"], entry["summary"]) == ("Hello", ["a", "b"])
    details = phone.get(f"details/{entry['id']}", "details").json()["html"]
    assert "tradeofferid_" not in details
    assert ("confiteminfo" in details) == (kind == 3)
    operation = "allow" if allow else "cancel"
    assert phone.action(operation, op=operation, cid=entry["id"], ck=entry["nonce"]).json() == {"success": True}
    assert phone.get("getlist", "conf").json()["conf"] == []
    answered = bench.control("GET", f"{account}/confirmations")["answered"]
    assert [(each["type"], each["allowed"]) for each in answered] == [(kind, allow)]


@pytest.mark.parametrize(
    "body", [{}, {"type": 2}, {"type": 99}, {"type": "5"}, {"type": 5, "summary": "x"}, {"type": 5, "x": 1}]
)
def test_a_confirmation_that_is_none_is_refused(bench: Bench, account: str, body: dict[str, Any]) -> None:
    bench.control("POST", f"{account}/confirmations", body, 400)

    assert bench.control("GET", f"{account}/confirmations") == {"waiting": [], "answered": []}


# --- the Web API key ------------------------------------------------------------------------------


def ask_for_key(bot: SteamClient, request_id: int | str = "0", **change: Any) -> Response:
    form = {"domain": "example.org", "request_id": request_id, "sessionid": bot._get_session_id(), "agreeToTerms": "true"}
    found: Response = bot._session.post(f"{COMMUNITY}/dev/requestkey", data=form | change)
    return found


def key_page(bot: SteamClient) -> str:
    found: str = bot._session.get(f"{COMMUNITY}/dev/apikey?l=english").text
    return found


def revoke(bot: SteamClient) -> Response:
    form = {"sessionid": bot._get_session_id(), "Revoke": "Revoke My Steam Web API Key"}
    found: Response = bot._session.post(f"{COMMUNITY}/dev/revokekey", data=form, allow_redirects=False)
    return found


def works(bench: Bench, key: str) -> int:
    return bench.session().get(f"{API}/ISteamUser/GetPlayerBans/v1", params={"key": key, "steamids": "1"}).status_code


def test_a_key_is_asked_for_confirmed_and_given(bench: Bench, bot: SteamClient, phone: Phone) -> None:
    old = bench.credentials("red-1")["api_key"]
    assert f"<p>Key: {old}</p>" in key_page(bot)
    assert ask_for_key(bot).json() == {"success": 29}
    assert revoke(bot).headers["Location"] == f"{COMMUNITY}/dev/apikey"
    assert "<p>Key:" not in key_page(bot)
    assert (works(bench, old), works(bench, "0" * 32)) == (403, 200)

    asked = ask_for_key(bot).json()
    assert (asked["success"], asked["requires_confirmation"]) == (22, 1)
    assert ask_for_key(bot, asked["request_id"]).json()["success"] == 22
    entry = phone.only()
    assert (entry["type"], entry["creator_id"]) == (9, str(asked["request_id"]))
    assert phone.action("accept", op="allow", cid=entry["id"], ck=entry["nonce"]).json() == {"success": True}
    made = ask_for_key(bot, asked["request_id"]).json()
    assert made["success"] == 1
    assert f"<p>Key: {made['api_key']}</p>" in key_page(bot)
    assert "Domain Name: example.org" in key_page(bot)
    assert works(bench, made["api_key"]) == 200


def test_a_key_that_the_phone_refuses_is_not_made(bench: Bench, bot: SteamClient, phone: Phone) -> None:
    revoke(bot)
    asked = ask_for_key(bot).json()
    entry = phone.only()
    phone.action("reject", op="cancel", cid=entry["id"], ck=entry["nonce"])

    assert ask_for_key(bot, asked["request_id"]).json() == {"success": 27}
    assert "<p>Key:" not in key_page(bot)


def test_who_may_ask_for_a_key(bench: Bench, bot: SteamClient) -> None:
    revoke(bot)
    nobody = bench.session()

    assert nobody.get(f"{COMMUNITY}/dev/apikey", allow_redirects=False).status_code == 302
    assert nobody.post(f"{COMMUNITY}/dev/requestkey").status_code == 401
    assert ask_for_key(bot, sessionid="no").status_code == 400
    assert ask_for_key(bot, agreeToTerms="").json() == {"success": 8}
    assert ask_for_key(bot, request_id="12345").json() == {"success": 27}


def test_a_hijack_can_be_played(bench: Bench, bot: SteamClient, player: Person, account: str) -> None:
    """A thief asks for a key, gives an item away, ends an offer of the bot's and changes the password."""
    mine = bot.steam_guard["steamid"]
    offer = bench.ask(bot, player)
    asked = bench.control("POST", f"{account}/api_key", {"ask": True, "domain": "thief.example"}, 202)
    waiting = bench.control("GET", f"{account}/confirmations")["waiting"]
    assert [(each["type"], each["creator_id"]) for each in waiting] == [(9, asked["request_id"])]
    bench.control("POST", f"{account}/confirmations/{waiting[0]['confirmation_id']}", {"allow": True}, 200)

    item = bench.stock(mine)[0]
    body = {"partner": player["steam_id"], "give": [item["asset_id"]]}
    stolen = bench.control("POST", f"/control/people/{mine}/offers", body, 201)
    bench.act(player["steam_id"], stolen["offer_id"], "accept")
    assert bench.stock(player["steam_id"], 16)[0]["item_uid"] == item["item_uid"]
    bench.act(mine, offer, "cancel")
    assert bench.offer(offer)["state"] == 6
    bench.act(mine, offer, "cancel", 409)

    bench.patch(mine, password="changed by the thief")
    assert bot._session.get(f"{COMMUNITY}/my", allow_redirects=False).headers["Location"].startswith(f"{COMMUNITY}/login")
    with pytest.raises(KeyError):
        bench.unsigned("red-1", password="the old one").login()
    known = bench.credentials("red-1")
    assert known["password"] == "changed by the thief"


def test_an_offer_by_hand_may_leave_the_phone_waiting(bench: Bench, bot: SteamClient, player: Person) -> None:
    mine = bot.steam_guard["steamid"]
    body = {"partner": player["steam_id"], "give": [bench.stock(mine)[0]["asset_id"]], "confirm": False}
    sent = bench.control("POST", f"/control/people/{mine}/offers", body, 201)

    assert sent["state"] == 9
    bench.control("POST", f"/control/people/{mine}/offers", body | {"give": ["1"]}, 409)
    bench.control("POST", f"/control/people/{mine}/offers", body | {"give": "1"}, 400)
    bench.control("POST", f"/control/people/{mine}/offers", body | {"partner": "1"}, 404)
