"""Display preferences of a person."""

from __future__ import annotations

from accounts.acting import acting
from accounts.models import User
from portal.audit.verbs import Verb


def set_preferences(*, by: User, timezone: str, theme: str, shortcuts: bool) -> User:
    """Save the preferences. No audit event, because they change only the person's own pages."""
    with acting(by, refusal=Verb.PERSON_CHANGE_REFUSED, target=by.username) as (_, by):
        by.timezone, by.theme, by.shortcuts = timezone, theme, shortcuts
        by.save(update_fields=["timezone", "theme", "shortcuts"])
    return by
