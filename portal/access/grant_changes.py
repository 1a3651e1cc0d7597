"""Parts of every change of a grant: locking its row, adding an operation, recording an event."""

from __future__ import annotations

from typing import Any

from portal.access.models import Grant
from portal.audit.models import AuditEvent
from portal.audit.record import Actor, Trail
from portal.audit.verbs import Verb
from portal.catalogue import airflows
from portal.core import refs
from portal.core.errors import Missing
from portal.operations import outbox
from portal.operations.models import Operation


def add_operation(kind: str, grant: Grant, *, by: Actor | None) -> Operation:
    """Add an operation for the grant to the outbox, inside the caller's transaction."""
    return outbox.put(
        kind,
        deployment=airflows.current(grant.deployment),
        subject=grant.ref,
        payload={"grant": grant.pk},
        by=by,
        about=grant,
    )


def locked(grant_id: int) -> Grant:
    """The locked row of the grant, inside the caller's transaction. Raises Missing."""
    rows = Grant.objects.select_for_update(of=("self",)).select_related(
        "beneficiary", "ended_by", "deployment", "entitlement", "request__requester"
    )
    try:
        return rows.get(pk=grant_id)
    except Grant.DoesNotExist:
        raise Missing(f"There is no grant {refs.ref(refs.GRANT, grant_id)}.") from None


def given_detail(grant: Grant) -> dict[str, Any]:
    """The role of the grant, for its events. The entitlement may name another role later."""
    return {"role": grant.role, "dag_id": grant.dag_id, "level": grant.level}


def record(
    trail: Trail,
    verb: Verb,
    by: Actor | None,
    grant: Grant,
    operation: Operation | None = None,
    outcome: AuditEvent.Outcome = AuditEvent.Outcome.SUCCESS,
    **detail: object,
) -> None:
    about = [*grant.references, *([operation.ref] if operation else [])]
    trail.add(
        verb,
        by=by,
        target=grant.ref,
        outcome=outcome,
        about=[*about, refs.deployment(grant.deployment.name), refs.person(grant.beneficiary.username)],
        detail={"entitlement": grant.entitlement.key, "beneficiary": grant.beneficiary.username, **detail},
    )
