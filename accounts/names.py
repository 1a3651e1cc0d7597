"""Rules for the names of new people and groups. Existing names are not checked again.

Two names are the same if their folded forms are equal (portal.core.text.fold). A new name must not look like another.
"""

from __future__ import annotations

from django.core.exceptions import ValidationError

from accounts.models import GroupName, User
from portal.audit.record import SYSTEM
from portal.core.lookalikes import looks, without_unseen
from portal.core.text import fold
from portal.core.token_text import COMPLETE

LONGEST = 150


def problem_of_person(name: str) -> str:
    """Why this name is not allowed for a new person; empty if it is allowed."""
    if looks(name) == SYSTEM:
        return f"“{name[:60]}” is, or looks like, the portal's own name in the audit trail. Choose another name."
    try:
        User.username_validator(name)
        User._meta.get_field("username").run_validators(name)
    except ValidationError as error:
        return f"“{name[:60]}” cannot be a user name: {' '.join(error.messages)}"
    if said := _unusable(name):
        return said
    other = User.objects.filter(looks=looks(name)).exclude(folded=fold(name)).first()
    return _too_alike(name, other.username) if other else ""


def problem_of_group(name: str) -> str:
    """Why this name is not allowed for a new group; empty if it is allowed."""
    if not name or len(name) > LONGEST or not name.isprintable():
        return f"“{name[:60]}” cannot be a group's name: it takes 1 to {LONGEST} printable characters."
    if said := _unusable(name):
        return said
    other = GroupName.objects.filter(looks=looks(name)).exclude(folded=fold(name)).select_related("group").first()
    return _too_alike(name, other.name) if other else ""


def _unusable(name: str) -> str:
    if without_unseen(name) != name:
        return f"“{name[:60]}” contains an invisible character. Remove it."
    if COMPLETE.search(name):
        return "The name contains an API token. Remove it."
    if max(len(fold(name)), len(looks(name))) > LONGEST:
        return f"“{name[:60]}” is too long: in its normalised form it has more than {LONGEST} characters."
    return ""


def _too_alike(name: str, other: str) -> str:
    written = name.encode("unicode_escape").decode()
    return f"“{name[:60]}” ({written[:80]}) looks like “{other}”, which already exists. Choose another name."
