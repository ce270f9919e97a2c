"""One-time codes of operators (TOTP, RFC 6238): the secret sealed at rest, each code once, locked after wrong tries.

Times are those of people's phones, so a fleet whose time was moved on asks for the codes of the real one.
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import pyotp
from sqlalchemy import Connection, Row, delete, select, update

from balancer.db import pipeline
from balancer.db.tables import operator_sessions, operators
from balancer.fields import unix
from balancer.journal import alarms, events
from balancer.journal.by import By
from balancer.web.ops.operators import Operator
from shared.sealing import MasterKey, seal, unseal
from shared.sections import OpsSettings

STEP_S = 30
# A clock may be a step off, and a code is typed while it goes over.
STEPS_OFF = 1


class Verdict(StrEnum):
    """What became of a code."""

    RIGHT = "right"
    WRONG = "wrong"
    USED = "used"
    LOCKED = "locked"
    NOT_ENROLLED = "not_enrolled"


def enrol(connection: Connection, master: MasterKey, operator: Operator, issuer: str, by: By) -> str:
    """A new secret for this operator, as the ``otpauth:`` address that goes into an app; it is never shown again.

    What was before is over: the secret, a lock, and every session of this operator.
    """
    secret = pyotp.random_base32()
    fresh = {"last_step": 0, "wrong": 0, "locked_until": None, "enrolled_at": by.now}
    values = {"secret_sealed": seal(master.at_rest, secret.encode(), purpose=_purpose(operator.steam_id)), **fresh}
    row = pipeline.insert(connection, operators).values(steam_id=int(operator.steam_id), **values)
    connection.execute(row.on_conflict_do_update(index_elements=[operators.c.steam_id], set_=values))
    connection.execute(delete(operator_sessions).where(operator_sessions.c.steam_id == int(operator.steam_id)))
    event_data = {"name": operator.name, "steam_id": operator.steam_id}
    events.append(connection, events.row("operator_enrolled", event_data, by))
    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=operator.name, issuer_name=issuer)


def is_enrolled(connection: Connection, steam_id: str) -> bool:
    return connection.scalar(select(operators.c.steam_id).where(operators.c.steam_id == int(steam_id))) is not None


def check(
    connection: Connection,
    master: MasterKey,
    operator: Operator,
    code: str,
    rules: OpsSettings,
    phone_now: datetime,
    now: datetime,
) -> Verdict:
    """Take one code. ``phone_now`` is the unmoved time. A right one works once, and none older than it any more."""
    row = connection.execute(select(operators).where(operators.c.steam_id == int(operator.steam_id)).with_for_update()).first()
    if row is None:
        return Verdict.NOT_ENROLLED
    if row.locked_until is not None and row.locked_until > phone_now:
        return Verdict.LOCKED
    step = _step_of(row, master, operator.steam_id, code, phone_now)
    if step is None:
        return _wrong(connection, row, operator, rules, phone_now, now)
    if step <= row.last_step:
        return Verdict.USED
    _note(connection, operator, last_step=step, wrong=0, locked_until=None)
    return Verdict.RIGHT


def _step_of(row: Row[Any], master: MasterKey, steam_id: str, code: str, phone_now: datetime) -> int | None:
    """The time step that this is the code of; the newest, should it be that of two."""
    secret = unseal(master.at_rest, row.secret_sealed, purpose=_purpose(steam_id)).decode()
    totp, step = pyotp.TOTP(secret, interval=STEP_S), unix(phone_now) // STEP_S
    near = range(step - STEPS_OFF, step + STEPS_OFF + 1)
    given = code.encode()
    right = [each for each in near if hmac.compare_digest(totp.generate_otp(each).encode(), given)]
    return max(right, default=None)


def _wrong(
    connection: Connection, row: Row[Any], operator: Operator, rules: OpsSettings, phone_now: datetime, now: datetime
) -> Verdict:
    if row.wrong + 1 < rules.wrong_codes_max:
        _note(connection, operator, wrong=row.wrong + 1)
        return Verdict.WRONG
    until = phone_now + timedelta(seconds=rules.locked_s)
    _note(connection, operator, wrong=0, locked_until=until)
    alarms.of_operator(connection, operator.name, unix(until), By(operator.who, now))
    return Verdict.LOCKED


def _note(connection: Connection, operator: Operator, **values: Any) -> None:
    connection.execute(update(operators).where(operators.c.steam_id == int(operator.steam_id)).values(values))


def _purpose(steam_id: str) -> str:
    return f"operator:{steam_id}"
