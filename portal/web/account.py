"""Signing in and out: allauth's views under the portal's addresses. Nothing else of allauth is reachable."""

from allauth.account import views as allauth_views
from django.urls import path

from accounts.guard import public

urlpatterns = [
    path("login", public(allauth_views.login), name="account_login"),
    path("logout", public(allauth_views.logout), name="account_logout"),
    path("login/closed", public(allauth_views.account_inactive), name="account_inactive"),
]
