"""What a chaos run of the site does: by the seed, everything once, and no engine hurt twice at a time."""

from __future__ import annotations

from pathlib import Path

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


def test_a_site_on_sqlite_is_hurt_by_its_write_lock_and_not_by_a_servers_connections() -> None:
    kinds = {kind.name for kind in trouble.ON_SQLITE}
    assert kinds ^ {kind.name for kind in trouble.KINDS} == {trouble.LOCKED.name, *(kind.name for kind in trouble.DATABASES)}
    done = plan(1, 600, SHAPE, kinds=trouble.ON_SQLITE, power_cut=False, gap_s=trouble.GAP_S)
    assert {blow.kind for blow in done} == kinds


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


def test_the_connections_of_one_database_are_found(tmp_path: Path) -> None:
    texts = {
        "10/task/10/children": "11 12 13 14 ",
        "11/cmdline": "postgres: checkpointer \0",
        "12/cmdline": "postgres: fleet site [local] idle\0",
        "13/cmdline": "postgres: fleet fleet [local] idle\0",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert trouble.backends(10, "site", tmp_path) == [12], "14 has ended meanwhile"
