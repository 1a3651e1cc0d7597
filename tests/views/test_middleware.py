"""What surrounds every request."""

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from accounts.models import User
from portal.audit.record import source
from portal.ui import middleware

ANYBODY = User()


def ask(kind, seen, **extra):
    """One request through a middleware; what `seen` said while it was being answered."""
    said = []

    def answer(request):
        said.append(seen())
        return HttpResponse()

    request = RequestFactory().get("/", **extra)
    request.user = extra.get("user", ANYBODY)
    response = kind(answer)(request)
    return said[0], response


def test_security_headers_forbid_what_is_inline_or_from_elsewhere():
    _, response = ask(middleware.SecurityHeadersMiddleware, lambda: None)
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "camera=()" in response["Permissions-Policy"]


def test_the_trail_knows_the_address_only_while_the_request_lasts():
    address, _ = ask(middleware.AuditSourceMiddleware, lambda: source.get().address, REMOTE_ADDR="192.0.2.7")
    assert address == "192.0.2.7"
    assert source.get().address == ""


def test_forwarding_headers_are_not_read_here():
    """The front has read them, and knows whom to believe."""
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7", HTTP_X_FORWARDED_FOR="198.51.100.1")
    assert middleware.client_address(request) == "192.0.2.7"


@pytest.mark.parametrize(
    ("chosen", "active"), [("Asia/Seoul", "Asia/Seoul"), ("", settings.TIME_ZONE), ("Mars/Olympus", settings.TIME_ZONE)]
)
def test_times_are_in_the_persons_own_zone(chosen, active):
    name, _ = ask(middleware.TimeZoneMiddleware, timezone.get_current_timezone_name, user=User(timezone=chosen))
    assert name == active
    assert timezone.get_current_timezone_name() == settings.TIME_ZONE
