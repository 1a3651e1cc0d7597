"""The operation kinds of grants, for the executor."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from portal.access import operation_names as names
from portal.access.models import Grant
from portal.access.queries import grant_for
from portal.access.removal_alarm import raise_alarm
from portal.access.requiring import ordering_key
from portal.access.role_handlers import GrantRole, RemoveAgain, RestoreRole, RevokeRole
from portal.core import refs
from portal.operations.kinds import Kind
from portal.operations.models import Operation


def _ordering_key(grant: Grant) -> str:
    return ordering_key(grant.deployment, grant.beneficiary)


def _check_can_see(user: User, operation: Operation) -> None:
    grant_for(user, refs.parse(refs.GRANT, operation.subject))


REMOVAL: dict[str, Any] = {"max_attempts": None, "first": True, "alarm": raise_alarm}
KINDS = (
    Kind(names.GRANT_ROLE, "give a role", "granter", GrantRole(), _ordering_key, check_can_see=_check_can_see),
    Kind(names.RESTORE_ROLE, "give a role again", "granter", RestoreRole(), _ordering_key),
    Kind(
        names.REVOKE_ROLE,
        "take a role away",
        "granter",
        RevokeRole(),
        _ordering_key,
        check_can_see=_check_can_see,
        **REMOVAL,
    ),
    Kind(names.REMOVE_AGAIN, "take a role away again", "granter", RemoveAgain(), _ordering_key, **REMOVAL),
)
