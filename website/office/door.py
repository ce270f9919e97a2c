"""The door of the office: a name, a password, a one-time code, all in one go, so that nobody learns which of them was wrong.

Five wrong tries lock an account for a quarter of an hour, whoever made them. A code works once. The secret of the codes is
sealed with the site's seal key, bound to its person.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

import pyotp
from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import F

from website.office.models import Staff, new_word
from website.sealing import Key

TRIES = 5
LOCKED_MS = 15 * 60_000
JOIN_MS = 3 * 86_400_000
STEP_MS = 30_000
AROUND = (0, -1, 1)
"""Steps that a code may be of: clocks of telephones are half a minute off."""


class DoorError(Exception):
    """It stays shut. `code`: `wrong`, `locked`, `too_late`, or `password` with what is wrong with a new one."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(text or code)
        self.code = code


# ---- in


def enter(name: str, password: str, code: str, now_ms: int) -> Staff:
    """The person, if everything is right. Raises DoorError."""
    person = Staff.objects.filter(username=name, is_active=True).first()
    if person is None:
        make_password(password)  # it takes as long as a name that exists
        raise DoorError("wrong")
    _not_locked(person, now_ms)
    if not check_password(password, person.password) or not _code_is_good(person, code, now_ms):
        _wrong(person, now_ms)
        raise DoorError("wrong")
    Staff.objects.filter(id=person.id).update(wrong_tries=0)
    return person


def confirm(person: Staff, code: str, now_ms: int) -> None:
    """The code again, before money and rules. Raises DoorError; wrong ones count as at the door."""
    person = Staff.objects.get(id=person.id)
    _not_locked(person, now_ms)
    if not _code_is_good(person, code, now_ms):
        _wrong(person, now_ms)
        raise DoorError("wrong")
    Staff.objects.filter(id=person.id).update(wrong_tries=0)


def _not_locked(person: Staff, now_ms: int) -> None:
    if now_ms < person.locked_until_ms:
        raise DoorError("locked")


def _wrong(person: Staff, now_ms: int) -> None:
    """Counts in the database, so that many processes and a restart count together."""
    Staff.objects.filter(id=person.id).update(wrong_tries=F("wrong_tries") + 1)
    full = Staff.objects.filter(id=person.id, wrong_tries__gte=TRIES)
    full.update(wrong_tries=0, locked_until_ms=now_ms + LOCKED_MS)


def _code_is_good(person: Staff, code: str, now_ms: int) -> bool:
    """Once: the step is taken in the table, so that two requests with one code are not both let in."""
    if not person.code_sealed:
        return False
    step = _step_of(_box().open(bytes(person.code_sealed), _about(person)).decode(), code, now_ms)
    if step is None:
        return False
    return Staff.objects.filter(id=person.id, code_step__lt=step).update(code_step=step) == 1


def _step_of(secret: str, code: str, now_ms: int) -> int | None:
    """Of which step a code is; None: of none around now."""
    typed, codes = code.replace(" ", "").encode(), pyotp.TOTP(secret)
    steps = (now_ms // STEP_MS + each for each in AROUND)
    return next((step for step in steps if hmac.compare_digest(codes.generate_otp(step).encode(), typed)), None)


# ---- joining


def invite(person: Staff, now_ms: int) -> str:
    """A word by which somebody sets their first password, or a new one; the table keeps its hash. An older one ends."""
    word = secrets.token_urlsafe(32)
    Staff.objects.filter(id=person.id).update(join_hash=_hashed(word), join_until_ms=now_ms + JOIN_MS)
    return word


def invited(word: str, now_ms: int) -> Staff:
    """Who was given this word. Raises DoorError when it was used, or is too old."""
    found = Staff.objects.filter(join_hash=_hashed(word), join_until_ms__gt=now_ms, is_active=True).first()
    if found is None:
        raise DoorError("too_late")
    return found


def new_secret() -> str:
    return pyotp.random_base32()


def address_of(person: Staff, secret: str) -> str:
    """What an app for one-time codes reads."""
    return str(pyotp.TOTP(secret).provisioning_uri(name=person.username, issuer_name=settings.SITE_NAME))


def join(word: str, password: str, secret: str, code: str, now_ms: int) -> Staff:
    """Sets the password and the secret of the codes, once the app has shown a code of it. Raises DoorError."""
    person = invited(word, now_ms)
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise DoorError("password", " ".join(error.messages)) from None
    step = _step_of(secret, code, now_ms)
    if step is None:
        raise DoorError("wrong")
    sealed = _box().seal(secret.encode(), _about(person))
    taken = Staff.objects.filter(id=person.id, join_hash=_hashed(word))
    changes: dict[str, Any] = {"join_hash": "", "wrong_tries": 0, "locked_until_ms": 0, "session_word": new_word()}
    if not taken.update(password=make_password(password), code_sealed=sealed, code_step=step, **changes):
        raise DoorError("too_late")
    return Staff.objects.get(id=person.id)


def _box() -> Key:
    return Key.read(settings.SITE_SEAL_KEY)


def _about(person: Staff) -> str:
    return f"one-time codes of staff {person.id}"


def _hashed(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()
