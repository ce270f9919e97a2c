"""Profiles of trouble: the files that come along, how they are taken and healed, and that a day can be repeated."""

import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from hand_clock import SteamsHandClock
from sandbox_lab import Bench, Person, first_line
from steampy.client import SteamClient

from sandbox import __main__ as program
from sandbox.errors import BadRequest
from sandbox.faults import profiles
from sandbox.faults.kinds import KINDS
from sandbox.faults.orders import Faults
from sandbox.steam_api.router import ROUTE_NAMES

COMMUNITY = "https://steamcommunity.com"
API = "https://api.steampowered.com"
NAMES = ["bad-day", "ordinary-day", "quiet", "tuesday"]
BROWSER = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36",
    "Accept-Language": "en-US,en;q=0.9",
    "Accept-Encoding": "gzip, deflate, br",
}


def use(bench: Bench, *orders: Any, name: str = "mine") -> dict[str, Any]:
    found: dict[str, Any] = bench.control("POST", "/control/profile", {"profile": {"name": name, "fault": list(orders)}}, 201)
    return found


def test_the_profiles_that_come_along_are_found() -> None:
    assert profiles.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_can_be_taken_and_says_what_it_is(name: str) -> None:
    profile = profiles.named(name)
    faults = Faults(1, ROUTE_NAMES)

    made = profiles.apply(faults, profile, 1_786_000_000.0)

    assert profile.name == faults.profile == name
    assert profile.about
    assert len(made) == len(profile.orders) == len(faults.open) > 0
    assert {fault.profile for fault in made} == {name}
    assert all(fault.times is None for fault in made), "a profile's trouble does not wear off"


@pytest.mark.parametrize("name", NAMES)
def test_every_number_of_a_profile_has_its_meaning_beside_it(name: str) -> None:
    text = (profiles.FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    numbers = [line for line in text.splitlines() if re.match(r"\w+ = [\d.]+", line)]

    assert len(numbers) > 2
    assert [line for line in numbers if "# " not in line] == []


def test_a_bad_day_is_worse_than_an_ordinary_one_and_has_every_kind_of_trouble() -> None:
    def calls(name: str) -> float:
        orders = profiles.named(name).orders
        per_call = [o for o in orders if o["kind"] != "slow" and not KINDS[o["kind"]].by_share]
        found: float = sum(order.get("probability", 0) for order in per_call)
        return found

    kinds = {order["kind"] for name in NAMES for order in profiles.named(name).orders}

    assert calls("bad-day") > 5 * calls("ordinary-day") > 0
    assert calls("quiet") == 0
    assert kinds == set(KINDS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "a profile has a name"),
        ({"name": "x", "fault": {}}, "fault is a list"),
        ({"name": "x", "fault": [1]}, "an object of its own"),
        ({"name": "x", "faults": []}, "unknown fields of a profile: faults"),
        ({"name": "x", "fault": [{"kind": "slow", "route": "*"}, {"kind": "odd"}]}, "profile x, fault 2 (odd): kind is one of"),
    ],
)
def test_a_profile_that_does_not_fit_is_refused_and_changes_nothing(content: dict[str, Any], said: str) -> None:
    faults = Faults(1, ROUTE_NAMES)
    faults.add({"kind": "null", "route": "send"}, 0)

    with pytest.raises(BadRequest) as caught:
        profiles.apply(faults, profiles.of(content), 0)

    assert said in str(caught.value)
    assert [fault.kind for fault in faults.open] == ["null"]


def test_a_file_is_read_and_a_bad_one_is_told(tmp_path: Path) -> None:
    good = tmp_path / "mine.toml"
    good.write_text('[[fault]]\nkind = "maintenance"\nat = 2026-01-06T20:30:00Z\nfor_s = 2400\nevery_s = 604800\n')
    bad = tmp_path / "bad.toml"
    bad.write_text("fault = [")

    profile = profiles.find(str(good))
    (fault,) = profiles.apply(Faults(1, ROUTE_NAMES), profile, 0)

    assert profile.name == "mine"
    assert fault.at == 1_767_731_400
    assert fault.is_on(1_767_731_400 + 5 * 604_800 + 2399)
    assert not fault.is_on(1_767_731_400 + 5 * 604_800 + 2400)
    for path in (bad, tmp_path / "none.toml"):
        with pytest.raises(BadRequest, match=path.name):
            profiles.find(str(path))


@pytest.mark.parametrize("name", ["", "nope", "../faults/quiet", "Quiet", "quiet.toml"])
def test_over_the_control_api_only_names_of_profiles_are_taken(bench: Bench, name: str) -> None:
    said = bench.control("POST", "/control/profile", {"name": name}, 400)

    assert "there are bad-day, ordinary-day, quiet, tuesday" in said["error"]
    assert bench.control("GET", "/control/profile") == {"name": None, "about": "", "faults": [], "available": NAMES}


@pytest.mark.parametrize("body", [{}, {"name": 1}, {"profile": "quiet"}, {"name": "quiet", "profile": {}}, {"profile": {}}])
def test_orders_for_a_profile_that_do_not_fit_are_refused(bench: Bench, body: dict[str, Any]) -> None:
    bench.control("POST", "/control/profile", body, 400)

    assert bench.control("GET", "/control/profile")["name"] is None


def test_a_profile_takes_the_place_of_the_one_before_and_spares_orders_by_hand(bench: Bench) -> None:
    bench.order({"kind": "null", "route": "cancel"})
    use(bench, {"kind": "html", "route": "home", "probability": 0.5})

    shown = bench.control("POST", "/control/profile", {"name": "quiet"}, 201)

    assert (shown["name"], len(shown["faults"])) == ("quiet", 2)
    kinds = [(fault["kind"], fault["profile"]) for fault in bench.control("GET", "/control/faults")["faults"]]
    assert kinds == [("null", None), ("slow", "quiet"), ("late_confirmation", "quiet")]
    assert bench.control("GET", "/control/profile") == shown


def test_healed_means_healed(bench: Bench, bot: SteamClient, player: Person) -> None:
    """Everything that may linger: dead tokens, limits reached, conditions, orders by hand, windows, stuck exchanges."""
    offer_id, tradeid = bench.accepted(bot, player)
    session = bot._session
    use(
        bench,
        {"kind": "dead_token", "route": "profile", "times": 1},
        {"kind": "rate_limit", "route": "home", "calls": 1, "per_s": 3600},
        {"kind": "hold", "days": 9},
        {"kind": "trade_ban", "who": "player"},
        {"kind": "stuck_status"},
        {"kind": "flap"},
        {"kind": "maintenance", "in_s": 10_000, "for_s": 10_000},
        {"kind": "html", "route": "send", "probability": 1},
    )
    bench.order({"kind": "status", "status": 502, "route": "GetTradeOffers", "times": 50})
    assert session.get(f"{COMMUNITY}/profiles/{player['steam_id']}").status_code == 200
    assert [session.get(f"{COMMUNITY}/").status_code for _ in range(2)] == [200, 429]
    assert not bot.is_session_alive()

    bench.heal()

    assert bot.is_session_alive()
    assert [session.get(f"{COMMUNITY}/").status_code for _ in range(5)] == [200] * 5
    assert bot.get_escrow_duration(player["trade_url"]) == 0
    assert bench.api(bot, "GetTradeStatus", tradeid=tradeid)["trades"][0]["status"] == 3
    assert [bench.seen(bot, offer_id)["trade_offer_state"] for _ in range(3)] == [3, 3, 3]
    assert "tradeofferid" in bench.give(bot, player)
    bench.advance(10_001)
    assert bench.inventories(bot, player)[0][1] == 5
    bench.control("DELETE", "/control/requests")
    assert bench.struck() == []
    assert bench.control("GET", "/control/profile")["name"] is None


def day(bench: Bench, name: str, calls: int = 150) -> list[Any]:
    """What a bot hears in so many calls of one day, call by call."""
    bench.control("POST", "/control/profile", {"name": name}, 201)
    session, steam_id = bench.session(), bench.accounts("player")[0]["steam_id"]
    session.headers.update(BROWSER)
    heard: list[Any] = []
    for number in range(calls):
        path = ("/", f"/inventory/{steam_id}/730/2?count=5", f"/profiles/{steam_id}")[number % 3]
        try:
            answer = session.get(f"{COMMUNITY}{path}")
            heard.append((answer.status_code, answer.headers["Content-Type"], len(answer.content) > 100))
        except requests.RequestException as error:
            heard.append(type(error).__name__)
    return heard


def test_a_bad_day_is_the_same_day_again_by_its_seed(make_bench: Callable[..., Bench]) -> None:
    one, two, other = (day(make_bench(seed=seed, clock=SteamsHandClock()), "bad-day") for seed in (11, 11, 12))

    assert one == two
    assert one != other
    assert sum(entry != one[number % 3] for number, entry in enumerate(one)) > 10


def test_on_a_bad_day_nothing_is_lost_and_no_answer_promises_what_is_not(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(
        clock=SteamsHandClock(),
        players=6,
        items_per_player=(20, 20),
        player_habit="accept",
        player_delay_s=0,
        offers_total_max=999,
    )
    bot, players = bench.client("red-1"), bench.accounts("player")
    bench.patch(players[0]["steam_id"], habit="take_back", take_back_s=3600)
    bot._session.headers.update(BROWSER)
    items = {asset["item_uid"] for asset in bench.control("GET", "/control/record?part=assets")["assets"]}
    bench.control("POST", "/control/profile", {"name": "bad-day"}, 201)

    told, failed = set(), []
    for number in range(60):
        player = players[number % len(players)]
        try:
            answer = bench.deposit(bot, player, [bench.stock(player["steam_id"])[number % 5]]) or {}
            told.add(answer.get("tradeofferid", ""))
        except (requests.RequestException, ValueError, KeyError, AttributeError, TypeError) as error:
            failed.append(type(error).__name__)
        bench.advance(600)

    record = bench.control("GET", "/control/record")
    real = {offer["offer_id"] for offer in record["offers"]}
    places = [(asset["owner"], asset["context_id"], asset["asset_id"]) for asset in record["assets"]]
    assert {asset["item_uid"] for asset in record["assets"]} == items
    assert len(set(places)) == len(items)
    assert len(told - {""}) > 10
    assert told - {""} <= real
    assert failed
    assert record["reversals"]
    owners = {row["item_uid"]: row["owner"] for row in record["origins"]}
    for move in (move for exchange in record["exchanges"] for move in exchange["moves"] if move["new_asset_id"]):
        assert owners[move["item_uid"]] == move["from"]
        owners[move["item_uid"]] = move["to"]
    assert owners == {asset["item_uid"]: asset["owner"] for asset in record["assets"]}


def test_a_tuesday_goes_away_and_comes_back_every_week(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(faults="tuesday")
    session = bench.session()
    assert bench.control("GET", "/control/profile")["name"] == "tuesday"

    def away() -> bool:
        url = f"{COMMUNITY}/inventory/{bench.accounts('player')[0]['steam_id']}/730/2?count=5"
        session.get(url)
        return "maintenance" in bench.control("GET", "/control/requests")["recent"][-1]["faults"]

    seen = [away()]
    for seconds in (125, 1100, 200, 604_800 - 1300, 1200):
        bench.advance(seconds)
        seen.append(away())

    assert seen == [False, True, True, False, True, False]


def test_the_program_begins_with_a_profile() -> None:
    command = [sys.executable, "-m", "sandbox", "--players", "0", "--bots", "a", "--faults", "quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        ready = first_line(process)
        shown = requests.get(f"{ready['control']}/control/profile", timeout=120).json()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)

    assert (shown["name"], len(shown["faults"])) == ("quiet", 2)
    assert process.returncode == 0


@pytest.mark.parametrize("text", ["nope", "none/here.toml"])
def test_a_profile_that_is_not_there_ends_the_program_with_2(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--faults", text]) == 2
    assert "sandbox: " in capsys.readouterr().err


def test_a_profile_with_a_mistake_ends_the_program_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[[fault]]\nkind = "null"\nroute = "sends"\n')

    assert program.main(["--faults", str(path)]) == 2
    assert "profile mine, fault 1 (null): unknown routes: sends" in capsys.readouterr().err


def test_profiles_are_plain_toml_with_orders_only() -> None:
    for path in Path(profiles.FOLDER).glob("*.toml"):
        assert set(tomllib.loads(path.read_text(encoding="utf-8"))) == {"about", "fault"}
