"""Events of rounds are never changed and never removed, whoever asks and however."""

from django.db import migrations

from website.append_only import guard


class Migration(migrations.Migration):
    dependencies = [("rooms", "0001_initial")]
    operations = [guard("rooms_laneevent")]
