"""The tables themselves: what the migrations make is what the models say, and what only grows only grows (W3)."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from website.accounts.models import Player
from website.care.models import PlayDecision
from website.rooms.models import LaneEvent

pytestmark = pytest.mark.both_databases


def test_the_migrations_are_as_the_models(database_url: str) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize("table", ["rooms_laneevent", "care_playdecision"])
@pytest.mark.parametrize("what", ["UPDATE {} SET number = 2", "DELETE FROM {}", "TRUNCATE {}"])
def test_w3_an_event_is_never_changed_or_removed(database_url: str, table: str, what: str) -> None:
    if what.startswith("TRUNCATE") and connection.vendor == "sqlite":
        pytest.skip("SQLite has no TRUNCATE")
    LaneEvent.objects.create(lane="a", round=1, number=1, at_ms=1, kind="start", token="t", body="{}")
    player = Player.objects.create(steam_id=1, name="ana", registered_ms=1)
    PlayDecision.objects.create(player=player, number=1, line="{}", hash=b"h")
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(what.format(table))
    assert LaneEvent.objects.get().number == PlayDecision.objects.get().number == 1


def test_w2_two_events_cannot_have_one_number_or_one_token(database_url: str) -> None:
    LaneEvent.objects.create(lane="a", round=1, number=1, at_ms=1, kind="start", token="t", body="{}")
    for number, token in ((1, "u"), (2, "t")):
        with pytest.raises(DatabaseError), transaction.atomic():
            LaneEvent.objects.create(lane="a", round=1, number=number, at_ms=1, kind="start", token=token, body="{}")
    for number in (2, 3):
        LaneEvent.objects.create(lane="a", round=1, number=number, at_ms=1, kind="tick", token="", body="{}")
