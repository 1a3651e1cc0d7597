"""Requests, the decisions on them, and the grants that follow: they change together, in one transaction."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.fields import DerivedField
from portal.catalogue.models import Deployment, Entitlement
from portal.core import clock, refs
from portal.core.text import fold

PERSON = settings.AUTH_USER_MODEL


class AccessRequest(models.Model):
    """Asked by a requester for a beneficiary (usually the same person)."""

    class Status(models.TextChoices):
        PENDING = "pending", "waiting for a decision"
        APPROVED = "approved", "approved"
        DENIED = "denied", "denied"
        WITHDRAWN = "withdrawn", "withdrawn"
        LAPSED = "lapsed", "lapsed"

    requester = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="requests_made")
    beneficiary = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="requests_received")
    entitlement = models.ForeignKey(Entitlement, on_delete=models.PROTECT, related_name="requests")
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    duration = models.DurationField(help_text="as asked for; an approver may shorten it")
    reason = models.TextField()
    ticket = models.CharField(max_length=80, blank=True, default="")
    starts_at = models.DateTimeField(null=True, help_text="empty: as soon as approved")
    policy = models.CharField(max_length=80)
    policy_version = models.PositiveIntegerField()
    break_glass = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    lapses_at = models.DateTimeField(help_text="until when it may stay pending")
    closed_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(PERSON, on_delete=models.PROTECT, null=True, related_name="requests_withdrawn")
    closed_because = models.TextField(blank=True, default="", help_text="why it lapsed, in words")
    key = models.CharField(
        max_length=64, null=True, help_text="of the form it was sent with: a double click is one request"
    )
    search_text = models.TextField(default="", help_text="what is searched, folded (portal.access.searching)")
    sent_again = False  # set on what an action returns, where the same form had been sent before

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["created_at", "id"], condition=Q(status="pending"), name="access_pending"),
            models.Index(fields=["lapses_at"], condition=Q(status="pending"), name="access_lapsing"),
            models.Index(fields=["beneficiary", "-created_at", "-id"], name="access_by_beneficiary"),
            models.Index(fields=["requester", "-created_at", "-id"], name="access_by_requester"),
        ]
        constraints = [
            models.UniqueConstraint(
                "beneficiary", "entitlement", condition=Q(status="pending"), name="access_one_open_request"
            ),
            models.UniqueConstraint("requester", "key", name="access_one_request_per_form"),
            models.CheckConstraint(condition=Q(lapses_at__gt=F("created_at")), name="access_lapses_later"),
            models.CheckConstraint(
                condition=Q(status="pending", closed_at__isnull=True)
                | (~Q(status="pending") & Q(closed_at__isnull=False)),
                name="access_closed_has_time",
            ),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        return refs.ref(refs.REQUEST, self.pk)


class Stage(models.Model):
    """One step of the decision, copied from the policy when the request was made."""

    class Status(models.TextChoices):
        WAITING = "waiting", "waiting for the step before"
        OPEN = "open", "open"
        DONE = "done", "done"
        CLOSED = "closed", "closed without a decision"

    request = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="stages")
    number = models.PositiveSmallIntegerField()
    quorum = models.PositiveSmallIntegerField(default=1)
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)

    class Meta:
        ordering = ["request", "number"]
        constraints = [models.UniqueConstraint("request", "number", name="access_stage_number_once")]

    def __str__(self) -> str:
        return f"{self.request.ref} stage {self.number}"


class StageApprover(models.Model):
    """A subject (`group:x`, `user:y`) who may decide in a stage. Rows, so that the queue is one indexed query."""

    stage = models.ForeignKey(Stage, on_delete=models.CASCADE, related_name="approvers")
    subject = models.CharField(max_length=160, help_text="as the policy writes it")
    folded = DerivedField(of="subject", by=fold, max_length=160)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["folded", "stage"])]
        constraints = [models.UniqueConstraint("stage", "folded", name="access_approver_once_per_stage")]

    def __str__(self) -> str:
        return self.subject


class Decision(models.Model):
    """One approver's word, never changed. A person counts once per request, in however many groups they are."""

    class Outcome(models.TextChoices):
        APPROVE = "approve", "approved"
        DENY = "deny", "denied"

    request = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="decisions")
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, related_name="decisions")
    by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="decisions")
    outcome = models.CharField(max_length=8, choices=Outcome)
    comment = models.TextField(blank=True, default="")
    duration = models.DurationField(null=True, help_text="where the approver shortened it")
    at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [models.UniqueConstraint("request", "by", name="access_one_decision_per_person")]

    def __str__(self) -> str:
        return f"{self.by} {self.outcome} {self.request.ref}"


class Grant(models.Model):
    """A time-bound holding. Active only once Airflow itself confirmed it; its duration counts from that moment."""

    class Status(models.TextChoices):
        SCHEDULED = "scheduled", "starts later"
        APPLYING = "applying", "being applied"
        ACTIVE = "active", "active"
        ENDING = "ending", "being taken away"
        ENDED = "ended", "ended"
        FAILED = "failed", "failed"

    class EndReason(models.TextChoices):
        EXPIRED = "expired", "its time was over"
        REVOKED = "revoked", "revoked"
        HANDED_BACK = "handed_back", "handed back"
        LEAVER = "leaver", "its holder left"
        NOT_ELIGIBLE = "not_eligible", "no longer eligible"

    request = models.OneToOneField(AccessRequest, on_delete=models.PROTECT, related_name="grant")
    entitlement = models.ForeignKey(Entitlement, on_delete=models.PROTECT, related_name="grants")
    beneficiary = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="grants")
    status = models.CharField(max_length=10, choices=Status)
    # what it gives, by name and as given: a later catalogue may name the entitlement's role differently
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=64, help_text="the Airflow role it gives")
    dag_id = models.CharField(max_length=250, blank=True, default="")
    level = models.CharField(max_length=8, choices=Entitlement.Level, blank=True, default="")
    # whom it gives it to
    airflow_user = models.CharField(max_length=512, blank=True, default="", help_text="the user name in Airflow")
    airflow_user_id = models.CharField(
        max_length=40, blank=True, default="", help_text="what stays the same when Airflow's user is renamed"
    )
    sent_at = models.DateTimeField(null=True, help_text="since when Airflow may show the role because of this grant")
    duration = models.DurationField()
    starts_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    verified_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, help_text="when Airflow confirmed that it is gone")
    end_reason = models.CharField(max_length=12, choices=EndReason, blank=True, default="")
    end_comment = models.TextField(blank=True, default="")
    kept_for = models.TextField(
        blank=True, default="", help_text="the other grants for which Airflow kept the role when this one ended"
    )
    ended_by = models.ForeignKey(PERSON, on_delete=models.PROTECT, null=True, related_name="grants_ended")
    end_read_at = models.DateTimeField(null=True, help_text="when its holder marked as read that somebody ended it")
    failure = models.TextField(blank=True, default="", help_text="why it could not be given, in words")
    apply_by = models.DateTimeField(null=True, help_text="until when it may be given; later it is given up")
    ineligible_since = models.DateTimeField(null=True, help_text="since when the policy no longer lets its holder ask")
    # what Airflow shows of it after it was given or taken away
    look_at = models.DateTimeField(null=True, help_text="when to look at it in Airflow again")
    looks = models.PositiveSmallIntegerField(default=0, help_text="looks since it was given or taken away")
    missing_since = models.DateTimeField(null=True, help_text="live, but Airflow does not show the role")
    given_again = models.PositiveSmallIntegerField(default=0, help_text="times that a missing role was given again")
    left_at = models.DateTimeField(null=True, help_text="since when it is left to admins: it was taken away too often")
    unusable_since = models.DateTimeField(null=True, help_text="live, but the account in Airflow is deactivated")
    back_since = models.DateTimeField(null=True, help_text="ended, but Airflow shows the role again")

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["ends_at"], condition=Q(status="active"), name="access_expiring"),
            models.Index(fields=["beneficiary", "status"]),
            models.Index(fields=["entitlement", "status"]),
            models.Index(fields=["deployment", "role", "status"]),
            models.Index(fields=["look_at"], condition=Q(look_at__isnull=False), name="access_looking"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="active") | Q(verified_at__isnull=False, ends_at__isnull=False),
                name="access_active_is_verified",
            ),
            models.CheckConstraint(
                condition=~Q(status="ended") | (Q(ended_at__isnull=False) & ~Q(end_reason="")),
                name="access_ended_has_reason",
            ),
            models.CheckConstraint(condition=~Q(status="failed") | ~Q(failure=""), name="access_failed_says_why"),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        return refs.ref(refs.GRANT, self.pk)

    @property
    def can_be_tried_again(self) -> bool:
        """Whether an admin can have it given again: it failed, or Gatehouse no longer gives it again by itself."""
        return self.status == self.Status.FAILED or (self.status == self.Status.ACTIVE and self.left_at is not None)

    @property
    def trouble(self) -> str:
        """What Airflow shows otherwise than the status says, in a word; empty where it shows what it should."""
        if self.status == self.Status.ACTIVE:
            if self.left_at:
                return "taken away in Airflow"
            if self.missing_since:
                return "being given again"
            return "account deactivated" if self.unusable_since else ""
        return "back in Airflow" if self.back_since else ""


class RoleInMaking(models.Model):
    """A role for one DAG that an operation is making in Airflow at this moment; see `portal.access.making`."""

    airflow = models.CharField(max_length=200, help_text="the Airflow, by its address")
    role = models.CharField(max_length=64)
    held_by = models.CharField(max_length=40, help_text="the operation and its attempt")
    until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint("airflow", "role", name="access_role_made_once_at_a_time")]

    def __str__(self) -> str:
        return f"{self.role} on {self.airflow}"
