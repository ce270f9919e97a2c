"""`fleet config check`: what it shows, by line, with what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from config_checked import checked, written


def test_what_is_found_stands_by_line_with_what_to_do(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "[limits]\noffers_per_bot_max = 50\n[trades]\noffer_timeout_s = 2400\nwathc_s = 5\n"
        '[balancer]\nport = "x"\nsite_url = "http://site.example"\nhost = "0.0.0.0"\n',
    )
    status, said = checked(path, "--offline")
    assert status == 2
    lines = [line for line in said.splitlines() if line.startswith(("error: ", "warning: "))]
    assert [line.split(": ")[1].partition(", ")[2] for line in lines] == [f"line {number}" for number in (2, 4, 5, 7, 8, 9)]
    assert "[trades] wathc_s: no such setting; did you mean watch_s?" in said
    assert said.count("What to do: ") == 4 and "What to do: make it at most token_lifetime_s." in said
    assert said.splitlines()[-1] == "6 errors, no warnings"


def test_a_default_that_does_not_go_with_what_is_written_is_told_at_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, '[balancer]\nsite_url = "https://site.example"\n[trades]\nunknown_offer_cancel_s = 10\n')
    assert "my.toml, line 4: [trades] unknown_offer_cancel_s: " in checked(path, "--offline")[1]
    path = written(tmp_path, '[balancer]\nsite_url = "https://site.example"\n[trades]\ntoken_lifetime_s = 10\n')
    assert "my.toml, line 4: [trades] token_lifetime_s (with [trades] offer_timeout_s): " in checked(path, "--offline")[1]


@pytest.mark.parametrize(
    ("text", "did_you_mean"),
    [
        ("[balancer]\nprot = 1\n", "did you mean port?"),
        ("[balancr]\nport = 1\n", "did you mean [balancer]?"),
        ("port = 1\n", "did you mean [balancer] port?"),
        ("[trades]\noffers_per_bot_max = 1\n", "did you mean offers_per_bot_max of [limits]?"),
        ("[trades]\nofer_timeout = 1\n", "did you mean offer_timeout_s?"),
    ],
)
def test_the_nearest_name_is_told(tmp_path: Path, text: str, did_you_mean: str) -> None:
    status, said = checked(written(tmp_path, text), "--offline")
    assert status == 2 and did_you_mean in said


@pytest.mark.parametrize(
    ("name", "do"),
    [
        ("FLEET_BALANCER_PORT", "set FLEET__BALANCER__PORT instead"),
        ("FLEET_BALANCER__PORT", "set FLEET__BALANCER__PORT instead"),
        ("fleet__balancer__port", "set FLEET__BALANCER__PORT instead"),
        ("FLEET_REDIS_URL", "set FLEET__REDIS__URL instead"),
        ("FLEET_SOMETHING_ELSE", "remove it"),
    ],
)
def test_a_variable_that_looks_like_ours_and_is_not_is_told(tmp_path: Path, name: str, do: str) -> None:
    path = written(tmp_path, '[balancer]\nsite_url = "https://site.example"\n')
    status, said = checked(path, "--offline", environ={name: "8080", "FLEET_CONFIG": "x", "FLEET_VAULT_KEY": "x"})
    assert status == 1 and f"warning: variable {name}: " in said and do in said
    assert said.splitlines()[-1] == "no errors, 1 warning"


def test_a_variable_that_is_ours_is_named_when_it_is_wrong(tmp_path: Path) -> None:
    path = written(tmp_path, '[balancer]\nsite_url = "https://site.example"\n')
    status, said = checked(path, "--offline", environ={"FLEET__LIMITS__OFFERS_PER_BOT_MAX": "50"})
    assert status == 2 and "variable FLEET__LIMITS__OFFERS_PER_BOT_MAX: [limits] offers_per_bot_max: Steam takes 30" in said


def test_programs_get_json(tmp_path: Path) -> None:
    path = written(tmp_path, '[balancer]\nsite_url = "https://site.example"\n[limits]\nbot_items_max = 2000\n')
    status, said = checked(path, "--offline", "--json")
    [row] = json.loads(said)["findings"]
    assert status == 2 and (row["level"], row["section"], row["key"]) == ("error", "limits", "bot_items_max")
    assert (row["file"], row["line"], row["do"]) == (str(path), 4, "write at most 1000")


def test_good_settings_are_fine(tmp_path: Path) -> None:
    path = written(tmp_path, '[balancer]\nsite_url = "https://site.example"\n')
    assert checked(path, "--offline") == (0, f"settings are fine: defaults and {path}\n")
