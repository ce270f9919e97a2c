"""`docs/events.md`: every kind of event and every alarm, as the code has them. `python -m scripts.event_tables` writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from balancer.journal import kinds
from balancer.journal.kinds import alarms
from balancer.journal.kinds.shapes import Kind

PAGE = Path(__file__).resolve().parent.parent / "docs" / "events.md"
HEAD = """# Events and alarms

`python -m scripts.event_tables` writes this page from [`balancer/journal/kinds/`](../balancer/journal/kinds); a test
compares the two. [http-api.md](http-api.md#listen) says how to read events. Only kinds that stand here are ever written.

An event has `number`, `at`, `kind`, `trade_id`, `user_id`, `bot`, `who`, `livemode` and `data`. `who` is whose word it is:
`bot:red-7`, a client of the API, an operator at the command line (`cli:…`), or a part of the balancer. `livemode` is false when
the balancer tests. Fields with `?` may be missing. In `data`, times are unix seconds and money is cents.
"""
KINDS = """
## Kinds

| kind | what happened | who has to act | set | data |
|---|---|---|---|---|
"""
ALARMS = """
## Alarms

Events of kind `alarm`. Each also has `data.action`: what an operator should do, in a sentence.

| `data.alarm` | what happened | set | data |
|---|---|---|---|
"""
EXAMPLES = """
## Examples

The data of each, as they may look.

"""


def page() -> str:
    """The text of `docs/events.md`."""
    kind_rows = [
        f"| `{name}` | {one.text} | {one.acts.value} | {one.about.value} | {_fields(one.data)} |" for name, one in _all()
    ]
    alarm_rows = [f"| `{name}` | {one.text} | {one.about.value} | {_fields(one.data)} |" for name, one in alarms.ALARMS.items()]
    examples = [f"- `{name}`: `{_json(one.example)}`" for name, one in (*_all(), *alarms.ALARMS.items()) if one.example]
    return f"{HEAD}{KINDS}{_lines(kind_rows)}{ALARMS}{_lines(alarm_rows)}{EXAMPLES}{_lines(examples)}"


def _all() -> list[tuple[str, Kind]]:
    return list(kinds.KINDS.items())


def _fields(data: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}`" for name in data) or "none"


def _json(example: Mapping[str, Any]) -> str:
    return json.dumps(example, ensure_ascii=False)


def _lines(rows: list[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
