"""The profile page: a person's details, preferences, password and tokens."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.forms.models import model_to_dict
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import passwords, people, roles, tokens
from accounts.guard import requires
from accounts.models import Token
from accounts.permissions import Permission
from accounts.preferences import set_preferences
from portal.core import clock, refs
from portal.core.errors import Conflict, Invalid, Refused
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web.acting import acts_from
from portal.web.profile.forms import PasswordForm, PreferencesForm, TokenForm


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.HOME)
def profile(request: Request) -> HttpResponse:
    if request.method != "POST":
        return _page(request)
    form = PreferencesForm(request.POST)
    if not form.is_valid():
        return _page(request, status=422, preferences=form)
    set_preferences(by=request.user, **form.cleaned_data)
    messages.success(request, "Preferences saved.")
    return redirect("profile")


@never_cache
@requires(Permission.HOME)
@acts_from(lambda request: f"{reverse('profile')}#tokens")
def token_create(request: Request) -> HttpResponse:
    """The answer is the page itself, not a redirect: the token is shown only here and never stored."""
    form, status = TokenForm(request.POST, user=request.user), 422
    if form.is_valid():
        try:
            token, plaintext = tokens.create(by=request.user, **form.cleaned_data)
        except (Conflict, Invalid, Refused) as error:
            form.show_errors(error)
            status = error.status
        else:
            return _page(request, made=token, plaintext=plaintext)
    return _page(request, status=status, token_form=form)


@requires(Permission.HOME)
@acts_from(lambda request, token_id: f"{reverse('profile')}#tokens")
def token_revoke(request: Request, token_id: str) -> HttpResponse:
    token = tokens.revoke(by=request.user, token_id=refs.parse("token", token_id))
    messages.success(request, f"“{token.name}” is revoked. Programs can no longer use it.")
    return redirect("profile")


@never_cache
@requires(Permission.HOME)
@acts_from(lambda request: f"{reverse('profile')}#password")
def password_change(request: Request) -> HttpResponse:
    """The current session continues. The action ends all other sessions and all tokens."""
    form, status = PasswordForm(request.POST), 422
    if form.is_valid():
        try:
            changed, ended = passwords.change(by=request.user, **form.cleaned_data)
        except (Conflict, Invalid, Refused) as error:
            form.show_errors(error)
            status = error.status
        else:
            update_session_auth_hash(request, changed)
            tokens_too = f" {len(ended)} {'token' if len(ended) == 1 else 'tokens'} ended with it." if ended else ""
            messages.success(request, f"Your password is changed; you are signed out everywhere else.{tokens_too}")
            return redirect("profile")
    return _page(request, status=status, password_form=form)


def _page(request: Request, *, status: int = 200, **more: Any) -> HttpResponse:
    user = request.user
    now = clock.now()
    mine = list(Token.objects.filter(user=user).order_by("-created_at", "-pk"))
    context = {
        "groups": people.groups_of(user),
        "roles": sorted(roles.roles_of(user)),
        "preferences": PreferencesForm(initial=model_to_dict(user, PreferencesForm.base_fields)),
        "password_form": PasswordForm(),
        "token_form": TokenForm(user=user, initial={"scopes": ["read"]}),
        "live": [token for token in mine if token.revoked_at is None and token.expires_at > now],
        "past": [token for token in mine if token.revoked_at is not None or token.expires_at <= now],
        **more,
    }
    return render(request, "profile/profile.html", context, status=status)


urlpatterns = [
    path("profile", profile, name="profile"),
    path("profile/password", password_change, name="password_change"),
    path("profile/tokens", token_create, name="token_create"),
    path("profile/tokens/<str:token_id>/revoke", token_revoke, name="token_revoke"),
]
