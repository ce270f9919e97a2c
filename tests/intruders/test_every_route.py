"""Every route against its own document: whatever comes in, the answer is a documented one and a refusal changes no row."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from intruders.fuzzed import OPERATIONS, Fuzzed, balancer_settings, negative, positive, running, sensible

from scripts.lab.redis_server import EmbeddedRedis

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("routes"), pytest.mark.timeout(600)]

QUICK, THOROUGH = 6, 400
# A page that a refused player still gets, a file, a redirect: these have no parameters that could be wrong.
WITHOUT_PARAMETERS = {name for name, found in OPERATIONS.items() if not list(found.iter_parameters()) and not found.body}
GUARDED = [name for name, found in OPERATIONS.items() if found.definition.raw.get("security")]
# Any text may stand where a token stands: whether it is one is not told to everybody.
ANY_TEXT = {"GET /docs/{file}", "GET /verify/{token}", "GET /verify/{token}/sign-in"}
NEGATABLE = sorted(set(OPERATIONS) - WITHOUT_PARAMETERS - ANY_TEXT)


@pytest.fixture(scope="module")
def fuzzed(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """With a Redis of its own: other tests empty theirs."""
    folder = tmp_path_factory.mktemp("fuzzed")
    shutil.copyfile(sqlite_template, folder / "fleet.db")
    with (
        EmbeddedRedis(folder / "redis") as server,
        running(balancer_settings(server.url, f"sqlite:///{folder / 'fleet.db'}", folder)) as made,
    ):
        yield made


def examples(strategy: Any, most: int, check: Callable[[Any], object]) -> int:
    """Try the same examples every time; how many there were."""
    tried = 0

    @settings(
        max_examples=most,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(case: Any) -> None:
        nonlocal tried
        check(case)
        tried += 1

    run()
    return tried


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_the_document_allows_is_answered_as_it_says(fuzzed: Fuzzed, name: str) -> None:
    fuzzed.calm()
    assert examples(positive(name), QUICK, fuzzed.try_) >= 1


@pytest.mark.parametrize("name", NEGATABLE)
def test_what_the_document_does_not_allow_is_refused_and_changes_nothing(fuzzed: Fuzzed, name: str) -> None:
    assert examples(negative(name), QUICK, fuzzed.try_) >= 1


@pytest.mark.parametrize("name", GUARDED)
def test_nobody_gets_in_without_a_good_key(fuzzed: Fuzzed, name: str) -> None:
    guess = f"Bearer fk_{GUARDED.index(name):040}"  # each counted for itself
    for header in (None, "Bearer ", guess, "Basic Zms6Zms=", "Bearer " + "x" * 5000):
        assert examples(positive(name), 1, lambda case, header=header: fuzzed.try_without_key(case, header)) == 1  # type: ignore[misc]


WELL_ANSWERED = {
    "POST /deposit",
    "POST /inventory",
    "POST /verify",
    "POST /trade",
    "POST /switches",
    "GET /trade",
    "GET /events",
}


@pytest.mark.parametrize("name", sorted(WELL_ANSWERED))
def test_a_sensible_request_is_answered_well(fuzzed: Fuzzed, name: str) -> None:
    """Else nothing above would say much: what is refused there is refused for what is wrong with it."""
    fuzzed.calm()
    assert examples(sensible(name), 5, fuzzed.try_) >= 1
    assert any(status < 300 for tried, status in fuzzed.seen if tried == name)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("strategy", [positive, negative])
@pytest.mark.parametrize("name", OPERATIONS)
def test_many_more(fuzzed: Fuzzed, name: str, strategy: Callable[[str], Any]) -> None:
    if strategy is positive or name in NEGATABLE:
        assert examples(strategy(name), THOROUGH, fuzzed.try_) >= 1


# --- what is no request of any route ------------------------------------------------------------------

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO")


@pytest.mark.parametrize("path", sorted({found.path for found in OPERATIONS.values()}))
def test_no_other_method_does_anything(fuzzed: Fuzzed, path: str) -> None:
    known = {name.split()[0] for name, found in OPERATIONS.items() if found.path == path}
    for method in sorted(set(METHODS) - known):
        answer = fuzzed.raw(f"{method} {re.sub(r'{.*?}', '1', path)} HTTP/1.1")
        if method != "FOO":  # no method at all is refused before the address is looked at
            assert answer.status in (404, 405), (method, answer)
        assert answer.problem["code"] in ("not_found", "method_not_allowed", "invalid_request"), (method, answer)
    assert fuzzed.look() == fuzzed.rows


BROKEN = {
    "no method": "\x16\x03\x01 hello",
    "long address": "GET /verify/" + "s" * 100_000 + " HTTP/1.1",
    "long header": "GET /bots HTTP/1.1\r\nAuthorization: Bearer fk_" + "s" * 100_000,
    "control sign in a header": "GET /bots HTTP/1.1\r\nAuthorization: Bearer fk_ssssssss\x01sssssss",
    "two lengths": "POST /verify HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4",
    "bad length": "POST /verify HTTP/1.1\r\nContent-Length: ssssssssssss",
    "smuggled": "POST /verify HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
    "version": "GET /bots HTTP/9.9",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_http_is_told_so_and_not_repeated(
    fuzzed: Fuzzed, name: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = fuzzed.raw(BROKEN[name])
    assert (answer.status, answer.problem["code"]) == (400, "invalid_request")
    said = f"{answer}{''.join(capfd.readouterr())}{caplog.text}"
    assert "ssssssss" not in said and "Traceback" not in said
    assert fuzzed.look() == fuzzed.rows


def test_a_body_that_is_too_large_or_no_json_is_refused(fuzzed: Fuzzed) -> None:
    head = "POST /verify HTTP/1.1\r\nAuthorization: {key}\r\nContent-Type: {kind}\r\nContent-Length: {length}"
    for kind, body, status in (
        ("application/json", "[" + " " * 1_100_000 + "]", 413),
        ("application/json", "[" * 100_000, 400),
        ("application/json", '{"token":"\\ud800","steam_id":"1"}', 400),
        ("text/plain", "{}", 415),
    ):
        answer = fuzzed.raw(head.format(key=fuzzed.key, kind=kind, length=len(body)), body)
        assert (answer.status, bool(answer.problem["code"])) == (status, True), (kind, status)
    assert fuzzed.look() == fuzzed.rows
