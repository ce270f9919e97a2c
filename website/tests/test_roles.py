"""Roles in PostgreSQL: all tables, all roles, and what each process really does (W28)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from paper import Paper

from website import roles
from website.accounts import sessions
from website.engine.clock import wall_ms
from website.engine.models import Alarm, Call, Chain
from website.rooms import services
from website.rooms.models import Bet, Lane, LaneEvent, Round

pytestmark = [pytest.mark.postgresql]
on_postgresql = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)


@pytest.fixture
def as_role(database_url: str, lead: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """Every connection of this process is of a role from now on, or of the owner ("")."""
    call_command("grants", create=True, verbosity=0)

    def become(role: str) -> None:
        joint = "&" if "?" in database_url else "?"
        lead(f"{database_url}{joint}options={quote(f'-c role=site_{role}')}" if role else database_url)

    yield become
    lead(database_url)


def refused(work: Callable[[], object]) -> bool:
    try:
        with transaction.atomic():
            work()
    except DatabaseError as error:
        assert "permission denied" in str(error) or "row-level security" in str(error), error
        return True
    return False


@on_postgresql
def test_w28_every_role_may_do_to_every_table_what_the_table_says(as_role: Callable[[str], None]) -> None:
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        asked = [(role, table, what) for role in roles.ROLES for table in tables for what in ("SELECT", *roles.ALL)]
        cursor.execute(
            "SELECT " + ", ".join(["has_table_privilege(%s, %s, %s)"] * len(asked)),
            [each for role, table, what in asked for each in (f"site_{role}", table, what)],
        )
        row = cursor.fetchone()
    assert row is not None and len(tables) > 30
    for (role, table, what), may in zip(asked, row, strict=True):
        due = roles.reads(table, role) if what == "SELECT" else what in roles.writes(table, role)
        assert may == due, (role, table, what)
    assert set(roles.WRITES) <= set(tables), "a table that is named is there"


@on_postgresql
def test_w28_pages_write_no_lane_open_no_secret_and_have_nothing_handed_over(as_role: Callable[[str], None]) -> None:
    paper = Paper()
    (lane, _) = paper.open("classic-unlimited", time_limit=5)
    at, ana = paper.game("classic-unlimited"), paper.player()
    as_role("web")
    key = sessions.start(ana, "a browser", wall_ms())
    assert sessions.find(key, wall_ms()) is not None and Round.objects.get(id=at.id).phase == "game"
    bet = services.place_bet(ana, services.Wanted(at.lane, at.round, ["dep_1"], 100, "t1"), wall_ms())
    Call.objects.create(kind=Call.USER, ref="7", body="{}", made_ms=0)
    for work in (
        lambda: list(Chain.objects.all()),
        lambda: Lane.objects.filter(name=lane).update(state=Lane.PAUSED),
        lambda: LaneEvent.objects.create(lane=lane, round=1, number=99, at_ms=0, kind="void", token="x", body="{}"),
        lambda: Round.objects.filter(id=at.id).update(pot_cents=1),
        lambda: Bet.objects.filter(id=bet.id).update(state=Bet.PLACED),
        lambda: Call.objects.create(kind=Call.TRANSFER, ref="round:x:1:1", body="{}", made_ms=0),
        lambda: Call.objects.create(kind=Call.CREDIT, ref="mkg:x:1:1", body="{}", made_ms=0),
        lambda: Call.objects.update(kind=Call.TRANSFER),
        lambda: Alarm.objects.update(ended_ms=1),
        lambda: LaneEvent.objects.all().delete(),
    ):
        assert refused(work)


@on_postgresql
def test_w28_an_engine_plays_a_round_and_signs_nobody_in(as_role: Callable[[str], None]) -> None:
    paper = Paper()
    paper.open("classic-unlimited", time_limit=5)
    people = [paper.player() for _ in range(2)]
    as_role("engine")
    at = paper.game("classic-unlimited")
    as_role("")  # what players want is written by pages
    rows = [services.Wanted(at.lane, at.round, paper.items(each, 200), 200, "t") for each in people]
    bets = [services.place_bet(each, wanted, paper.now_ms) for each, wanted in zip(people, rows, strict=True)]
    as_role("engine")
    paper.settle()
    assert paper.until_sealed(at).phase == "sealed"
    assert {row.state for row in Bet.objects.filter(id__in=[bet.id for bet in bets])} == {Bet.OVER}
    assert refused(lambda: sessions.start(people[0], "a browser", wall_ms()))
    assert refused(lambda: LaneEvent.objects.all().delete())
    as_role("")
    paper.check()


@on_postgresql
def test_roles_that_are_missing_are_named(database_url: str) -> None:
    with pytest.raises(CommandError, match="there is no role other_web"):
        call_command("grants", prefix="other")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_has_no_roles(database_url: str) -> None:
    with pytest.raises(CommandError, match="only PostgreSQL"):
        call_command("grants")
