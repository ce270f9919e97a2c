"""Plain marks of texts that staff write: paragraphs, `## headings`, `- lists`, **strong**, [words](address). Nothing else.

Everything is escaped first, so no text brings markup of its own; addresses are of this site, https or mailto.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

STRONG = re.compile(r"\*\*(.+?)\*\*")
LINK = re.compile(r"\[([^\]]+)\]\(((?:/(?![/\\])|https://|mailto:)[^\s()&lt;]*)\)")


def rendered(text: str) -> SafeString:
    """HTML of a text."""
    blocks = re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip())
    return mark_safe("\n".join(part for block in blocks if block for part in _block(block)))  # noqa: S308 - escaped


def _block(block: str) -> Iterator[str]:
    lines = block.split("\n")
    if lines[0].startswith("## "):
        yield f"<h2>{_inline(lines[0][3:])}</h2>"
        lines = lines[1:]
    if lines and all(line.startswith("- ") for line in lines):
        yield f"<ul>{''.join(f'<li>{_inline(line[2:])}</li>' for line in lines)}</ul>"
    elif lines:
        yield f"<p>{'<br>'.join(map(_inline, lines))}</p>"


def _inline(text: str) -> str:
    safe = STRONG.sub(r"<strong>\1</strong>", str(escape(text)))
    return LINK.sub(r'<a href="\2">\1</a>', safe)
