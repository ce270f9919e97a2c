"""What `fleet demo` and `fleet up` say to somebody who sees them for the first time."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.demo_run import view
from scripts.demo_run.players import Tally
from scripts.demo_run.view import Calls
from scripts.lab.stack import Stack, Wish

CALLS = Calls(
    {"send": 10, "GetTradeOffers": 5, "inventory": 3, "GetTradeOffer": 2},
    {"deposit": 9.0, "withdraw": 4.0},
    {"deposit": 6, "withdraw": 4},
    looks=2,
    seconds=3,
)


def trade(number: int, status: str, code: str | None = None, reason: str | None = None) -> Any:
    """What the tally reads of a trade."""
    failure = SimpleNamespace(code=code, reason=reason) if code else None
    return SimpleNamespace(trade_id=f"trd_{number}", status=status, direction="deposit", failure=failure)


def tally(*ended: tuple[str, Any]) -> Tally:
    made = Tally()
    for meant, row in ended:
        made.note(trade(int(row.trade_id.removeprefix("trd_")), "queued"), meant)
        made.note(row)
    return made


def result(made: Tally) -> dict[str, Any]:
    return {
        "trades": made.by_outcome(),
        "failures": made.failures(),
        "not_as_players_meant": made.otherwise(),
        "request_to_offer_s": {"p50": 0.5, "p99": 1.0},
        "steam_calls": dataclasses.asdict(CALLS),
        "seconds": 50.0,
        "compared": {"items": 10},
        "differences": [],
        "custody": {"bots": [], "verdict": "clean"},
    }


def test_failures_that_players_meant_are_told_as_such() -> None:
    made = tally(
        ("failed", trade(1, "failed", "token_wrong", "Steam refused the offer (token_wrong)")),
        ("failed", trade(2, "failed", "token_wrong", None)),
        ("accepted", trade(3, "settled")),
        ("declined", trade(4, "declined")),
    )
    said = "\n".join(view.summary_lines(result(made)))
    assert "     2  token_wrong   all as the players meant" in said
    assert "ended otherwise than their player meant: none" in said


def test_failures_that_nobody_meant_stand_out() -> None:
    made = tally(
        ("accepted", trade(1, "failed", "steam_unavailable", "attempts_used_up")),
        ("failed", trade(2, "failed", "token_wrong")),
        ("accepted", trade(3, "canceled")),
    )
    said = "\n".join(view.summary_lines(result(made)))
    assert "     1  steam_unavailable: attempts_used_up   0 as the players meant" in said
    assert "ended otherwise than their player meant: 1 accepted → failed, 1 accepted → canceled" in said
    assert made.failures()["token_wrong"] == {"trades": 1, "meant": 1}


def test_a_game_without_failures_says_so() -> None:
    assert "  none did" in view.summary_lines(result(tally(("accepted", trade(1, "accepted")))))


def row(bot: str, state: str, reason: str | None = None) -> Any:
    return SimpleNamespace(bot=bot, state=state, reason=reason)


def test_up_says_what_it_waits_for(tmp_path: Path) -> None:
    """Each change once, with what a bot itself gives as its reason."""
    looks = [
        [],
        [row("red-1", "offline", None), row("red-2", "offline", "sign_in")],
        [row("red-1", "online"), row("red-2", "offline", "sign_in")],
        [row("red-1", "online"), row("red-2", "offline", "sign_in")],
        [row("red-1", "online"), row("red-2", "online")],
    ]
    said: list[str] = []

    class Seen(Stack):
        def bots(self) -> list[Any]:
            return looks.pop(0)

    Seen(Wish(tmp_path, bots_per_group=2), say=said.append).wait_for_bots()
    assert said == [
        "waiting for bots to sign in: 0 of 2",
        "waiting for bots to sign in: 0 of 2 (red-2: sign_in)",
        "waiting for bots to sign in: 1 of 2 (red-2: sign_in)",
        "all 2 bots are signed in",
    ]


def test_what_steam_was_asked_is_told_whole_and_looks_for_players_apart() -> None:
    """Twenty calls, of which five are in no sum: nine for the six deposits, four for the four withdrawals, two for none."""
    assert CALLS.per_trade() == {"deposit": pytest.approx(9 / 6 + 0.2), "withdraw": pytest.approx(4 / 4 + 0.2)}
    lines = view.calls_lines(CALLS)
    assert "1.70 per deposit, 1.20 per withdrawal" in lines[0]
    assert "over the 6 deposits and 4 withdrawals that were made, however they ended" in lines[1]
    assert "audits and such are 0.20 of each" in lines[2]
    assert [line.split() for line in lines[3:7]] == [
        ["1.00", "send"],
        ["0.50", "GetTradeOffers"],
        ["0.30", "inventory"],
        ["0.20", "GetTradeOffer"],
    ]
    assert "2 of these calls were looks" in lines[7]
    assert "3 were second readings of dear items" in lines[8]


def test_the_bots_say_for_what_they_asked() -> None:
    bots: list[Any] = [
        SimpleNamespace(look_calls=1, second_calls=0, deposit_calls=2.5, withdraw_calls=1.25),
        SimpleNamespace(look_calls=1, second_calls=3, deposit_calls=0.5, withdraw_calls=0.75),
    ]
    assert view.calls_of({"send": 9}, bots, {"deposit": 3}) == Calls(
        {"send": 9}, {"deposit": 3.0, "withdraw": 2.0}, {"deposit": 3}, 2, 3
    )


def test_without_withdrawals_none_is_named() -> None:
    lines = view.calls_lines(Calls({"send": 2}, {"deposit": 2.0, "withdraw": 0.0}, {"deposit": 2, "withdraw": 0}))
    assert "1.00 per deposit:" in lines[0] and "withdrawal" not in "".join(lines)
