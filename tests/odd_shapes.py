"""Foreign JSON for tests of readers: a good document with fields missing, null, of another type, doubled or huge.

`from odd_shapes import odd, odd_text, check`. ``check`` runs one reader over so many generated documents.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

Path = tuple[Any, ...]

DEEP = 150
_SIGNS = st.characters() | st.sampled_from("\x00\x1b\n\u202e\ud800\udfff\U000e0041 '\"%|")
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 730, 2**31, 2**32, 2**63, 2**64, -(2**63), 10**400]),
    st.sampled_from([0.0, 0.5, 1e308, float("inf"), float("-inf"), float("nan")]),
    st.sampled_from(
        ["", "0", "1", "-1", "730", "None", "null", "true", "²", "٣", "1e9", "0x10", "9" * 25, "9" * 5000, "x" * 70_000]
    ),
    st.text(_SIGNS, max_size=12),
    st.sampled_from([[], {}, [[]], [{}], {"": None}, [None], ["1"], {"1": {"id": "1"}}]),
    st.just("deep").map(lambda _: _deep()),
)


def _deep() -> Any:
    value: Any = []
    for _ in range(DEEP):
        value = [value]
    return value


def paths(value: Any, here: Path = ()) -> Iterator[Path]:
    """Where everything in a document stands, the document itself first."""
    yield here
    if len(here) < 12:
        entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, part in entries:
            yield from paths(part, (*here, key))


@st.composite
def odd(draw: st.DrawFn, good: Any, changes_max: int = 3) -> Any:
    """The document with one or a few things wrong in it."""
    value = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, changes_max))):
        where = draw(st.sampled_from(list(paths(value))))
        value = _changed(draw, value, where)
    return value


def _changed(draw: st.DrawFn, value: Any, where: Path) -> Any:
    if not where:
        return copy.deepcopy(draw(VALUES))
    parent = value
    for key in where[:-1]:
        parent = parent[key]
    key, how = where[-1], draw(st.sampled_from(["other", "other", "missing", "doubled", "many", "wrapped", "typed"]))
    part = parent[key]
    if how == "missing":
        del parent[key]
    elif how in ("doubled", "many"):
        times = 2 if how == "doubled" else 50
        if isinstance(parent, list):
            parent.extend(copy.deepcopy(part) for _ in range(times))
        else:
            parent[key] = [copy.deepcopy(part) for _ in range(times)]
    elif how == "wrapped":
        parent[key] = draw(st.sampled_from([[part], {"0": part}, {str(key): part}]))
    elif how == "typed" and isinstance(part, int | float | str | bool):
        digits = isinstance(part, str) and part.isascii() and part.isdigit() and len(part) < 30
        parent[key] = int(part) if digits else None if isinstance(part, str) else repr(part)[:400]
    else:
        parent[key] = copy.deepcopy(draw(VALUES))
    return value


@st.composite
def odd_text(draw: st.DrawFn, good: Any) -> bytes:
    """The same as the bytes of a file or an answer: JSON of an odd document, doubled keys, cut, or no JSON at all."""
    text = json.dumps(draw(odd(good)))
    how = draw(st.sampled_from(["as it is", "as it is", "as it is", "cut", "doubled keys", "bytes", "deep", "other code"]))
    if how == "cut":
        return text[: draw(st.integers(0, len(text)))].encode("utf-8", "surrogatepass")
    if how == "doubled keys" and text.startswith("{") and len(text) > 2:
        return (text[:-1] + ", " + text[1:]).encode("utf-8", "surrogatepass")
    if how == "bytes":
        return draw(st.binary(max_size=60))
    if how == "deep":
        return b"[" * 20_000 + b"]" * draw(st.sampled_from([0, 20_000]))
    if how == "other code":
        return text.encode(draw(st.sampled_from(["utf-16", "utf-8-sig", "utf-32"])), "surrogatepass")
    return text.encode("utf-8", "surrogatepass")


def check(shapes: st.SearchStrategy[Any], read: Callable[[Any], None], count: int, *, shrink: bool = True) -> int:
    """Read that many generated documents; ``read`` raises what it does not expect. How many there were.

    What goes over a socket takes long: there the first document that is met wrongly is shown as it is.
    """
    seen = 0
    phases = [phase for phase in Phase if shrink or phase not in (Phase.shrink, Phase.explain)]

    @settings(max_examples=count, suppress_health_check=list(HealthCheck), phases=phases)
    @given(shapes)
    def one(value: Any) -> None:
        nonlocal seen
        seen += 1
        read(value)

    one()
    return seen
