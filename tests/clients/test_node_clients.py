"""steam-session, steamcommunity and steam-tradeoffer-manager, unmodified, against the sandbox."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from clients.conftest import Behind

HERE = Path(__file__).parent
STEPS = re.findall(r"^step\('((?:[^'\\]|\\')+)'", (HERE / "flows.js").read_text(encoding="utf-8"), re.M)

pytestmark = pytest.mark.slow


def test_the_lock_file_names_no_registry() -> None:
    """Made with `npm install --package-lock-only --omit-lockfile-registry-resolved`."""
    lock = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]

    assert {name: lock["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert not any("resolved" in package for package in lock["packages"].values())
    assert all(package.get("integrity") for path, package in lock["packages"].items() if path)


@pytest.mark.node
def test_the_flows_of_nodes_clients(behind_tls: Behind) -> None:
    """Sign-in, poll, send, confirm one and many, accept, counter, decline, cancel, exchange details, received items, user
    details, escrow, refusals and the API key; the clients trust the sandbox's authority and find it by redirected connections.
    """
    environment = {
        **os.environ,
        "NODE_EXTRA_CA_CERTS": behind_tls.ca,
        "NODE_NO_WARNINGS": "1",
        "SANDBOX_TLS": behind_tls.where,
    }
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        environment.pop(name, None)
    done = subprocess.run(
        ["node", "--require", HERE / "redirect.js", HERE / "flows.js"],
        input=json.dumps(behind_tls.world()),
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each.get("error") for each in told if not each["ok"]] == [], done.stderr
    assert [each["step"].replace("'", "\\'") for each in told] == STEPS, done.stderr
    assert len(STEPS) >= 14
