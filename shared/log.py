"""Structured logs: one set-up for every program, one step that takes secrets out.

Lines carry ``action``, ``trade_id`` and ``bot``, bound once per job through context variables. The redacting step is a net
below careful code: it masks known secret names, verify links, JWTs and query parameters that hold keys.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog

_SECRET_NAMES = frozenset(
    {
        "password",
        "token",
        "trade_token",
        "trade_url",
        "access_token",
        "refresh_token",
        "api_key",
        "authorization",
        "cookie",
        "cookies",
        "shared_secret",
        "identity_secret",
        "sessionid",
        "secret",
        "sealed",
        "message",
    }
)
# What formatted tracebacks and stacks stand under.
_SEVERAL_LINES = frozenset({"exception", "stack"})
_PATTERNS = (
    (re.compile(r"(/verify/)[A-Za-z0-9_-]{8,}"), r"\1…"),
    (re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), "…jwt…"),
    (re.compile(r"(?i)\b(key|access_token|token|k|sessionid|refresh_token|nonce)=[^&\s\"']+"), r"\1=…"),
    (re.compile(r"(?i)(bearer\s+)\S+"), r"\1…"),
    # API keys, also those made before they had a mode; a database's names of foreign keys begin with fk_ too, in small letters.
    (re.compile(r"\b(fk_live_|fk_test_|fk_(?=[a-z_]*[A-Z0-9-]))[A-Za-z0-9_-]{8,}"), r"\1…"),
    (re.compile(r"(://[^/\s:@]*):[^/\s@]+@"), r"\1:…@"),
)


def redact_text(text: str) -> str:
    """The text with verify tokens, JWTs, API keys, keys in query strings and passwords in URLs masked."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _redact(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name, value in event.items():
        if name in _SECRET_NAMES and value is not None:
            event[name] = "…"
        elif isinstance(value, str):
            event[name] = redact_text(value)
    return event


def escaped(text: str) -> str:
    """The text with all that a terminal obeys, or that cannot be seen, written as an escape: ``\\x1b``, ``\\u202e``.

    Line breaks and tabs stay, as a traceback has them.
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" else sign.encode("unicode_escape", "backslashreplace").decode()
        for sign in text
    )


def _plain(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """No value, name or message reaches a terminal raw, and nothing in it begins a line: it could pass for one of ours."""
    return {
        _one_line(str(name)): _shown(value) if name in _SEVERAL_LINES else _shown_in_one(value) for name, value in event.items()
    }


def _shown(value: Any) -> Any:
    return "    " + escaped(value).replace("\n", "\n    ") if isinstance(value, str) else value


def _shown_in_one(value: Any) -> Any:
    return _one_line(value) if isinstance(value, str) else value


def _one_line(text: str) -> str:
    return escaped(text).replace("\n", "\\n").replace("\t", "\\t")


def set_up(level: str = "info", form: str = "console") -> None:
    """Send all logs, the libraries' included, to standard error: ``form`` is ``console`` or ``json``."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer()]
        if form == "json"
        else [_plain, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for one module."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
