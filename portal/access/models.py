"""Requests for access, and grants."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.approvals.models import Request, approved_duration
from portal.catalogue.models import Deployment, Entitlement
from portal.core import clock, refs

PERSON = settings.AUTH_USER_MODEL


class AccessRequest(Request):
    """A request for an entitlement, for a limited time."""

    entitlement = models.ForeignKey(Entitlement, on_delete=models.PROTECT, related_name="requests")
    starts_at = models.DateTimeField(null=True, help_text="empty: as soon as approved")
    break_glass = models.BooleanField(default=False)

    @property
    def span(self) -> timedelta:
        """`duration`, which is never empty in a request for access."""
        assert self.duration is not None
        return self.duration

    @property
    def approved_span(self) -> timedelta:
        """The requested duration, or the shortest one that an approver set."""
        return approved_duration(self) or self.span


class Grant(models.Model):
    """Access for a limited time. It is active when Airflow shows the role, and its duration counts from that moment."""

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

    class Origin(models.TextChoices):
        REQUEST = "request", "a request"

    origin = models.CharField(max_length=10, choices=Origin, default=Origin.REQUEST)
    request = models.OneToOneField(Request, on_delete=models.PROTECT, null=True, related_name="grant")
    entitlement = models.ForeignKey(Entitlement, on_delete=models.PROTECT, related_name="grants")
    beneficiary = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="grants")
    status = models.CharField(max_length=10, choices=Status)
    # the granted role, as granted: a later catalogue may name another role for the entitlement
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=64, help_text="the Airflow role it gives")
    dag_id = models.CharField(max_length=250, blank=True, default="")
    level = models.CharField(max_length=8, choices=Entitlement.Level, blank=True, default="")
    # the rules under which it was granted
    policy = models.CharField(max_length=80)
    policy_version = models.PositiveIntegerField()
    at_once = models.BooleanField(default=False, help_text="given without a decision")
    # the account that receives the role
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
    # the later state in Airflow (portal.access.looks)
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
            models.Index(fields=["-created_at", "-id"], name="access_grants_by_creation"),
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
            models.CheckConstraint(
                condition=~Q(origin="request") | Q(request__isnull=False), name="access_requested_has_request"
            ),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        return refs.ref(refs.GRANT, self.pk)

    @property
    def references(self) -> list[str]:
        """The references of the grant and of its request, for its events."""
        return [self.ref, *([refs.ref(refs.REQUEST, self.request_id)] if self.request_id else [])]

    @property
    def can_be_tried_again(self) -> bool:
        """Whether an admin can retry it: it failed, or Gatehouse no longer restores its role automatically."""
        return self.status == self.Status.FAILED or (self.status == self.Status.ACTIVE and self.left_at is not None)

    @property
    def trouble(self) -> str:
        """In few words, the difference between Airflow and the status; empty if there is none."""
        if self.status == self.Status.ACTIVE:
            if self.left_at:
                return "taken away in Airflow"
            if self.missing_since:
                return "being given again"
            return "account deactivated" if self.unusable_since else ""
        return "back in Airflow" if self.back_since else ""


class RoleInMaking(models.Model):
    """The lock of an operation that is creating a role for one DAG in Airflow; see `portal.access.making`."""

    airflow = models.CharField(max_length=200, help_text="the Airflow, by its address")
    role = models.CharField(max_length=64)
    held_by = models.CharField(max_length=40, help_text="the operation and its attempt")
    until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint("airflow", "role", name="access_role_made_once_at_a_time")]

    def __str__(self) -> str:
        return f"{self.role} on {self.airflow}"
