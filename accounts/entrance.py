"""Whether a call comes from somebody at all, from its headers alone: asked before its body is read."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import cast

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from accounts import tokens


def is_known(*, authorization: str, session: str) -> bool:
    """Whether one of the two is live: a bearer token, or a session of somebody who is signed in. Changes nothing."""
    kind, _, text = authorization.partition(" ")
    if kind.lower() == "bearer" and tokens.is_live(text.strip()):
        return True
    if not session.isascii() or not session.isalnum():
        return False
    store = import_module(settings.SESSION_ENGINE).SessionStore(session)
    user = get_user(cast(HttpRequest, SimpleNamespace(session=store)))
    return user.is_authenticated and user.is_active
