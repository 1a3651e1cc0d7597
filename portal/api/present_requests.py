"""Requests, grants and permits as the API shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from accounts.models import User
from portal.access.models import Grant
from portal.api import request_kinds, shapes_requests
from portal.api.present import url
from portal.approvals import comments
from portal.approvals.models import Request
from portal.approvals.principals import Deciders
from portal.approvals.steps import Step
from portal.core.refs import REQUEST, ref
from portal.dags.models import Permit
from portal.dags.permissions import in_force
from portal.operations.models import Operation


def requests(rows: Iterable[Request], *, reader: User) -> list[shapes_requests.RequestOut]:
    deciders = Deciders()
    return [shapes_requests.RequestOut(**_request(row, deciders, reader)) for row in rows]


def request(row: Request, *, reader: User) -> shapes_requests.RequestOut:
    return requests([row], reader=reader)[0]


def request_detail(row: Request, steps: Iterable[Step], *, reader: User) -> shapes_requests.RequestDetail:
    return shapes_requests.RequestDetail(**_request(row, Deciders(), reader), timeline=[_step(step) for step in steps])


def _request(row: Request, deciders: Deciders, reader: User) -> dict[str, Any]:
    return {
        **request_kinds.own(row),
        "id": row.ref,
        "kind": row.kind,
        "status": row.status,
        "round": row.round,
        "requester": row.requester.username,
        "beneficiary": row.beneficiary.username,
        "duration": row.duration,
        "reason": row.reason,
        "ticket": row.ticket or None,
        "created_at": row.created_at,
        "lapses_at": row.lapses_at,
        "closed_at": row.closed_at,
        "policy": row.policy,
        "policy_version": row.policy_version,
        "stages": [
            shapes_requests.StageOut(
                approvers=[person.username for person in deciders.of_stage(stage, row)],
                quorum=stage.quorum,
                status=stage.status,
            )
            for stage in row.stages.all()
            if stage.round == row.round
        ],
        "decisions": [
            shapes_requests.DecisionOut(
                by=made.by.username,
                on_behalf_of=None,
                round=made.round,
                outcome=made.outcome,
                comment=made.comment,
                duration=made.duration,
                at=made.at,
            )
            for made in row.decisions.all()
        ],
        "comments": [
            shapes_requests.CommentOut(by=one.by.username, text=one.text, audience=one.audience, at=one.at)
            for one in comments.readable_by(reader, row)
        ],
        "url": url(f"/requests/{row.ref}"),
    }


def _step(step: Step) -> shapes_requests.StepOut:
    return shapes_requests.StepOut(
        title=step.title,
        state=step.state,
        at=step.at,
        expected=step.expected or None,
        by=step.by.username if step.by else None,
        note=step.note or None,
    )


def grants(rows: Sequence[Grant]) -> list[shapes_requests.GrantOut]:
    done: dict[str, list[str]] = defaultdict(list)
    for operation in Operation.objects.filter(subject__in=[row.ref for row in rows]).order_by("pk"):
        done[operation.subject].append(operation.ref)
    return [_grant(row, done[row.ref]) for row in rows]


def grant(row: Grant) -> shapes_requests.GrantOut:
    return grants([row])[0]


def _grant(row: Grant, done: list[str]) -> shapes_requests.GrantOut:
    return shapes_requests.GrantOut(
        id=row.ref,
        status=row.status,
        entitlement=row.entitlement.key,
        beneficiary=row.beneficiary.username,
        request=ref(REQUEST, row.request_id) if row.request_id else None,
        duration=row.duration,
        starts_at=row.starts_at,
        created_at=row.created_at,
        verified_at=row.verified_at,
        ends_at=row.ends_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason or None,
        role=row.role,
        airflow_user=row.airflow_user or None,
        missing_since=row.missing_since,
        left_to_admins_at=row.left_at,
        account_deactivated_since=row.unusable_since,
        back_since=row.back_since,
        end_comment=row.end_comment or None,
        ended_by=row.ended_by.username if row.ended_by else None,
        failure=row.failure or None,
        operations=done,
    )


def permit(row: Permit) -> shapes_requests.PermitOut:
    return shapes_requests.PermitOut(
        id=row.ref,
        status=row.status,
        dag=str(in_force(row.dag) or row.dag),
        holder=row.holder.username,
        request=ref(REQUEST, row.request_id),
        bounds=row.bounds,
        runs=row.runs_allowed,
        used=row.used,
        created_at=row.created_at,
        ends_at=row.ends_at,
        ended_at=row.ended_at,
        ended_by=row.ended_by.username if row.ended_by else None,
        end_comment=row.end_comment or None,
    )
