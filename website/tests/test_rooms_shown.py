"""Pages of rooms without scripts: every mode in every phase, what a bet goes through, and what strange requests get."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from paper import Paper
from rooms_shown import ClientOnPaper, signed_in

from website import fleet
from website.rooms.models import Round

SNG, RAFFLE = "SnG Ticket", "Raffle Ticket"
EVIDENCE = "https://stream.example/812 sha256:" + "ab" * 32
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:|<style")


@pytest.fixture
def paper(one_database: str, site_settings: None) -> Paper:
    return Paper()


@pytest.fixture
def client_on_paper(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> ClientOnPaper:
    """The fleet, as pages reach it."""
    made = ClientOnPaper(paper.fleet)
    monkeypatch.setattr(fleet, "client", lambda: made)
    return made


def address(at: Round) -> str:
    return f"/rooms/{at.room}/{at.lane}/{at.round}"


def page(browser: Client, path: str) -> str:
    """A page that is well: nothing inline, every word written out."""
    answer = browser.get(path)
    text = answer.content.decode()
    assert answer.status_code == 200, (path, answer.status_code, text[:200])
    assert not INLINE.search(text), INLINE.search(text)
    assert "None" not in re.sub(r"<[^>]*>", "", text).replace("None</button>", "").replace(">None<", "") or ">None<" in text
    return text


def both(browser: Client, at: Round) -> str:
    """The round on its room's page or, when another one is open, by its address; and for programs."""
    told = browser.get(f"/api/v1/rounds/{at.lane}/{at.round}").json()
    assert told["round"] == at.round and told["phase"] == Round.objects.get(id=at.id).phase
    page(browser, f"/rooms/{at.room}")
    return page(browser, address(at))


def follow(paper: Paper, browser: Client, at: Round, seconds: int = 60) -> set[str]:
    """Looks at a round in every phase until it is sealed; the phases it was seen in."""
    seen = set()
    for _ in range(seconds):
        phase = Round.objects.get(id=at.id).phase
        if phase not in seen:
            both(browser, at)
            page(browser, "/")
        seen.add(phase)
        if Round.objects.get(id=at.id).sealed_ms:
            return seen
        paper.run(1)
    raise AssertionError(seen)


def test_a_classic_round_in_every_phase(paper: Paper, client_on_paper: ClientOnPaper) -> None:
    paper.open("classic-unlimited", time_limit=3)
    at = paper.game("classic-unlimited")
    ana, bo = paper.player(), paper.player()
    hers = signed_in(ana, paper)
    assert "nobody has bet yet" in both(hers, at)
    paper.bet(ana, at, paper.items(ana, 300, 250))
    assert "waiting for one more player" in both(hers, at)
    paper.bet(bo, at, paper.items(bo, 450))
    text = both(hers, at)
    assert "10.00" in text and "0–299" in text and "55.00" in text and 'class="you"' in text
    seen = follow(paper, hers, at)
    assert {"game", "closed", "opened", "sealed"} <= seen
    text = page(hers, address(at))
    assert "was drawn" in text and "lottery verify" in text and f'data-record="{address(at)}/record.json"' in text
    sealed = Round.objects.get(id=at.id)
    assert hers.get(f"{address(at)}/record.json").content == bytes(sealed.record)
    assert next(event["event"] for event in hers.get(f"{address(at)}/events.json").json()) == "create"
    assert "hold" in page(hers, f"{address(at)}?explain")
    assert f"/{at.lane}/{at.round}" in page(hers, "/")
