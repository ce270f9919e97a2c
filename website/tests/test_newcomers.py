"""What a newcomer meets: the next step, the last result, why there is no bet now, one picture for what is alike."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client, override_settings
from paper import Paper
from rooms_shown import ClientOnPaper, signed_in
from test_rooms_shown import address, page

from website import fleet, limits
from website.accounts import services as accounts
from website.accounts.models import Player
from website.accounts.steam import SteamProfile
from website.care import gate
from website.care import services as care
from website.custody import forms as item_forms
from website.custody.errands import ErrandError
from website.custody.reading import Tile
from website.custody.templatetags.custody import piles
from website.live.tables import Names
from website.pages import guide
from website.rooms import api, forms, results, views
from website.rooms.models import Round
from website.rooms.services import BetError

ROOM = "/rooms/classic-unlimited"
EXAMPLES = Path(__file__).resolve().parents[2] / "lottery_core" / "examples"


@pytest.fixture
def paper(one_database: str, site_settings: None, monkeypatch: pytest.MonkeyPatch) -> Paper:
    made = Paper()
    client = ClientOnPaper(made.fleet)
    monkeypatch.setattr(limits, "take", lambda *asked: None)
    monkeypatch.setattr(fleet, "client", lambda: client)
    for module in (views, api):
        monkeypatch.setattr(module, "wall_ms", lambda: made.now_ms)
    guide._at_home.clear()
    return made


def played(paper: Paper, *staked: int) -> tuple[list[Player], Round]:
    """A round that is over, with a bet of each of these players."""
    paper.open("classic-unlimited", time_limit=3)
    at = paper.game("classic-unlimited")
    players = [paper.player() for _ in staked]
    for player, cents in zip(players, staked, strict=True):
        paper.bet(player, at, paper.items(player, cents))
    return players, paper.until_sealed(at)


# ---- what became of the last bet


def test_the_last_result_stays_when_the_room_has_moved_on(paper: Paper) -> None:
    players, at = played(paper, 300, 500)
    (won,) = [player for player in players if f"[[{player.id}," in at.winners]
    (lost,) = [player for player in players if player != won]
    result = results.last(won, paper.now_ms)
    assert result is not None and result.gained and result.staked in (300, 500) and result.staked < result.back <= 800
    hers, his = signed_in(won, paper), signed_in(lost, paper)
    for path in ("/", ROOM):
        text = page(hers, path)
        assert f"you won <b>{result.back / 100:.2f}</b>" in text and f'{address(at)}#proof">see the proof' in text
        assert "did not win" in page(his, path) and "take it home" not in page(his, path)
    assert 'data-part="result"' not in page(Client(SERVER_NAME="localhost"), "/")
    paper.now_ms += results.SHOWN_MS + 1
    assert results.last(won, paper.now_ms) is None


def test_a_bet_that_is_being_drawn_and_one_that_came_back_are_told_too(paper: Paper) -> None:
    paper.open("classic-unlimited", lonely_void_s=60)
    at = paper.game("classic-unlimited")
    ana = paper.player()
    paper.bet(ana, at, paper.items(ana, 300))
    hers = signed_in(ana, paper)
    assert "your bet of 3.00 is in it" in page(hers, "/")
    assert results.last(ana, paper.now_ms, but=at) is None, "the page shows that round anyway"
    paper.run(70)
    assert "void: your 3.00 are back" in page(hers, "/")


# ---- why there is no bet now


def shown_bet(browser: Client) -> str:
    return page(browser, ROOM).split('id="bet"')[1].split("</section>")[0]


def test_who_may_not_bet_sees_why_and_when_instead_of_a_button(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    paper.open("classic-unlimited")
    paper.game("classic-unlimited")
    ana, bo, cy, di = (paper.player() for _ in range(4))
    for player in (ana, bo, cy, di):
        paper.items(player, 300)
    assert 'data-part="go"' in shown_bet(signed_in(ana, paper))
    care.exclude(ana, None, paper.now_ms)
    care.take_time_out(bo, 7, paper.now_ms)
    care.set_limit(cy, "stake", "day", 99, paper.now_ms)
    Player.objects.filter(id=di.id).update(blocked_why="a reversed trade")
    for player, why in ((ana, "excluded yourself"), (bo, "time-out"), (cy, "limit of stakes"), (di, "Contacts")):
        text = shown_bet(signed_in(player, paper))
        assert why in text and 'data-part="go"' not in text and 'class="barred"' in text, why
        assert ">Play<" not in page(signed_in(player, paper), "/") or player == cy
    assert "again from 2" in shown_bet(signed_in(bo, paper))
    assert ">Play<" in page(signed_in(paper.player(), paper), "/") and ">Watch<" in page(Client(SERVER_NAME="localhost"), "/")


def test_a_limit_that_is_used_up_bars_from_the_moment_it_is(paper: Paper) -> None:
    players, _ = played(paper, 300, 500)
    care.set_limit(players[0], "stake", "day", 300, paper.now_ms)
    no = gate.standing(players[0], paper.now_ms)
    assert no is not None and no.reason == "stake_limit" and no.until is not None and no.until > paper.now_ms
    assert gate.standing(players[1], paper.now_ms) is None


# ---- the next step


def test_the_next_step_is_named_until_the_first_bet(paper: Paper) -> None:
    assert [step.next for step in guide.steps(None)] == [True, False, False, False]
    new = Player.objects.create(steam_id=76561198000000001, name="new", registered_ms=paper.now_ms)
    assert [step.called for step in guide.steps(new) if step.next] == ["Say your age and country"]
    text = page(signed_in(new, paper), "/")
    assert 'class="guide"' in text and 'class="next" aria-current="step"><a href="/me/declaration"' in text
    ana = paper.player(deposited=False)
    assert [step.link for step in guide.steps(ana) if step.next] == ["/inventory?tab=steam"]
    bo = paper.player()
    assert [step.link for step in guide.steps(bo) if step.next] == ["/"]
    players, _ = played(paper, 300, 500)
    assert guide.steps(players[0]) == [] and 'class="guide"' not in page(signed_in(players[0], paper), "/")


def test_both_classic_rooms_say_what_tells_them_apart(paper: Paper) -> None:
    paper.open("classic-unlimited")
    paper.open("classic-limited")
    cards = re.findall(r'<div class="about">(.*?)</div>', page(Client(SERVER_NAME="localhost"), "/"), re.DOTALL)
    assert len(set(cards)) == len(cards) == 2
    assert "from 1.00" in cards[0] and "30 s once 2 players are in" in cards[0]
    assert "at most 5.00 a player" in cards[1] and "no clock" in cards[1] and "drawn at 16 items" in cards[1]


# ---- what is alike


def test_tickets_are_one_picture_with_their_number_and_so_many_are_bet(paper: Paper) -> None:
    paper.open("sit-n-go")
    at, ana = paper.game("sit-n-go"), paper.player()
    ids = paper.items(ana, *[100] * 43, name="SnG Ticket")
    hers = signed_in(ana, paper)
    text = page(hers, "/rooms/sit-n-go")
    assert "×43" in text and text.count('name="many"') == 1 and 'name="item"' not in text
    assert 'value="1"' in page(hers, f"/rooms/sit-n-go?item={ids[7]}").split('name="many"')[1].split(">")[0]
    form = QueryDict(mutable=True)
    form.setlist("pile", [f"100:{','.join(ids)}"])
    form.setlist("many", ["5"])
    found = forms.chosen(form)
    assert list(found.deposit_ids) == ids[:5] and found.cents == 500
    paper.bet(ana, at, ids[:1])
    shown = page(hers, address(at)).split('data-part="items"')[1]
    assert 'class="stub"' in shown and "<code>0</code>" in shown, "a ticket has its picture, and one number"


@pytest.mark.parametrize("many", ["44", "-1", "1.5", "x", "٣", "99999"])
def test_more_of_a_pile_than_there_is_is_no_bet(many: str) -> None:
    listed = ",".join(f"dep_{number}" for number in range(43))
    for module, error, name in ((forms, BetError, ""), (item_forms, ErrandError, "ids_")):
        form = QueryDict(mutable=True)
        form.setlist(f"{name}pile", [f"100:{listed}" if not name else listed])
        form.setlist(f"{name}many", [many])
        with pytest.raises(error):
            module.chosen(form) if module is forms else item_forms.ids(form, "ids")
        form.setlist(f"{name}many", [])
        with pytest.raises(error):
            module.chosen(form) if module is forms else item_forms.ids(form, "ids")


def test_items_that_are_alike_are_one_tile_of_the_inventory() -> None:
    tickets = [Tile(f"dep_{number}", "SnG Ticket", 100) for number in range(43)]
    locked = [Tile(f"dep_{number}", "SnG Ticket", 100, mark="lock", link="/x") for number in range(50, 53)]
    found = piles([*tickets, *locked, Tile("dep_60", "AWP", 100)], {"dep_7", "dep_8"})
    assert [(pile.count, pile.chosen) for pile in found] == [(43, 2), (3, 0), (1, 0)]
    assert found[0].value.split(",")[:2] == ["dep_7", "dep_8"]
    form = QueryDict(mutable=True)
    form.setlist("ids_pile", [found[0].value])
    form.setlist("ids_many", ["2"])
    form.setlist("ids", ["dep_60"])
    assert item_forms.ids(form, "ids") == ["dep_60", "dep_7", "dep_8"] == item_forms.sent(form, "ids")


# ---- pictures of players


def test_a_player_has_their_picture_of_steam_unless_they_go_by_another_name(paper: Paper) -> None:
    players, at = played(paper, 300, 500)
    for player in players:
        accounts.saw(player, SteamProfile(player.name, "ab" * 20))
    accounts.call(players[1], "somebody else")
    text = page(Client(SERVER_NAME="localhost"), address(at))
    assert text.count(f'src="/avatars/{"ab" * 20}"') == 1
    who: dict[int, dict[str, Any]] = Names().who([player.id for player in players])
    assert [who[player.id].get("picture") for player in players] == [f"/avatars/{'ab' * 20}", None]


# ---- the program


def test_the_program_of_the_site_checks_a_record_without_any_installation(browser: Client, tmp_path: Path) -> None:
    answer = browser.get("/fairness/lottery.pyz")
    file = tmp_path / "lottery.pyz"
    file.write_bytes(answer.content)
    told = browser.get("/fairness/scripts").json()["program"]
    assert (told["name"], told["size"]) == ("lottery.pyz", len(answer.content))
    record = EXAMPLES / "classic-unlimited.json"
    command = [sys.executable, "-I", "-S", str(file), "verify", str(record)]  # nothing but Python's own library
    assert (
        "Everything that this record can prove holds"
        in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    )
    with override_settings(SITE_SOURCE_URL="https://example.org/source"):
        text = browser.get("/fairness").content.decode()
    assert told["sha256"] in text and "python3 lottery.pyz verify record.json" in text and "https://example.org/source" in text
