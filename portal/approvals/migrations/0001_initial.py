import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.fields
import portal.core.clock
import portal.core.text


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("catalogue", "0003_account_ids"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Request",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(help_text="see portal.approvals.kinds", max_length=16)),
                ("about", models.CharField(help_text="what is requested, by its key: demo/role/Op", max_length=420)),
                (
                    "only_one",
                    models.BooleanField(
                        default=True,
                        help_text="a beneficiary may have one open request of this kind about the same thing",
                    ),
                ),
                (
                    "risk",
                    models.CharField(choices=[("low", "low"), ("medium", "medium"), ("high", "high")], max_length=6),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "waiting for a decision"),
                            ("approved", "approved"),
                            ("denied", "denied"),
                            ("withdrawn", "withdrawn"),
                            ("lapsed", "lapsed"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                (
                    "round",
                    models.PositiveSmallIntegerField(default=1, help_text="each return for changes begins another one"),
                ),
                ("duration", models.DurationField(help_text="as requested; an approver may shorten it", null=True)),
                ("reason", models.TextField()),
                ("ticket", models.CharField(blank=True, default="", max_length=80)),
                ("policy", models.CharField(max_length=80)),
                ("policy_version", models.PositiveIntegerField()),
                ("created_at", models.DateTimeField(default=portal.core.clock.now, editable=False)),
                ("lapses_at", models.DateTimeField(help_text="until when it may stay open")),
                ("closed_at", models.DateTimeField(help_text="empty: it is open", null=True)),
                ("closed_because", models.TextField(blank=True, default="", help_text="why it lapsed, in words")),
                (
                    "search_text",
                    models.TextField(default="", help_text="what is searched, folded (portal.approvals.searching)"),
                ),
                (
                    "beneficiary",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="requests_received",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "deployment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="requests", to="catalogue.deployment"
                    ),
                ),
                (
                    "requester",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="requests_made",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "withdrawn_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="requests_withdrawn",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Stage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("round", models.PositiveSmallIntegerField(default=1)),
                ("number", models.PositiveSmallIntegerField()),
                ("quorum", models.PositiveSmallIntegerField(default=1)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting for the step before"),
                            ("open", "open"),
                            ("done", "done"),
                            ("closed", "closed without a decision"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="stages", to="approvals.request"
                    ),
                ),
            ],
            options={
                "ordering": ["request", "round", "number"],
            },
        ),
        migrations.CreateModel(
            name="Decision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("round", models.PositiveSmallIntegerField(default=1)),
                ("outcome", models.CharField(choices=[("approve", "approved"), ("deny", "denied")], max_length=8)),
                ("comment", models.TextField(blank=True, default="")),
                ("duration", models.DurationField(help_text="where the approver shortened it", null=True)),
                ("at", models.DateTimeField(default=portal.core.clock.now, editable=False)),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="decisions", to="approvals.request"
                    ),
                ),
                (
                    "stage",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="decisions", to="approvals.stage"
                    ),
                ),
            ],
            options={
                "ordering": ["at", "pk"],
            },
        ),
        migrations.CreateModel(
            name="StageApprover",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subject", models.CharField(help_text="as the policy writes it", max_length=160)),
                ("folded", accounts.fields.DerivedField(by=portal.core.text.fold, max_length=160, of="subject")),
                (
                    "stage",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="approvers", to="approvals.stage"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="Submission",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "key",
                    models.CharField(
                        help_text="of the form: the same form sent twice is one submission; empty: no form",
                        max_length=64,
                        null=True,
                    ),
                ),
                ("created_at", models.DateTimeField(default=portal.core.clock.now, editable=False)),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="submissions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="request",
            name="submission",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="requests", to="approvals.submission"
            ),
        ),
        migrations.CreateModel(
            name="Waiting",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("principal", models.CharField(help_text="folded: group:data-leads", max_length=160)),
                (
                    "risk",
                    models.CharField(choices=[("low", "low"), ("medium", "medium"), ("high", "high")], max_length=6),
                ),
                ("created_at", models.DateTimeField(help_text="of the request")),
                ("lapses_at", models.DateTimeField(help_text="of the request")),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="waiting", to="approvals.request"
                    ),
                ),
                (
                    "stage",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="waiting", to="approvals.stage"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="stage",
            constraint=models.UniqueConstraint(
                models.F("request"), models.F("round"), models.F("number"), name="approvals_stage_number_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.UniqueConstraint(
                models.F("request"),
                models.F("round"),
                models.F("by"),
                name="approvals_one_decision_per_person_and_round",
            ),
        ),
        migrations.AddIndex(
            model_name="stageapprover",
            index=models.Index(fields=["folded", "stage"], name="approvals_s_folded_19e6e5_idx"),
        ),
        migrations.AddConstraint(
            model_name="stageapprover",
            constraint=models.UniqueConstraint(
                models.F("stage"), models.F("folded"), name="approvals_approver_once_per_stage"
            ),
        ),
        migrations.AddConstraint(
            model_name="submission",
            constraint=models.UniqueConstraint(
                models.F("by"), models.F("key"), name="approvals_one_submission_per_form"
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(fields=["created_at", "id"], name="approvals_by_creation"),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", True)), fields=["lapses_at"], name="approvals_lapsing"
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(fields=["beneficiary", "-created_at", "-id"], name="approvals_by_beneficiary"),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(fields=["requester", "-created_at", "-id"], name="approvals_by_requester"),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.UniqueConstraint(
                models.F("beneficiary"),
                models.F("kind"),
                models.F("about"),
                condition=models.Q(("closed_at__isnull", True), ("only_one", True)),
                name="approvals_one_open_request",
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                condition=models.Q(("lapses_at__gt", models.F("created_at"))), name="approvals_lapses_later"
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", True), ("status", "pending")),
                    models.Q(models.Q(("status", "pending"), _negated=True), ("closed_at__isnull", False)),
                    _connector="OR",
                ),
                name="approvals_closed_has_time",
            ),
        ),
        migrations.AddIndex(
            model_name="waiting",
            index=models.Index(fields=["principal", "created_at", "request"], name="approvals_queue"),
        ),
        migrations.AddConstraint(
            model_name="waiting",
            constraint=models.UniqueConstraint(models.F("stage"), models.F("principal"), name="approvals_waiting_once"),
        ),
    ]
