"""People, their roles in the portal, and the API tokens of their programs."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, Group
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.db.models import Q

from accounts.fields import DerivedField
from portal.core.lookalikes import looks
from portal.core.text import fold


class UserManager(DjangoUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> User:
        """The person of this user name, compared folded."""
        return self.get(folded=fold(username or ""))


class User(AbstractUser):
    """A person. Groups are Django's groups, so that LDAP and OIDC can copy theirs into the same table.

    Two people are the same if `folded` is equal. `username` keeps the spelling.
    """

    folded = DerivedField(of="username", by=fold, max_length=150, unique=True)
    looks = DerivedField(of="username", by=looks, max_length=150, db_index=True)
    email_folded = DerivedField(of="email", by=fold, max_length=254, db_index=True)
    sessions_ended = models.PositiveIntegerField(default=0, help_text="how often all of their sessions were ended")
    timezone = models.CharField(max_length=64, blank=True, default="", help_text="IANA name; empty means the server's")
    theme = models.CharField(max_length=5, blank=True, default="", help_text="light, dark or empty for the system's")
    shortcuts = models.BooleanField(default=True, help_text="single-key shortcuts in the queue (WCAG 2.1.4)")

    objects: ClassVar[UserManager] = UserManager()

    def __str__(self) -> str:
        return self.username

    @property
    def name(self) -> str:
        return self.get_full_name() or self.username

    def save(self, *args: Any, **options: Any) -> None:
        """Save only the named columns. Saving all columns would undo what others changed since this row was read.

        Raises TypeError for an existing person without `update_fields`.
        """
        columns = options.get("update_fields")
        if columns is None and not self._state.adding:
            raise TypeError("Never save all columns of a person: name the changed ones in update_fields.")
        if columns is not None:
            derived = [field for field in self._meta.concrete_fields if isinstance(field, DerivedField)]
            options["update_fields"] = {*columns, *(field.name for field in derived if field.of in columns)}
        super().save(*args, **options)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """The value that each session of the person holds. A new password or `sessions_ended` ends the sessions."""
        return f"{super()._get_session_auth_hash(secret)}.{self.sessions_ended}"  # type: ignore[misc]


class GroupName(models.Model):
    """The folded names of groups. Django's table compares names byte by byte, so it would allow duplicates."""

    group = models.OneToOneField(Group, on_delete=models.CASCADE, primary_key=True, related_name="identity")
    folded = DerivedField(of="group.name", by=fold, max_length=150, unique=True)
    looks = DerivedField(of="group.name", by=looks, max_length=150, db_index=True)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.group.name


class RoleAssignment(models.Model):
    """Who holds which role of the portal. Only `catalogue apply` writes this table, from the catalogue file.

    `subject` is `group:<name>` or `user:<name>`, folded. Everybody who can sign in is an employee, without a row here.
    """

    role = models.CharField(max_length=16)
    subject = models.CharField(max_length=160)

    class Meta:
        constraints = [models.UniqueConstraint("role", "subject", name="accounts_role_once_per_subject")]

    def __str__(self) -> str:
        return f"{self.subject} is {self.role}"


class Token(models.Model):
    """A bearer token `gh_<key>_<secret>`. Only the SHA-256 of the complete token is stored."""

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
    """How often something happened within a window. `ends`: end of the window, in seconds since 1970."""

    key = models.CharField(max_length=64, primary_key=True)
    ends = models.BigIntegerField(db_index=True)
    count = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.count} of {self.key[:8]}"
