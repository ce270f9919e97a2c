"""Templates of raffles: two people for what is sold, one for whether it is; what makes no sense is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from lottery.errors import RoomError

from website.office.models import Staff
from website.raffles import services
from website.raffles.models import Template, TemplateVersion
from website.raffles.services import TemplateError, Terms
from website.rooms.services import TwoPeopleError

NOW_MS = 1_900_000_000_000
TERMS = Terms("a knife", 1_499, 101, 7, parallel=2, expires_s=3_600, steam_level_min=3)


@pytest.fixture
def people(one_database: str) -> tuple[Staff, Staff]:
    return Staff.objects.create(username="ana"), Staff.objects.create(username="bo")


def test_w25_nobody_approves_a_template_that_they_drafted(people: tuple[Staff, Staff]) -> None:
    ana, bo = people
    row = services.draft(TERMS, ana, "the week's prize", NOW_MS)
    with pytest.raises(TwoPeopleError):
        services.approve(row.template_id, 1, ana)
    assert services.newest(row.template_id) is None
    with pytest.raises(DatabaseError), transaction.atomic():
        TemplateVersion.objects.filter(id=row.id).update(state=TemplateVersion.APPROVED, approved_by=ana)
    assert services.approve(row.template_id, 1, bo).approved_by == bo
    with pytest.raises(TemplateVersion.DoesNotExist):
        services.approve(row.template_id, 1, bo)


def test_the_newest_approved_version_is_the_one_that_counts(people: tuple[Staff, Staff]) -> None:
    ana, bo = people
    template_id = services.draft(TERMS, ana, "first", NOW_MS).template_id
    services.approve(template_id, 1, bo)
    dearer = services.draft(replace(TERMS, price_cents=2_000), bo, "dearer", NOW_MS, template_id)
    in_use = services.newest(template_id)
    assert dearer.version == 2 and in_use is not None and (in_use.version, in_use.price_cents) == (1, 1_499)
    services.approve(template_id, 2, ana)
    in_use = services.newest(template_id)
    assert in_use is not None and (in_use.version, in_use.price_cents, in_use.share_max_percent) == (2, 2_000, 50)
    assert TemplateVersion.objects.get(template_id=template_id, version=1).price_cents == 1_499
    assert services.draft(TERMS, ana, "another one", NOW_MS).template_id != template_id
    with pytest.raises(Template.DoesNotExist):
        services.draft(TERMS, ana, "of nothing", NOW_MS, template_id + 100)


def test_a_template_is_on_only_with_something_approved_and_says_who_did_it(people: tuple[Staff, Staff]) -> None:
    ana, bo = people
    template_id = services.draft(TERMS, ana, "first", NOW_MS).template_id
    with pytest.raises(TemplateError) as refused:
        services.activate(template_id, ana, "go", NOW_MS)
    assert refused.value.code == "not_approved" and not Template.objects.get().active
    services.approve(template_id, 1, bo)
    services.activate(template_id, ana, "go", NOW_MS + 1)
    services.activate(template_id, bo, "again", NOW_MS + 2)
    row = Template.objects.get()
    assert (row.active, row.switched_by, row.switched_why, row.switched_ms) == (True, ana, "go", NOW_MS + 1)
    services.deactivate(template_id, bo, "sold enough", NOW_MS + 3)
    row.refresh_from_db()
    assert (row.active, row.switched_by, row.switched_ms) == (False, bo, NOW_MS + 3)
    with pytest.raises(DatabaseError), transaction.atomic():
        Template.objects.create(active=True)


@pytest.mark.parametrize(
    "change",
    [
        {"prize": ""},
        {"prize": "x" * 1_001},
        {"price_cents": -1},
        {"price_cents": 0, "commission_cents": 0},
        {"price_cents": 10**18},
        {"tickets": 0},
        {"tickets": True},
        {"parallel": 0},
        {"parallel": 101},
        {"expires_s": 0},
        {"steam_level_min": -1},
        {"share_max_percent": 0},
        {"share_max_percent": 101},
        {"share_max_percent": 14},  # of seven tickets that is none
        {"prize_kind": "code"},
    ],
)
def test_terms_that_make_no_sense_are_refused(people: tuple[Staff, Staff], change: dict[str, Any]) -> None:
    with pytest.raises(RoomError):
        services.draft(replace(TERMS, **change), people[0], "nonsense", NOW_MS)
    assert not Template.objects.exists()


@pytest.mark.both_databases
def test_the_longest_and_dearest_terms_fit_the_tables(database_url: str) -> None:
    ana = Staff.objects.create(username="ana")
    most = replace(TERMS, prize="x" * 1_000, price_cents=10**18 - 102, tickets=1, expires_s=2**32 - 1, share_max_percent=100)
    row = services.draft(most, ana, "y" * 500, NOW_MS)
    row.refresh_from_db()
    assert (row.prize, row.price_cents, row.expires_s) == (most.prize, most.price_cents, most.expires_s)


def test_what_one_player_may_have_is_rounded_down() -> None:
    assert [replace(TERMS, share_max_percent=each).tickets_max for each in (15, 50, 99, 100)] == [1, 3, 6, 7]
