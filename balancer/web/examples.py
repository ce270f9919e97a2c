"""One example of every call, and more of some: what was sent to a real balancer, and its whole answer.

`python -m scripts.http_examples` records them; `/openapi.json`, `/docs` and the documents show them, and a test compares them
with what a balancer answers now. Their ids, secrets and times are made up, and are the same in all of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "examples.json"
Example = dict[str, Any]  # chapter, operation (its id), title, request, answer


@cache
def recorded() -> Sequence[Example]:
    """All of them, in the order of their story."""
    examples: list[Example] = json.loads(FILE.read_text(encoding="utf-8"))
    return examples


def dumps(examples: Sequence[Example]) -> str:
    """The text of the file."""
    return json.dumps(examples, indent=1, ensure_ascii=False) + "\n"


def of(operation: str) -> list[Example]:
    """Those of one operation, refusals last: the first shows what is usual."""
    matching = [each for each in recorded() if each["operation"] == operation]
    return sorted(matching, key=lambda each: int(each["answer"]["status"]) >= 400)


def values(example: Example) -> dict[str, Any]:
    """Its parameters in path, query and header; those that stand there several times as lists."""
    request = example["request"]
    result: dict[str, Any] = {**request["in_path"], **request["headers"]}
    for name, value in request["query"]:
        result.setdefault(name, []).append(value)
    return result
