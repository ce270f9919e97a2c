"""The sandbox's players of fixed outcome, each from a deposit to what is written of it, in a fleet whose time is moved on.

Steam's protection lasts seven days here, as in life; `POST /sandbox/advance` passes them. Time only goes on, so each test
begins where the one before has ended, with deposits of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flow_site import Answer, Player, Website, patient
from support import wait_until

from sandbox.world.fixed_players import PLAYERS
from scripts.lab.calls import get_json, send_json
from scripts.lab.stack import Stack, Wish
from shared.clock import Clock

pytestmark = pytest.mark.xdist_group("fixed players")

DAY_S = 86400
HALF_S = 7 * DAY_S / 2  # of the protection's time
QUICK = patient(trades={"watch_s": 0.5, "sweep_s": 0.5, "find_s": 0.5, "find_max_s": 1.0, "look_s": 0.5})
BY_NAME = {player.name: player for player in PLAYERS}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    wish = Wish(directory=tmp_path_factory.mktemp("fixed"), bots_per_group=2, players=0, overrides=QUICK)
    with Stack(wish) as stack:
        yield Website(stack)


@pytest.fixture
def shown(site: Website) -> dict[str, Any]:
    """What the sandbox says of its players."""
    return {row["name"]: row for row in get_json(f"{site.stack.control_url}/sandbox/players")["players"]}


def player_of(shown: dict[str, Any], name: str) -> Player:
    return Player(shown[name]["steam_id"], shown[name]["trade_url"], f"user-{name}")


def advance(site: Website, seconds: float) -> dict[str, Any]:
    moved: dict[str, Any] = send_json("POST", f"{site.stack.control_url}/sandbox/advance", {"seconds": seconds})
    return moved


def deposited(site: Website, player: Player, status: str = "sent") -> str:
    """A deposit of one item, once it has come this far; its trade."""
    answer = site.deposit(player, 1)
    assert answer.status == 201, answer.body
    (trade,) = answer.body["trades"]
    site.until(trade["trade_id"], status)
    return str(trade["trade_id"])


def refused(site: Website, player: Player) -> Answer:
    """A deposit of whatever: the answer to one that is refused."""
    body = {"user_id": player.user_id, "steam_id": player.steam_id, "trade_url": player.trade_url}
    assets = [row["asset_id"] for row in site.record()["assets"] if row["owner"] == player.steam_id]
    return site.call("POST", "/deposit?wait=25", {**body, "asset_ids": assets[:1]})


def kinds_of(site: Website, trade_id: str) -> list[str]:
    return [event["kind"] for event in site.events(trade_id)]


def test_they_are_the_same_in_every_world_and_have_what_to_trade(site: Website, shown: dict[str, Any]) -> None:
    assert {name: (row["steam_id"], row["trade_token"]) for name, row in shown.items()} == {
        player.name: (str(player.steam_id), player.trade_token) for player in PLAYERS
    }
    owners = [row["owner"] for row in site.record()["assets"]]
    assert all(owners.count(row["steam_id"]) >= 5 for row in shown.values())
    ordinary = get_json(f"{site.stack.control_url}/control/accounts?kind=player")["accounts"]
    assert not {row["steam_id"] for row in ordinary} & {row["steam_id"] for row in shown.values()}


def test_accepts_and_an_unsettled_row_becomes_settled(site: Website, shown: dict[str, Any]) -> None:
    """It can be withdrawn only afterwards; balancer, bots and Steam agree on the time."""
    player = player_of(shown, "accepts")
    trade_id = deposited(site, player, "accepted")
    ((deposit_id, row),) = site.deposits(player).items()
    assert (row["status"], row["settled_at"]) == ("active", None)
    early = site.withdraw(player, [deposit_id])
    assert (early.status, early.body["code"]) == (409, "item_unsettled")
    moved = advance(site, 7 * DAY_S + 60)
    assert moved["fleet"] is True and moved["moved_s"] >= 7 * DAY_S
    trade = site.until(trade_id, "settled")
    assert site.deposits(player)[deposit_id]["settled_at"] is not None
    assert trade["touched"] > Clock().now().timestamp() + 6 * DAY_S
    back = site.withdraw(player, [deposit_id])
    assert back.status == 201, back.body
    site.until(back.body["trades"][0]["trade_id"], "accepted")


def test_declines(site: Website, shown: dict[str, Any]) -> None:
    trade_id = deposited(site, player_of(shown, "declines"))
    advance(site, 20)
    site.until(trade_id, "declined")
    assert "declined_at_once" not in kinds_of(site, trade_id)


def test_counters(site: Website, shown: dict[str, Any]) -> None:
    player = player_of(shown, "counters")
    deposited(site, player, "countered")
    assert [row["status"] for row in site.deposits(player).values()] == ["counter"]


def test_ignores_and_accepts_late(site: Website, shown: dict[str, Any]) -> None:
    """The one accepts just in time, the other's offer is taken back half an hour after it was made."""
    late, ignored = (deposited(site, player_of(shown, name)) for name in ("accepts-late", "ignores"))
    advance(site, 1000)
    assert [site.trade(each)["status"] for each in (late, ignored)] == ["sent", "sent"]
    advance(site, 210)
    site.until(late, "accepted")
    assert site.trade(ignored)["status"] == "sent"
    advance(site, 600)
    site.until(ignored, "canceled")
    assert site.trade(late)["status"] == "accepted"


@pytest.mark.parametrize(
    ("name", "code"), [("in-hold", "partner_hold"), ("banned", "partner_banned"), ("private", "inventory_private")]
)
def test_with_whom_nothing_can_be_traded(site: Website, shown: dict[str, Any], name: str, code: str) -> None:
    player = player_of(shown, name)
    for answer in (refused(site, player), refused(site, player)):
        assert (answer.status, answer.body["code"], answer.body["livemode"]) == (422, code, False), answer.body
        assert answer.body["player_message"]
    assert site.deposits(player) == {}
    assert f"422 `{code}`" == BY_NAME[name].deposit


def test_reverses_after_a_while(site: Website, shown: dict[str, Any]) -> None:
    player = player_of(shown, "reverses")
    trade_id = deposited(site, player, "accepted")
    advance(site, HALF_S - 600)
    assert site.trade(trade_id)["status"] == "accepted"
    advance(site, 1200)
    site.until(trade_id, "reversed")
    wait_until(lambda: [row["status"] for row in site.deposits(player).values()] == ["reversed"])


def test_the_answer_is_lost_and_the_offer_is_found(site: Website, shown: dict[str, Any]) -> None:
    player = player_of(shown, "answer-lost")
    trade_id = deposited(site, player, "accepted")
    kinds = kinds_of(site, trade_id)
    assert kinds.index("answer_lost") < kinds.index("offer_accepted")
    assert len(site.offers_of(trade_id, player.steam_id)) == 1


def test_a_player_can_sign_in_and_check_an_offer_in_a_fleet_that_was_moved_on(site: Website, shown: dict[str, Any]) -> None:
    """What others date, a sign-in here, is compared with their time."""
    advance(site, 30 * DAY_S)
    player = player_of(shown, "ignores")
    answer = site.deposit(player, 1)
    (trade,) = answer.body["trades"]
    said = site.call("POST", "/verify", {"token": trade["token"], "steam_id": player.steam_id})
    assert (said.status, said.body["ok"]) == (200, True), said.body


def test_in_the_end_everything_adds_up(site: Website) -> None:
    """Every bot still works, weeks later, and no item is lost or doubled."""
    advance(site, 8 * DAY_S)
    wait_until(lambda: site.call("GET", "/readyz").status == 200)
    assert site.call("GET", "/readyz").body["checks"]["clock"] == {"ok": True, "off_s": 0.0, "corrected_s": 0.0}
    site.agree()
