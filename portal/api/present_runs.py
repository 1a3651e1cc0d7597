"""DAGs, runs, their tasks and logs as the API shows them."""

from __future__ import annotations

from typing import Any

from django.utils.dateparse import parse_datetime

from accounts.models import User
from portal.api import shapes_runs
from portal.api.present import url
from portal.core.refs import PERMIT, REQUEST, ref
from portal.dags import preflight
from portal.dags.models import DagState, Run, RunTasks, TaskLog
from portal.dags.parameters import declared as declarations
from portal.dags.parameters.params import Known
from portal.dags.parameters.secrets import mask_locked
from portal.dags.queries import DagOption, switched


def dag(option: DagOption) -> shapes_runs.DagOut:
    return shapes_runs.DagOut(**_dag(option))


def dag_detail(option: DagOption, known: Known, *, reader: User) -> shapes_runs.DagDetail:
    declared = declarations.of(option.dag, known.params, requester=reader.get_username())
    params = {
        name: shapes_runs.Parameter(default=one.default, json_schema=dict(one.schema), required=not one.has_default)
        for name, one in declared.items()
        if not one.is_fixed
    }
    return shapes_runs.DagDetail(
        **_dag(option),
        locked=mask_locked(option.dag),
        params=None if known.problem else params,
        params_as_of=known.as_of,
        params_unknown_because=known.problem or None,
        undeclared=option.dag.undeclared,
        requester_param=option.dag.requester_param or None,
        preflight=[
            shapes_runs.FindingOut(
                title=one.title, text=one.text, level=one.level, run=one.run.ref if one.run else None
            )
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
        "url": url(f"/dags/{row}"),
    }


def _switched(state: DagState | None) -> shapes_runs.SwitchedOut | None:
    found = switched(state)
    if found is None:
        return None
    return shapes_runs.SwitchedOut(by=found.by or None, at=found.at, reason=found.reason or None, until=found.until)


def _last_run(run: dict[str, Any]) -> shapes_runs.LastRun:
    started, ended = (parse_datetime(run[name]) if run[name] else None for name in ("started_at", "ended_at"))
    return shapes_runs.LastRun(dag_run_id=run["id"], status=run["state"], started_at=started, ended_at=ended)


def run(row: Run) -> shapes_runs.RunOut:
    return shapes_runs.RunOut(
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
        url=url(f"/runs/{row.ref}"),
    )


def run_tasks(row: Run) -> shapes_runs.RunTasksOut:
    known: RunTasks | None = getattr(row, "tasks", None)
    rows = known.rows if known else []
    found = known.results if known and row.status == Run.Status.SUCCESS else []
    return shapes_runs.RunTasksOut(
        tasks=[
            shapes_runs.TaskOut(
                task_id=one["task"],
                mapped=one["mapped"],
                states=one["counts"],
                failed=one["failed"],
                tries=one["tries"],
                duration=one["took"],
            )
            for one in rows
        ],
        results=[
            shapes_runs.ResultOut(
                name=one["name"], value=None if one["problem"] else one["value"], problem=one["problem"] or None
            )
            for one in found
        ],
        problem=(known.problem if known else "") or None,
        seen_at=known.seen_at if known else None,
    )


def log(row: TaskLog | None) -> shapes_runs.LogOut:
    return shapes_runs.LogOut(
        lines=row.excerpt if row else [],
        first_line=row.excerpt_from if row else 0,
        error_line=row.error_at if row else None,
        total_lines=row.lines if row else 0,
        problem=(row.problem if row else "") or None,
        read_at=row.read_at if row else None,
    )
