"""The program that checks rounds outside of any browser: one file that Python runs, `python3 lottery.pyz verify record.json`.

It is the package `lottery` as it lies in the public source and nothing else, so it needs no installation and no network. The
same source gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from importlib import resources
from pathlib import Path

from website.proof import Published

NAME = "lottery.pyz"
MAIN = b"import sys\n\nfrom lottery.cli import main\n\nsys.exit(main())\n"
ENDINGS = (".py", ".toml")
LONG_AGO = (2020, 1, 1, 0, 0, 0)
"""Times of files say nothing of what is in them."""


@cache
def program() -> bytes:
    """The file, made once in a process."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in [("__main__.py", MAIN), *_sources()]:
            made.writestr(zipfile.ZipInfo(name, LONG_AGO), text, zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def published() -> Published:
    """Its size and hash, for whoever compares it with one made from the source."""
    data = program()
    return Published(NAME, len(data), hashlib.sha256(data).hexdigest())


def _sources() -> list[tuple[str, bytes]]:
    """Every file of the package, by name."""
    with resources.as_file(resources.files("lottery")) as folder:
        found = [path for path in sorted(Path(folder).rglob("*")) if path.suffix in ENDINGS]
        return [(f"lottery/{path.relative_to(folder).as_posix()}", path.read_bytes()) for path in found]
