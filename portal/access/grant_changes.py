"""What every change of a grant is made of: the locked row, an operation in Airflow, an event of the trail."""

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


def put(kind: str, grant: Grant, *, by: Actor | None) -> Operation:
    """An operation for the grant, inside the caller's transaction."""
    return outbox.put(
        kind,
        deployment=airflows.current(grant.deployment),
        subject=grant.ref,
        payload={"grant": grant.pk},
        by=by,
        about=grant,
    )


def locked(grant_id: int) -> Grant:
    """The grant, locked, inside the caller's transaction. Raises Missing."""
    rows = Grant.objects.select_for_update(of=("self",)).select_related(
        "beneficiary", "ended_by", "deployment", "entitlement", "request__requester"
    )
    try:
        return rows.get(pk=grant_id)
    except Grant.DoesNotExist:
        raise Missing(f"There is no grant {refs.ref(refs.GRANT, grant_id)}.") from None


def given(grant: Grant) -> dict[str, Any]:
    """What the grant gives, as its events say it: later the entitlement may be for another role."""
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
