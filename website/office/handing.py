"""Files at the command line: those that operators hand over, and those that they get with a secret inside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import CommandError

NAME_MAX = 150
"""As long as `Staff.username` may be."""


def text_of(path: Path) -> str:
    """What the file says. Raises CommandError, which names the file."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CommandError(f"{path} is no text in UTF-8") from None
    except OSError as error:
        raise CommandError(f"{path}: {os.strerror(error.errno or 0)}") from None


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """An empty file that only its owner reads, to be filled; gone again if what it is for fails. Raises CommandError."""
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise CommandError(f"{path} is there already") from None
    except OSError as error:
        raise CommandError(f"{path}: {os.strerror(error.errno or 0)}") from None
    try:
        yield path
    except BaseException:
        path.unlink()
        raise


def good_name(name: str) -> str:
    """The name of somebody new. Raises CommandError."""
    if not (name.strip() == name and name.isprintable() and 1 <= len(name) <= NAME_MAX):
        raise CommandError(f"a name has 1 to {NAME_MAX} signs, none of them a blank at its begin or end")
    return name
