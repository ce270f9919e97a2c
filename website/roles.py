"""Who may do what in PostgreSQL: the processes with pages, those of staff, and the engines each have a role of their own.

One table says it; `manage.py grants` brings a database to it. Everybody reads everything, but nobody except engines reads the
sealed secrets of rounds. A process with pages writes people and what they want; it never writes a lane, an event, a round or a
lock, and of calls to the fleet only the kinds that players ask for: whoever breaks into a page cannot have an engine hand over
an item. A table that is not named here is read by all, and written by engines and the owner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

WEB, OFFICE, ENGINE = "web", "office", "engine"
ROLES = (WEB, OFFICE, ENGINE)
ADD, CHANGE, REMOVE = "INSERT", "UPDATE", "DELETE"
ALL = (ADD, CHANGE, REMOVE)
SECRET = ("engine_chain", "engine_chainpoint")
"""Sealed with a key that only engines have; others have no need to see them at all."""
CALLS = "engine_call"
CALLS_OF_PAGES = ("user", "exchange")
"""Kinds of calls to the fleet that a process with pages may write down: they move nothing to anybody else."""

WRITES: Mapping[str, Mapping[str, Sequence[str]]] = {
    # people
    "accounts_player": {WEB: (ADD, CHANGE), OFFICE: (CHANGE,), ENGINE: (CHANGE,)},
    "accounts_playersession": {WEB: ALL, OFFICE: (REMOVE,)},
    "accounts_signinnonce": {WEB: (ADD, REMOVE)},
    "care_declaration": {WEB: (ADD,)},
    "care_profile": {WEB: (ADD, CHANGE), OFFICE: (ADD, CHANGE), ENGINE: (ADD, CHANGE)},
    "care_playdecision": {WEB: (ADD,), ENGINE: (ADD,)},
    "care_playlog": {WEB: (ADD,), ENGINE: (ADD,)},
    # what people want
    "rooms_bet": {WEB: (ADD,), ENGINE: (ADD, CHANGE)},
    "custody_exchange": {WEB: (ADD,), ENGINE: (CHANGE,)},
    "custody_errand": {WEB: (ADD, CHANGE)},
    "custody_steaminventory": {WEB: ALL},
    CALLS: {WEB: (ADD,), OFFICE: (ADD, CHANGE), ENGINE: (ADD, CHANGE)},
    # what staff want
    "office_staff": {OFFICE: (ADD, CHANGE)},
    "office_head": {OFFICE: (ADD, CHANGE)},
    "office_line": {OFFICE: (ADD,)},
    "office_proposal": {OFFICE: (ADD, CHANGE)},
    "office_text": {OFFICE: (ADD,)},
    "office_day": {OFFICE: (ADD,)},
    "django_session": {OFFICE: ALL},
    "rooms_roomversion": {OFFICE: (ADD, CHANGE), ENGINE: (CHANGE,)},
    "rooms_order": {OFFICE: (ADD, CHANGE), ENGINE: (CHANGE,)},
    "rooms_guarantee": {OFFICE: (ADD, CHANGE), ENGINE: (CHANGE,)},
    "rooms_typednumber": {OFFICE: (ADD,), ENGINE: (CHANGE,)},
    "raffles_template": {OFFICE: (ADD, CHANGE)},
    "raffles_templateversion": {OFFICE: (ADD, CHANGE), ENGINE: (CHANGE,)},
    "raffles_purchase": {WEB: (ADD,), ENGINE: (CHANGE,)},
    "raffles_prize": {WEB: (CHANGE,), OFFICE: (ADD, CHANGE), ENGINE: (ADD, CHANGE)},
    "engine_alarm": {OFFICE: (CHANGE,), ENGINE: (ADD, CHANGE)},
    # coins: grants by pages and staff, everything else by engines
    "ledger_account": {WEB: (ADD, CHANGE), OFFICE: (ADD, CHANGE), ENGINE: (ADD, CHANGE)},
    "ledger_entry": {WEB: (ADD,), OFFICE: (ADD,), ENGINE: (ADD,)},
    "ledger_posting": {WEB: (ADD,), OFFICE: (ADD,), ENGINE: (ADD,)},
    # the truth of rounds: a trigger keeps it from ever being changed, whoever asks
    "rooms_laneevent": {ENGINE: (ADD,)},
    # staff pause a lane and wake it; they make those of a new room
    "rooms_lane": {OFFICE: (ADD, CHANGE), ENGINE: (CHANGE,)},
}
NOBODY = (
    "django_migrations",
    "django_admin_log",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
)
"""Tables of Django's own that only migrations write."""


def writes(table: str, role: str) -> tuple[str, ...]:
    """What a role may do to a table besides reading it."""
    if table in WRITES:
        return tuple(WRITES[table].get(role, ()))
    return ALL if role == ENGINE and table not in NOBODY and table not in SECRET else _of_secrets(table, role)


def _of_secrets(table: str, role: str) -> tuple[str, ...]:
    return (ADD,) if role == ENGINE and table in SECRET else ()


def reads(table: str, role: str) -> bool:
    return role == ENGINE or table not in SECRET


def statements(tables: Sequence[str], prefix: str) -> Iterator[str]:
    """SQL that brings a database to this table, whatever was granted before; the names of roles begin with `prefix`."""
    for role in ROLES:
        name = f'"{prefix}_{role}"'
        yield f"GRANT USAGE ON SCHEMA public TO {name}"
        yield f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name}"
        for table in tables:
            yield f'REVOKE ALL ON "{table}" FROM {name}, PUBLIC'
            may = [*(["SELECT"] if reads(table, role) else []), *writes(table, role)]
            if may:
                yield f'GRANT {", ".join(may)} ON "{table}" TO {name}'
    yield from _policies(prefix)


def _policies(prefix: str) -> Iterator[str]:
    """Which rows of calls a role may add: the kind of a call is what it does."""
    kinds = ", ".join(f"'{kind}'" for kind in CALLS_OF_PAGES)
    yield f"ALTER TABLE {CALLS} ENABLE ROW LEVEL SECURITY"
    for role in ROLES:
        only = f"kind IN ({kinds})" if role == WEB else "true"
        yield f"DROP POLICY IF EXISTS {prefix}_{role}_calls ON {CALLS}"
        yield f'CREATE POLICY {prefix}_{role}_calls ON {CALLS} TO "{prefix}_{role}" USING (true) WITH CHECK ({only})'
