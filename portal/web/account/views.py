"""Signing in and out, with three views of allauth. Its other views have no address here."""

from typing import Any

from allauth.account import views as allauth_views
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpResponse
from django.urls import path

from accounts.guard import public


class SignIn(allauth_views.LoginView):
    """allauth's view, but it answers 429 after too many attempts. allauth itself answers 200."""

    def form_invalid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        if form.has_error(NON_FIELD_ERRORS, "too_many_login_attempts"):
            response.status_code = 429
        return response


urlpatterns = [
    path("login", public(SignIn.as_view()), name="account_login"),
    path("logout", public(allauth_views.logout), name="account_logout"),
    path("login/closed", public(allauth_views.account_inactive), name="account_inactive"),
]
