"""What was booked stays booked; a mistake is answered by a counter-entry."""

from django.db import migrations

from website.append_only import guard


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]
    operations = [guard("ledger_entry"), guard("ledger_posting")]
