"""Addresses that pages and templates share."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse


def of_grant(grant: Any, part: str = "") -> str:
    """The address of the grant's request, or of its holder's access if it has none. part: an anchor, like `#act`."""
    if grant.request:
        return f"{reverse('request_detail', args=[grant.request.ref])}{part}"
    return f"{reverse('access')}?{urlencode({'person': grant.beneficiary.username})}"
