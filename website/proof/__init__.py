"""What checks rounds in a browser: the scripts that pages load, by their hashes, and one file with all of them in it.

The page that checks is served by the house. So the house says which scripts it serves, and anybody can compare them with
those of the public release, or take the one file and never ask the house again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).parent.parent / "static" / "site" / "verify"
PAGE = SCRIPTS / "verify.html"
PAGE_URL = "site/verify/verify.html"
"""For `{% static %}`."""


@dataclass(frozen=True)
class Published:
    """A file as it is served: its name below `site/verify/`, how many bytes it has, and their SHA-256 in hex."""

    name: str
    size: int
    sha256: str


@cache
def scripts() -> tuple[Published, ...]:
    """Every script that takes part in a check, by name. The files are those of the release; they are read once.

    In production they are served with hashes in the names that they import, and are otherwise the same (docs/proof.md).
    """
    return tuple(_published(path) for path in sorted(SCRIPTS.rglob("*.js")))


@cache
def page() -> Published:
    """The page of one file, which works without any network."""
    return _published(PAGE)


def _published(path: Path) -> Published:
    data = path.read_bytes()
    return Published(path.relative_to(SCRIPTS).as_posix(), len(data), hashlib.sha256(data).hexdigest())
