"""What a chaos run of the site does: by the seed, everything once, and no engine hurt twice at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.chaos_run.fleet import last_words
from scripts.chaos_run.plan import Blow, Shape, plan
from scripts.site_run import chaos, trouble
from website.engine import crash

SHAPE = Shape({"red:1": ("red-1",)}, 2, {"engine": ("engine-1", "engine-2"), "relay": ("relay a", "relay b")})


def blows(seed: int) -> list[Blow]:
    return plan(seed, 600, SHAPE, kinds=trouble.KINDS, power_cut=False, gap_s=trouble.GAP_S)


def test_engines_die_at_every_point_and_every_kind_has_its_target() -> None:
    for seed in range(1, 11):
        done = blows(seed)
        assert {blow.kind for blow in done} == {kind.name for kind in trouble.KINDS}
        assert {trouble.DIES_AT + point for point in crash.POINTS} <= {blow.kind for blow in done}
        targets = {kind.name: SHAPE.targets(kind.target) for kind in trouble.KINDS}
        assert all(blow.target in targets[blow.kind] for blow in done)


def test_no_engine_and_no_relay_is_hurt_twice_at_a_time() -> None:
    for seed in range(1, 11):
        free_at: dict[str, float] = {}
        for blow in blows(seed):
            assert free_at.get(blow.target, 0.0) <= blow.at_s
            free_at[blow.target] = blow.at_s + blow.lasts_s


def test_an_engine_whose_database_was_away_is_told_from_one_that_broke() -> None:
    away = "Traceback\ndjango.db.utils.OperationalError: connection refused\n\tIs the server running on that host?\n"
    broke = "Traceback\nKeyError: 'room'\n"
    assert chaos.DATABASE_AWAY in last_words(away)
    assert (last_words(broke), last_words("it ends\n"), last_words("")) == ("KeyError: 'room'", "it ends", "")


def test_the_connections_of_one_database_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "/proc/10/task/10/children": "11 12 13 ",
        "/proc/11/cmdline": "postgres: checkpointer \0",
        "/proc/12/cmdline": "postgres: fleet site [local] idle\0",
        "/proc/13/cmdline": "postgres: fleet fleet [local] idle\0",
    }
    monkeypatch.setattr(Path, "read_text", lambda path: texts[str(path)])
    monkeypatch.setattr(Path, "read_bytes", lambda path: texts[str(path)].encode())
    assert trouble.backends(10, "site") == [12]
