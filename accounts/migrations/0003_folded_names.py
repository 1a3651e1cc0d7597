import django.db.models.deletion
from django.core.management.base import CommandError
from django.db import migrations, models

import accounts.fields
import accounts.models
import portal.core.lookalikes
import portal.core.text
from portal.core.text import fold


def fill(apps, schema_editor):
    """Fill in the folded names of people and groups. Raises if two existing names have the same folded name."""
    User, Group = apps.get_model("accounts", "User"), apps.get_model("auth", "Group")
    people, groups = list(User.objects.order_by("pk")), list(Group.objects.order_by("pk"))
    refuse_duplicates("people", "accounts_user", "username", [person.username for person in people])
    refuse_duplicates("groups", "auth_group", "name", [group.name for group in groups])
    for person in people:
        person.folded, person.email_folded = fold(person.username), fold(person.email)
        person.looks = portal.core.lookalikes.looks(person.username)
    User.objects.bulk_update(people, ["folded", "looks", "email_folded"], batch_size=500)
    GroupName = apps.get_model("accounts", "GroupName")
    for group in groups:
        row = GroupName(group=group, folded=fold(group.name), looks=portal.core.lookalikes.looks(group.name))
        GroupName.objects.bulk_create([row])
    RoleAssignment = apps.get_model("accounts", "RoleAssignment")
    rows = {(row.role, fold(row.subject)) for row in RoleAssignment.objects.all()}
    RoleAssignment.objects.all().delete()
    RoleAssignment.objects.bulk_create(RoleAssignment(role=role, subject=subject) for role, subject in sorted(rows))


def refuse_duplicates(kind, table, column, names):
    first, twins = {}, []
    for name in names:
        if (other := first.setdefault(fold(name), name)) is not name:
            twins.append(f"“{other}” and “{name}”")
    if twins:
        raise CommandError(
            f"From this release on, names of {kind} that differ only in case or in the Unicode form of their letters "
            f"are the same name. These {kind} have such names: {'; '.join(twins)}. Of each pair, decide which one "
            f"keeps the name, rename the other (column {column} of table {table}), and migrate again. "
            "Nothing was changed."
        )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_rate_counts"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        migrations.RemoveConstraint(model_name="user", name="accounts_username_any_case"),
        migrations.AlterModelManagers(name="user", managers=[("objects", accounts.models.UserManager())]),
        migrations.AddField(
            model_name="user",
            name="folded",
            field=accounts.fields.DerivedField(by=portal.core.text.fold, default="", max_length=150, of="username"),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="user",
            name="looks",
            field=accounts.fields.DerivedField(
                by=portal.core.lookalikes.looks, db_index=True, default="", max_length=150, of="username"
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="user",
            name="email_folded",
            field=accounts.fields.DerivedField(
                by=portal.core.text.fold, db_index=True, default="", max_length=254, of="email"
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="user",
            name="sessions_ended",
            field=models.PositiveIntegerField(default=0, help_text="how often all of their sessions were ended"),
        ),
        migrations.CreateModel(
            name="GroupName",
            fields=[
                (
                    "group",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="identity",
                        serialize=False,
                        to="auth.group",
                    ),
                ),
                (
                    "folded",
                    accounts.fields.DerivedField(
                        by=portal.core.text.fold, max_length=150, of="group.name", unique=True
                    ),
                ),
                (
                    "looks",
                    accounts.fields.DerivedField(
                        by=portal.core.lookalikes.looks, db_index=True, max_length=150, of="group.name"
                    ),
                ),
            ],
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
