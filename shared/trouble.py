"""What went wrong and where, for an unexpected exception: its type and the line in our code, nothing of its text.

The text may hold a secret; type and line are enough to find the defect.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence

OURS = ("bot_worker", "balancer", "shared", "scripts")


def place_of(error: BaseException) -> str:
    """As in ``OverflowError at bot_worker.steam.sign_in:76``: the innermost line of ours, else of whatever raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    named = [(_module(frame.filename), frame.lineno) for frame in frames]
    module, line = next(((m, n) for m, n in reversed(named) if m.startswith(OURS)), named[-1] if named else ("?", 0))
    return f"{type(error).__name__} at {module}:{line}"


def _module(path: str) -> str:
    """A module's name by its file, from one of our packages on."""
    parts: Sequence[str] = path.removesuffix(".py").replace("\\", "/").split("/")
    starts = [number for number, part in enumerate(parts) if part in OURS]
    return ".".join(parts[starts[-1] if starts else -1 :])
