"""Turns database rows into the shapes of the API. Lists are built together, to avoid a query for each row."""

from __future__ import annotations

from django.conf import settings

from portal.access.models import Grant
from portal.access.queries import Option
from portal.airflow.states import state_of
from portal.api import shapes
from portal.audit.models import AuditEvent
from portal.audit.presenters import sentence
from portal.catalogue.models import Deployment
from portal.operations import queries as operations
from portal.operations.models import Operation


def deployment(row: Deployment) -> shapes.DeploymentOut:
    state = state_of(row)
    return shapes.DeploymentOut(
        name=row.name,
        api=row.api,
        airflow_version=state.airflow_version or None,
        status=state.status,
        status_since=state.status_since,
        checked_at=state.checked_at,
    )


def entitlement(option: Option) -> shapes.EntitlementOut:
    row = option.entitlement
    return shapes.EntitlementOut(
        id=row.key,
        deployment=row.deployment.name,
        title=row.title,
        description=row.description or None,
        risk=row.risk,
        max_duration=row.max_duration,
        policy=row.policy,
        requestable=option.requestable,
        why_not=option.why_not or None,
        reason=option.reason or None,
        approvers=[[person.username for person in stage] for stage in option.approvers],
        held=option.held.ref if option.held and option.held.status == Grant.Status.ACTIVE else None,
        open_request=option.open_request.ref if option.open_request else None,
    )


def operation(row: Operation) -> shapes.OperationOut:
    return shapes.OperationOut(
        id=row.ref,
        kind=row.kind,
        status=row.status,
        deployment=row.deployment.name,
        subject=row.subject,
        requested_by=row.requested_by or None,
        attempts=row.attempts,
        before=row.before,
        after=row.after,
        error=row.error or None,
        waiting_for=operations.why_waiting(row) or None,
        created_at=row.created_at,
        settled_at=row.settled_at,
    )


def event(row: AuditEvent) -> shapes.EventOut:
    return shapes.EventOut(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        on_behalf_of=row.on_behalf_of or None,
        token=row.token or None,
        source=row.source or None,
        verb=row.verb,
        outcome=row.outcome,
        target=row.target,
        deployment=row.deployment or None,
        request=row.request or None,
        grant=row.grant or None,
        operation=row.operation or None,
        about=row.about,
        detail=row.detail,
        sentence=sentence(row),
        hash=row.chain,
    )


def url(path: str) -> str:
    """The address of a page."""
    return f"{settings.PUBLIC_URL}{path}"
