"""What a person mistypes at `fleet` ends in a sentence that names it, and in no traceback."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from scripts.cli.commands import bots, demo, group
from scripts.cli.fleet import COMMANDS, main
from scripts.lab.parts import StackError
from scripts.lab.stack import Stack, Wish
from shared import __version__, settings
from shared.errors import SettingsError
from shared.sealing import MasterKey


@pytest.fixture
def config(tmp_path: Path) -> Path:
    MasterKey.create(tmp_path / "master.key")
    path = tmp_path / "fleet.toml"
    path.write_text(
        f'[database]\nurl = "sqlite:///{tmp_path}/fleet.db"\n[balancer]\nmaster_key_file = "{tmp_path}/master.key"\n'
        f'[redis]\nurl = "unix://{tmp_path}/no-redis"\n'
    )
    return path


def refused(config: Path, *arguments: str, stdin: str | bytes = "") -> str:
    """What the command says on its standard error. It must be a message, not an exception that came through."""
    done: Any = CliRunner().invoke(main, ["--config", str(config), *arguments], input=stdin)
    assert isinstance(done.exception, SystemExit) and done.exit_code in (1, 2), done.exception
    return str(done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "issue", "red", "1", "--out", "{folder}/none/keys.json"),
        ("keys", "issue", "red", "1", "--out", "{folder}/fleet.toml/keys.json"),
        ("backup", "{folder}/none/copy.db"),
        ("redis", "acl", "{folder}/fleet.toml/users"),
        ("up", "--directory", "{folder}/fleet.toml/up"),
    ],
)
def test_a_place_where_nothing_can_be_written_is_named(config: Path, arguments: tuple[str, ...]) -> None:
    CliRunner().invoke(main, ["--config", str(config), "clients", "list"])  # makes the database
    said = refused(config, *(each.format(folder=config.parent) for each in arguments))
    assert f"{config.parent}/" in said


def test_a_master_key_that_is_no_text_is_named(config: Path) -> None:
    (config.parent / "master.key").write_bytes(b"\xff" * 64)
    assert "does not hold 64 hex digits" in refused(config, "clients", "list")


def test_a_file_that_is_no_database_is_named(config: Path) -> None:
    (config.parent / "fleet.db").write_text("no database" * 100)
    assert "the database cannot be used" in refused(config, "clients", "list")
    assert "the database cannot be used" in refused(config, "balancer")


def test_standard_output_is_for_answers_only(config: Path) -> None:
    (config.parent / "fleet.db").mkdir()
    done = CliRunner().invoke(main, ["--config", str(config), "clients", "list", "--json"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "unable to open database file" in done.stderr


def test_bytes_that_are_no_text_are_named(config: Path) -> None:
    assert "UTF-8" in refused(config, "trades", "show", "\udcff")


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", "a b"])
def test_a_client_has_a_name_that_can_be_typed(config: Path, name: str) -> None:
    assert "name" in refused(config, "clients", "add", name)
    listed = CliRunner().invoke(main, ["--config", str(config), "clients", "list"])
    assert listed.output == ""


@pytest.mark.parametrize("reason", ["x" * 201, "two\nlines"])
def test_a_reason_is_one_short_line(config: Path, reason: str) -> None:
    assert "--reason" in refused(config, "switches", "pause", "deposits", "--reason", reason)
    listed = CliRunner().invoke(main, ["--config", str(config), "switches", "list"])
    assert listed.output == "nothing is paused\n"


@pytest.mark.parametrize("egress", ["host ~* +@all", "", "a\nuser x on nopass"])
def test_an_address_writes_no_rules_into_the_access_list(config: Path, egress: str) -> None:
    assert "is not an address" in refused(config, "redis", "acl", str(config.parent / "users"), "--egress", egress)
    assert not (config.parent / "users").exists()


def test_a_backup_that_is_not_there_is_named_before_anything_is_asked(config: Path) -> None:
    said = refused(config, "restore", str(config.parent / "none.db"))
    assert "none.db" in said and "does not exist" in said
    assert not (config.parent / "none.db").exists()


@pytest.mark.parametrize("record", [[], {}, {"assets": []}, {"assets": [], "origins": [], "offers": [], "exchanges": 5}])
def test_what_is_no_record_cannot_be_compared(config: Path, record: Any) -> None:
    (config.parent / "record.json").write_text(json.dumps(record))
    assert "no sandbox's record" in refused(config, "crosscheck", str(config.parent / "record.json"))


@pytest.mark.parametrize(
    ("section", "url"),
    [
        ("redis", "redis://:hidden/word@host"),
        ("redis", "redis://:hidden@host:port"),
        ("redis", "rediss://:hidden@[host"),
        ("database", "postgresql+psycopg://me:hidden/word@host/fleet"),
        ("database", "sqlite://me:hidden@host/fleet.db"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused_and_not_repeated(tmp_path: Path, section: str, url: str) -> None:
    path = tmp_path / "my.toml"
    path.write_text(f'[{section}]\nurl = "{url}"\n')
    with pytest.raises(SettingsError) as caught:
        settings.load(path)
    assert f"line 2: [{section}] url: " in caught.value.detail
    assert "hidden" not in f"{caught.value.detail} {caught.value!r}"


def test_a_variable_that_names_no_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET__BALANCER", "5")
    with pytest.raises(SettingsError, match=r"variable FLEET__BALANCER: .*FLEET__BALANCER__PORT"):
        settings.load()


@pytest.mark.parametrize(("name", "group"), [("group", group.cli), ("bots", bots.cli)])
def test_the_list_of_commands_promises_only_what_is_there(name: str, group: click.Group) -> None:
    """Single words after the colon are names of commands."""
    promised = re.findall(r"(?<=[:;,] )[a-z]+(?=[,.;])", COMMANDS[name])
    assert promised and set(promised) <= set(group.commands)


def test_what_to_try_after_the_demo_can_be_typed_as_it_stands(tmp_path: Path) -> None:
    programs = re.findall(r"(\S+) --config", demo._what_next(Stack(Wish(tmp_path))))
    assert len(programs) == 3 and all(os.access(program, os.X_OK) for program in programs)


@pytest.mark.slow
def test_up_shares_its_port_with_nobody(tmp_path: Path) -> None:
    """A balancer listens as all of them do, so that others of its own fleet may join it; another fleet may not."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "scripts.cli.fleet", *("up", "--port", port, "--bots", "1", "--players", "1")],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    assert done.returncode == 1 and f"cannot listen on 127.0.0.1, port {port}" in done.stderr


def test_a_folder_that_another_fleet_uses_is_named(tmp_path: Path) -> None:
    first = Stack(Wish(tmp_path))
    first._start_redis()
    try:
        with pytest.raises(StackError, match="another server is using"):
            Stack(Wish(tmp_path, redis_wait_s=0.1))._start_redis()
    finally:
        first.stop()


def test_the_version_and_the_lines_for_shells_are_printed() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout == f"fleet, version {__version__}\n"
    for shell in ("bash", "zsh", "fish"):
        assert f"_FLEET_COMPLETE={shell}_complete" in CliRunner().invoke(main, ["completion", shell]).stdout
    assert CliRunner().invoke(main, ["completion", "tcsh"]).exit_code == 2


def test_a_shell_completes_commands_of_groups() -> None:
    typed = {"_FLEET_COMPLETE": "bash_complete", "COMP_WORDS": "fleet trades li", "COMP_CWORD": "2"}
    assert CliRunner().invoke(main, [], prog_name="fleet", env=typed).stdout == "plain,list\n"


def commands(group: click.Group = main, above: str = "") -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, f"{above}{name} ")
        else:
            yield f"{above}{name}", found


# They run until they are ended, draw, or print what is a file's whole text.
NO_JSON = {"balancer", "completion", "config default", "group start", "sandbox", "top", "users export"}
# What cannot be taken back, lets items or keys go, or stops what players see.
DANGEROUS = {
    "alarms ack", "bots drain", "bots pause", "bots unfreeze", "clients revoke", "db upgrade", "trades doubt", "users forget",
    "webhooks remove",
}  # fmt: skip
# These ask, and say what they would do only by asking: a dry run of them would be another program.
ONLY_ASK = {"restore", "config mode"}
DRY = DANGEROUS | {
    "approvals approve", "approvals reject", "bots resume", "locks release", "locks restore", "prices accept", "switches pause",
    "switches resume", "tickets issue", "trades decide", "trades thaw", "trades unblock", "webhooks enable",
    "webhooks redeliver",
}  # fmt: skip


def test_commands_answer_programs_ask_before_and_show_how_they_are_typed() -> None:
    options = {name: {text for each in found.params for text in each.opts} for name, found in commands()}
    assert {name for name, has in options.items() if "--json" not in has} == NO_JSON
    assert {name for name, has in options.items() if "--yes" in has} == DANGEROUS | ONLY_ASK
    assert {name for name, has in options.items() if "--dry-run" in has} == DRY
    helps = {name: cleandoc(found.help or "").replace("--config fleet.toml ", "") for name, found in commands()}
    assert [name for name, text in helps.items() if f"fleet {name}" not in text.partition("\b\n")[2]] == []


def test_a_dry_run_fails_as_the_real_one_does_and_changes_nothing(config: Path) -> None:
    def typed(*arguments: str, stdin: str = "") -> Any:
        return CliRunner().invoke(main, ["--config", str(config), *arguments], input=stdin)

    typed("clients", "add", "site")
    dry = typed("clients", "revoke", "site", "--dry-run")
    assert (dry.exit_code, dry.stdout) == (0, "nothing was changed; it would be: revoked\n")
    assert "no valid client" in refused(config, "clients", "revoke", "other", "--dry-run")
    asked = typed("clients", "revoke", "site", stdin="n\n")
    assert asked.exit_code == 1 and "Revoke site with all its keys?" in asked.stderr and asked.stdout == ""
    paused = json.loads(typed("switches", "pause", "deposits", "--dry-run", "--json").stdout)
    assert [each["switch"] for each in paused["paused"]] == ["deposits"]
    assert json.loads(typed("switches", "list", "--json").stdout) == {"paused": []}
    assert [each["name"] for each in json.loads(typed("clients", "list", "--json").stdout)["clients"]] == ["site"]
    assert json.loads(typed("clients", "revoke", "site", "--yes", "--json").stdout) == {
        "client": "site", "revoked": True, "dry_run": False,
    }  # fmt: skip
