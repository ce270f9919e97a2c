"""The README's console lines, typed as they stand, give the answers shown."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import PATIENCE_S, wait_until

from scripts.lab.parts import free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("readme"), pytest.mark.timeout(600)]

README = Path(__file__).parents[2] / "README.md"
PORTS = ("8420", "8421")
AGAIN_S = 0.3


def sessions(text: str) -> Iterator[tuple[str, str]]:
    """Each command of the ``console`` blocks with the output shown below it."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        yield from re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)


def as_pattern(shown: str) -> str:
    """``…`` stands for anything; other text is exact."""
    return ".*".join(re.escape(part) for part in shown.strip().split("…"))


def test_the_readme_is_true(tmp_path: Path) -> None:
    for tool in ("curl", "bash"):
        assert shutil.which(tool), f"the README uses {tool}"
    ports = {port: str(free_port()) for port in PORTS}
    text = README.read_text()
    start = re.search(r"\.venv/bin/fleet (up .*)\n", text)
    assert start
    arguments = re.sub("|".join(PORTS), lambda match: ports[match[0]], start[1]).split()
    up = subprocess.Popen(
        [sys.executable, "-m", "scripts.cli.fleet", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert up.stdout
        lines = iter(up.stdout.readline, "")
        assert any("Ctrl-C stops everything" in line for line in lines)
        with subprocess.Popen(["bash"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
            assert shell.stdin and shell.stdout
            for command, shown in sessions(text):
                command = re.sub("|".join(PORTS), lambda match: ports[match[0]], command)
                # Its sleeps are a person's: here the same line is typed again until it gives what is shown.
                command = re.sub(r"\bsleep [0-9]+; ", "", command)
                deadline = time.monotonic() + PATIENCE_S
                while True:
                    shell.stdin.write(f"{command}\necho; echo ---\n")
                    shell.stdin.flush()
                    answer = "".join(iter(shell.stdout.readline, "---\n")).strip()
                    for port, real in ports.items():
                        answer = answer.replace(real, port)
                    if re.fullmatch(as_pattern(shown), answer, re.DOTALL):
                        break
                    assert time.monotonic() < deadline, f"$ {command}\n{answer}\n(shown: {shown})"
                    time.sleep(AGAIN_S)
            shell.stdin.close()
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(120)
        if up.stdout:
            up.stdout.close()
    assert up.returncode == 0
    assert wait_until(lambda: not _of(tmp_path)), "fleet up left a process behind"


def _of(folder: Path) -> list[str]:
    """Command lines of processes that still work in this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has just ended
        if str(folder) in command:
            found.append(command)
    return found
