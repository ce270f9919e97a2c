"""Operators at the command line: each operation is somebody's, and a key says whose."""

from __future__ import annotations

import secrets
from pathlib import Path

from django.contrib.auth.hashers import check_password, make_password

from website.office.handing import text_of
from website.office.models import Staff


class WrongKeyError(Exception):
    """There is no such operator, or the key is not theirs."""


def add(name: str) -> tuple[Staff, str]:
    """A new operator and their key, which is shown this once. Raises IntegrityError for a name that is taken."""
    key = secrets.token_urlsafe(32)
    person = Staff(username=name, key_hash=make_password(key))
    person.set_unusable_password()
    person.save(force_insert=True)
    return person, key


def known(name: str, key_file: Path) -> Staff:
    """The operator of this name, if the file holds their key. Raises WrongKeyError, CommandError for a file that is no text."""
    person = Staff.objects.filter(username=name, is_active=True).first()
    key = text_of(key_file).strip()
    if person is None or not check_password(key, person.key_hash):
        raise WrongKeyError(f"there is no operator {name} with this key")
    return person
