"""The units in config/systemd: what systemd says of them, and a fleet that works under their limits and gives signs of life."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import click
import pytest
from confined import CONFINED, UNITS, read_unit
from flow_site import Website, patient
from notified import Ear, gives_signs
from support import PATIENCE_S, wait_until

from scripts.cli.fleet import main
from scripts.lab.parts import Part
from scripts.lab.stack import Stack, Wish

NAMES = sorted(path.name for path in UNITS.glob("*.service"))
WATCHED = [name for name in NAMES if not name.startswith("fleet-backup")]
EXPOSURE_MAX = 3.0
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.systemd


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_is_little_exposed(name: str) -> None:
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNITS / name)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert exposure and float(exposure[1]) <= EXPOSURE_MAX, said


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_is_well_formed(name: str, tmp_path: Path) -> None:
    """With a program in the place of the one that an installation has."""
    text = re.sub(r"/opt/fleet/(\.venv/bin/|scripts/)\w+", str(shutil.which("true")), (UNITS / name).read_text())
    (tmp_path / name).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(tmp_path / name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_keeps_secrets_and_powers_from_its_program(name: str) -> None:
    unit = read_unit(UNITS / name)
    assert (unit["LimitCORE"], unit["CapabilityBoundingSet"], unit["NoNewPrivileges"]) == (["0"], [""], ["yes"])
    assert unit["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]


def test_each_program_has_a_user_of_its_own() -> None:
    """When a unit with RemoveIPC= ends, systemd removes the shared memory of its user: `postgres` would lose its own."""
    users = [read_unit(UNITS / name)["User"][0] for name in NAMES]
    assert sorted(users) == ["fleet", "fleet-backup", "fleet-bots", "site", "site-engine"]
    assert all(read_unit(UNITS / name)["RemoveIPC"] == ["yes"] for name in NAMES)


@pytest.mark.parametrize("name", WATCHED)
def test_a_unit_ends_and_starts_again_what_gives_no_sign(name: str) -> None:
    unit = read_unit(UNITS / name)
    assert (unit["Type"], unit["NotifyAccess"], unit["Restart"]) == (["notify"], ["main"], ["always"])
    assert 30 <= int(unit["WatchdogSec"][0]) <= 120


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_starts_what_there_is(name: str) -> None:
    """The command line that it has is one of ours, with options that exist."""
    (command,) = read_unit(UNITS / name)["ExecStart"]
    if found := re.search(r"/opt/fleet/(scripts/\S+)", command):
        assert os.access(ROOT / found[1], os.X_OK)
    elif found := re.search(r"website\.manage (\w+)(.*)", command):
        (module,) = (ROOT / "website").glob(f"*/management/commands/{found[1]}.py")
        assert all(f'"{option}"' in module.read_text() for option in re.findall(r"--\w+", found[2]))
    else:
        found = re.search(r"/opt/fleet/\.venv/bin/fleet ([a-z ]+)", command)
        assert found
        group: click.Command | None = main
        for word in found[1].split():
            assert isinstance(group, click.Group)
            group = group.get_command(click.Context(group), word)
        assert group is not None


def test_a_timer_starts_its_unit(tmp_path: Path) -> None:
    for name in ("fleet-backup@.timer", "fleet-backup@.service"):
        text = (UNITS / name).read_text().replace("/opt/fleet/scripts/backup", str(shutil.which("true")))
        (tmp_path / name).write_text(text)
    command = ["systemd-analyze", "verify", str(tmp_path / "fleet-backup@.timer")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


REFUSED = """
import errno, mmap, os, resource, socket
def refused(fn):
    try:
        fn()
    except OSError as error:
        return error.errno == errno.EPERM or error.errno == errno.EACCES
    return False
print(
    refused(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
    refused(lambda: os.chroot("/")),
    refused(lambda: os.setuid(os.getuid())),
    refused(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)),
    resource.getrlimit(resource.RLIMIT_CORE) == (0, 0),
    socket.socket(socket.AF_INET6 if socket.has_ipv6 else socket.AF_INET) is not None,
)
"""


@pytest.mark.parametrize("name", NAMES)
def test_the_limits_are_in_force_in_the_next_test(name: str) -> None:
    """Else a fleet that works under them would show nothing."""
    command = [sys.executable, str(CONFINED), str(UNITS / name), sys.executable, "-c", REFUSED]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.split() == ["True"] * 6, done.stdout + done.stderr


# --- a fleet under their limits ----------------------------------------------------------------------------


class ConfinedStack(Stack):
    """The balancer and the group each run as their unit would let them, and are asked for signs of life."""

    def __init__(self, wish: Wish) -> None:
        super().__init__(wish)
        self.ears: dict[str, Ear] = {}

    def spawn(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> Part:
        unit = {"balancer": "fleet-balancer@.service", "group-red-1": "fleet-group@.service"}.get(name)
        if unit is None:
            return super().spawn(name, *command, environment=environment)
        ear = self.ears[name] = Ear(self.wish.directory / f"{name}.notify")
        confined = (sys.executable, str(CONFINED), str(UNITS / unit))
        return super().spawn(name, *confined, *command, environment=ear.environment)


@pytest.fixture(scope="module")
def confined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfinedStack]:
    wish = Wish(tmp_path_factory.mktemp("units"), bots_per_group=2, players=0, protection_s=2, overrides=patient())
    with ConfinedStack(wish) as stack:
        yield stack
    for ear in stack.ears.values():
        ear.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("units")
def test_a_fleet_trades_under_the_limits_of_its_units(confined: ConfinedStack) -> None:
    site = Website(confined)
    player = site.player(habit="accept")
    trade_id = site.deposit(player).body["trades"][0]["trade_id"]
    site.until(trade_id, "settled")
    deposit_ids = [item["deposit_id"] for item in site.trade(trade_id)["items"]]
    withdrawal = site.withdraw(player, deposit_ids).body["trades"][0]["trade_id"]
    site.until(withdrawal, "accepted", "settled")
    site.agree()
    for ear in confined.ears.values():
        wait_until(partial(gives_signs, ear), PATIENCE_S)
        assert ear.words[0] == "READY=1" or ear.words[:2] == ["WATCHDOG=1", "READY=1"]
    confined.stop()
    assert [ear.heard()[-1] for ear in confined.ears.values()] == ["STOPPING=1", "STOPPING=1"]
