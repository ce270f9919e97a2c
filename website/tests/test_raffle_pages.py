"""Pages of raffles and coins, without scripts: the list and its filters, buying, the end, the winner's key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client, override_settings
from paper import Paper
from raffling import check_coins, give, has, open_raffle, people, terms

from website.accounts import sessions
from website.accounts.models import Player
from website.engine import clock
from website.raffles import prizes, views
from website.raffles.models import Prize, Purchase, Template, TemplateVersion
from website.rooms.models import Round

KEY = "AAAAA-BBBBB-CCCCC"


@pytest.fixture
def paper(one_database: str, site_settings: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paper]:
    made = Paper()
    monkeypatch.setattr(views, "wall_ms", lambda: made.now_ms)
    yield made


def browser_of(player: Player) -> Client:
    client = Client(SERVER_NAME="localhost")
    key = sessions.start(player, "a test", clock.wall_ms())
    client.cookies[sessions.COOKIE] = key
    return client


def text(answer: Any) -> str:
    assert answer.status_code == 200, (answer.status_code, answer.content[:300])
    return str(answer.content.decode())


def buy(client: Client, at: Round, quantity: int) -> Any:
    address = f"/raffles/{at.room.rpartition('-')[2]}/{at.lane}/{at.round}"
    token = re.search(r'name="token" value="(\w+)"', text(client.get(address)))
    assert token is not None
    sent = {"quantity": str(quantity), "token": token[1]}
    return client.post(f"/raffles/{at.lane}/{at.round}/buy", sent)


def names(answer: Any) -> list[str]:
    return re.findall(r"<h2><a [^>]*>([^<]*)</a></h2>", text(answer))


def test_the_filters_of_the_list_are_an_address(paper: Paper) -> None:
    for name, genre, tier, price in (
        ("Space Miners", "strategy", "gold", 10_000),
        ("Farm Life", "calm", "silver", 1_000),
        ("Space Farm", "calm", "bronze", 5_000),
    ):
        open_raffle(terms(prize=name, genre=genre, tier=tier, price_cents=price, commission_cents=0), paper.now_ms)
        paper.now_ms += 1_000
        paper.settle()
    client = Client(SERVER_NAME="localhost")
    asked = {
        "": ["Space Farm", "Farm Life", "Space Miners"],
        "?sort=old": ["Space Miners", "Farm Life", "Space Farm"],
        "?sort=cheap": ["Farm Life", "Space Farm", "Space Miners"],
        "?sort=dear": ["Space Miners", "Space Farm", "Farm Life"],
        "?name=SPACE": ["Space Farm", "Space Miners"],
        "?genre=calm": ["Space Farm", "Farm Life"],
        "?tier=gold": ["Space Miners"],
        "?low=4&high=5,00": ["Space Farm"],
        "?hide_empty=1": [],
        "?name=%00&tier=x&sort=y&low=-1&high=abc&page=999": [],
        "?tier=x&sort=y&low=-1&high=abc&page=zzz": ["Space Farm", "Farm Life", "Space Miners"],
    }
    for query, wanted in asked.items():
        assert names(client.get(f"/raffles{query}")) == wanted, query
    player = paper.player()
    give(player, 100_000, paper.now_ms)
    assert buy(browser_of(player), Round.objects.get(room="raffle-2"), 3).status_code == 303
    paper.settle()
    assert names(client.get("/raffles?hide_empty=1")) == ["Farm Life"]
    assert names(client.get("/raffles?sort=fill"))[0] == "Farm Life"
    assert "you have 3" in text(browser_of(player).get("/raffles"))
    lobby = text(client.get("/"))
    assert "Farm Life" in lobby and "Space Miners" not in lobby


@pytest.mark.parametrize("people_count", [6, pytest.param(40, marks=pytest.mark.long)])
def test_a_raffle_played_to_its_end_by_forty_people_and_the_key_read_by_the_winner_only(
    paper: Paper, people_count: int
) -> None:
    """From the form to the key: everybody buys by the page, without scripts."""
    room = open_raffle(terms(tickets=people_count, prize_kind=TemplateVersion.KEY, prize="Space Miners"), paper.now_ms)
    prizes.add_keys(Template.objects.get().id, [KEY], people()[0], "bought today", paper.now_ms)
    at = paper.game(room)
    crowd = [paper.player() for _ in range(people_count)]
    for player in crowd:
        give(player, 10_000, paper.now_ms)
        answer = buy(browser_of(player), at, 1)
        assert answer.status_code == 303 and answer.headers["Location"].startswith("/purchases/")
    paper.settle()
    mine = text(browser_of(crowd[0]).get(answer_of(crowd[0])))
    assert "The tickets are yours" in mine and "Receipt" in mine
    assert browser_of(crowd[1]).get(answer_of(crowd[0])).status_code == 404
    done = paper.until_sealed(at)
    ((winner, ticket),) = json.loads(done.winners)
    shown = text(Client(SERVER_NAME="localhost").get(f"/raffles/1/{at.lane}/1"))
    assert f"<b>{ticket}</b>" in shown and "record.json" in shown
    assert all(has(player) == 10_000 - -(-10_000 // people_count) for player in crowd)
    (prize,) = Prize.objects.all()
    for player in crowd:
        client = browser_of(player)
        told = text(client.get("/me/coins"))
        answer = client.post(f"/prizes/{prize.id}/reveal")
        if player.id == winner:
            assert "Show me the key" in told and KEY not in told
            assert KEY in text(answer) and "no-store" in answer.headers["Cache-Control"]
            assert "You have won it" in text(client.get(f"/raffles/1/{at.lane}/1"))
            assert KEY not in text(client.get("/me/coins")) and KEY in text(client.post(f"/prizes/{prize.id}/reveal"))
        else:
            assert answer.status_code == 404 and KEY.encode() not in answer.content
    assert Client(SERVER_NAME="localhost").post(f"/prizes/{prize.id}/reveal").status_code != 200
    check_coins()


def answer_of(player: Player) -> str:
    return f"/purchases/{Purchase.objects.get(player=player).purchase_id}"


def test_what_is_refused_is_said_and_costs_nothing(paper: Paper) -> None:
    at = paper.game(open_raffle(terms(share_max_percent=50), paper.now_ms))
    player = paper.player()
    give(player, 1_500, paper.now_ms)
    client = browser_of(player)
    answer = buy(client, at, 2)
    paper.settle()
    said = text(client.get(answer.headers["Location"]))
    assert "Nothing was bought" in said and "That costs 20.00 coins" in said and "enough for 1 ticket." in said
    for quantity in ("0", "1.5", "9" * 20):  # with the one before as many as may be sent in a second
        answer = client.post(f"/raffles/{at.lane}/1/buy", {"quantity": quantity, "token": "t"})
        assert answer.status_code == 400, quantity
    address = f"/raffles/1/{at.lane}/1"
    assert "30.00" in text(client.get(f"{address}?quantity=3")) and "30" in text(client.get(f"{address}?quantity=3"))
    assert Client(SERVER_NAME="localhost").post(f"/raffles/{at.lane}/1/buy").headers["Location"].startswith("/sign-in")
    for missing in (f"/raffles/2/{at.lane}/1", f"/raffles/1/{at.lane}/2", "/raffles/1/classic-a/1", "/purchases/none"):
        assert client.get(missing).status_code == 404, missing
    moved = client.get(f"/rooms/{at.room}/{at.lane}/1?explain")
    assert (moved.status_code, moved.headers["Location"]) == (302, f"{address}?explain")
    assert has(player) == 1_500
    check_coins()


def test_coins_are_taken_by_the_player_once_a_day(paper: Paper) -> None:
    player = paper.player()
    client = browser_of(player)
    with override_settings(SITE_COINS_STEAM_LEVEL_MIN=0, SITE_COINS_STEAM_AGE_DAYS=0):
        told = text(client.get("/me/coins"))
        assert "Take 10.00 to begin with" in told and "Take today's 2.00" in told
        for _ in range(2):
            assert client.post("/coins/welcome").status_code == client.post("/coins/daily").status_code == 303
        told = text(client.get("/me/coins"))
        assert "12.00" in told and "to begin with" not in told and "Today's coins you have taken" in told
    assert has(player) == 1_200
    poor = paper.player()
    client = browser_of(poor)
    client.post("/coins/daily")
    assert "Coins ask for a Steam level" in text(client.get("/me/coins")) and has(poor) == 0
    check_coins()


def test_a_prize_by_hand_is_confirmed_by_its_winner(paper: Paper) -> None:
    at = paper.game(open_raffle(terms(tickets=1), paper.now_ms))
    player = paper.player()
    give(player, 20_000, paper.now_ms)
    client = browser_of(player)
    buy(client, at, 1)
    paper.settle()
    paper.until_sealed(at)
    (prize,) = Prize.objects.filter(player=player)
    assert "somebody sends it" in text(client.get("/me/coins"))
    prizes.mark_sent(prize.id, people()[0], "gift sent to your account", paper.now_ms)
    assert "gift sent to your account" in text(client.get("/me/coins"))
    assert browser_of(paper.player()).post(f"/prizes/{prize.id}/confirm").status_code == 404
    assert client.post(f"/prizes/{prize.id}/confirm").status_code == 303
    assert "It has come to you" in text(client.get("/me/coins"))
    assert Prize.objects.get(id=prize.id).state == Prize.CONFIRMED
