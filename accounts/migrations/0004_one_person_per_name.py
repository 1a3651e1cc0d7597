from django.db import migrations

import accounts.fields
import portal.core.text


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_folded_names")]

    operations = [
        migrations.AlterField(
            model_name="user",
            name="folded",
            field=accounts.fields.DerivedField(by=portal.core.text.fold, max_length=150, of="username", unique=True),
        ),
    ]
