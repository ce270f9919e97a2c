"""Types of the fields of views.

A view is a frozen dataclass and is written once: what a query gives is what the API answers, and its document at
`/openapi.json` is made from it too. These types say how JSON writes a value that is kept in another way.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, TypeAdapter, WithJsonSchema
from pydantic_core import PydanticSerializationError


@lru_cache(maxsize=4096)
def rfc3339(unix_s: int) -> str:
    """The time in UTC, as in ``2026-03-01T12:00:00Z``."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix(time: datetime) -> int:
    """Whole seconds."""
    return int(time.timestamp())


def maybe_unix(time: datetime | None) -> int | None:
    return None if time is None else unix(time)


# Unix seconds inside, RFC 3339 in JSON.
Time = Annotated[
    int, PlainSerializer(rfc3339, return_type=str), WithJsonSchema({"type": "string", "format": "date-time"}, "serialization")
]
BotText = Annotated[str, Field(description="As in red-7")]
# What a view knows and no answer shows.
UNSHOWN = Field(exclude=True)


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """What writes views of this class, or model, and describes them."""
    return TypeAdapter(kind)


def to_json(view: object) -> bytes:
    """A view as JSON in UTF-8, without spaces. Of a model, what was not set is left out."""
    kind: Any = type(view)
    write = adapter(kind)
    try:
        return write.dump_json(view, exclude_unset=True)
    except PydanticSerializationError:
        # Half of a surrogate pair, which a bot's report may hold: that can be written in ASCII only.
        return json.dumps(write.dump_python(view, mode="json", exclude_unset=True), separators=(",", ":")).encode()


def plain(view: object) -> Any:
    """A view as the values that its JSON stands for."""
    kind: Any = type(view)
    return adapter(kind).dump_python(view, mode="json")
