"""Whether a call is authenticated, decided from its headers alone. The front asks this before it reads the body."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import cast

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from accounts import tokens


def is_known(*, authorization: str, session: str) -> bool:
    """Whether the call has a valid bearer token or a valid session. Records no event.

    Django deletes a session if the password was changed since, and renews one that an earlier secret key signed.
    """
    kind, _, text = authorization.partition(" ")
    if kind.lower() == "bearer" and tokens.is_live(text.strip()):
        return True
    if not session.isascii() or not session.isalnum():
        return False
    store = import_module(settings.SESSION_ENGINE).SessionStore(session)
    user = get_user(cast(HttpRequest, SimpleNamespace(session=store)))
    return user.is_authenticated and user.is_active
