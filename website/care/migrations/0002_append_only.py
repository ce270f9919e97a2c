"""What the gate has said stays said."""

from django.db import migrations

from website.append_only import guard


class Migration(migrations.Migration):
    dependencies = [("care", "0001_initial")]
    operations = [guard("care_playdecision")]
