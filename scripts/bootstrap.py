"""Make the project's virtual environment from the locks, once, and run something in it.

    python3 scripts/bootstrap.py LEVEL [MODULE [ARGUMENT ...]]

LEVEL is `base` (run the fleet), `postgres` (base and the PostgreSQL driver), `site` (also the website) or `dev` (also what
tests need).
With a MODULE this process then becomes `python -m MODULE ARGUMENT ...` inside the environment.

Standard library only, because it runs before anything is installed. It writes to stderr, and only when it has
work to do. `FLEET_VENV` chooses another folder than `.venv`; `uv` is used when it is on PATH, else pip.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
LEVELS = ("base", "postgres", "site", "dev")  # each contains the ones before it
OLDEST_PYTHON = (3, 11)
STAMP = "fleet-stamp"
LOCKED = re.compile(r"[A-Za-z0-9]")  # a line of a lock that names a package; hashes are indented
# pip's word for a package of an index, of a folder, and for one that this machine does not need.
COLLECTED = re.compile(r"(?:Collecting|Ignoring|Requirement already satisfied:|Processing (?:\S*/)?)\s*([A-Za-z0-9._]+)")
NOTHING_FOUND = (
    "newconnectionerror",
    "failed to establish a new connection",
    "connection refused",
    "temporary failure in name resolution",
    "dns error",
    "error sending request",
    "network is unreachable",
    "(from versions: none)",
)
NOT_DOWNLOADED = "packages could not be downloaded: is there a network, and has the index wheels for this machine?"
# A person's settings for other projects that would install into another place than the environment.
UNWANTED = {
    *("PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"),
    *("PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"),
}


class BootstrapError(Exception):
    """Something the person at the keyboard has to put right; the text says what, `output` what a program said."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in LEVELS:
        print(f"usage: bootstrap.py {{{','.join(LEVELS)}}} [MODULE [ARGUMENT ...]]", file=sys.stderr)
        return 2
    level, command = arguments[0], arguments[1:]
    try:
        python = prepare(level)
    except BootstrapError as error:
        print(f"fleet: {error}", file=sys.stderr)
        return 1
    if command:
        sys.stderr.flush()
        # -P: a folder `shared/` in the current directory must not win over ours.
        os.execv(python, [str(python), "-P", "-m", *command])
    return 0


def prepare(level: str) -> Path:
    """Return the environment's Python, after building or refreshing the environment if need be."""
    check_version(sys.version_info[:3])
    venv = environment_folder()
    if level in up_to_date(venv):
        return python_of(venv)
    with exclusive(venv):
        if level not in up_to_date(venv):  # another start may just have done the work
            build(venv, level)
    return python_of(venv)


def check_version(have: tuple[int, ...]) -> None:
    """Raises BootstrapError if this Python is too old."""
    if have < OLDEST_PYTHON:
        said = ".".join(str(part) for part in have)
        raise BootstrapError(f"Python 3.11 or newer is needed, this is {said} ({sys.executable})")


def environment_folder() -> Path:
    return Path(os.environ.get("FLEET_VENV") or ROOT / ".venv").expanduser().absolute()


def python_of(venv: Path) -> Path:
    return venv / "bin" / "python"


# --- what is installed already --------------------------------------------------------------------


def up_to_date(venv: Path) -> tuple[str, ...]:
    """The levels that the environment satisfies as it stands."""
    level, fingerprint = read_stamp(venv)
    if level is None or fingerprint != fingerprint_of(venv):
        return ()
    return LEVELS[: LEVELS.index(level) + 1]


def read_stamp(venv: Path) -> tuple[str | None, str]:
    try:
        level, fingerprint = (venv / STAMP).read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None, ""
    return (level, fingerprint) if level in LEVELS else (None, "")


def write_stamp(venv: Path, level: str) -> None:
    draft = venv / f"{STAMP}.new"
    draft.write_text(f"{level} {fingerprint_of(venv)}\n", encoding="ascii")
    draft.replace(venv / STAMP)


def fingerprint_of(venv: Path) -> str:
    """Everything the installed packages follow from: locks, metadata, interpreter, where both folders are."""
    digest = hashlib.sha256()
    locks = sorted((ROOT / "requirements").glob("*.lock"))
    for path in [*locks, ROOT / "pyproject.toml", *(project / "setup.cfg" for project in projects())]:
        digest.update(f"{path.name}\0".encode())
        digest.update(path.read_bytes())
    digest.update(f"{ROOT}\0{venv}\0{interpreter_of(venv)}".encode())
    return digest.hexdigest()


def interpreter_of(venv: Path) -> str:
    """Which Python the environment runs on: where it lies, and its version as noted when it was made."""
    try:
        noted = (venv / "pyvenv.cfg").read_text(encoding="utf-8")
        real = python_of(venv).resolve(strict=True)
    except OSError:
        return ""
    versions = [line for line in noted.splitlines() if line.startswith("version")]
    return f"{real}\0{versions}"


# --- building -------------------------------------------------------------------------------------


def build(venv: Path, level: str) -> None:
    started = time.monotonic()
    before, _ = read_stamp(venv)
    if before is not None:
        level = max(level, before, key=LEVELS.index)  # a demo does not take the test tools away again
    progress.begin(venv, packages_of(level))
    try:
        if not (shutil.which("uv") and built_by(Uv(venv), level)):
            build_by(Pip(venv), level)
        write_stamp(venv, level)
    except BootstrapError as error:
        progress.say(f"that failed\n{error.output}".rstrip())
        raise
    progress.say(f"{shorten(venv)} is ready after {time.monotonic() - started:.0f} s")


def packages_of(level: str) -> int:
    """How many packages the locks name for a level."""
    locks = [ROOT / "requirements" / f"{name}.lock" for name in ("build", level)]
    return sum(bool(LOCKED.match(line)) for lock in locks if lock.is_file() for line in lock.read_text().splitlines())


class Progress:
    """What is going on, on stderr: one line that is written over on a terminal, a line for every tenth package elsewhere."""

    def __init__(self, out: TextIO | None = None, every: int = 10) -> None:
        self.out = out or sys.stderr
        self.every = every
        self.total = self.done = 0
        self.open_line = False

    def begin(self, venv: Path, total: int) -> None:
        self.total, self.done = total, 0
        self.say(f"setting up {shorten(venv)}, once: {total} packages, one to three minutes on a usual line")

    def say(self, text: str) -> None:
        self.close_line()
        print(f"fleet: {text}", file=self.out, flush=True)

    def heard(self, line: str) -> None:
        """A line that pip has written."""
        if found := COLLECTED.match(line):
            self.done = min(self.done + 1, self.total)
            self.show(f"{self.done} of {self.total} packages, {found[1]}", every=self.done % self.every == 0)
        elif line.startswith("Building wheel"):
            self.show("building what comes as source only", every=False)
        elif line.startswith("Installing collected packages"):
            self.show("putting them in place", every=line.count(",") > self.every)

    def show(self, text: str, *, every: bool) -> None:
        if self.out.isatty():
            print(f"\r\x1b[Kfleet: {text}", end="", file=self.out, flush=True)
            self.open_line = True
        elif every:
            self.say(text)

    def close_line(self) -> None:
        if self.open_line:
            print("\r\x1b[K", end="", file=self.out)
            self.open_line = False


progress = Progress()


def built_by(installer: Uv, level: str) -> bool:
    """uv reads neither pip's settings nor its certificates, so where it fails pip may still work."""
    try:
        build_by(installer, level)
    except BootstrapError as error:
        if not error.output:
            raise
        progress.say(f"uv failed:\n{error.output}\nfleet: once more, with pip")
        return False
    return True


def build_by(installer: Uv | Pip, level: str) -> None:
    if not usable(installer.venv, installer.needs):
        clear(installer.venv)
        installer.create()
    (installer.venv / STAMP).unlink(missing_ok=True)
    install(installer, level)


def install(installer: Uv | Pip, level: str) -> None:
    locks = ROOT / "requirements"
    # The build tools come first and from their own lock, so that `steam`, which exists only as source, is built
    # by what we pinned and not by what an isolated build would download unchecked. The locks are complete, hence
    # --no-deps. Nothing else may be built: a missing wheel says so instead of asking for a compiler.
    wheels_only = ["--only-binary", ":all:"]
    installer.install(["--require-hashes", "--no-deps", *wheels_only, "-r", str(locks / "build.lock")])
    installer.install(
        [
            *("--require-hashes", "--no-deps", "--no-build-isolation", *wheels_only, "--no-binary", "steam"),
            *("-r", str(locks / f"{level}.lock")),
        ]
    )
    for project in projects():
        installer.install(["--no-deps", "--no-build-isolation", "-e", str(project)])


def projects() -> list[Path]:
    """This one and the ones that it links to in the same checkout."""
    return [folder for folder in (ROOT, ROOT / "client", ROOT / "lottery_core") if (folder / "setup.cfg").is_file()]


class Uv:
    """Much faster than pip, but not on a fresh machine."""

    needs = "sys"

    def __init__(self, venv: Path) -> None:
        self.venv = venv

    def create(self) -> None:
        run(["uv", "venv", "--quiet", "--no-project", "--python", base_python(), str(self.venv)])

    def install(self, arguments: list[str]) -> None:
        # Without --compile-bytecode the first import of `steam` warns about its escapes; pip compiles anyway.
        python = str(python_of(self.venv))
        run(["uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *arguments])


class Pip:
    """The new environment's own pip; without ensurepip, the pip beside this Python fetches it first."""

    needs = "pip"

    def __init__(self, venv: Path) -> None:
        self.venv = venv
        self.pip = [str(python_of(venv)), "-m", "pip"]

    def create(self) -> None:
        if not available("venv"):
            raise BootstrapError(no_installer())
        if available("ensurepip"):
            run([base_python(), "-m", "venv", str(self.venv)])
            return
        if not available("pip"):
            raise BootstrapError(no_installer())
        run([base_python(), "-m", "venv", "--without-pip", str(self.venv)])
        lock = str(ROOT / "requirements" / "build.lock")
        foreign = [base_python(), "-m", "pip", "--python", str(python_of(self.venv))]
        run([*foreign, "install", "--require-hashes", "--no-deps", "-r", lock])

    def install(self, arguments: list[str]) -> None:
        run([*self.pip, "install", "--progress-bar", "off", "--disable-pip-version-check", *arguments])


def no_installer() -> str:
    return (
        f"{sys.executable} has neither ensurepip nor pip, so nothing can be installed; "
        "install one of them first (Debian, Ubuntu: apt install python3-venv)"
    )


def available(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def base_python() -> str:
    """This Python, or the one below if this is an environment's, which may be about to go."""
    return str(getattr(sys, "_base_executable", "") or sys.executable)


def usable(venv: Path, needed: str) -> bool:
    """It can be installed into: its Python starts, is new enough, is still the one whose packages lie there, and can
    import what the installer needs."""
    code = f"import {needed}, sys; assert sys.version_info >= {OLDEST_PYTHON}; print('python%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run([python_of(venv), "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return False
    return (venv / "lib" / answer.stdout.strip() / "site-packages").is_dir()


def clear(venv: Path) -> None:
    """Remove what is left of an earlier environment, and only that."""
    if not venv.exists() or (venv.is_dir() and not any(venv.iterdir())):
        return
    if not (venv / "pyvenv.cfg").is_file():
        raise BootstrapError(f"{venv} exists and is not a virtual environment; it was left alone")
    shutil.rmtree(venv)


def run(command: list[str]) -> None:
    """Run it; its lines are for the progress, and when it fails the error carries all of them."""
    environment = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    environment.update(PIP_NO_INPUT="1", PIP_USER="0", UV_PYTHON_DOWNLOADS="never")
    for name, usual in (("PIP_RETRIES", "2"), ("UV_SYSTEM_CERTS", "1")):  # pip believes the system's certificates anyway
        environment.setdefault(name, usual)
    lines = []
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            progress.heard(line)
    if process.returncode == 0:
        return
    said = "".join(lines).rstrip()
    if any(sign in said.lower() for sign in NOTHING_FOUND):
        raise BootstrapError(NOT_DOWNLOADED, said)
    raise BootstrapError(f"`{' '.join(command[:4])} ...` failed with status {process.returncode}, see above", said)


class exclusive:
    """One builder at a time; the others wait. The lock lies beside the environment, which may be replaced."""

    def __init__(self, venv: Path) -> None:
        self.path = venv.with_name(f"{venv.name}.lock")

    def __enter__(self) -> None:
        try:
            import fcntl
        except ImportError:
            raise BootstrapError("Windows is not supported directly; use WSL or a container") from None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open("w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()


def shorten(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
