"""Orders for trouble: what they may say, whom and when they strike, and that chance can be repeated."""

from collections.abc import Callable
from typing import Any

import pytest
from sandbox_lab import Bench

from sandbox.errors import BadRequest
from sandbox.faults.kinds import AFTERWARDS, BEFORE, CONDITION, GATE, INSTEAD, KINDS
from sandbox.faults.orders import Fault, Faults
from sandbox.steam_api import bad_answers, trouble
from sandbox.steam_api.router import ROUTE_NAMES
from sandbox.world.accounts import Account

COMMUNITY = "https://steamcommunity.com"
NOW = 1_786_000_000.0
WEEK = 604_800


def person(steam_id: Any, kind: Any = "bot") -> Any:
    return Account(steam_id, kind, "n", "n", "p", "s", "i", "k", "t")


RED, BLUE, ANN = person(1), person(2), person(3, "player")


@pytest.fixture
def open_faults() -> Faults:
    return Faults(seed=5, routes=ROUTE_NAMES)


def fitting(
    given: Faults, account: Account | None = RED, route: str = "send", method: str = "POST", now: float = NOW
) -> list[Any]:
    return [fault.kind for fault in given.fitting(account, route, method, now)]


def test_every_kind_is_carried_out_by_exactly_one_table() -> None:
    tables: dict[Any, Any] = {
        INSTEAD: bad_answers.ANSWERS,
        GATE: trouble.GATES,
        BEFORE: trouble.BEFOREHAND,
        AFTERWARDS: trouble.CHANGES,
    }

    for does, table in tables.items():
        assert set(table) == {name for name, kind in KINDS.items() if kind.does == does}
    assert {name for name, kind in KINDS.items() if kind.does == CONDITION} == {"hold", "device_lock", "trade_ban"}


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"kind": "null", "route": "send", "chance": 1}, "unknown fields: chance; there are account, after, age_s"),
        ({"kind": "odd", "route": "send"}, "kind is one of bad_beacon, bad_codes, cut, cut_middle"),
        ({"route": "send"}, "kind is one of"),
        ({"kind": "null"}, "route is missing"),
        ({"kind": "null", "route": "sends"}, "unknown routes: sends; there are BeginAuth"),
        ({"kind": "null", "route": ","}, "unknown routes: "),
        ({"kind": "null", "route": 3}, "route is names of routes"),
        ({"kind": "glitched", "route": "send"}, "glitched cannot strike send"),
        ({"kind": "null", "route": "send", "probability": 1.1}, "probability is a number from 0 to 1"),
        ({"kind": "null", "route": "send", "probability": True}, "probability is a number from 0 to 1"),
        ({"kind": "null", "route": "send", "probability": float("nan")}, "probability is a number from 0 to 1"),
        ({"kind": "null", "route": "send", "method": "PUT"}, "method is GET, POST or null"),
        ({"kind": "null", "route": "send", "who": "cat"}, "who is bot, player or null"),
        ({"kind": "null", "route": "send", "delay_s": -1}, "delay_s is seconds, at most 600"),
        ({"kind": "null", "route": "send", "seed": "x"}, "seed is a whole number or null"),
        ({"kind": "null", "route": "send", "status": 99}, "status is a status of HTTP"),
        ({"kind": "null", "route": "send", "every_s": 5}, "every_s needs for_s"),
        ({"kind": "null", "route": "send", "until": 5, "for_s": 5}, "two words for the same thing"),
        ({"kind": "null", "route": "send", "at": 5, "in_s": 5}, "two words for the same thing"),
        ({"kind": "null", "route": "send", "late_s": 5}, "late_s means nothing for null"),
        ({"kind": "bad_beacon", "route": "send"}, "bad_beacon cannot strike send"),
        ({"kind": "null", "route": "beacon", "relay": 3}, "relay is the name of one relay"),
        ({"kind": "hold", "route": "send"}, "a condition of an account, not of calls: route"),
        ({"kind": "hold", "times": 3}, "a condition of an account, not of calls: times"),
        ({"kind": "hold", "days": 0}, "days is whole days"),
        ({"kind": "maintenance", "shape": "no_items"}, "shape of maintenance is one of 502, 503, 20, empty"),
        ({"kind": "flap", "subject": "ann"}, "subject is the id"),
    ],
)
def test_an_order_that_does_not_fit_is_refused_with_the_reason(open_faults: Faults, order: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        open_faults.add(order, NOW)

    assert said in str(caught.value)
    assert open_faults.open == []


def test_an_order_is_for_an_account_a_kind_of_account_a_route_and_a_method(open_faults: Faults) -> None:
    open_faults.add({"kind": "null", "route": "send", "account": "2"}, NOW)
    open_faults.add({"kind": "html", "route": "@offers, home", "who": "bot"}, NOW)
    open_faults.add({"kind": "status", "route": "*", "method": "GET"}, NOW)
    open_faults.add({"kind": "slow", "route": "*", "who": "player"}, NOW)

    assert fitting(open_faults, RED) == ["html"]
    assert fitting(open_faults, BLUE) == ["null", "html"]
    assert fitting(open_faults, BLUE, "home") == ["html"]
    assert fitting(open_faults, ANN, "cancel", "GET") == ["status", "slow"]
    assert fitting(open_faults, None, "send") == []


@pytest.mark.parametrize(
    ("window", "on", "off"),
    [
        ({"at": NOW + 10}, [10, 99], [0, 9.9]),
        ({"until": NOW + 10}, [0, 9.9], [10, 99]),
        ({"in_s": 10, "for_s": 5}, [10, 14.9], [0, 9.9, 15]),
        ({"for_s": 5}, [0, 4.9], [5]),
        ({"in_s": 10, "for_s": 5, "every_s": WEEK}, [10, 14, WEEK + 10, 5 * WEEK + 14], [0, 9, 15, WEEK + 9, WEEK + 15]),
    ],
)
def test_an_order_has_a_window_on_the_sandboxs_clock(
    open_faults: Faults, window: dict[str, Any], on: list[Any], off: list[Any]
) -> None:
    fault = open_faults.add({"kind": "null", "route": "send"} | window, NOW)

    assert [seconds for seconds in on if not fault.is_on(NOW + seconds)] == []
    assert [seconds for seconds in off if fault.is_on(NOW + seconds)] == []


def test_what_is_over_leaves_the_list_and_stays_in_the_memory(open_faults: Faults) -> None:
    open_faults.add({"kind": "null", "route": "send", "for_s": 5}, NOW)

    assert fitting(open_faults, now=NOW + 1) == ["null"]
    assert fitting(open_faults, now=NOW + 5) == []
    assert (len(open_faults.open), len(open_faults.used)) == (0, 1)


@pytest.mark.parametrize(
    ("order", "times"),
    [({}, 1), ({"times": 4}, 4), ({"times": None}, None), ({"probability": 0.5}, None), ({"for_s": 5}, None),
     ({"probability": 0.5, "times": 2}, 2)],
)  # fmt: skip
def test_an_order_strikes_once_unless_it_says_otherwise(open_faults: Faults, order: dict[str, Any], times: int | None) -> None:
    assert open_faults.add({"kind": "null", "route": "send"} | order, NOW).times == times


def pattern(fault: Fault, *key: Any, count: int = 200) -> list[bool]:
    return [fault.strikes(*key) for _ in range(count)]


def test_chance_is_repeated_by_the_seed_and_differs_without(open_faults: Faults) -> None:
    order = {"kind": "null", "route": "send", "probability": 0.3}
    first, second = (open_faults.add(order | {"seed": 9}, NOW) for _ in range(2))
    other = open_faults.add(order | {"seed": 10}, NOW)

    seen = pattern(first, 1, "send")

    assert seen == pattern(second, 1, "send")
    assert seen != pattern(other, 1, "send")
    assert 30 <= sum(seen) <= 90


def test_the_luck_of_one_account_does_not_hang_on_the_calls_of_another(open_faults: Faults) -> None:
    order = {"kind": "null", "route": "send", "probability": 0.3, "seed": 9}
    alone, among = (open_faults.add(order, NOW) for _ in range(2))

    mixed = []
    for _ in range(200):
        among.strikes(2, "send")
        mixed.append(among.strikes(1, "send"))

    assert mixed == pattern(alone, 1, "send")


def test_without_a_seed_of_its_own_an_order_goes_by_the_sandboxs() -> None:
    order = {"kind": "null", "route": "send", "probability": 0.3}
    made = [Faults(seed, ROUTE_NAMES).add(order, NOW) for seed in (5, 5, 6)]

    seen = [pattern(fault, 1, "send") for fault in made]

    assert seen[0] == seen[1] != seen[2]


@pytest.mark.parametrize(("probability", "expected"), [(0, [False] * 9), (1, [True] * 9)])
def test_never_and_always(open_faults: Faults, probability: int, expected: list[bool]) -> None:
    fault = open_faults.add({"kind": "null", "route": "send", "probability": probability}, NOW)

    assert pattern(fault, 1, "send", count=9) == expected
    assert [fault.has_struck(subject) for subject in range(9)] == expected


# --- over HTTP -----------------------------------------------------------------------------------


def test_a_share_of_the_calls_is_struck_and_counted(bench: Bench) -> None:
    session = bench.session()
    order = {"kind": "status", "status": 502, "route": "home", "method": "GET", "probability": 0.4, "seed": 2}
    made = bench.order(order)

    codes = [session.get(f"{COMMUNITY}/").status_code for _ in range(60)]
    posted = {session.post(f"{COMMUNITY}/").status_code for _ in range(20)}

    (fault,) = bench.control("GET", "/control/faults")["faults"]
    assert posted == {200}
    assert 12 <= codes.count(502) <= 36
    assert fault["hits"] == codes.count(502)
    assert fault | {"hits": 0} == made
    assert {name: fault[name] for name in order} == order


def test_two_sandboxes_of_one_seed_have_the_same_bad_luck(make_bench: Callable[..., Bench]) -> None:
    def codes(bench: Bench) -> list[int]:
        bench.order({"kind": "status", "status": 502, "route": "home", "probability": 0.4})
        session = bench.session()
        return [session.get(f"{COMMUNITY}/").status_code for _ in range(40)]

    one, two, other = codes(make_bench(seed=3)), codes(make_bench(seed=3)), codes(make_bench(seed=4))

    assert one == two != other


def test_one_order_is_taken_back_and_used_ones_are_remembered(bench: Bench) -> None:
    session = bench.session()
    first = bench.order({"kind": "status", "status": 503, "route": "home"})
    second = bench.order({"kind": "status", "status": 504, "route": "home", "times": None})

    assert [session.get(f"{COMMUNITY}/").status_code for _ in range(3)] == [503, 504, 504]
    bench.control("DELETE", f"/control/faults/{second['fault_id']}", None, 204)
    bench.control("DELETE", f"/control/faults/{second['fault_id']}", None, 404)

    assert session.get(f"{COMMUNITY}/").status_code == 200
    everything = bench.control("GET", "/control/faults?all=1")["faults"]
    assert [(fault["fault_id"], fault["hits"]) for fault in everything] == [(first["fault_id"], 1), (second["fault_id"], 2)]
    assert bench.control("GET", "/control/faults") == {"faults": []}


def test_a_slow_road_and_a_bad_answer_add_up(bench: Bench) -> None:
    session = bench.session()
    bench.order({"kind": "status", "status": 503, "route": "home"})
    bench.order({"kind": "slow", "route": "home", "delay_s": 0.1})

    answers = [session.get(f"{COMMUNITY}/") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [503, 200]
    assert bench.struck() == ["status", "slow"]
    assert answers[1].elapsed.total_seconds() >= 0.1
