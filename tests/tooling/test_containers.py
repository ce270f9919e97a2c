"""config/docker: what the image and the containers name is there, nobody is root, nothing secret is baked in.

Nothing is built or started here: that needs Docker. `hadolint` reads the Dockerfile where it is installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from scripts.cli.fleet import main

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "config" / "docker"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").split("\n")
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"] == "fleet")
SECRET = re.compile(r"(?i)password|secret|token|key")


def words_of(service: dict[str, Any]) -> list[str]:
    command = [str(word) for word in service["command"]]
    return command[2].split() if command[:2] == ["sh", "-c"] else command


def test_only_what_an_installation_needs_goes_into_the_image() -> None:
    lines = [line for line in IGNORED if line and not line.startswith("#")]
    assert lines[0] == "*"
    let_in = [line[1:] for line in lines if line.startswith("!")]
    assert all((ROOT / name).exists() for name in let_in)
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages <= set(let_in)
    for kept_out in ("**/*.key", "**/.fleet", "**/*.password", "**/*.db", "**/.venv"):
        assert lines.index(kept_out) > max(lines.index("!" + name) for name in let_in)


def test_the_image_runs_as_nobody_with_what_the_repository_has() -> None:
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)[-1] == "10001:10001"
    assert all((ROOT / path).exists() for path in re.findall(r"python3 (scripts/\S+)", DOCKERFILE))
    compiled = re.search(r"compileall -q ([\w ]+)$", DOCKERFILE, re.MULTILINE)
    assert compiled and all((ROOT / folder).is_dir() for folder in compiled[1].split())
    assert not [line for line in DOCKERFILE.splitlines() if line.startswith(("ENV", "ARG")) and SECRET.search(line)]
    if hadolint := shutil.which("hadolint"):
        done = subprocess.run([hadolint, str(FOLDER / "Dockerfile")], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_container_may_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"] and not service.get("privileged")
    assert service["user"].split(":")[0] not in ("0", "root")
    assert "healthcheck" in service
    for variable, value in service.get("environment", {}).items():
        assert not SECRET.search(variable) or variable.endswith("_FILE"), variable
        assert "://" not in str(value)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_a_container_names_is_there(name: str) -> None:
    service = SERVICES[name]
    for volume in service.get("volumes", ()):
        source = volume.partition(":")[0]
        if source.startswith("../"):
            assert (FOLDER / source).exists(), source
        elif not source.startswith("./secrets/"):
            assert source in COMPOSE["volumes"], source
    assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
    assert set(service.get("networks", ())) <= set(COMPOSE["networks"])
    assert set(service.get("depends_on", ())) <= set(SERVICES)
    assert service.get("network_mode", "service:proxy") == "service:proxy"


@pytest.mark.parametrize("name", OURS)
def test_a_container_runs_a_command_that_exists(name: str) -> None:
    words = words_of(SERVICES[name])
    if words[0] == "fleet":
        command: click.Command = main
        for word in words[1:]:
            if isinstance(command, click.Group):
                below = command.get_command(click.Context(command), word)
                assert below is not None, word
                command = below
        return
    for managed in " ".join(words).split("&&"):
        found = re.search(r"website\.manage (\w+)", managed)
        assert found
        if found[1] not in ("migrate", "collectstatic"):
            assert [*(ROOT / "website").glob(f"*/management/commands/{found[1]}.py")], found[1]


def test_ports_are_those_that_programs_listen_at() -> None:
    assert "http://127.0.0.1:8420/" in str(SERVICES["balancer"]["healthcheck"])
    assert "port = 8420 " in (ROOT / "config" / "default.toml").read_text(encoding="utf-8")
    port = words_of(SERVICES["site-web"])[-1]
    assert f"'127.0.0.1', {port}," in str(SERVICES["site-web"]["healthcheck"])
    assert f"127.0.0.1:{port}" in (ROOT / "docs" / "production-day.md").read_text(encoding="utf-8")


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert all(
        not service.get("networks") or "outside" not in service["networks"]
        for name, service in SERVICES.items()
        if name != "proxy"
    )
