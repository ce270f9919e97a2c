from pathlib import Path

import pytest

from balancer import app
from shared import settings
from shared.errors import SettingsError


def written(folder: Path, text: str) -> Path:
    path = folder / "my.toml"
    path.write_text(text)
    return path


def test_defaults_are_complete_and_every_setting_has_its_reason() -> None:
    settings.load()
    for line in settings.default_toml().splitlines():
        if "=" in line and not line.startswith("#"):
            assert "#" in line, line


def test_a_file_lies_over_the_defaults_and_the_environment_over_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "[balancer]\nport = 1\n[trades]\nsweep_s = 2.5\n")
    monkeypatch.setenv("FLEET__BALANCER__PORT", "2")
    loaded = settings.load(path)
    assert (loaded.balancer.port, loaded.trades.sweep_s, loaded.trades.watch_s) == (2, 2.5, 5.0)
    assert settings.load(path, {"balancer": {"port": 3}}).balancer.port == 3


def test_a_wrong_key_is_named_with_its_line_and_what_is_allowed(tmp_path: Path) -> None:
    path = written(tmp_path, "\n[balancer]\nprot = 1\n")
    with pytest.raises(SettingsError) as caught:
        settings.load(path)
    assert "my.toml, line 3: [balancer] prot: no such setting" in caught.value.detail
    assert "port" in caught.value.detail


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, '[nope]\na = 1\n[log]\nlevel = "loud"\n[trades]\nattempts_max = 0\n')
    with pytest.raises(SettingsError) as caught:
        settings.load(path)
    assert [line.split(",")[1].split(":")[0] for line in sorted(caught.value.detail.splitlines())] == [
        " line 1",
        " line 4",
        " line 6",
    ]


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET__LOG__LEVEL", "loud")
    with pytest.raises(SettingsError, match="FLEET__LOG__LEVEL"):
        settings.load()


def test_a_variable_of_no_section_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET__NOSUCH__KEY", "1")
    with pytest.raises(SettingsError, match=r"variable FLEET__NOSUCH__KEY: .*no such setting; the sections are"):
        settings.load()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nport = 1\n[balancer]\n", "my.toml, line 2: [port]: no such setting; the sections are"),
        ("balancer = 1\n", "my.toml, line 1: [balancer]: "),
        ("\n\nbalancer.port = 70000\n", "my.toml, line 3: [balancer] port: "),
        ("[balancer]\nport = true\n", "my.toml, line 2: [balancer] port: true and false are not allowed here"),
        ("[clock]\noffset_s = inf\n", "my.toml, line 2: [clock] offset_s: "),
        ("[trades]\nsweep_s = nan\n", "my.toml, line 2: [trades] sweep_s: "),
    ],
)
def test_a_mistake_is_found_wherever_toml_lets_it_stand(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load(written(tmp_path, text))
    assert said in caught.value.detail


def test_broken_toml_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not TOML"):
        settings.load(written(tmp_path, "[balancer\n"))


def test_a_site_address_that_leaves_no_room_for_a_message_is_refused(tmp_path: Path) -> None:
    long = "https://" + "x" * 70 + ".example"
    with pytest.raises(SettingsError, match="leaves 11 characters"):
        settings.load(written(tmp_path, f'[balancer]\nsite_url = "{long}"\n'))


def test_offers_that_outlive_their_token_are_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        app.build(settings.load(written(tmp_path, "[trades]\noffer_timeout_s = 3600\n")))
    assert "offer_timeout_s (3600) is more than token_lifetime_s (1800)" in str(refused.value)
    with pytest.raises(SettingsError) as refused:  # equal is fine: it is the key that is missing
        app.build(settings.load(written(tmp_path, "[trades]\noffer_timeout_s = 3600\ntoken_lifetime_s = 3600\n")))
    assert "master key" in str(refused.value)


def test_urls_that_may_hold_passwords_stay_out_of_repr() -> None:
    loaded = settings.load(overrides={"database": {"url": "postgresql+psycopg://me:hunter2@db/fleet"}})
    assert "hunter2" not in repr(loaded)


@pytest.mark.parametrize("same", ["name", "steam_id"])
def test_each_operator_is_one_person(tmp_path: Path, same: str) -> None:
    """What an event says was done by `ops:ann` was done by one of them."""
    ann = {"steam_id": "76561198000000002", "name": "ann", "role": "act"}
    other = {"steam_id": "76561198000000003", "name": "pia", "role": "approve"} | {same: ann[same]}
    rows = ", ".join("{ " + ", ".join(f'{key} = "{value}"' for key, value in row.items()) + " }" for row in (ann, other))
    with pytest.raises(SettingsError, match=f"two operators have the {same}"):
        settings.load(written(tmp_path, f"[ops]\noperators = [{rows}]\n"))
