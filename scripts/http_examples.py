"""Records one example of every call of the HTTP API and writes the documents that show them. `python -m scripts.http_examples`

A test plays a small story against a balancer (`tests/balancer_http/story.py`) and writes down what is sent and answered.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from balancer.journal import events, tail
from balancer.web import examples, openapi
from balancer.web.examples import Example
from balancer.web.routes import ROUTES
from balancer.webhooks import sending

COMMAND = "python -m scripts.http_examples"
RECORD = "FLEET_EXAMPLES"  # the variable that tells the test where to write
ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "http-api.md"
PAGE = ROOT / "docs" / "http-api-examples.md"
TEST = "tests/balancer_http/test_story.py::test_the_examples_are_what_is_sent_and_answered"
WIDTH = 150
SHORT = 60  # a longer part of an object has a line of its own
MARKED = re.compile(r"(<!-- (calls|delivered|example ([\w ]+)) -->\n).*?(<!-- end -->\n)", re.DOTALL)
HEAD = f"""# Examples of every call

One story, as a balancer of this release was asked and as it answered, whole. A player brings two items and bets them, another
player wins one and takes it home; then an operator works. [http-api.md](http-api.md) explains the calls.

Every call has the header `Authorization: Bearer fk_live_…`, except those that need no key: `/healthz`, `/readyz`,
`/metrics`, `/docs`, `/openapi.json` and the pages below `/verify`. Every body is sent with `Content-Type: application/json`.
Answers are JSON (`application/json`) if nothing else is said. Ids, secrets and times are made up, and the same in all examples.

`{COMMAND}` writes this page; a test compares it with what a balancer answers.
"""


def main() -> int:
    """Play the story, write it down and fill the documents; 0 if all went well."""
    command = [sys.executable, "-m", "pytest", f"{TEST}", "-n", "0", "-q"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, RECORD: str(examples.FILE)}, check=False)
    if done.returncode == 0:
        examples.recorded.cache_clear()
        PAGE.write_text(page(), encoding="utf-8")
        GUIDE.write_text(filled(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
    return done.returncode


def page() -> str:
    """The text of `docs/http-api-examples.md`."""
    parts, chapter = [HEAD], ""
    for operation in dict.fromkeys(each["operation"] for each in examples.recorded()):
        found = examples.of(operation)
        if found[0]["chapter"] != chapter:
            chapter = found[0]["chapter"]
            parts.append(f"## {chapter}\n")
        parts.append(f"### {_name(found[0])}\n")
        parts += [f"{_sentence(each['title'])}\n\n{_block(each)}" for each in found]
    return "\n".join(parts)


def _sentence(title: str) -> str:
    return title if title.endswith("?") else f"{title}."


def filled(text: str) -> str:
    """The guide with the examples and the table of calls where it has marks for them."""
    made = {"calls": _calls, "delivered": _delivered}
    return MARKED.sub(lambda mark: mark[1] + made.get(mark[2], lambda: _one(*mark[3].split()))() + mark[4], text)


def _delivered() -> str:
    """What a target of webhooks gets of the story's first settled trade, signed with the secret that the story shows."""
    told = next(one for one in examples.of("events_find")[0]["answer"]["body"]["events"] if one["kind"] == "settled")
    at = datetime.fromisoformat(told["at"])
    event = events.Event(**{**told, "at": int(at.timestamp())})
    body = tail.line(event).body
    sent = sending.headers([examples.of("webhooks_create")[0]["answer"]["body"]["secret"]], event, body, at)
    lines = ["POST /fleet-events", *(f"{name}: {value}" for name, value in sent.items()), "", body.decode()]
    return "\n".join(["```", *lines, "```", ""])


def _one(operation: str, status: str = "", word: str = "") -> str:
    """The first example of an operation with this status, in whose answer this word stands."""
    for each in examples.of(operation):
        if str(each["answer"]["status"]).startswith(status) and f'"{word}' in json.dumps(each["answer"]["body"]):
            return _block(each)
    raise LookupError(f"no example {operation} {status} {word}")


def _calls() -> str:
    """Every call with what it is for, its scope, and a link to its example."""
    rows = ["| call | | scope |", "|---|---|---|"]
    for operation, about in _operations():
        if found := examples.of(operation):
            name = _name(found[0])
            scope = re.search(r"scope `(\w+)`\.$", about["description"])
            link = f"http-api-examples.md#{_anchor(name)}"
            rows.append(f"| [`{name}`]({link}) | {about['summary']} | {f'`{scope[1]}`' if scope else '–'} |")
    return "\n".join(rows) + "\n"


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for methods in openapi.build(ROUTES)["paths"].values():
        for about in methods.values():
            yield about["operationId"], about


def _name(example: Example) -> str:
    return f"{example['request']['method']} {example['request']['path']}"


def _anchor(heading: str) -> str:
    """Where GitHub puts a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _block(example: Example) -> str:
    """What is sent, an empty line, what is answered."""
    request, answer = example["request"], example["answer"]
    query = f"?{urlencode([tuple(pair) for pair in request['query']], safe=':/')}" if request["query"] else ""
    lines = [f"{request['method']} {request['path'].format(**request['in_path'])}{query}"]
    lines += [f"{name}: {value}" for name, value in request["headers"].items()]
    lines += [dumps(request["body"])] if "body" in request else []
    lines += ["", f"{answer['status']} {answer.get('content_type', '')}".rstrip()]
    lines += [f"{name}: {value}" for name, value in answer.get("headers", {}).items()]
    body = answer.get("body")
    lines += [] if body is None else [body.rstrip() if isinstance(body, str) else dumps(body)]
    return "\n".join(["```", *lines, "```", ""])


def dumps(value: Any, indent: int = 0) -> str:
    """JSON in few lines: as much on each as goes, and what is long by itself on its own."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= WIDTH or not isinstance(value, (dict, list)):
        return flat
    named = (
        [(f"{json.dumps(key)}: ", one) for key, one in value.items()]
        if isinstance(value, dict)
        else [("", one) for one in value]
    )
    ends = "{}" if isinstance(value, dict) else "[]"
    texts = [name + dumps(one, indent + 1 + len(name) * (not isinstance(one, (dict, list)))) for name, one in named]
    return ends[0] + f"\n{' ' * (indent + 1)}".join(_joined(texts, indent)) + ends[1]


def _joined(texts: Sequence[str], indent: int) -> list[str]:
    lines: list[str] = []
    alone = True
    for number, text in enumerate(texts):
        before, alone = alone, "\n" in text or (len(text) > SHORT and text[-1] in "]}")
        text += "," if number < len(texts) - 1 else ""
        if before or alone or len(lines[-1]) + len(text) + indent + 2 > WIDTH:
            lines.append(text)
        else:
            lines[-1] += f" {text}"
    return lines


if __name__ == "__main__":
    sys.exit(main())
