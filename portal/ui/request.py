"""A request as views behind `@requires` see it: somebody is signed in, and htmx has been looked at."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User


class Request(HttpRequest):
    """For annotations alone; Django makes the object."""

    user: User
    htmx: HtmxDetails
