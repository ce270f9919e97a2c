from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_sessions")]

    operations = [
        migrations.AddField("player", "steam_name", models.CharField(blank=True, default="", max_length=64)),
        migrations.AddField("player", "pseudonym", models.CharField(blank=True, default="", max_length=64)),
        migrations.AddField("player", "steam_level", models.IntegerField(blank=True, null=True)),
    ]
