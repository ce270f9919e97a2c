"""`scripts/site`: everything runs, simulated people play, and whoever reads the printed address may join them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.lab.parts import BEACON, HOW_TO_PLAY, READY_S, Part, StackError
from scripts.lab.quick import NEVER_REACHED
from scripts.lab.stack import Stack, Wish
from scripts.site_run import seed_rooms
from scripts.site_run.start import PATRONS, Site

SPARE = 3
"""Accounts of the simulated Steam that nobody plays with: they are for whoever looks at the site."""
PROTECTION_S = 5


@dataclass(frozen=True)
class Served:
    """What to serve: how many people, engines and processes with pages; the port of the first page process."""

    players: int
    engines: int
    bots: int
    seed: int
    port: int
    database_url: str


def serve(folder: Path, wanted: Served, say: Callable[[str], None]) -> None:
    """Runs until it is interrupted. Raises StackError, KeyboardInterrupt."""
    wish = Wish(
        directory=folder,
        bots_per_group=wanted.bots,
        players=wanted.players + PATRONS + SPARE,
        seed=wanted.seed,
        protection_s=PROTECTION_S,
        overrides={"rates": dict(NEVER_REACHED), "trades": {"settle_margin_s": 0.5}},
        sandbox_args=["--items-per-player", "24-32", "--player-delay-s", "0.2", *BEACON],
    )
    with Stack(wish, say) as stack:
        site, address = start(stack, wanted.engines, wanted.port, wanted.database_url)
        say(f"the site: {address}")
        office, links = start_office(site, address)
        say(f"the office: {office}; to join: {' '.join(links)}")
        say(f"{HOW_TO_PLAY}. Ctrl-C ends everything.")
        import django

        django.setup()  # after the settings are in the environment, before a model is imported
        from scripts.site_run import crowd

        asyncio.run(crowd.forever(site, wanted.players, wanted.seed))


def start(stack: Stack, engines: int, port: int, database_url: str = "") -> tuple[Site, str]:
    """A site on a fleet that runs, and where its pages are. Port 0 takes a free one. Raises StackError."""
    stack.say("starting the site")
    own = f"sqlite://{stack.wish.directory / 'site' / 'site.sqlite3'}"
    site = Site(stack, database_url or own, engines, shorter=seed_rooms.SERVED, raffles=True)
    site.start()
    return site, start_pages(site, port or free_port())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def start_pages(site: Site, port: int) -> str:
    """A process that serves pages, with a key of its own that can hand nothing over. Gives its address when it answers."""
    address = f"http://127.0.0.1:{port}"
    wait_for(address, spawn_pages(site, "web", port, environment_of_pages(site, port)))
    return address


def spawn_pages(site: Site, name: str, port: int, environment: Mapping[str, str]) -> Part:
    program = (sys.executable, "-P", "-m", "website.manage", "web", "--port", str(port))
    return site.stack.spawn(name, *program, environment=environment)


def environment_of_pages(site: Site, port: int) -> dict[str, str]:
    """What processes with pages are started with. `port`: where players find the first of them."""
    made = json.loads(site.stack.fleet("clients", "add", "site-web", "--scope", "trade", "--scope", "read", "--json"))
    key = site.folder / "web.key"
    key.touch(mode=0o600)
    key.write_text(made["api_key"])
    steam_key = site.folder / "steam.key"
    steam_key.write_text("0" * 32)  # the simulated Steam takes any
    address = f"http://127.0.0.1:{port}"
    return {
        **site.environment,
        "SITE_FLEET_KEY_FILE": str(key),
        "SITE_CHAIN_KEY_FILE": "",  # a process with pages knows no secret of a round
        "SITE_ADDRESS": address,
        "SITE_STEAM_URL": site.stack.control_url,
        "SITE_SANDBOX_URL": site.stack.control_url,
        "SITE_STEAM_API_URL": site.stack.steam_url,
        "SITE_STEAM_API_KEY_FILE": str(steam_key),
        "SITE_PICTURES_URL": f"{site.stack.steam_url}/economy/image/",
        "SITE_AVATARS_URL": f"{site.stack.steam_url}/",
        "SITE_PICTURES_DIR": str(site.folder / "pictures"),
    }


def start_office(site: Site, pages: str) -> tuple[str, list[str]]:
    """The back office as a process, with a key that only reads. Its address, and the links by which two owners join."""
    made = json.loads(site.stack.fleet("clients", "add", "site-office", "--scope", "read", "--json"))
    key = site.folder / "office.key"
    key.touch(mode=0o600)
    key.write_text(made["api_key"])
    port = free_port()
    environment = {
        **site.environment,
        "DJANGO_SETTINGS_MODULE": "website.settings.dev_office",
        "SITE_FLEET_KEY_FILE": str(key),
        "SITE_CHAIN_KEY_FILE": "",
        "SITE_ADDRESS": pages,
    }
    program = (sys.executable, "-P", "-m", "website.manage", "web", "--port", str(port))
    address = f"http://127.0.0.1:{port}"
    wait_for(address, site.stack.spawn("office", *program, environment=environment))
    return f"{address}/office", [f"{address}/office/join/{word}" for word in invited(site)]


def invited(site: Site) -> list[str]:
    """Two who may do everything: one proposes, the other approves."""
    words = []
    roles = [part for role in ("owner", "rooms", "money", "support") for part in ("--role", role)]
    for name in ("ana", "bo"):
        link = site.folder / f"{name}.link"
        site.manage("staff", "add", name, *roles, "--link-file", str(link))
        words.append(link.read_text().strip().rpartition("/")[2])
    return words


def wait_for(address: str, part: Part) -> None:
    """Until the pages answer. Raises StackError."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and part.process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/healthz", timeout=2):  # noqa: S310 - our own
            return
        time.sleep(0.1)
    raise StackError(f"the site's pages did not start:\n{part.tail()}")
