"""The command line: exit codes, output for people and for programs, standard input, a fresh installation."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import records

from lottery import cli

CORE = Path(__file__).resolve().parents[2]
GOOD = str(records.FOLDER / "classic-unlimited.json")


@pytest.fixture
def lying(tmp_path: Path) -> str:
    file = tmp_path / "lie.json"
    file.write_bytes(records.text("classic-unlimited").replace(b'"closed_by":"time"', b'"closed_by":"bank"'))
    return str(file)


def test_a_good_record_ends_with_0_and_names_what_is_open(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", GOOD]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Everything that this record can prove holds."
    assert sum(line.startswith("ok ") for line in lines) > 40
    assert sum("not proven here" in line for line in lines) >= 5
    assert not any(line.startswith("LIE") for line in lines)


def test_the_first_lie_ends_with_1(lying: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", lying]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("LIE  reason of the close: the record says bank at ")
    assert "lies" in lines[-1]
    assert not any("not proven" in line for line in lines)


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b"\x00\xff"])
def test_what_is_no_record_ends_with_2(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "record.json"
    file.write_bytes(content)
    for command in ("verify", "explain"):
        assert cli.main([command, str(file)]) == 2
        assert capsys.readouterr().err.startswith("lottery: ")


def test_a_missing_file_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(tmp_path / "nothing.json"), "--json"]) == 2
    captured = capsys.readouterr()
    assert "No such file" in captured.err
    assert json.loads(captured.out)["good"] is False


def test_json_is_for_programs(lying: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", GOOD, "--json"]) == 0
    good = json.loads(capsys.readouterr().out)
    assert good["good"] is True
    assert all(check["holds"] for check in good["checks"])
    assert good["not_proven"]
    assert cli.main(["verify", lying, "--json"]) == 1
    bad = json.loads(capsys.readouterr().out)
    assert bad["good"] is False
    assert [check["check"] for check in bad["checks"] if not check["holds"]] == ["reason of the close"]


@pytest.mark.parametrize("name", records.SOUND)
def test_every_example_has_a_story(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    due = cli.UNCHECKED if name in records.UNCHECKED else cli.GOOD
    assert cli.main(["explain", str(records.FOLDER / f"{name}.json")]) == due
    told, record = capsys.readouterr().out, records.load(name)
    assert f"round {record['id']} of “{record['room']}”" in told
    assert "checks of this record hold" in told
    for winner in record["outcome"]["winners"]:
        assert f"User {winner['user_id']} " in told
    assert ("The round is void" in told) == (record["outcome"]["void"] is not None)


def test_a_lie_has_no_story(lying: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", lying]) == 1
    told = capsys.readouterr().out
    assert told.startswith("This record lies")
    assert "reason of the close" in told
    assert len(told.splitlines()) == 1


def test_a_terminal_without_unicode_gets_escapes() -> None:
    ran = program("explain", GOOD, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert ran.returncode == 0
    assert b"\\u201c" in ran.stdout


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    assert all(command in told for command in ("verify", "explain", "simulate", "replay"))


def test_commands_of_other_modules_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", "classic-unlimited", "--rounds", "3", "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)
    events = tmp_path / "events.json"
    events.write_text("[]")
    assert cli.main(["replay", str(events)]) == 2
    assert "replay" in capsys.readouterr().err


def test_no_command_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([])
    assert stop.value.code == 2
    assert "usage: lottery" in capsys.readouterr().err


def test_checking_a_record_loads_nothing_of_the_engine() -> None:
    program = (
        "import sys; from lottery.cli import main; code = main(['verify', sys.argv[1]]); "
        "engine = ('lottery.rounds', 'lottery.rake', 'lottery.rooms', 'lottery.simulate'); "
        "print(code, [name for name in engine if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program, GOOD], cwd=CORE, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "0 []"


def program(*arguments: str, **how: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "lottery", *arguments], cwd=CORE, capture_output=True, check=False, **how)


def test_the_module_is_the_program_and_a_record_may_come_on_standard_input() -> None:
    ran = program("verify", "-", input=records.text("raffle"))
    assert ran.returncode == 0
    assert b"Everything" in ran.stdout


@pytest.mark.slow
def test_a_fresh_installation_pulls_nothing_and_verifies(tmp_path: Path) -> None:
    """`pip install ./lottery_core` without any index, into an empty folder; `-S` starts a Python without other packages."""
    source, site = tmp_path / "core", tmp_path / "site"
    shutil.copytree(CORE, source, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__", ".*"))
    fresh = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    install = ["install", "--quiet", "--no-index", "--no-build-isolation", "--target", str(site), str(source)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True, env=fresh, capture_output=True)
    assert len(list(site.glob("*.dist-info"))) == 1
    command = [sys.executable, "-S", str(site / "bin" / "lottery"), "verify", str(GOOD)]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, env=fresh | {"PYTHONPATH": str(site)}, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith("holds.\n")
