"""Turns database rows into the shapes of the API. Lists are built together, to avoid a query for each row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime

from accounts.models import User
from portal.access.models import Grant
from portal.access.queries import Option
from portal.airflow.states import state_of
from portal.api import request_kinds, shapes
from portal.approvals import comments
from portal.approvals.models import Request
from portal.approvals.principals import Deciders
from portal.approvals.steps import Step
from portal.audit.models import AuditEvent
from portal.audit.presenters import sentence
from portal.catalogue.models import Deployment
from portal.core.refs import PERMIT, REQUEST, ref
from portal.dags import preflight
from portal.dags.models import DagState, Permit, Run
from portal.dags.parameters import declared as declarations
from portal.dags.parameters.params import Known
from portal.dags.parameters.secrets import mask_locked
from portal.dags.permissions import in_force
from portal.dags.queries import DagOption, switched
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


def requests(rows: Iterable[Request], *, reader: User) -> list[shapes.RequestOut]:
    deciders = Deciders()
    return [shapes.RequestOut(**_request(row, deciders, reader)) for row in rows]


def request(row: Request, *, reader: User) -> shapes.RequestOut:
    return requests([row], reader=reader)[0]


def request_detail(row: Request, steps: Iterable[Step], *, reader: User) -> shapes.RequestDetail:
    return shapes.RequestDetail(**_request(row, Deciders(), reader), timeline=[_step(step) for step in steps])


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
            shapes.StageOut(
                approvers=[person.username for person in deciders.of_stage(stage, row)],
                quorum=stage.quorum,
                status=stage.status,
            )
            for stage in row.stages.all()
            if stage.round == row.round
        ],
        "decisions": [
            shapes.DecisionOut(
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
            shapes.CommentOut(by=one.by.username, text=one.text, audience=one.audience, at=one.at)
            for one in comments.readable_by(reader, row)
        ],
        "url": _url(f"/requests/{row.ref}"),
    }


def _step(step: Step) -> shapes.StepOut:
    return shapes.StepOut(
        title=step.title,
        state=step.state,
        at=step.at,
        expected=step.expected or None,
        by=step.by.username if step.by else None,
        note=step.note or None,
    )


def grants(rows: Sequence[Grant]) -> list[shapes.GrantOut]:
    done: dict[str, list[str]] = defaultdict(list)
    for operation in Operation.objects.filter(subject__in=[row.ref for row in rows]).order_by("pk"):
        done[operation.subject].append(operation.ref)
    return [_grant(row, done[row.ref]) for row in rows]


def grant(row: Grant) -> shapes.GrantOut:
    return grants([row])[0]


def _grant(row: Grant, done: list[str]) -> shapes.GrantOut:
    return shapes.GrantOut(
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


def permit(row: Permit) -> shapes.PermitOut:
    return shapes.PermitOut(
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


def dag(option: DagOption) -> shapes.DagOut:
    return shapes.DagOut(**_dag(option))


def dag_detail(option: DagOption, known: Known, *, reader: User) -> shapes.DagDetail:
    declared = declarations.of(option.dag, known.params, requester=reader.get_username())
    params = {
        name: shapes.Parameter(default=one.default, json_schema=dict(one.schema), required=not one.has_default)
        for name, one in declared.items()
        if not one.is_fixed
    }
    return shapes.DagDetail(
        **_dag(option),
        locked=mask_locked(option.dag),
        params=None if known.problem else params,
        params_as_of=known.as_of,
        params_unknown_because=known.problem or None,
        undeclared=option.dag.undeclared,
        requester_param=option.dag.requester_param or None,
        preflight=[
            shapes.FindingOut(title=one.title, text=one.text, level=one.level, run=one.run.ref if one.run else None)
            for one in preflight.findings(option.dag, option.state, by=reader)
        ],
    )


def _dag(option: DagOption) -> dict[str, Any]:
    row, state = option.dag, option.state
    return {
        "id": str(row),
        "deployment": row.deployment.name,
        "dag_id": row.dag_id,
        "description": (state.description if state else "") or None,
        "actions": list(option.actions),
        "why_not": option.why_not or None,
        "reason": option.reason or None,
        "problem": (state.problem if state else "") or None,
        "warning": (state.warning if state else "") or None,
        "paused": state.paused if state else None,
        "switched": _switched(state),
        "last_runs": [_last_run(run) for run in (state.last_runs if state else [])],
        "last_runs_problem": (state.runs_problem if state else "") or None,
        "seen_at": state.seen_at if state else None,
        "url": _url(f"/dags/{row}"),
    }


def _switched(state: DagState | None) -> shapes.SwitchedOut | None:
    found = switched(state)
    if found is None:
        return None
    return shapes.SwitchedOut(by=found.by or None, at=found.at, reason=found.reason or None, until=found.until)


def _last_run(run: dict[str, Any]) -> shapes.LastRun:
    started, ended = (parse_datetime(run[name]) if run[name] else None for name in ("started_at", "ended_at"))
    return shapes.LastRun(dag_run_id=run["id"], status=run["state"], started_at=started, ended_at=ended)


def run(row: Run) -> shapes.RunOut:
    return shapes.RunOut(
        id=row.ref,
        status=row.status,
        deployment=row.dag.deployment.name,
        dag_id=row.dag.dag_id,
        dag_run_id=row.dag_run_id,
        conf=row.conf,
        note=row.note or None,
        requested_by=row.requested_by.username,
        request=ref(REQUEST, row.request_id) if row.request_id else None,
        permit=ref(PERMIT, row.permit_id) if row.permit_id else None,
        operation=row.operation.ref if row.operation else None,
        error=row.error or None,
        remark=row.remark or None,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        deleted_at=row.gone_at,
        seen_at=row.seen_at,
        url=_url(f"/runs/{row.ref}"),
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


def _url(path: str) -> str:
    return f"{settings.PUBLIC_URL}{path}"
