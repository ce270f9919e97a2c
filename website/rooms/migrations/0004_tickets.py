"""The kinds that rules of rooms name by number: 1 is the SnG Ticket, 2 the Raffle Ticket."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

TICKETS = {1: "SnG Ticket", 2: "Raffle Ticket"}
TAKEN = "kinds 1 and 2 are of items that players have staked here: rules could not name tickets. Begin with an empty database"
NEXT = "SELECT setval(pg_get_serial_sequence('rooms_kind', 'id'), (SELECT max(id) FROM rooms_kind))"


def forwards(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    kind = apps.get_model("rooms", "Kind")
    if kind.objects.filter(id__in=TICKETS).exists():
        raise RuntimeError(TAKEN)
    for number, name in TICKETS.items():
        kind.objects.create(id=number, item_id=f"unseen {name}", market_hash_name=name)
    if editor.connection.vendor == "postgresql":
        editor.execute(NEXT)


class Migration(migrations.Migration):
    dependencies = [("rooms", "0003_rooms_of_the_seed")]
    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
