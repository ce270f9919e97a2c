"""The office in tests: settings of the other door, members of the staff with roles, browsers that are signed in."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyotp
from django.test import Client, override_settings

from website.office import door
from website.office.log import Asker
from website.office.models import Staff

NOW_MS = 1_900_000_000_000
PASSWORD = "a long word for the door"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def door_settings() -> dict[str, Any]:
    module = importlib.import_module("website.settings.office_door")
    return {name: getattr(module, name) for name in dir(module) if name.isupper() and name not in ("SELF", "NONE")}


@contextmanager
def behind_the_door() -> Iterator[None]:
    quick = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(**door_settings(), PASSWORD_HASHERS=quick):
        yield


def member(name: str, *roles: str) -> Staff:
    """Somebody who has a password and codes."""
    person = Staff(username=name, roles=" ".join(roles))
    person.set_password(PASSWORD)
    person.save()
    person.code_sealed = door._box().seal(SECRET.encode(), door._about(person))
    person.save()
    return person


def asker(person: Staff) -> Asker:
    return Asker(person, "127.0.0.1", "a request")


def code(at_ms: int) -> str:
    return pyotp.TOTP(SECRET).generate_otp(at_ms // door.STEP_MS)


def browser_of(person: Staff) -> Client:
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return browser
