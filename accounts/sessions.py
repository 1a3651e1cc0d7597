"""Sessions in the database under a digest of their key. A reader of the database cannot use them to sign in.

Django's own store keeps the key itself. SESSION_ENGINE names this module. Sessions of an earlier release, which kept
the key itself, are not found: these people sign in again.
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session

from portal.core import clock


def stored(key: str) -> str:
    """The value of the column: 160 bits, which fit in it. Keys are random, so the digest cannot be reversed."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


class SessionStore(db.SessionStore):
    """Django's session store, with `stored(key)` instead of the key in the column `session_key`.

    The browser's cookie and `session_key` of this object hold the key itself.
    """

    def _get_session_from_db(self) -> Session | None:
        key = self.session_key
        row = Session.objects.filter(session_key=stored(key), expire_date__gt=clock.now()).first() if key else None
        if row is None:
            self._session_key = None
        return row

    def exists(self, session_key: str) -> bool:
        return super().exists(stored(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        row: Session = super().create_model_instance(data)  # type: ignore[assignment]
        row.session_key = stored(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            super().delete(stored(key))
