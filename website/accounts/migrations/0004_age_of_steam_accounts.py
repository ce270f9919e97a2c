from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_names_and_levels")]

    operations = [migrations.AddField("player", "steam_made_ms", models.BigIntegerField(blank=True, null=True))]
