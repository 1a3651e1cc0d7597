"""The two pages of allauth's that Gatehouse has. Its others (sign-up, password reset, e-mail) have no address."""

from __future__ import annotations

from allauth.account import views
from django.urls import path

from accounts.guard import public

urlpatterns = [
    path("login", public(views.LoginView.as_view()), name="account_login"),
    path("logout", public(views.LogoutView.as_view()), name="account_logout"),
]
