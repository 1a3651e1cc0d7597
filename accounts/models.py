"""People, what they may do in the portal, and the tokens their programs use."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower


class User(AbstractUser):
    """A person. Group membership lives in Django's groups, so LDAP and OIDC can mirror theirs into it."""

    timezone = models.CharField(max_length=64, blank=True, default="", help_text="IANA name; empty means the server's")
    theme = models.CharField(max_length=5, blank=True, default="", help_text="light, dark or empty for the system's")
    shortcuts = models.BooleanField(default=True, help_text="single-key shortcuts in the queue (WCAG 2.1.4)")

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(Lower("username"), name="accounts_username_any_case"),
        ]

    def __str__(self) -> str:
        return self.username

    @property
    def name(self) -> str:
        return self.get_full_name() or self.username


class RoleAssignment(models.Model):
    """Who holds which role of the portal: one table, written by `catalogue apply` from the file in force.

    `subject` is `group:<name>` or `user:<name>`. Everybody who can sign in is an employee; that needs no row.
    """

    role = models.CharField(max_length=16)
    subject = models.CharField(max_length=160)

    class Meta:
        constraints = [models.UniqueConstraint("role", "subject", name="accounts_role_once_per_subject")]

    def __str__(self) -> str:
        return f"{self.subject} is {self.role}"


class Token(models.Model):
    """A bearer token `gh_<key>_<secret>`; only the SHA-256 of the whole token is kept."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tokens")
    name = models.CharField(max_length=80)
    key = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=models.F("created_at")), name="accounts_token_ends_later")
        ]

    def __str__(self) -> str:
        return f"gh_{self.key}"


class RateCount(models.Model):
    """How often something happened; counted anew from `ends` on, in seconds since 1970 (`accounts.limits`)."""

    key = models.CharField(max_length=64, primary_key=True)
    ends = models.BigIntegerField(db_index=True)
    count = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.count} of {self.key[:8]}"
