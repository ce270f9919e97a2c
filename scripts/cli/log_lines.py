"""Lines of log files that concern one HTTP request or one trade, of several processes, in the order of their times. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Both forms of a log have the time in it: as the line's beginning, or as a field of the JSON object.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def about(lines: Iterable[str], ids: Sequence[str]) -> list[str]:
    """The lines that name one of these ids, whole words only, sorted by their times; what has no time keeps its place.

    A line without a time, such as one of a traceback, belongs to the line before it and goes with that one.
    """
    named = re.compile("|".join(rf"(?<![\w.-]){re.escape(one)}(?![\w-])" for one in ids))
    found: list[tuple[str, list[str]]] = []
    taken = False
    for line in lines:
        time = _TIME.search(line)
        if time is None:
            if taken:
                found[-1][1].append(line)
            continue
        taken = named.search(line) is not None
        if taken:
            found.append((time.group(), [line]))
    return [line for _, block in sorted(found, key=lambda one: one[0]) for line in block]
