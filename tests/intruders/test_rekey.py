"""A new key for the vault: killed at any moment it opens, whole, with the old key or the new one."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bot_lab import MASTER
from click.testing import CliRunner
from support import wait_until

from bot_worker import vault as vault_module
from bot_worker.rekey import rekey
from bot_worker.vault import Account, SavedSession, Vault
from scripts.cli.fleet import main
from shared import settings as settings_module
from shared.errors import VaultError
from shared.sections import GroupSettings
from shared.settings import Settings

BOTS = ("red-1", "red-2", "red-3")


def account(bot: str) -> Account:
    return Account(bot, f"account-{bot}", f"password-{bot}", "76561198000000001", "c2hhcmVk", "aWRlbnRpdHk=", "android:1")


def settings_in(folder: Path) -> Settings:
    places = {"vault_file": "v/vault", "vault_key_file": "k/vault.key", "status_dir": "run"}
    return settings_module.load(None, {"group": {name: str(folder / place) for name, place in places.items()}})


@pytest.fixture
def group(tmp_path: Path) -> GroupSettings:
    group = settings_in(tmp_path).group
    filled = Vault.open(group, create=True)
    filled.put([account(bot) for bot in BOTS])
    filled.put_keys([MASTER.bot(bot) for bot in BOTS])
    for bot in BOTS[:2]:
        filled.save_session(bot, SavedSession(f"refresh-{bot}", True))
    return group


def holds_everything(group: GroupSettings) -> None:
    opened = Vault.open(group)
    opened.check()
    assert [opened.account(bot) for bot in BOTS] == [account(bot) for bot in BOTS]
    assert [opened.keys(bot) for bot in BOTS] == [MASTER.bot(bot) for bot in BOTS]
    assert [opened.session(bot).refresh_token for bot in BOTS] == ["refresh-red-1", "refresh-red-2", None]


def key_of(group: GroupSettings) -> bytes:
    return bytes.fromhex(group.vault_key_file.read_text())


def test_everything_is_under_the_new_key_and_nothing_under_the_old(group: GroupSettings) -> None:
    old = key_of(group)
    assert rekey(group) == list(BOTS)
    assert key_of(group) != old
    holds_everything(group)
    before = Vault(group.vault_file, old)
    for look in (lambda: before.account("red-1"), lambda: before.keys("red-1"), lambda: before.session("red-1")):
        with pytest.raises(VaultError):
            look()
    assert "previous" not in json.loads(group.vault_file.read_text())
    assert not group.vault_key_file.with_name("vault.key.new").exists()


def killed_at(group: GroupSettings, step: int) -> bool:
    """Change the key in a process that is killed before its ``step``-th change of a file; false: it came to its end."""
    pid = os.fork()
    if pid == 0:
        steps = itertools.count(1)

        def kill(event: str, arguments: tuple[object, ...]) -> None:
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            changes = writes or event in ("os.rename", "os.remove", "os.mkdir", "os.truncate")
            if changes and next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(kill)
        rekey(group)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        return False
    assert os.WTERMSIG(status) == signal.SIGKILL
    return True


def test_killed_at_any_step_it_opens_with_one_key_and_can_be_changed_again(tmp_path: Path, group: GroupSettings) -> None:
    seen = set()
    for step in itertools.count(1):
        copy = tmp_path / f"copy-{step}"
        for part in ("v", "k"):
            shutil.copytree(tmp_path / part, copy / part)
        here = settings_in(copy).group
        old = key_of(here)
        if not killed_at(here, step):
            break
        holds_everything(here)
        seen.add("old" if key_of(here) == old else "new")
        rekey(here)
        holds_everything(here)
        assert not Vault(here.vault_file, old).opens()
    assert step > 8 and seen == {"old", "new"}


def test_a_session_saved_between_two_changes_is_kept(tmp_path: Path, group: GroupSettings) -> None:
    saved = ""
    for step in range(1, 12):
        if killed_at(group, step):
            saved = f"renewed-{step}"
            Vault.open(group).save_session("red-1", SavedSession(saved, True))
    rekey(group)
    assert saved and Vault.open(group).session("red-1").refresh_token == saved


def test_any_changed_byte_is_told(group: GroupSettings) -> None:
    good = group.vault_file.read_bytes()
    for position in range(0, len(good), 7):
        changed = bytearray(good)
        changed[position] ^= 1
        if bytes(changed).split() == good.split() or json_of(bytes(changed)) == json_of(good):
            continue  # only the space between
        group.vault_file.write_bytes(bytes(changed))
        with pytest.raises(VaultError, match=r"changed|cannot read"):
            Vault.open(group).check()


def json_of(text: bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def test_a_vault_of_the_first_version_opens_and_gets_its_seal(group: GroupSettings) -> None:
    data = json.loads(group.vault_file.read_text())
    group.vault_file.write_text(json.dumps({"version": 1, "bots": data["bots"]}))
    holds_everything(group)
    Vault.open(group).put([account("red-1")])
    assert "check" in json.loads(group.vault_file.read_text())
    holds_everything(group)


# --- the commands -------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path, group: GroupSettings) -> Path:
    path = tmp_path / "host.toml"
    lines = [f'{name} = "{getattr(group, name)}"' for name in ("vault_file", "vault_key_file", "status_dir")]
    path.write_text("[group]\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(autouse=True)
def forget_typed_key() -> Iterator[None]:
    yield
    vault_module.give_key(None)


def test_rekey_by_command_with_the_key_in_a_file(config: Path, group: GroupSettings) -> None:
    old = key_of(group)
    done = CliRunner().invoke(main, ["--config", str(config), "vault", "rekey"])
    assert done.exit_code == 0, done.output
    assert key_of(group) != old and key_of(group).hex() not in done.output
    assert "3 bots, 2 saved sessions" in CliRunner().invoke(main, ["--config", str(config), "vault", "check"]).output


def test_rekey_with_a_typed_key_asks_where_the_new_one_goes(config: Path, group: GroupSettings, tmp_path: Path) -> None:
    key = key_of(group).hex()
    group.vault_key_file.unlink()
    call = ["--config", str(config), "--vault-key-prompt", "vault", "rekey"]
    assert CliRunner().invoke(main, call, input=key + "\n").exit_code == 2
    new = tmp_path / "new.key"
    done = CliRunner().invoke(main, [*call, "--new-key-file", str(new)], input=key + "\n")
    assert done.exit_code == 0 and key not in done.output, done.output
    assert new.stat().st_mode & 0o077 == 0
    again = CliRunner().invoke(main, ["--config", str(config), "--vault-key-prompt", "vault", "check"], input=new.read_text())
    assert again.exit_code == 0, again.output
    assert CliRunner().invoke(main, [*call, "--new-key-file", str(new)], input=new.read_text()).exit_code == 1


def test_the_key_may_be_a_variable(config: Path, group: GroupSettings) -> None:
    key = key_of(group).hex()
    group.vault_key_file.unlink()
    done = CliRunner().invoke(main, ["--config", str(config), "vault", "check"], env={"FLEET_VAULT_KEY": key})
    assert done.exit_code == 0, done.output


def test_a_typed_key_is_not_shown_and_stands_in_no_process_list(config: Path, group: GroupSettings, tmp_path: Path) -> None:
    """A real terminal: the command waits for the key there; meanwhile and afterwards nobody else can read it."""
    key = key_of(group).hex()
    group.vault_key_file.unlink()
    screen, terminal = pty.openpty()
    command = [sys.executable, "-P", "-m", "scripts.cli.fleet", "--config", str(config), "--vault-key-prompt", "vault", "check"]
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
    os.close(terminal)
    shown = b""

    def asked() -> bool:
        nonlocal shown
        shown += os.read(screen, 4096)
        return b"Vault key" in shown

    wait_until(asked)
    listed = b"".join(Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
    os.write(screen, key.encode() + b"\n")
    while True:
        try:
            piece = os.read(screen, 4096)
        except OSError:  # the terminal is closed: the command has ended
            break
        shown += piece
    assert process.wait(120) == 0, shown
    os.close(screen)
    assert b"everything opens" in shown
    assert key.encode() not in shown + listed


def test_no_new_key_while_a_group_runs(config: Path, group: GroupSettings) -> None:
    group.status_dir.mkdir()
    (group.status_dir / "group-red-1.json").write_text(json.dumps({"group": "red-1", "pid": 1, "state": "running", "bots": []}))
    with (group.status_dir / "group-red-1.pid").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = CliRunner().invoke(main, ["--config", str(config), "vault", "rekey"])
        assert refused.exit_code == 1 and "red-1 runs" in refused.output
    assert CliRunner().invoke(main, ["--config", str(config), "vault", "rekey"]).exit_code == 0
