"""The office on this machine: as `dev`, behind the other door."""

from website.settings.dev import *  # noqa: F403

# ruff: isort: split
from website.settings.office_door import *  # noqa: F403
