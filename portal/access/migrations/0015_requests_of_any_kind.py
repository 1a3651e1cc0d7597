"""Requests, stages and decisions move to portal.approvals; grants keep their policy and need no request."""

# ruff: noqa: S608 - constants of this file only

import django.db.models.deletion
from django.core.management.color import no_style
from django.db import migrations, models
from django.db.migrations.exceptions import IrreversibleError

from portal.core import trigrams

TABLE, COLUMN = "approvals_request", "search_text"
OLD_TABLES = "access_accessrequest, access_stage, access_stageapprover, access_decision"
KEPT = "access_request_terms"  # of the old table, while the new one is made
SAME = "requester_id, beneficiary_id, status, duration, reason, ticket, policy, policy_version, created_at, lapses_at"
SAME += ", closed_at, closed_because, withdrawn_by_id, search_text"
COPIES = [
    """INSERT INTO approvals_submission (id, by_id, "key", created_at)
       SELECT id, requester_id, "key", created_at FROM access_accessrequest""",
    f"""INSERT INTO approvals_request (id, kind, submission_id, about, only_one, deployment_id, risk, "round", {SAME})
        SELECT r.id, 'access', r.id, e."key", %s, e.deployment_id, e.risk, 1,
               {", ".join(f"r.{column}" for column in SAME.split(", "))}
        FROM access_accessrequest r JOIN catalogue_entitlement e ON e.id = r.entitlement_id""",
    """INSERT INTO approvals_stage (id, request_id, "round", number, quorum, status)
       SELECT id, request_id, 1, number, quorum, status FROM access_stage""",
    """INSERT INTO approvals_stageapprover (id, stage_id, subject, folded)
       SELECT id, stage_id, subject, folded FROM access_stageapprover""",
    """INSERT INTO approvals_decision (id, request_id, "round", stage_id, by_id, outcome, comment, duration, "at")
       SELECT id, request_id, 1, stage_id, by_id, outcome, comment, duration, "at" FROM access_decision""",
    """INSERT INTO approvals_waiting (stage_id, request_id, principal, risk, created_at, lapses_at)
       SELECT s.id, r.id, a.folded, r.risk, r.created_at, r.lapses_at
       FROM approvals_stage s
       JOIN approvals_stageapprover a ON a.stage_id = s.id
       JOIN approvals_request r ON r.id = s.request_id
       WHERE s.status = 'open' AND r.status = 'pending'""",
    f"CREATE TABLE {KEPT} AS SELECT id, entitlement_id, starts_at, break_glass FROM access_accessrequest",
    """UPDATE access_grant SET
       policy = (SELECT r.policy FROM access_accessrequest r WHERE r.id = request_id),
       policy_version = (SELECT r.policy_version FROM access_accessrequest r WHERE r.id = request_id),
       at_once = NOT EXISTS (SELECT 1 FROM access_stage s WHERE s.request_id = access_grant.request_id)""",
]


def copy(apps, schema_editor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # a request that the old release adds meanwhile would be lost
            cursor.execute(f"LOCK TABLE {OLD_TABLES} IN EXCLUSIVE MODE")
        for statement in COPIES:
            cursor.execute(statement, [True] * statement.count("%s") or None)
        made = [
            apps.get_model("approvals", name)
            for name in ("Submission", "Request", "Stage", "StageApprover", "Decision")
        ]
        for statement in connection.ops.sequence_reset_sql(no_style(), made):
            cursor.execute(statement)
        if connection.vendor == "postgresql":  # which alters no table while its foreign keys are still to be checked
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def restore(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO access_accessrequest (request_ptr_id, entitlement_id, starts_at, break_glass) "
            f"SELECT id, entitlement_id, starts_at, break_glass FROM {KEPT}"
        )
        cursor.execute(f"DROP TABLE {KEPT}")


def refuse(apps, schema_editor):
    """The way back would delete every request."""
    if apps.get_model("approvals", "Request").objects.exists():
        raise IrreversibleError(
            "The release before cannot read these requests. Restore the backup made before the upgrade."
        )


def index(apps, schema_editor):
    trigrams.index(schema_editor, table=TABLE, column=COLUMN)


def drop_index(apps, schema_editor):
    trigrams.drop(schema_editor, table=TABLE, column=COLUMN)


class Migration(migrations.Migration):
    dependencies = [("access", "0014_withdrawn_by"), ("approvals", "0001_initial")]
    operations = [
        migrations.AddField(
            "Grant",
            "origin",
            models.CharField(choices=[("request", "a request")], default="request", max_length=10),
        ),
        migrations.AddField("Grant", "policy", models.CharField(default="", max_length=80), preserve_default=False),
        migrations.AddField("Grant", "policy_version", models.PositiveIntegerField(default=0), preserve_default=False),
        migrations.AddField(
            "Grant", "at_once", models.BooleanField(default=False, help_text="given without a decision")
        ),
        migrations.RunPython(copy, migrations.RunPython.noop),
        migrations.AlterField(
            "Grant",
            "request",
            models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="grant",
                to="approvals.request",
            ),
        ),
        migrations.DeleteModel("StageApprover"),
        migrations.DeleteModel("Decision"),
        migrations.DeleteModel("Stage"),
        migrations.DeleteModel("AccessRequest"),
        migrations.CreateModel(
            "AccessRequest",
            [
                (
                    "request_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="approvals.request",
                    ),
                ),
                ("starts_at", models.DateTimeField(help_text="empty: as soon as approved", null=True)),
                ("break_glass", models.BooleanField(default=False)),
                (
                    "entitlement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="requests",
                        to="catalogue.entitlement",
                    ),
                ),
            ],
            bases=("approvals.request",),
        ),
        migrations.RunPython(restore, refuse),
        migrations.RunPython(index, drop_index),
        migrations.AddConstraint(
            "Grant",
            models.CheckConstraint(
                condition=models.Q(("origin", "request"), _negated=True) | models.Q(request__isnull=False),
                name="access_requested_has_request",
            ),
        ),
        migrations.AddIndex("Grant", models.Index(fields=["-created_at", "-id"], name="access_grants_by_creation")),
    ]
