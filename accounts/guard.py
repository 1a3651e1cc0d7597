"""Decorators for views: a view names the permission it needs, or is public. A test checks this for all URLs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from accounts import people, roles
from accounts.acting import credential
from accounts.credentials import SignedIn
from accounts.models import User
from accounts.permissions import MATRIX, Permission, Role
from portal.audit.record import recording
from portal.audit.refused_calls import SAFE
from portal.audit.verbs import Verb
from portal.core.errors import Refused

View = Callable[..., HttpResponseBase]
AnyView = TypeVar("AnyView", bound=Callable[..., Any])


def requires(permission: Permission) -> Callable[[View], View]:
    """Let in only people who have `permission`. Others are sent to sign-in, or refused; a refusal is recorded.

    Raises Refused (`not_permitted`).
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            user = request.user
            if not user.is_authenticated:
                return _ask_to_sign_in(request)
            if request.method in SAFE:
                people.read_once(user)
            if not roles.has(user, permission):
                with recording(refusal=Verb.PAGE_REFUSED, by=user, target=request.path[:400]):
                    raise Refused(_words(permission, user), reason="not_permitted")
            reset = credential.set(SignedIn(_session_of(request), permission))
            try:
                return view(request, *args, **kwargs)
            finally:
                credential.reset(reset)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return decorate


def _session_of(request: HttpRequest) -> str:
    session = getattr(request, "session", None)
    return session.session_key or "" if session else ""


def public(view: AnyView) -> AnyView:
    """No sign-in is needed."""
    view.public = True  # type: ignore[attr-defined]
    return view


def _words(permission: Permission, user: User) -> str:
    """Who has the permission and how to get it. A platform admin is not told to ask a platform admin."""
    holders = [f"{role.value}s" for role, held in MATRIX.items() if permission in held]
    way = "If your work needs it, ask a platform admin."
    if Role.ADMIN in roles.roles_of(user):
        way = "The policies and groups in gatehouse.toml say who is an approver or an auditor."
    return f"This is for {' and '.join(holders)} only. {way}"


def _ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    """Redirect to the login page and back. htmx replaces only part of a page; then the browser itself is redirected."""
    htmx = getattr(request, "htmx", None)
    if htmx:
        response = HttpResponse(status=401)
        response["HX-Redirect"] = _login(htmx.current_url_abs_path)
        return response
    return HttpResponseRedirect(_login(request.get_full_path() if request.method in SAFE else None))


def _login(back: str | None) -> str:
    login = reverse("account_login")
    return f"{login}?{urlencode({'next': back})}" if back else login
