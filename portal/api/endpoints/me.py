"""The owner of the token."""

from __future__ import annotations

from ninja import Router

from accounts import people, roles
from accounts.tokens import SCOPES
from portal.api.auth import ApiRequest, Bearer
from portal.api.shapes import Me

router = Router(tags=["me"])


@router.get("/me", auth=Bearer(), response=Me, summary="The owner of this token")
def read_me(request: ApiRequest) -> Me:
    caller = request.auth
    return Me(
        username=caller.user.username,
        name=caller.user.name,
        groups=people.groups_of(caller.user),
        roles=sorted(roles.roles_of(caller.user)),
        scopes=[scope for scope in SCOPES if scope in caller.scopes],
        token=str(caller.token),
        token_expires_at=caller.token.expires_at,
    )
