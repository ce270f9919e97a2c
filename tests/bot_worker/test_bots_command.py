"""`fleet bots` and `fleet keys`: credentials in every shape, clear words about bad ones, nothing half done."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest
import steampy.guard
from bot_lab import SteamWorld, ask
from click.testing import CliRunner, Result

from bot_worker.credentials.accounts import default_device_id, guard_code
from bot_worker.vault import SavedSession, Vault
from scripts.cli.fleet import main
from shared import settings as settings_module
from shared.clock import Clock
from shared.domain.ids import STEAM_ID_BASE, SteamId, TradeUrl
from shared.errors import VaultError

SECRET = base64.b64encode(b"s" * 20).decode()
IDENTITY = base64.b64encode(b"i" * 20).decode()


class Host:
    """A host with a settings file of its own and the `fleet` command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "fleet.toml"
        self.config.write_text(
            f'[group]\nvault_file = "{folder}/vault"\nvault_key_file = "{folder}/vault.key"\nstatus_dir = "{folder}/run"\n'
            f'[balancer]\nmaster_key_file = "{folder}/keys/master.key"\n'
        )

    def __call__(self, *arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(main, ["--config", str(self.config), *arguments], input=typed)

    def file(self, name: str, content: Any) -> str:
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self("bots", "list", "--json").stdout)
        return rows


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


SECRETS = {"shared_secret": SECRET, "identity_secret": IDENTITY}
SHAPES: dict[str, dict[str, Any]] = {
    "desktop": {**SECRETS, "account_name": "botone", "device_id": "android:x", "Session": {"SteamID": 76561198000000001}},
    "desktop_text_id": {**SECRETS, "account_name": "botone", "Session": {"SteamID": "76561198000000001"}},
    "no_session": {**SECRETS, "account_name": "botone", "steamid": "76561198000000001", "Session": None},
    "steamguard_cli": {**SECRETS, "account_name": "botone", "steam_id": 76561198000000001, "device_id": "android:x"},
    "steampy": {**SECRETS, "steamid": "76561198000000001"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_mafile_is_imported(host: Host, shape: str) -> None:
    passwords = host.file("passwords.csv", "account_name,password\nbotone,secret-word\n")
    path = host.file("botone.maFile", SHAPES[shape])
    done = host("bots", "import", path, "--color", "red", "--first", "3", "--passwords", passwords)
    assert done.exit_code == 0, done.output
    assert host.rows() == [
        {
            "bot": "red-3",
            "account_name": "botone",
            "steam_id": "76561198000000001",
            "keys": False,
            "session": False,
            "proxy": None,
        }
    ]
    assert "secret-word" not in done.output


def test_a_proxy_is_asked_for_and_its_password_never_shown(host: Host) -> None:
    passwords = host.file("passwords.csv", "account_name,password\nbotone,secret-word\n")
    path = host.file("botone.maFile", SHAPES["desktop"])
    assert host("bots", "import", path, "--color", "red", "--passwords", passwords).exit_code == 0
    set_up = host("bots", "proxy", "red-1", typed="http://user:hidden@203.0.113.9:8080\n")
    assert set_up.exit_code == 0, set_up.output
    assert host.rows()[0]["proxy"] == "203.0.113.9:8080"
    assert "through 203.0.113.9:8080" in host("bots", "list").output
    wrong = host("bots", "proxy", "red-1", typed="user:hidden@203.0.113.9\n")
    assert wrong.exit_code != 0
    for done in (set_up, wrong, host("bots", "list"), host("bots", "list", "--json")):
        assert "hidden" not in done.output
    assert host("bots", "proxy", "red-1", "--clear").exit_code == 0
    assert host.rows()[0]["proxy"] is None
    assert host("bots", "proxy", "red-9", "--clear").exit_code != 0


def test_a_csv_may_name_a_proxy_per_bot(host: Host) -> None:
    header = "bot,account_name,password,steam_id,shared_secret,identity_secret,proxy\n"
    line = f"red-1,one,secret-word,76561198000000001,{SECRET},{IDENTITY},"
    assert host("bots", "import", host.file("bots.csv", f"{header}{line}http://203.0.113.9:8080\n")).exit_code == 0
    assert host.rows()[0]["proxy"] == "203.0.113.9:8080"
    wrong = host("bots", "import", host.file("wrong.csv", f"{header}{line}nonsense\n"))
    assert wrong.exit_code != 0
    assert "line 2" in wrong.output


def test_a_password_is_asked_for(host: Host) -> None:
    path = host.file("botone.maFile", SHAPES["desktop"])
    done = host("bots", "import", path, "--color", "red", typed="typed-word\n")
    assert done.exit_code == 0
    assert "typed-word" not in done.output
    assert [row["bot"] for row in host.rows()] == ["red-1"]


BAD_MAFILES = {
    "not JSON": ("encrypted", "not JSON"),
    "a list": ([], "not a maFile"),
    "no id": (
        {**SECRETS, "account_name": "botone"},
        "the Steam id (Session.SteamID, steamid or steam_id): a SteamID64 is wanted",
    ),
    "bad id": ({**SECRETS, "account_name": "botone", "steamid": "12"}, "SteamID64"),
    "two ids": ({**SHAPES["desktop"], "steamid": "76561198000000002"}, "one SteamID64 is wanted"),
    "id as a rounded number": ({**SECRETS, "account_name": "botone", "steamid": 7.6561198e16}, "SteamID64"),
    "no secret": ({"account_name": "botone", "steamid": "76561198000000001"}, "shared_secret is empty"),
    "bad secret": ({**SHAPES["desktop"], "identity_secret": "%%%"}, "identity_secret is not base64"),
    "a secret that happens to decode": (
        {**SHAPES["desktop"], "shared_secret": "aGVsbG8="},
        "shared_secret has 5 bytes: 20 are",
    ),
    "a secret of another type": (
        {**SHAPES["desktop"], "shared_secret": 5},
        "shared_secret: a text of up to 200 characters is wanted",
    ),
    "a name of another type": ({**SHAPES["desktop"], "account_name": ["botone"]}, "account_name: a text of up to 200"),
    "a session of another type": (
        {**SECRETS, "account_name": "botone", "Session": "76561198000000001"},
        "a SteamID64 is wanted",
    ),
    "a device of another type": ({**SHAPES["desktop"], "device_id": {}}, "device_id: a text of up to 200"),
}


@pytest.mark.parametrize("name", BAD_MAFILES)
def test_a_bad_mafile_is_named_and_nothing_is_imported(host: Host, name: str) -> None:
    content, said = BAD_MAFILES[name]
    good = host.file("botone.maFile", SHAPES["desktop"])
    bad = host.file("other.maFile", content)
    passwords = host.file("passwords.csv", "account_name,password\nbotone,x\nother,y\n")
    done = host("bots", "import", good, bad, "--color", "red", "--passwords", passwords)
    assert done.exit_code == 1
    assert "other.maFile" in done.output
    assert said in done.output
    assert not (host.folder / "vault").exists()


def test_one_account_is_one_bot(host: Host) -> None:
    path = host.file("botone.maFile", SHAPES["desktop"])
    done = host("bots", "import", path, path, "--color", "red", typed="x\nx\n")
    assert "76561198000000001 comes twice" in done.output
    assert "Password" not in done.output, "nothing is asked for what is refused anyway"
    assert host("bots", "import", path, "--color", "red", typed="x\n").exit_code == 0
    assert host("bots", "import", path, "--color", "red", typed="newer\n").exit_code == 0  # the same bot again
    assert "comes twice" in host("bots", "import", path, "--color", "blue", typed="x\n").output


HEADER = "bot,account_name,password,steam_id,shared_secret,identity_secret"
ROW = f"red-1,botone,word,76561198000000001,{SECRET},{IDENTITY}"


def test_a_csv_names_its_bots(host: Host) -> None:
    other = ROW.replace("red-1", "blue-12").replace("botone", "bottwo").replace("0001", "0002")
    done = host("bots", "import", host.file("bots.csv", f"{HEADER}\n{ROW}\n{other}\n"))
    assert done.exit_code == 0, done.output
    assert [row["bot"] for row in host.rows()] == ["blue-12", "red-1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ROW, "line 1: the header must name"),
        (f"{HEADER},colour\n{ROW},x", "unknown column colour"),
        (f"{HEADER}\n{ROW},x", "line 2: expected 6 values"),
        (f"{HEADER}\nred-1,botone", "line 2: expected 6 values"),
        (f"{HEADER}\n{ROW.replace('red-1', 'red')}", "line 2: bot: a color, a dash and a number, as in red-7, is wanted"),
        (f"{HEADER}\n{ROW.replace('76561198000000001', 'x')}", "line 2: steam_id: a SteamID64"),
        (f"{HEADER}\n{ROW.replace(SECRET, 'aGVsbG8=')}", "line 2: shared_secret has 5 bytes: 20 are wanted"),
        (f"{HEADER},bot\n{ROW},red-2", "bot twice"),
        (f"{HEADER}\n{ROW.replace('word', 'пароль')}", "line 2: password: a password in signs that Steam takes is wanted"),
        (HEADER + "\n" + ROW.replace("botone", "bot\x1bone"), "account_name: a text"),
        (f"{HEADER}\n{ROW.replace('word', '')}", "line 2: password is empty"),
        (f"{HEADER}\n{ROW}\n{ROW}", "red-1 comes twice"),
        ("", "line 1"),
    ],
)
def test_a_bad_csv_is_told_by_line(host: Host, text: str, said: str) -> None:
    done = host("bots", "import", host.file("bots.csv", text))
    assert done.exit_code == 1
    assert said in done.output
    assert not (host.folder / "vault").exists()


def test_every_mistake_of_every_file_is_told_at_once_and_no_secret(host: Host) -> None:
    bad = {**SHAPES["desktop"], "identity_secret": "c2VjcmV0IHdvcmQ=", "account_name": 7}
    one, two = host.file("one.maFile", bad), host.file("two.maFile", {**SHAPES["desktop"], "steamid": "x", "Session": None})
    table = host.file("bots.csv", f"{HEADER}\n{ROW.replace('red-1', 'red')}\nred-2,,,1,,\n")
    done = host("bots", "import", one, two, table, "--color", "red", typed="x\nx\n")
    assert done.exit_code == 1
    told = [line.partition(": ")[2] for line in done.output.splitlines() if "maFile" in line or "line " in line]
    assert len(told) == 9
    assert "c2VjcmV0" not in done.output and "secret word" not in done.output and SECRET not in done.output


def ma_files(host: Host, *numbers: int) -> list[str]:
    """maFiles of accounts whose numbers stand in their names."""
    shape = SHAPES["steampy"]
    return [
        host.file(f"fleet_red_{number}.maFile", {**shape, "steamid": str(76561198000000000 + number)}) for number in numbers
    ]


def test_mafiles_are_numbered_in_their_natural_order_and_shown_before_and_after(host: Host) -> None:
    files = ma_files(host, 1, 10, 2)
    passwords = host.file("p.csv", "account_name,password\n" + "".join(f"fleet_red_{n},x\n" for n in (1, 2, 3, 10)))
    done = host("bots", "import", *files, "--color", "red", "--passwords", passwords)
    assert done.exit_code == 0, done.output
    assert [(row["bot"], row["account_name"]) for row in host.rows()] == [
        ("red-1", "fleet_red_1"),
        ("red-2", "fleet_red_2"),
        ("red-3", "fleet_red_10"),
    ]
    before, after = done.output.split("imported into")
    assert "red-3        fleet_red_10 (76561198000000010)  new" in before
    assert "red-3        fleet_red_10 (76561198000000010)" in after
    again = host("bots", "import", *reversed(files), "--color", "red", "--passwords", passwords)
    assert again.exit_code == 0 and "red-3        fleet_red_10 (76561198000000010)  known" in again.output


def test_another_account_under_a_known_bot_takes_a_word_and_forgets_the_session(host: Host) -> None:
    first, other = ma_files(host, 1, 7)
    assert host("bots", "import", first, "--color", "red", typed="x\n").exit_code == 0
    vault = Vault.open(settings_module.load(host.config).group)
    vault.save_session("red-1", SavedSession("eyJ.of.1", True))
    refused = host("bots", "import", other, "--color", "red", typed="x\n")
    assert refused.exit_code == 1 and "--replace" in refused.output and "was fleet_red_1 (76561198000000001)" in refused.output
    assert host.rows()[0]["steam_id"] == "76561198000000001"
    assert vault.session("red-1").refresh_token == "eyJ.of.1"
    assert host("bots", "import", first, "--color", "red", typed="newer\n").exit_code == 0
    assert vault.session("red-1").refresh_token == "eyJ.of.1"
    assert host("bots", "import", other, "--color", "red", "--replace", typed="x\n").exit_code == 0
    assert host.rows()[0]["steam_id"] == "76561198000000007"
    assert vault.session("red-1") == SavedSession()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nothing", "JSON is wanted"),
        ({}, "a list of keys is wanted"),
        ([7], "entry 1: entry: an object is wanted"),
        ([{"bot": "red-1", "order": "AAAA", "report": 5}], "entry 1: order: 32 bytes in base64"),
        ([{"bot": ["red-1"]}], "entry 1: bot: a color, a dash"),
    ],
)
def test_a_bad_file_of_keys_is_told_by_entry_and_field(host: Host, content: Any, said: str) -> None:
    done = host("bots", "keys", host.file("bad.json", content))
    assert done.exit_code == 1 and said in done.output and "is not what" in done.output
    assert not (host.folder / "vault").exists()


def test_a_list_shows_no_secrets(host: Host) -> None:
    host("bots", "import", host.file("bots.csv", f"{HEADER}\n{ROW}\n"))
    shown = host("bots", "list").output
    assert "red-1" in shown and "76561198000000001" in shown
    assert "word" not in shown and SECRET not in shown


def test_keys_go_from_the_balancer_to_the_host(host: Host) -> None:
    assert "fleet keys new" in host("keys", "issue", "red", "1", "--out", str(host.folder / "k.json")).output
    assert host("keys", "new").exit_code == 0
    assert "not overwritten" in host("keys", "new").output
    out = host.folder / "k.json"
    assert host("keys", "issue", "red", "2", "--out", str(out)).exit_code == 0
    assert out.stat().st_mode & 0o077 == 0
    assert [row["bot"] for row in json.loads(out.read_text())] == [f"red-{number}" for number in range(11, 21)]
    assert host("bots", "keys", str(out)).exit_code == 0
    assert [(row["bot"], row["keys"]) for row in host.rows()][:2] == [("red-11", True), ("red-12", True)]
    assert "is not what" in host("bots", "keys", host.file("bad.json", [{"bot": "red-1"}])).output


def test_the_sandboxs_mafiles_are_imported(host: Host, world: SteamWorld) -> None:
    me = world.account("bot", items=0)
    files = ask(f"{world.control}/control/mafiles?kind=bot")["mafiles"]
    found = next(each for each in files if str(each["Session"]["SteamID"]) == me.steam_id)
    path = host.file(f"{me.steam_id}.maFile", found)
    assert host("bots", "import", path, "--color", "red", typed="x\n").exit_code == 0
    assert host.rows()[0]["steam_id"] == me.steam_id


# --- Guard codes and ids, held against the libraries ---------------------------------------------


def test_guard_codes_are_the_libraries_codes(host: Host) -> None:
    chance = random.Random(7)
    for _ in range(200):
        secret, at_s = base64.b64encode(chance.randbytes(20)).decode(), chance.randrange(2**33)
        assert guard_code(secret, at_s) == steampy.guard.generate_one_time_code(secret, at_s)
    host("bots", "import", host.file("bots.csv", f"{HEADER}\n{ROW}\n"))
    before_s = Clock().now_ms() // 1000
    shown = host("bots", "code", "red-1").output[:5]
    assert shown in {guard_code(SECRET, at_s) for at_s in range(before_s, Clock().now_ms() // 1000 + 30)}
    assert host("bots", "code", "red-2").exit_code == 1
    with pytest.raises(VaultError):
        guard_code("%", 0)


def test_device_ids_are_steampys() -> None:
    for steam_id in ("76561198000000001", "76561199999999999"):
        assert default_device_id(steam_id) == steampy.guard.generate_device_id(steam_id)


def test_steam_ids_and_trade_urls_are_the_libraries(host: Host) -> None:
    from steam.steamid import SteamID

    chance = random.Random(11)
    for account_id in [1, 2**32 - 1, *(chance.randrange(1, 2**32) for _ in range(500))]:
        theirs, ours = SteamID(account_id), SteamId.from_account_id(account_id)
        assert (int(theirs), str(theirs.as_64)) == (int(ours), str(ours))
        assert theirs.is_valid() and theirs.id == ours.account_id
        url = str(TradeUrl(ours, "AbCd_-9z"))
        assert TradeUrl.parse(url).partner == ours
        assert f"partner={theirs.as_32}&" in url
    for value in (STEAM_ID_BASE, STEAM_ID_BASE - 1, STEAM_ID_BASE + 2**32, 0, 103582791429521408):
        with pytest.raises(ValueError):
            SteamId(value)


def test_settings_read_the_vault_places(host: Host) -> None:
    assert settings_module.load(host.config).group.vault_file == host.folder / "vault"
