"""Requests of any kind, the stages of their decision, the decisions, and the queue."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.fields import DerivedField
from portal.catalogue.models import Deployment, Entitlement
from portal.core import clock, refs
from portal.core.text import fold

PERSON = settings.AUTH_USER_MODEL


class Submission(models.Model):
    """The content of one form or of one API call. It may contain several requests."""

    by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="submissions")
    key = models.CharField(
        max_length=64, null=True, help_text="of the form: the same form sent twice is one submission; empty: no form"
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint("by", "key", name="approvals_one_submission_per_form")]

    def __str__(self) -> str:
        return f"submission {self.pk}"


class Request(models.Model):
    """A request that people decide. The package of its kind adds fields in a model that inherits from this one."""

    class Status(models.TextChoices):
        PENDING = "pending", "waiting for a decision"
        APPROVED = "approved", "approved"
        DENIED = "denied", "denied"
        WITHDRAWN = "withdrawn", "withdrawn"
        LAPSED = "lapsed", "lapsed"
        RETURNED = "returned", "returned for changes"

    OPEN = (Status.PENDING, Status.RETURNED)

    kind = models.CharField(max_length=16, help_text="see portal.approvals.kinds")
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="requests")
    requester = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="requests_made")
    beneficiary = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="requests_received")
    about = models.CharField(max_length=420, help_text="what is requested, by its key: demo/role/Op")
    only_one = models.BooleanField(
        default=True, help_text="a beneficiary may have one open request of this kind about the same thing"
    )
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="requests")
    risk = models.CharField(max_length=6, choices=Entitlement.Risk)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    round = models.PositiveSmallIntegerField(default=1, help_text="each return for changes begins another one")
    duration = models.DurationField(null=True, help_text="as requested; an approver may shorten it")
    reason = models.TextField()
    ticket = models.CharField(max_length=80, blank=True, default="")
    policy = models.CharField(max_length=80)
    policy_version = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=clock.now, editable=False)
    lapses_at = models.DateTimeField(help_text="until when it may stay open")
    closed_at = models.DateTimeField(null=True, help_text="empty: it is open")
    closed_because = models.TextField(blank=True, default="", help_text="why it lapsed, in words")
    withdrawn_by = models.ForeignKey(PERSON, on_delete=models.PROTECT, null=True, related_name="requests_withdrawn")
    search_text = models.TextField(default="", help_text="what is searched, folded (portal.approvals.searching)")
    sent_again = False  # True on the result of an action if the same form was sent before

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["created_at", "id"], name="approvals_by_creation"),
            models.Index(fields=["created_at", "id"], condition=Q(closed_at__isnull=True), name="approvals_open"),
            models.Index(fields=["lapses_at"], condition=Q(closed_at__isnull=True), name="approvals_lapsing"),
            models.Index(fields=["beneficiary", "-created_at", "-id"], name="approvals_by_beneficiary"),
            models.Index(fields=["requester", "-created_at", "-id"], name="approvals_by_requester"),
        ]
        constraints = [
            models.UniqueConstraint(
                "beneficiary",
                "kind",
                "about",
                condition=Q(only_one=True, closed_at__isnull=True),
                name="approvals_one_open_request",
            ),
            models.CheckConstraint(condition=Q(lapses_at__gt=F("created_at")), name="approvals_lapses_later"),
            models.CheckConstraint(
                condition=Q(status__in=["pending", "returned"], closed_at__isnull=True)
                | (~Q(status__in=["pending", "returned"]) & Q(closed_at__isnull=False)),
                name="approvals_closed_has_time",
            ),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        return refs.ref(refs.REQUEST, self.pk)

    @property
    def waits(self) -> str:
        """The state of an open request, as the end of a sentence about it: `is waiting for a decision`."""
        if self.status == self.Status.RETURNED:
            return f"was returned to {self.requester.username} for changes"
        return "is waiting for a decision"


class Resubmission(models.Model):
    """A request that was sent again after a return. It begins a round and keeps the terms of the previous round."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="resubmissions")
    round = models.PositiveSmallIntegerField(help_text="that it began")
    duration_before = models.DurationField(null=True)
    reason_before = models.TextField()
    ticket_before = models.CharField(max_length=80, blank=True, default="")
    own_before = models.JSONField(default=dict, help_text="the terms that only its kind has, by name")
    at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["request", "round"]
        constraints = [models.UniqueConstraint("request", "round", name="approvals_round_begins_once")]

    def __str__(self) -> str:
        return f"{self.request.ref} round {self.round}"


class Stage(models.Model):
    """One step of the decision in one round, copied from the policy when the request was made."""

    class Status(models.TextChoices):
        WAITING = "waiting", "waiting for the step before"
        OPEN = "open", "open"
        DONE = "done", "done"
        CLOSED = "closed", "closed without a decision"

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="stages")
    round = models.PositiveSmallIntegerField(default=1)
    number = models.PositiveSmallIntegerField()
    quorum = models.PositiveSmallIntegerField(default=1)
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)

    class Meta:
        ordering = ["request", "round", "number"]
        constraints = [models.UniqueConstraint("request", "round", "number", name="approvals_stage_number_once")]

    def __str__(self) -> str:
        return f"{self.request.ref} stage {self.number}"


class StageApprover(models.Model):
    """A principal (`group:x`, `user:y`) who may decide in a stage."""

    stage = models.ForeignKey(Stage, on_delete=models.CASCADE, related_name="approvers")
    subject = models.CharField(max_length=160, help_text="as the policy writes it")
    folded = DerivedField(of="subject", by=fold, max_length=160)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["folded", "stage"])]
        constraints = [models.UniqueConstraint("stage", "folded", name="approvals_approver_once_per_stage")]

    def __str__(self) -> str:
        return self.subject


class Waiting(models.Model):
    """The queue: one short row for each principal of an open stage. Created when the stage opens, deleted when it
    closes."""

    stage = models.ForeignKey(Stage, on_delete=models.CASCADE, related_name="waiting")
    request = models.ForeignKey(Request, on_delete=models.CASCADE, related_name="waiting")
    principal = models.CharField(max_length=160, help_text="folded: group:data-leads")
    risk = models.CharField(max_length=6, choices=Entitlement.Risk)
    created_at = models.DateTimeField(help_text="of the request")
    lapses_at = models.DateTimeField(help_text="of the request")

    class Meta:
        indexes = [models.Index(fields=["principal", "created_at", "request"], name="approvals_queue")]
        constraints = [models.UniqueConstraint("stage", "principal", name="approvals_waiting_once")]

    def __str__(self) -> str:
        return f"{self.request.ref} waits for {self.principal}"


class Decision(models.Model):
    """One approver's decision. It is never changed. A person decides once per round, even as a member of several
    groups."""

    class Outcome(models.TextChoices):
        APPROVE = "approve", "approved"
        DENY = "deny", "denied"
        RETURN = "return", "returned"

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="decisions")
    round = models.PositiveSmallIntegerField(default=1)
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, related_name="decisions")
    by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="decisions")
    outcome = models.CharField(max_length=8, choices=Outcome)
    comment = models.TextField(blank=True, default="")
    duration = models.DurationField(null=True, help_text="where the approver shortened it")
    at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["pk"]  # the order of the events; the clocks of several hosts may differ
        constraints = [
            models.UniqueConstraint("request", "round", "by", name="approvals_one_decision_per_person_and_round")
        ]

    def __str__(self) -> str:
        return f"{self.by} {self.outcome} {self.request.ref}"


class Comment(models.Model):
    """A comment on a request. It is not a decision, and it is never changed."""

    class Audience(models.TextChoices):
        ALL = "all", "everybody who sees the request"
        APPROVERS = "approvers", "approvers"

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="comments")
    by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="request_comments")
    audience = models.CharField(max_length=9, choices=Audience, default=Audience.ALL)
    text = models.TextField()
    key = models.CharField(max_length=64, null=True, help_text="of the form, as of a submission")
    at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["pk"]  # the order of the events; the clocks of several hosts may differ
        constraints = [models.UniqueConstraint("by", "key", name="approvals_one_comment_per_form")]

    def __str__(self) -> str:
        return f"{self.by} on {self.request.ref}"


def approved_duration(request: Request) -> timedelta | None:
    """The requested duration of this round, or the shortest one that an approver set. None if the kind has no
    duration."""
    if request.duration is None or request.status == Request.Status.RETURNED:
        return request.duration
    decisions = request.decisions.filter(round=request.round)
    shortened = [d for d in decisions.values_list("duration", flat=True) if d is not None]
    return min([request.duration, *shortened])
