from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("custody", "0002_errands")]

    operations = [migrations.AddField("errand", "held_cents", models.BigIntegerField(default=0, db_default=0))]
