"""`fleet restore`, which lives beside `fleet backup`."""

from __future__ import annotations

from scripts.cli.commands.backup import restore as cli

__all__ = ["cli"]
