import json
import logging

import pytest

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
