"""Secrets at rest: changed bytes are told, many writers do not disturb each other, nothing shows in `repr`."""

from __future__ import annotations

import json
import multiprocessing
import re
from pathlib import Path

import pytest
from bot_lab import MASTER

from bot_worker.vault import Account, SavedSession, Vault
from shared import settings as settings_module
from shared.errors import VaultError
from shared.sections import GroupSettings

ACCOUNT = Account("red-1", "botone", "pass-word", "76561198000000001", "c2hhcmVk", "aWRlbnRpdHk=", "android:1")


@pytest.fixture
def group(tmp_path: Path) -> GroupSettings:
    places = {"vault_file": str(tmp_path / "v" / "vault"), "vault_key_file": str(tmp_path / "k" / "vault.key")}
    return settings_module.load(None, {"group": places}).group


@pytest.fixture
def vault(group: GroupSettings) -> Vault:
    return Vault.open(group, create=True)


def test_what_is_put_in_comes_out(vault: Vault, group: GroupSettings) -> None:
    vault.put([ACCOUNT])
    vault.put_keys([MASTER.bot("red-1"), MASTER.bot("red-2")])
    again = Vault.open(group)
    assert again.account("red-1") == ACCOUNT
    assert again.keys("red-1") == MASTER.bot("red-1")
    assert sorted(again.bots()) == ["red-1", "red-2"]
    assert not again.has_account("red-2")


def test_files_are_for_their_owner_only_and_hold_nothing_readable(vault: Vault, group: GroupSettings) -> None:
    vault.put([ACCOUNT])
    vault.save_session("red-1", SavedSession("refresh-token", True))
    session_file = group.vault_file.with_name("vault.d") / "red-1"
    for path in (group.vault_file, group.vault_key_file, session_file):
        assert path.stat().st_mode & 0o077 == 0
    text = group.vault_file.read_text() + session_file.read_text()
    for secret in ("botone", "pass-word", "76561198000000001", "c2hhcmVk", "refresh-token"):
        assert secret not in text


def test_every_changed_sign_is_told(vault: Vault, group: GroupSettings) -> None:
    vault.put([ACCOUNT])
    data = json.loads(group.vault_file.read_text())
    for name, sealed in data["bots"]["red-1"].items():
        for position in (2, len(sealed) // 2, len(sealed) - 5):
            other = "A" if sealed[position] != "A" else "B"
            changed = json.loads(json.dumps(data))
            changed["bots"]["red-1"][name] = sealed[:position] + other + sealed[position + 1 :]
            group.vault_file.write_text(json.dumps(changed))
            with pytest.raises(VaultError, match=name):
                vault.account("red-1")


def test_an_entry_moved_to_another_bot_or_field_does_not_open(vault: Vault, group: GroupSettings) -> None:
    vault.put([ACCOUNT])
    data = json.loads(group.vault_file.read_text())
    data["bots"]["red-2"] = data["bots"]["red-1"]
    fields = data["bots"]["red-1"]
    fields["password"], fields["account_name"] = fields["account_name"], fields["password"]
    group.vault_file.write_text(json.dumps(data))
    for bot in ("red-1", "red-2"):
        with pytest.raises(VaultError):
            vault.account(bot)


def test_a_changed_session_is_told(vault: Vault, group: GroupSettings) -> None:
    vault.save_session("red-1", SavedSession("refresh-token", True))
    path = group.vault_file.with_name("vault.d") / "red-1"
    text = path.read_text()
    path.write_text(text[:30] + ("A" if text[30] != "A" else "B") + text[31:])
    with pytest.raises(VaultError, match="changed"):
        vault.session("red-1")


def test_another_key_opens_nothing(vault: Vault, group: GroupSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.put([ACCOUNT])
    monkeypatch.setenv("FLEET_VAULT_KEY", "ab" * 32)
    with pytest.raises(VaultError, match="key"):
        Vault.open(group).account("red-1")


@pytest.mark.parametrize("key", ["", "ab", "zz" * 32, "ab" * 33])
def test_a_bad_key_is_told(group: GroupSettings, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("FLEET_VAULT_KEY", key)
    with pytest.raises(VaultError, match="64 hex"):
        Vault.open(group)


def test_a_key_that_others_may_read_is_refused(vault: Vault, group: GroupSettings) -> None:
    group.vault_key_file.chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        Vault.open(group)


def test_a_missing_key_is_not_replaced_while_there_is_a_vault(vault: Vault, group: GroupSettings) -> None:
    vault.put([ACCOUNT])
    group.vault_key_file.unlink()
    with pytest.raises(VaultError, match="gone"):
        Vault.open(group, create=True)


def test_what_is_not_there_is_told(vault: Vault, group: GroupSettings) -> None:
    with pytest.raises(VaultError, match="red-9"):
        vault.account("red-9")
    assert vault.session("red-9") == SavedSession()
    assert vault.keys("red-9") is None
    group.vault_file.parent.mkdir(exist_ok=True)
    group.vault_file.write_text("not a vault")
    with pytest.raises(VaultError, match="not a vault"):
        vault.bots()


def test_secrets_stay_out_of_repr(vault: Vault) -> None:
    shown = f"{ACCOUNT!r} {SavedSession('refresh-token')!r} {vault!r} {MASTER.bot('red-1')!r}"
    for secret in ("pass-word", "c2hhcmVk", "aWRlbnRpdHk=", "refresh-token"):
        assert secret not in shown
    assert not re.search(r"[0-9a-f]{32}", shown)


def _write(group: GroupSettings, number: int, rounds: int) -> None:
    vault = Vault.open(group)
    bot = f"red-{number}"
    for count in range(rounds):
        vault.save_session(bot, SavedSession(f"{bot}-{count}", True))
        vault.put([Account(bot, bot, f"{count}", "76561198000000001", "c2hhcmVk", "aWRlbnRpdHk=", "android:1")])


def test_ten_writers_at_once_lose_nothing(vault: Vault, group: GroupSettings) -> None:
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=_write, args=(group, number, 10)) for number in range(1, 11)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0] * 10
    assert len(vault.bots()) == 10
    for number in range(1, 11):
        assert vault.session(f"red-{number}").refresh_token == f"red-{number}-9"
        assert vault.account(f"red-{number}").password == "9"
    assert [path.name for path in group.vault_file.parent.iterdir() if path.name.startswith(".")] == []
