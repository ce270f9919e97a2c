"""Files that nobody else on the machine may read: keys, vaults, databases, settings with passwords.

They are private from their first byte on. A name that somebody else has put there first, a link above all, is never written
through: a new file is made under a name that cannot be foreseen (or not at all), and takes its place when it is whole.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

OWNER_ONLY = 0o600
_OTHERS = 0o077
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def replace(path: Path, text: str, mode: int = OWNER_ONLY, *, durable: bool = True) -> None:
    """Write a file so that a reader, or a crash, meets the old text or the new one, never a half.

    ``durable``: it is also safe against a power cut when this returns, which costs two waits for the disk.

    Raises:
        OSError: nothing was changed, and nothing of the text is left behind.
    """
    with draft(path, mode) as new:
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        new.replace(path)
    if durable:
        _settle(path.parent)


def create(path: Path, text: str) -> None:
    """Write a file that is not there yet, safe against a power cut when this returns.

    Raises:
        FileExistsError: there is one, or a link.
        OSError: nothing of the text is left behind.
    """
    descriptor = os.open(path, _NEW, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    _settle(path.parent)


def make(path: Path) -> None:
    """An empty file, where nothing is yet; what is there stays as it is, its mode too."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, _NEW, OWNER_ONLY))


def make_folder(path: Path) -> None:
    """A folder that only its owner may enter, where there is none yet."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextlib.contextmanager
def draft(path: Path, mode: int = OWNER_ONLY) -> Iterator[Path]:
    """A new, empty file beside ``path``, for a program that writes to a name; gone after the block unless it was moved."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(new, _NEW, mode))
    try:
        yield new
    finally:
        new.unlink(missing_ok=True)


def open_to_others(path: Path) -> bool:
    """Whether anybody but its owner may read or write what is there; ``False`` when there is nothing.

    Raises:
        OSError: it cannot be looked at.
    """
    try:
        return bool(path.stat().st_mode & _OTHERS)
    except FileNotFoundError:
        return False


def _settle(folder: Path) -> None:
    """Make a new name in this folder safe against a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
