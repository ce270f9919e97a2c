"""Keeps the token of an offer, which stands in the address of its page, out of logs."""

from __future__ import annotations

import logging
import re

_IN_ADDRESS = re.compile(r"(verify(?:/|%2F))[A-Za-z0-9_-]{4,}", re.IGNORECASE)


class Masked(logging.Filter):
    """Takes tokens out of addresses before a line is written."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if "verify" in text:
            record.msg, record.args = _IN_ADDRESS.sub(r"\1…", text), ()
        return True
