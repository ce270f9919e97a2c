"""What is wrong with a field, as a sentence that says what to do. Patterns and types are for programs; people get these.

Pydantic says which check failed; the words are ours. What we do not know yet gets a sentence that is true of everything.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

# What to write for this pattern; filled by `shaped`.
_SHAPES: dict[str, str] = {}

OTHERWISE = "Send a value of the form that /openapi.json gives for this field."

_OF_KIND = {
    "missing": "Send this field; it is needed.",
    "string_type": "Send text, in quotes.",
    "string_unicode": "Send valid Unicode; half of a surrogate pair is not valid.",
    "string_too_short": "Write at least {min_length} characters.",
    "string_too_long": "Write at most {max_length} characters.",
    "int_type": "Send a whole number, without quotes.",
    "int_parsing": "Send a whole number.",
    "int_parsing_size": "Send a smaller number.",
    "int_from_float": "Send a whole number, without a fraction.",
    "float_type": "Send a number, without quotes.",
    "float_parsing": "Send a number.",
    "finite_number": "Send a number that is not infinite.",
    "greater_than": "Send a number above {gt}.",
    "greater_than_equal": "Send {ge} or more.",
    "less_than": "Send a number below {lt}.",
    "less_than_equal": "Send {le} or less.",
    "bool_type": "Send true or false, without quotes.",
    "bool_parsing": "Send true or false.",
    "list_type": "Send a list.",
    "dict_type": "Send a JSON object.",
    "model_type": "Send a JSON object.",
    "model_attributes_type": "Send a JSON object.",
    "none_required": "Send null, or leave this field out.",
    "literal_error": "Send one of these: {expected}.",
    "enum": "Send one of these: {expected}.",
    "json_invalid": "Send valid JSON: {error}.",
    "json_type": "Send JSON.",
    "recursion_loop": "Send less deeply nested JSON.",
    "union_tag_invalid": "Send one of the forms that /openapi.json gives for this field.",
}


def shaped(pattern: str, what: str) -> str:
    """The pattern, with the sentence for what does not fit it."""
    _SHAPES[pattern] = what
    return pattern


def of(kind: str, context: Mapping[str, Any], name: str = "", names: Iterable[str] = ()) -> str:
    """The sentence for one failed check.

    ``kind`` and ``context`` are pydantic's; ``name`` is the field that was sent and ``names`` are those there are.
    """
    if kind == "extra_forbidden":
        nearest = difflib.get_close_matches(name, names, 1)
        return "There is no such field; leave it out." + (f" Did you mean {nearest[0]}?" if nearest else "")
    if kind == "value_error":
        return own(context.get("error", OTHERWISE))
    if kind == "string_pattern_mismatch":
        return _SHAPES.get(str(context.get("pattern")), OTHERWISE)
    if kind in ("too_short", "too_long"):
        return _count(kind, context)
    try:
        return _OF_KIND.get(kind, OTHERWISE).format(**context)
    except KeyError:
        return OTHERWISE


def _count(kind: str, context: Mapping[str, Any]) -> str:
    least, most = context.get("min_length"), context.get("max_length")
    return f"Send at least {least} of these." if kind == "too_short" else f"Send at most {most} of these."


def own(error: object) -> str:
    """An error's own words as a sentence."""
    text = str(error) or OTHERWISE
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
