"""The alarm for a removal that does not succeed."""

from __future__ import annotations

from portal.access.models import Grant
from portal.audit.models import AuditEvent
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.core import refs
from portal.operations import outbox
from portal.operations.models import Operation

G = Grant.Status


def raise_alarm(operation: Operation, why: str, trail: Trail) -> bool:
    """Record the event once. Not for a removal that is settled, or if the grant is being applied again. Returns whether
    it was recorded."""
    over = Grant.objects.filter(pk=operation.payload["grant"], status__in=(G.ENDING, G.ENDED, G.FAILED))
    if not over.select_for_update().values_list("pk"):  # locked first, as by everything that changes a grant
        return False
    if not outbox.mark_alarmed(operation):
        return False
    trail.add(
        Verb.GRANT_END_FAILED,
        by=None,
        target=operation.subject,
        outcome=AuditEvent.Outcome.FAILED,
        about=[operation.subject, operation.ref, refs.deployment(operation.deployment.name)],
        detail={"attempts": operation.attempts, "why": why},
    )
    return True
