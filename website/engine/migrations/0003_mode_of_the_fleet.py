from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("engine", "0002_custody_check")]

    operations = [
        migrations.AddField(model_name="feed", name="livemode", field=models.BooleanField(null=True)),
    ]
