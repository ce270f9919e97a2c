"""Setting up: once, from the locks, with a clear word when it cannot be done."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import bootstrap
from scripts.bootstrap import BootstrapError, Pip, Uv, clear, up_to_date, write_stamp

SCRIPT = Path(bootstrap.__file__)


def start(venv: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """The bootstrap as on a machine without uv."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), "FLEET_VENV": str(venv), **variables}
    return subprocess.Popen(
        [sys.executable, SCRIPT, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    with process:
        output, errors = process.communicate()
    return process.returncode, output, errors


# A stand-in for uv: it makes the environment and takes a moment for each installation, of which it keeps count.
QUICK_UV = """#!/bin/sh
for last; do :; done
case "$1" in
venv) exec {python} -m venv --without-pip "$last" ;;
pip) echo "$@" >> {log}; sleep 0.2 ;;
esac
"""


def test_two_starts_at_once_set_up_once_and_the_next_one_is_quiet(tmp_path: Path) -> None:
    """The real thing, with real packages, is below."""
    (tmp_path / "uv").write_text(QUICK_UV.format(python=sys.executable, log=tmp_path / "log"))
    (tmp_path / "uv").chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    outcomes = [finish(process) for process in [start(tmp_path / "venv", "base", **path) for _ in range(3)]]
    assert [code for code, _, _ in outcomes] == [0, 0, 0], outcomes
    assert sorted(errors.count("setting up") for _, _, errors in outcomes) == [0, 0, 1]
    installed = (tmp_path / "log").read_text().splitlines()
    assert len(installed) == 2 + len(bootstrap.projects())
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "venv").rglob("*")}
    assert finish(start(tmp_path / "venv", "base", **path)) == (0, "", "")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "venv").rglob("*")} == before


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_two_first_starts_set_up_once_and_later_ones_are_quick_and_quiet(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    both = [start(venv, "base", "scripts.cli.fleet", "--help") for _ in range(2)]
    outcomes = [finish(process) for process in both]
    assert [code for code, _, _ in outcomes] == [0, 0], outcomes
    assert all("Commands:" in output for _, output, _ in outcomes)
    assert sorted(errors.count("setting up") for _, _, errors in outcomes) == [0, 1]
    [told] = [errors for _, _, errors in outcomes if errors]
    assert "one to three minutes" in told.splitlines()[0] and " is ready after " in told.splitlines()[-1]
    assert len(re.findall(r"^fleet: [1-5]0 of [0-9]+ packages", told, re.MULTILINE)) >= 4, told

    # Nothing is set up, installed or written again, not even the stamp that says what is there.
    before = {path: path.stat().st_mtime_ns for path in venv.rglob("*")}
    assert finish(start(venv, "base")) == (0, "", "")
    assert {path: path.stat().st_mtime_ns for path in venv.rglob("*")} == before

    assert (venv / "bin" / "fleet").exists()
    # Compiled while installing: whoever imports `steam` first is not shown its invalid escapes.
    modules = "import steam.steamid, redis, aiohttp, balancer, bot_worker"
    check = [str(venv / "bin" / "python"), "-W", "error", "-c", modules]
    assert subprocess.run(check, capture_output=True, text=True, check=False, cwd=tmp_path).stderr == ""
    assert subprocess.run([venv / "bin" / "pip", "check"], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_without_a_network_it_says_so_and_the_next_try_starts_afresh(tmp_path: Path) -> None:
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:1/nothing",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
    }
    code, output, errors = finish(start(tmp_path / "venv", "base", "scripts.cli.fleet", "--help", **nowhere))
    assert (code, output) == (1, "")
    assert errors.splitlines()[-1] == (
        "fleet: packages could not be downloaded: is there a network, and has the index wheels for this machine?"
    )
    assert up_to_date(tmp_path / "venv") == ()


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "diary.txt"
    precious.write_text("dear diary")
    code, _, errors = finish(start(tmp_path, "base"))
    assert code == 1
    assert errors.splitlines()[-1].endswith("exists and is not a virtual environment; it was left alone")
    assert precious.read_text() == "dear diary"


def test_neither_pip_nor_ensurepip_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "available", lambda module: module == "venv")
    with pytest.raises(BootstrapError, match=r"neither ensurepip nor pip.*apt install python3-venv") as caught:
        Pip(tmp_path / "venv").create()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "venv").exists()


def test_where_uv_fails_pip_is_tried(
    checkout: Path, venv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = []

    def build_by(installer: Uv | Pip, level: str) -> None:
        tried.append((type(installer), level))
        if isinstance(installer, Uv):
            raise BootstrapError("failed", "unknown certificate")

    monkeypatch.setattr(shutil, "which", lambda name: f"/somewhere/{name}")
    monkeypatch.setattr(bootstrap, "build_by", build_by)
    bootstrap.build(venv, "base")
    assert tried == [(Uv, "base"), (Pip, "base")]
    assert "unknown certificate" in capsys.readouterr().err
    assert up_to_date(venv) == ("base",)


def test_a_demo_after_tests_keeps_the_test_tools(checkout: Path, venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = []
    monkeypatch.setattr(bootstrap, "build_by", lambda _, level: levels.append(level))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    write_stamp(venv, "dev")
    (checkout / "setup.cfg").write_text("as it is now")
    bootstrap.build(venv, "base")
    assert levels == ["dev"]


LINES = [
    "Looking in indexes: https://index.example/simple",
    "Ignoring soupsieve: markers 'python_full_version < \"3.11.5\"' don't match your environment",
    "Collecting rq==3.0 (from -r base.lock (line 1))",
    "  Downloading rq-3.0-py3-none-any.whl (100 kB)",
    "Processing /opt/index/attrs-26.1.0-py3-none-any.whl (from -r base.lock (line 178))",
    "Requirement already satisfied: pip in ./venv/lib",
    "Building wheels for collected packages: steam",
    "Installing collected packages: a, b, c, d, e, f, g, h, i, j, k, l",
]


class Terminal(io.StringIO):
    def __init__(self, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


@pytest.mark.parametrize("tty", [True, False])
def test_what_pip_does_is_shown_while_it_takes_its_time(tty: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal(tty)
    monkeypatch.setattr(sys, "stderr", shown)
    progress = bootstrap.Progress()
    progress.begin(tmp_path / "venv", 4)
    progress.EVERY = 2  # type: ignore[misc]
    for line in LINES:
        progress.heard(line)
    progress.say("done")
    lines = shown.getvalue().replace("\r\x1b[K", "\r").splitlines() if tty else shown.getvalue().splitlines()
    counts = [line for line in lines if " of 4 packages, " in line]
    assert [line.split(", ")[1] for line in counts] == (["soupsieve", "rq", "attrs", "pip"] if tty else ["rq", "pip"])
    assert ("fleet: building what comes as source only" in lines) is tty
    assert "fleet: putting them in place" in lines and lines[-1] == "fleet: done"
    if tty:  # one line, written over
        assert shown.getvalue().count("\n") == 2


def test_the_locks_say_how_many_packages_a_level_has() -> None:
    assert 30 < bootstrap.packages_of("base") < bootstrap.packages_of("postgres") < bootstrap.packages_of("dev")


def test_an_old_python_is_told_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(BootstrapError, match=r"Python 3\.11 or newer is needed, this is 3\.10\.4"):
        bootstrap.prepare("base")


def test_wrong_use_is_explained() -> None:
    code, _, errors = finish(start(Path("unused"), "everything"))
    assert (code, errors) == (2, "usage: bootstrap.py {base,postgres,dev} [MODULE [ARGUMENT ...]]\n")


# --- when it is done again -----------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout beside a folder that looks like an environment."""
    root = tmp_path / "checkout"
    (root / "requirements").mkdir(parents=True)
    for name in ("requirements/base.lock", "requirements/dev.lock", "setup.cfg", "pyproject.toml"):
        (root / name).write_text("as it was\n")
    monkeypatch.setattr(bootstrap, "ROOT", root)
    return root


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n")
    (venv / "bin" / "python").symlink_to(sys.executable)
    return venv


@pytest.mark.parametrize(
    ("installed", "satisfied"),
    [("base", ("base",)), ("postgres", ("base", "postgres")), ("dev", ("base", "postgres", "dev"))],
)
def test_a_level_satisfies_the_smaller_ones(checkout: Path, venv: Path, installed: str, satisfied: tuple[str, ...]) -> None:
    assert up_to_date(venv) == ()
    write_stamp(venv, installed)
    assert up_to_date(venv) == satisfied


@pytest.mark.parametrize("changed", ["requirements/base.lock", "requirements/dev.lock", "setup.cfg", "pyproject.toml"])
def test_a_change_in_what_it_was_made_from_makes_it_stale(checkout: Path, venv: Path, changed: str) -> None:
    write_stamp(venv, "dev")
    (checkout / changed).write_text("as it is now\n")
    assert up_to_date(venv) == ()


def test_another_python_makes_it_stale(checkout: Path, venv: Path) -> None:
    write_stamp(venv, "dev")
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.13.5\n")
    assert up_to_date(venv) == ()


def test_a_linked_project_that_appears_makes_it_stale(checkout: Path, venv: Path) -> None:
    write_stamp(venv, "dev")
    (checkout / "lottery_core").mkdir()
    (checkout / "lottery_core" / "setup.cfg").write_text("[metadata]\n")
    assert up_to_date(venv) == ()


def test_a_damaged_stamp_counts_as_none(checkout: Path, venv: Path) -> None:
    (venv / bootstrap.STAMP).write_text("half a")
    assert up_to_date(venv) == ()


def test_clearing_takes_only_an_environment(venv: Path, tmp_path: Path) -> None:
    clear(tmp_path / "not there")
    clear(venv)
    assert not venv.exists()
