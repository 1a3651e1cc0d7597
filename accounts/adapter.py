"""Sign-in: django-allauth with our messages, our rate limits and audit events.

The hooks run inside allauth's login view. Signing in and its audit event are one transaction: if the event cannot be
written, no session is opened."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts import attempts
from accounts.acting import acting
from accounts.models import User
from portal.audit.models import AuditEvent
from portal.audit.record import recording, source
from portal.audit.verbs import Verb
from portal.core import refs
from portal.core.errors import Refused
from portal.core.text import fold

UNKNOWN = "unknown name"
LONGEST_NAME = User._meta.get_field("username").max_length or 150


class AccountAdapter(DefaultAccountAdapter):
    """Sign-in only, no sign-up. Accounts are created by a platform admin, the directory or the identity provider."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": "The user name or the password is wrong. Try again.",
        "too_many_login_attempts": (
            "Too many attempts from your network. Wait five minutes and try again. "
            "If you have forgotten your password, ask a platform admin."
        ),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that the audit trail records. The rate limits use the same one."""
        return source.get().address or request.META.get("REMOTE_ADDR") or "unknown"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Use our own limits (`attempts`). allauth's limits are kept in the cache of one process."""
        if len(credentials.get("username", "")) > LONGEST_NAME:  # no account has so long a name: no query is needed
            raise self.validation_error("username_password_mismatch")
        if not attempts.allowed(request, self.get_client_ip(request), credentials.get("username", "")):
            _refused(credentials, "too_many_attempts")
            raise self.validation_error("too_many_login_attempts")

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        if (person := _named(credentials)) is not None:  # allauth's lookup does not fold names
            credentials["username"] = person.username
        user = super().authenticate(request, **credentials)
        if user is not None:
            attempts.succeeded(request, self.get_client_ip(request), credentials.get("username", ""))
        if user is not None and not user.is_active:  # the password was right; allauth returns inactive people too
            _refused(credentials, "inactive")
            raise ValidationError("This account is deactivated. If that is a mistake, ask a platform admin.")
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        _refused(credentials, "wrong_name_or_password")

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        assert isinstance(user, User)
        with acting(user, refusal=Verb.SIGN_IN_REFUSED, target=user.username) as (trail, now):
            if now.password != user.password:
                raise Refused("Your password was just changed. Sign in with the new one.", reason="stale")
            super().login(request, user)
            trail.add(Verb.SIGNED_IN, by=user, target=user.username)

    def logout(self, request: HttpRequest) -> None:
        user = request.user
        with recording() as trail:
            super().logout(request)
            trail.add(Verb.SIGNED_OUT, by=user, target=user.get_username())

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        """Show only messages whose content the next page does not show anyway."""
        if message_template == "account/messages/logged_out.txt":
            messages.info(request, "You have signed out.")


def _named(credentials: dict[str, Any]) -> User | None:
    return User.objects.filter(folded=fold(credentials.get("username", ""))).first()


def _refused(credentials: dict[str, Any], reason: str) -> None:
    """Record a refused sign-in. An unknown name is not stored: people sometimes type their password as the name."""
    person = _named(credentials)
    with recording() as trail:
        trail.add(
            Verb.SIGN_IN_REFUSED,
            by=None,
            target=person.username if person else UNKNOWN,
            outcome=AuditEvent.Outcome.REFUSED,
            about=[] if person else [refs.named(refs.UNNAMED, UNKNOWN)],
            detail={"reason": reason},
        )
