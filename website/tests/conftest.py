"""A database for each test, on SQLite and on PostgreSQL: a copy of one that was migrated once, triggers and all.

Django is set up once in a process, and led from one database to the next. Nothing is rolled back: what a test commits is
committed, as in the program.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import django
import needs
import pytest
from custody import Custody
from engines import Nursery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "website.settings.dev")
os.environ.setdefault("SITE_DATABASE_URL", "sqlite:////nowhere/site.sqlite3")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from play import CHAIN_KEY  # noqa: E402

from scripts.lab.postgres import EmbeddedPostgres  # noqa: E402
from scripts.lab.quick import NEVER_REACHED  # noqa: E402
from scripts.lab.stack import Wish  # noqa: E402
from website import limits  # noqa: E402
from website.custody import worth  # noqa: E402
from website.engine.models import Feed  # noqa: E402
from website.settings import environment  # noqa: E402

numbers = itertools.count(1)


def lead_to(url: str) -> None:
    """From now on every new connection of this process is to this database."""
    connections.close_all()
    configured = connections.configure_settings({"default": environment.database(url)})["default"]
    connections.settings["default"].clear()
    connections.settings["default"].update(configured)
    with contextlib.suppress(AttributeError):  # nobody has connected yet
        del connections["default"]
    os.environ["SITE_DATABASE_URL"] = url


@pytest.fixture(scope="session")
def lead() -> Callable[[str], None]:
    """Leads this process to a database of the test's own making."""
    return lead_to


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("site") / "template.sqlite3"
    lead_to(f"sqlite://{path}")
    call_command("migrate", verbosity=0)
    connections.close_all()
    return path


@pytest.fixture(scope="session")
def site_postgres() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres() as server:
        server.create_database("site_template")
        lead_to(site_url(server, "site_template"))
        call_command("migrate", verbosity=0)
        connections.close_all()
        yield server


def site_url(server: EmbeddedPostgres, name: str) -> str:
    return server.url(name).replace("postgresql+psycopg", "postgresql")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty, migrated database; this process is led to it."""
    if request.param == "sqlite":
        path = tmp_path / "site.sqlite3"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        lead_to(f"sqlite://{path}")
        yield f"sqlite://{path}"
        connections.close_all()
        return
    if any(need.mark == "postgresql" for need in needs.missing()):
        pytest.skip("no PostgreSQL")
    server: EmbeddedPostgres = request.getfixturevalue("site_postgres")
    name = f"site_{next(numbers)}"
    server.create_database(name, template="site_template")
    lead_to(site_url(server, name))
    yield site_url(server, name)
    connections.close_all()
    server.drop_database(name)


@pytest.fixture
def one_database(migrated_file: Path, tmp_path: Path) -> Iterator[str]:
    """As `database_url`, on SQLite only: for pages, whose statements are Django's own."""
    path = tmp_path / "site.sqlite3"
    shutil.copy(migrated_file, path)
    lead_to(f"sqlite://{path}")
    yield f"sqlite://{path}"
    connections.close_all()


@pytest.fixture
def browser(one_database: str) -> Client:
    """A browser without scripts; it sends no CSRF tokens, and nobody asks it for them."""
    return Client(SERVER_NAME="localhost")


@pytest.fixture(scope="session")
def shared_custody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Custody]:
    wish = Wish(tmp_path_factory.mktemp("custody"), groups=[], players=0, overrides={"rates": dict(NEVER_REACHED)})
    with Custody(wish) as custody:
        yield custody


@pytest.fixture
def custody(shared_custody: Custody, database_url: str) -> Custody:
    """A real balancer. Others have played with it before: the site begins where its feed is now, with nothing bound."""
    shared_custody.free_all()
    Feed.objects.create(reader="site", after=shared_custody.newest_event(), livemode=False)
    return shared_custody


@pytest.fixture(autouse=True)
def nobody_has_asked_yet() -> None:
    """Limits of requests are counted in this process, which all tests share."""
    limits._buckets.forget()


@pytest.fixture(autouse=True)
def site_settings(settings_of_site: dict[str, object]) -> Iterator[None]:
    """Play is allowed, and nothing waits for longer than it has to."""
    with override_settings(**settings_of_site):
        yield


@pytest.fixture(autouse=True)
def nobody_asks_behind_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that asks the fleet for the value in a page's bar would outlive its test."""
    monkeypatch.setattr(worth, "ask_later", lambda _player: None)


@pytest.fixture
def settings_of_site() -> dict[str, object]:
    return {
        "SITE_COUNTRIES": ["LV"],
        "SITE_LIMITS": [("stake", "day", 10_000_000)],
        "SITE_PACE_MS": 0,
        "SITE_LOOK_MS": 20,
        "SITE_LEASE_MS": 1_000,
        "SITE_CALL_MS": 2_000,
        "SITE_BET_GIVE_UP_MS": 60_000,
        "SITE_RECONCILE_MS": 0,  # the fleet behind the tests has locks of all of them
    }


@pytest.fixture(scope="session")
def shared_nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path_factory.mktemp("engines"))
    yield nursery
    nursery.close()


@pytest.fixture
def nursery(shared_nursery: Nursery) -> Iterator[Nursery]:
    yield shared_nursery
    shared_nursery.end_all()


@pytest.fixture
def environment_of_engine(custody: Custody, database_url: str, tmp_path: Path) -> dict[str, str]:
    """For an engine as a process of its own: this test's database, the shared balancer."""
    (tmp_path / "chain.key").write_text(CHAIN_KEY.hex())
    (tmp_path / "fleet.key").write_text(custody.api_key)
    return {
        "SITE_DATABASE_URL": database_url,
        "SITE_FLEET_URLS": custody.balancer_url,
        "SITE_FLEET_KEY_FILE": str(tmp_path / "fleet.key"),
        "SITE_CHAIN_KEY_FILE": str(tmp_path / "chain.key"),
        "SITE_COUNTRIES": "LV",
        "SITE_LIMITS": "stake:day:10000000",
        "SITE_PACE_MS": "0",
        "SITE_LOOK_MS": "20",
        "SITE_LEASE_MS": "500",
        "SITE_CALL_MS": "500",
        "SITE_BET_GIVE_UP_MS": "60000",
        "SITE_RECONCILE_MS": "0",
    }
