"""`fleet up` with the website on top: the address that it prints answers, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-P", "-m", "scripts.cli.fleet"]
WITHOUT_DJANGO = "import sys; sys.modules['django'] = None; from scripts.cli.fleet import main; main()"


@pytest.mark.long
def test_the_site_is_up_too(tmp_path: Path) -> None:
    arguments = ["up", "--bots", "1", "--players", "2", "--directory", str(tmp_path / "up"), "--json"]
    with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        told = json.loads(running.stdout.readline())
        with urllib.request.urlopen(told["site"], timeout=60) as page:
            assert page.status == 200 and b"<h1>" in page.read()
        click = urllib.request.Request(told["operator"], b"", method="POST")
        with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(click, timeout=60) as page:
            assert page.url == f"{told['balancer']}/ops" and b"may approve" in page.read()
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    with pytest.raises(OSError):
        urllib.request.urlopen(told["site"], timeout=5)


def test_without_its_packages_the_site_is_left_out_in_one_line(tmp_path: Path) -> None:
    """The fleet itself needs none of them. (No Redis answers here, so it goes no further.)"""
    arguments = ["up", "--redis", "redis://127.0.0.1:1/0", "--directory", str(tmp_path / "up")]
    typed = [sys.executable, "-P", "-c", WITHOUT_DJANGO, *arguments]
    done = subprocess.run(typed, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and "the website is left out" in done.stderr.splitlines()[0]
    assert "bootstrap.py site" in done.stderr
