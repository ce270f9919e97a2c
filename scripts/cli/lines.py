"""How commands write one line for people: times, marks of health, and nothing that a terminal would obey."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

# Colors are for terminals only: `click.echo` takes them off elsewhere.
COLOR_OF = {
    "online": "green",
    "restricted": "yellow",
    "unhealthy": "red",
    "offline": "red",
    "settled": "green",
    "accepted": "green",
    "in_doubt": "red",
    "failed": "red",
    "reversed": "red",
}
_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(unix_s: int) -> str:
    """As in ``2026-03-01 12:00:00``, in UTC."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%S}"


def colored(word: str, width: int = 0) -> str:
    """A state or status, filled to ``width`` and in its color."""
    return click.style(f"{word:{width}}", fg=COLOR_OF.get(word))


def one_line(text: str) -> str:
    """The text without line breaks, and with what a terminal obeys written as escapes: names come from strangers."""
    from shared.log import escaped

    return escaped(" ".join(text.split()))


def moment_given(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | timedelta | None:
    """For options: how long ago (``30m``, ``2h``, ``7d``), or when (``2026-03-01T12:00:00Z``; without a zone it is in UTC)."""
    if value is None:
        return None
    if ago := _AGO.fullmatch(value):
        return timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither like 30m, 2h or 7d nor like 2026-03-01T12:00:00Z") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
