import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import log


def test_secrets_are_masked_by_name_and_by_shape(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:]
    try:
        log.set_up("debug", "json")
        log.get("test").info(
            "GET /verify/0123456789abcdefghijkl?access_token=eyJhbGciOi.eyJzdWIi.c2ln",
            password="hunter2",
            bot="red-1",
            url="redis://user:hunter2@host/0",
        )
        logging.getLogger("library").warning("Authorization: Bearer fk_abcdef key=0123456789ABCDEF")
    finally:
        logging.getLogger().handlers[:] = before
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    shown = json.dumps(lines)
    assert lines[0]["bot"] == "red-1"
    for secret in ("hunter2", "0123456789abcdefghijkl", "eyJ", "fk_abcdef", "0123456789ABCDEF"):
        assert secret not in shown


@pytest.mark.parametrize("kind", ["fk_live_", "fk_test_", "fk_"])
def test_an_api_key_is_masked_wherever_it_stands(kind: str) -> None:
    random = "abCD_-12" * 5
    for text in (
        f"refused {kind}{random}",
        f"{kind}{random}, twice: {kind}{random}",
        f"https://x.example/?a={kind}{random}&b=1",
    ):
        shown = log.redact_text(text)
        assert random[:8] not in shown and f"{kind}…" in shown
    assert log.redact_text(f"{kind}{random[:12]}") == f"{kind}…"  # cut off on the way


def test_a_name_in_the_database_is_no_api_key() -> None:
    for name in ("fk_client_keys_client_id_clients", "fk_webhook_deliveries_target_id_webhook_targets"):
        assert log.redact_text(f"constraint {name} failed") == f"constraint {name} failed"


ESCAPES = "\x1b]0;owned\x07 \x1b[2J \x9b31m \r\n2026-01-01 [info] a line of ours \u202e \u200b \x00 \x7f"


def test_what_a_terminal_obeys_never_reaches_the_console_raw(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:]
    try:
        log.set_up("debug", "console")
        log.get("test").info(ESCAPES, name=ESCAPES, listed=[ESCAPES], inside={ESCAPES: ESCAPES}, raw=ESCAPES.encode())
        logging.getLogger("library").warning("from %s", ESCAPES)
        try:
            raise ValueError(ESCAPES)
        except ValueError:
            log.get("test").exception("failed")
    finally:
        logging.getLogger().handlers[:] = before
    shown = capsys.readouterr().err
    assert "\\x1b" in shown and "ValueError" in shown
    assert [sign for sign in shown if not sign.isprintable() and sign != "\n"] == []
    assert not any(line.startswith("2026-01-01 [info]") for line in shown.splitlines())


@given(st.text())
def test_an_escaped_text_is_printable(text: str) -> None:
    assert all(sign.isprintable() or sign in "\n\t" for sign in log.escaped(text))
    if text.isprintable():
        assert log.escaped(text) == text
