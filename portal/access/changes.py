"""What every change of a request has in common: its row locked, its end, its event."""

from __future__ import annotations

from accounts.models import User
from portal.access.models import AccessRequest, Stage
from portal.access.states import REQUEST, STAGE
from portal.audit.record import Actor, Trail
from portal.audit.refusals import Entry
from portal.audit.verbs import Verb
from portal.core import clock, refs
from portal.core.errors import Missing


def locked(request_id: int) -> AccessRequest:
    """The request, locked where the database can lock rows (SQLite locks itself whole). Raises Missing."""
    rows = AccessRequest.objects.select_for_update(of=("self",)).select_related(
        "requester", "beneficiary", "entitlement__deployment"
    )
    try:
        return rows.get(pk=request_id)
    except AccessRequest.DoesNotExist:
        raise Missing(f"There is no request {refs.ref(refs.REQUEST, request_id)}.") from None


def close(
    request: AccessRequest, to: AccessRequest.Status, *, because: str = "", withdrawn_by: User | None = None
) -> None:
    """End a pending request without a grant, and with it the steps of its decision that are left."""
    REQUEST.move(request, to=to, closed_at=clock.now(), closed_because=because, withdrawn_by=withdrawn_by)
    for stage in request.stages.filter(status__in=[Stage.Status.WAITING, Stage.Status.OPEN]):
        STAGE.move(stage, to=Stage.Status.CLOSED)


def record(trail: Trail, verb: Verb, by: Actor | None, request: AccessRequest, **detail: object) -> Entry:
    """Add the event of a change; gives it, so that more can be said in it before it is written."""
    return trail.add(
        verb,
        by=by,
        target=request.ref,
        about=[
            request.ref,
            refs.deployment(request.entitlement.deployment.name),
            refs.person(request.beneficiary.username),
        ],
        detail={"entitlement": request.entitlement.key, **detail},
    )
