"""Parts of every change of a request: locking its row, opening and closing its stages, recording its event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accounts.models import User
from portal.approvals import kinds
from portal.approvals.models import Request, Stage, StageApprover, Waiting
from portal.approvals.states import REQUEST, STAGE
from portal.audit.models import AuditEvent
from portal.audit.record import Actor, Trail
from portal.audit.refusals import Entry
from portal.audit.verbs import Verb
from portal.catalogue.document import StageSpec
from portal.core import clock, refs
from portal.core.errors import Missing
from portal.core.text import fold


def locked(request_id: int) -> Any:
    """The request as a row of its kind, locked (SQLite locks the whole database). Raises Missing."""
    row = Request.objects.select_for_update().filter(pk=request_id).first()
    if row is None:
        raise Missing(f"There is no request {refs.ref(refs.REQUEST, request_id)}.")
    return kinds.specific([row])[0]


def copy_stages(request: Request, stages: Sequence[StageSpec]) -> None:
    """Create the stages of a round. They are copies, so a later catalogue does not change the approvers of this
    request."""
    for number, spec in enumerate(stages, start=1):
        status = Stage.Status.OPEN if number == 1 else Stage.Status.WAITING
        stage = Stage.objects.create(
            request_id=request.pk, round=request.round, number=number, quorum=spec.quorum, status=status
        )
        StageApprover.objects.bulk_create(
            StageApprover(stage=stage, subject=subject) for subject in _without_duplicates(spec.approvers)
        )
        if number == 1:
            open_stage(stage, request)


def stages_of(request: Request) -> list[StageSpec]:
    """The stages of the request's current round, as copied when the round began."""
    return [
        StageSpec.model_construct(
            quorum=stage.quorum, approvers=[approver.subject for approver in stage.approvers.all()]
        )
        for stage in request.stages.filter(round=request.round).prefetch_related("approvers")
    ]


def _without_duplicates(subjects: list[str]) -> list[str]:
    """The subjects without duplicates, in the spelling of their first occurrence."""
    return list({fold(subject): subject for subject in reversed(subjects)}.values())[::-1]


def open_stage(stage: Stage, request: Request) -> None:
    """Open a stage, and put the request into the queues of its approvers."""
    if stage.status != Stage.Status.OPEN:
        STAGE.move(stage, to=Stage.Status.OPEN)
    Waiting.objects.bulk_create(
        Waiting(
            stage=stage,
            request_id=request.pk,
            principal=approver.folded,
            risk=request.risk,
            created_at=request.created_at,
            lapses_at=request.lapses_at,
        )
        for approver in stage.approvers.all()
    )


def close_stage(stage: Stage, *, to: Stage.Status) -> None:
    """Close a stage, and remove the request from the queues of its approvers."""
    STAGE.move(stage, to=to)
    Waiting.objects.filter(stage=stage).delete()


def close(request: Request, to: Request.Status, *, because: str = "", withdrawn_by: User | None = None) -> None:
    """Close an open request without an approval, and its remaining stages."""
    REQUEST.move(request, to=to, closed_at=clock.now(), closed_because=because, withdrawn_by=withdrawn_by)
    close_stages(request)
    kinds.of(request).closed(request)


def close_stages(request: Request) -> None:
    """Close the remaining stages of the round."""
    for stage in request.stages.filter(status__in=[Stage.Status.WAITING, Stage.Status.OPEN]):
        close_stage(stage, to=Stage.Status.CLOSED)


def record(trail: Trail, verb: Verb, by: Actor | None, request: Request, **detail: object) -> Entry:
    """Add the event of a change. The caller may add to the returned event until the transaction ends."""
    return _add(trail, verb, by, request, AuditEvent.Outcome.SUCCESS, detail)


def record_failed(trail: Trail, verb: Verb, request: Request, **detail: object) -> Entry:
    """Add the event of something that the portal could not do for an approved request."""
    return _add(trail, verb, None, request, AuditEvent.Outcome.FAILED, detail)


def _add(
    trail: Trail,
    verb: Verb,
    by: Actor | None,
    request: Request,
    outcome: AuditEvent.Outcome,
    detail: Mapping[str, object],
) -> Entry:
    return trail.add(
        verb,
        by=by,
        target=request.ref,
        outcome=outcome,
        about=[request.ref, refs.deployment(request.deployment.name), refs.person(request.beneficiary.username)],
        detail={**kinds.of(request).event_detail(request), **detail},
    )
