"""The type of requests in views with `@requires`: a person is signed in, and django-htmx has run."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User


class Request(HttpRequest):
    """For type annotations only; Django creates the object."""

    user: User
    htmx: HtmxDetails
