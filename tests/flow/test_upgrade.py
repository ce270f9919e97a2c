"""One version apart works: the last release's worker for this balancer, and this worker for the last release's balancer.

The last release is the newest tag before this commit; until there is one, a commit (docs/upgrade.md). Its code is laid beside
this one and runs with the same packages.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest
from flow_site import Website, patient

from scripts.lab.parts import Part
from scripts.lab.stack import Stack, Wish

ROOT = Path(__file__).resolve().parents[2]
UNTAGGED = "022f8f3629"  # as long as nothing is tagged
TAG = "v[0-9]*"

pytestmark = [pytest.mark.long, pytest.mark.timeout(900), pytest.mark.xdist_group("upgrade")]


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)


def last_release() -> str:
    tag = git("describe", "--tags", "--abbrev=0", "--match", TAG, "HEAD^")
    return tag.stdout.strip() if tag.returncode == 0 else UNTAGGED


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last release's code."""
    folder = tmp_path_factory.mktemp("earlier")
    packed = folder / "code.tar"
    if git("archive", "--output", str(packed), last_release()).returncode:
        pytest.skip("this checkout has no history as old as the last release")
    with tarfile.open(packed) as archive:
        archive.extractall(folder / "code", filter="data")
    return folder / "code"


class MixedStack(Stack):
    """Some of its parts run with the last release's code."""

    def __init__(self, wish: Wish, earlier: Path, *parts: str) -> None:
        super().__init__(wish)
        self.earlier, self.old = earlier, parts

    def spawn(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> Part:
        added = self.environment() if name in self.old else {}
        return super().spawn(name, *command, environment={**(environment or {}), **added})

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": os.pathsep.join(str(self.earlier / folder) for folder in (".", "client", "lottery_core"))}

    def fleet(self, *arguments: str, config: Path | None = None, good: Collection[int] = (0,)) -> str:
        """Whoever makes the database is the older one: it refuses a newer one's."""
        if "balancer" not in self.old:
            return super().fleet(*arguments, config=config, good=good)
        command = [sys.executable, "-P", "-m", "scripts.cli.fleet", "--config", str(config or self.config), *arguments]
        environment = {**os.environ, **self.environment()}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode in good, done.stderr
        return done.stdout

    def _write_settings(self) -> None:
        """Without what the older balancer does not know."""
        super()._write_settings()
        if "balancer" in self.old:
            self.config.write_text("\n".join(known_to(self.earlier, self.config.read_text())) + "\n")


def known_to(earlier: Path, text: str) -> Iterator[str]:
    """The lines of settings that the last release has."""
    has, section = tomllib.loads((earlier / "config" / "default.toml").read_text()), ""
    for line in text.splitlines():
        section = line.strip("[]") if line.startswith("[") else section
        name = line.partition(" = ")[0]
        if line.startswith("[") or name == line or name in has.get(section, {}):
            yield line


@pytest.mark.parametrize("old", ["group-red-1", "balancer"])
def test_the_last_release_works_with_this_one(earlier: Path, old: str, tmp_path: Path) -> None:
    """A deposit that settles and a withdrawal, and what Steam says agrees with the database."""
    wish = Wish(tmp_path, bots_per_group=2, players=0, protection_s=2, overrides=patient())
    with MixedStack(wish, earlier, old) as stack:
        site = Website(stack)
        player = site.player(habit="accept")
        trade_id = site.deposit(player).body["trades"][0]["trade_id"]
        site.until(trade_id, "settled")
        rows = [item["deposit_id"] for item in site.trade(trade_id)["items"]]
        withdrawal = site.withdraw(player, rows).body["trades"][0]["trade_id"]
        site.until(withdrawal, "accepted", "settled")
        site.agree()
        (part,) = (each for each in stack.parts if each.name == old)
        loaded = Path(f"/proc/{part.process.pid}/environ").read_bytes()
        assert str(earlier).encode() in loaded
