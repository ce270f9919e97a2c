"""The gate under the name that tests import it by: `from gate import Gate`."""

from __future__ import annotations

from scripts.lab.gate import Gate, Held

__all__ = ["Gate", "Held"]
