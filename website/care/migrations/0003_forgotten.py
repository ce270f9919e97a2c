import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("care", "0002_append_only"), ("accounts", "0004_age_of_steam_accounts")]

    operations = [
        migrations.CreateModel(
            name="Forgotten",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("steam_hash", models.CharField(db_index=True, max_length=64)),
                ("excluded", models.BooleanField()),
                ("until_ms", models.BigIntegerField(null=True)),
                ("time_out_until_ms", models.BigIntegerField()),
                ("at_ms", models.BigIntegerField()),
                ("fleet_forgot", models.BooleanField(default=False)),
                (
                    "player",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="forgotten", to="accounts.player"
                    ),
                ),
            ],
        )
    ]
