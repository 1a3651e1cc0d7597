"""Addresses that pages and templates share."""

from __future__ import annotations

from typing import Any

from django.urls import reverse


def of_grant(grant: Any, part: str = "") -> str:
    """The page of a grant's request; the list of access for a grant without one. part: an anchor, like `#act`."""
    return f"{reverse('request_detail', args=[grant.request.ref])}{part}" if grant.request else reverse("access")
