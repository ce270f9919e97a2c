"""Setting up: once, from the locks, with a clear word when it cannot be done."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import bootstrap
from scripts.bootstrap import NOT_DOWNLOADED, BootstrapError, clear, up_to_date

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


def quick_uv(folder: Path) -> dict[str, str]:
    """The variables under which it is found; ``folder/log`` has what it was asked to install."""
    (folder / "uv").write_text(QUICK_UV.format(python=sys.executable, log=folder / "log"))
    (folder / "uv").chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_two_starts_at_once_set_up_once_and_the_next_one_is_quiet(tmp_path: Path) -> None:
    """The real thing, with real packages, is below."""
    path = quick_uv(tmp_path)
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


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "diary.txt"
    precious.write_text("dear diary")
    code, _, errors = finish(start(tmp_path, "base"))
    assert code == 1
    assert errors.splitlines()[-1].endswith("exists and is not a virtual environment; it was left alone")
    assert precious.read_text() == "dear diary"


WITHOUT_PIP = """
import sys
sys.modules.update(pip=None, ensurepip=None)
from scripts.bootstrap import main
sys.exit(main(["base"]))
"""


def test_neither_pip_nor_ensurepip_is_one_clear_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PIP],
        env={"PATH": "/usr/bin:/bin", "FLEET_VENV": str(tmp_path / "venv"), "PYTHONPATH": str(bootstrap.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.search(r"^fleet: .* neither ensurepip nor pip.*apt install python3-venv", done.stderr.splitlines()[-1])
    assert not (tmp_path / "venv").exists()


NO_NETWORK = {
    "PIP_INDEX_URL": "http://127.0.0.1:1/nothing",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_RETRIES": "0",
    "PIP_NO_CACHE_DIR": "1",
}


@pytest.mark.slow
def test_where_uv_fails_pip_is_tried_and_without_a_network_it_says_so(tmp_path: Path) -> None:
    """The next try starts afresh."""
    (tmp_path / "uv").write_text("#!/bin/sh\necho unknown certificate; exit 2\n")
    (tmp_path / "uv").chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    code, output, errors = finish(start(tmp_path / "venv", "base", "scripts.cli.fleet", "--help", **path, **NO_NETWORK))
    assert (code, output) == (1, "")
    assert errors.index("unknown certificate") < errors.index("fleet: once more, with pip") < errors.index(NOT_DOWNLOADED)
    assert errors.splitlines()[-1] == f"fleet: {NOT_DOWNLOADED}"
    assert (tmp_path / "venv" / "bin" / "pip").exists()
    assert up_to_date(tmp_path / "venv") == ()


def test_a_demo_after_tests_keeps_the_test_tools(tmp_path: Path) -> None:
    path = quick_uv(tmp_path)
    assert finish(start(tmp_path / "venv", "dev", **path))[0] == 0
    noted = tmp_path / "venv" / "pyvenv.cfg"
    noted.write_text(noted.read_text().replace("version = ", "version = 0."))  # as after an update of Python
    assert finish(start(tmp_path / "venv", "base", **path))[0] == 0
    installed = (tmp_path / "log").read_text()
    assert installed.count("dev.lock") == 2 and "base.lock" not in installed
    assert up_to_date(tmp_path / "venv") == ("base", "postgres", "site", "dev")


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
def test_what_pip_does_is_shown_while_it_takes_its_time(tty: bool, tmp_path: Path) -> None:
    shown = Terminal(tty)
    progress = bootstrap.Progress(shown, every=2)
    progress.begin(tmp_path / "venv", 4)
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
    assert 30 < bootstrap.packages_of("base") < bootstrap.packages_of("postgres") < bootstrap.packages_of("site")


def test_an_old_python_is_told_what_is_needed() -> None:
    with pytest.raises(BootstrapError, match=r"Python 3\.11 or newer is needed, this is 3\.10\.4"):
        bootstrap.check_version((3, 10, 4))
    bootstrap.check_version((3, 11, 0))


def test_wrong_use_is_explained() -> None:
    code, _, errors = finish(start(Path("unused"), "everything"))
    assert (code, errors) == (2, "usage: bootstrap.py {base,postgres,site,dev} [MODULE [ARGUMENT ...]]\n")


# --- when it is done again -----------------------------------------------------------------------


class Checkout:
    """A small checkout beside a folder that looks like an environment, with a bootstrap of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("requirements/base.lock", "requirements/dev.lock", "setup.cfg", "pyproject.toml"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("as it was\n")
        (root / "scripts").mkdir()
        shutil.copy(SCRIPT, root / "scripts")
        spec = importlib.util.spec_from_file_location("bootstrap_of_checkout", root / "scripts" / SCRIPT.name)
        assert spec is not None and spec.loader is not None
        self.bootstrap: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.bootstrap)

    def write_stamp(self, venv: Path, level: str) -> None:
        self.bootstrap.write_stamp(venv, level)

    def up_to_date(self, venv: Path) -> tuple[str, ...]:
        levels: tuple[str, ...] = self.bootstrap.up_to_date(venv)
        return levels


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout")


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n")
    (venv / "bin" / "python").symlink_to(sys.executable)
    return venv


@pytest.mark.parametrize(
    ("installed", "satisfied"),
    [("base", ("base",)), ("postgres", ("base", "postgres")), ("dev", ("base", "postgres", "site", "dev"))],
)
def test_a_level_satisfies_the_smaller_ones(checkout: Checkout, venv: Path, installed: str, satisfied: tuple[str, ...]) -> None:
    assert checkout.up_to_date(venv) == ()
    checkout.write_stamp(venv, installed)
    assert checkout.up_to_date(venv) == satisfied


@pytest.mark.parametrize("changed", ["requirements/base.lock", "requirements/dev.lock", "setup.cfg", "pyproject.toml"])
def test_a_change_in_what_it_was_made_from_makes_it_stale(checkout: Checkout, venv: Path, changed: str) -> None:
    checkout.write_stamp(venv, "dev")
    (checkout.root / changed).write_text("as it is now\n")
    assert checkout.up_to_date(venv) == ()


def test_another_python_makes_it_stale(checkout: Checkout, venv: Path) -> None:
    checkout.write_stamp(venv, "dev")
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.13.5\n")
    assert checkout.up_to_date(venv) == ()


def test_a_linked_project_that_appears_makes_it_stale(checkout: Checkout, venv: Path) -> None:
    checkout.write_stamp(venv, "dev")
    (checkout.root / "lottery_core").mkdir()
    (checkout.root / "lottery_core" / "setup.cfg").write_text("[metadata]\n")
    assert checkout.up_to_date(venv) == ()


def test_a_damaged_stamp_counts_as_none(checkout: Checkout, venv: Path) -> None:
    (venv / checkout.bootstrap.STAMP).write_text("half a")
    assert checkout.up_to_date(venv) == ()


def test_clearing_takes_only_an_environment(venv: Path, tmp_path: Path) -> None:
    clear(tmp_path / "not there")
    clear(venv)
    assert not venv.exists()
