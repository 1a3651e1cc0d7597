"""Actions on runs: cancel a run, retry its failed tasks, run single tasks again. A worker executes them in Airflow."""

from __future__ import annotations

from collections.abc import Collection

from accounts.acting import acting
from accounts.models import User
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.core import refs
from portal.core.errors import Conflict, Invalid, Wrong
from portal.core.secrecy import holds_secret
from portal.core.text_checks import clean_text
from portal.dags import limits
from portal.dags.models import Run
from portal.dags.operation_names import CANCEL_RUN, CLEAR_TASK, RETRY_RUN, RUN_CHANGES
from portal.dags.permissions import check_can_change_run
from portal.dags.runs import tasks as task_rows
from portal.operations import outbox
from portal.operations import queries as operations
from portal.operations.models import Operation

MAX_REASON = 300  # the note of the run in Airflow has 1000 characters for all reasons
MAX_TASKS = 50
VERBS = {
    CANCEL_RUN: Verb.RUN_CANCEL_REQUESTED,
    RETRY_RUN: Verb.RUN_RETRY_REQUESTED,
    CLEAR_TASK: Verb.RUN_RETRY_REQUESTED,
}


def cancel(*, by: User, run: Run, reason: str) -> Operation:
    """Request that a run ends now: Airflow stops its tasks and marks it failed.

    Raises Refused (`not_offered`, `not_eligible`, `read_only`; a retry also `frozen`, `one_at_a_time`,
    `needs_approval`); Conflict if the run has ended, or somebody has asked for a change of it that is not done yet;
    Invalid (`reason`).
    """
    with acting(by, refusal=Verb.RUN_CANCEL_REFUSED, target=run.ref) as (trail, by):
        run = _locked(run)
        check_can_change_run(by, run, "cancel")
        limits.check_writable(run.dag.deployment)
        reason = _reason(reason, required="Say why you cancel it. Other users read this.")
        change = _open_change(run)
        if change is not None and change.kind == CANCEL_RUN:
            raise _already_asked(run, change)
        if run.is_final and change is None:
            raise Conflict(_how_it_ended(run))
        return _put(CANCEL_RUN, by, run, reason, [], trail)


def retry(*, by: User, run: Run, reason: str = "") -> Operation:
    """Request that the failed tasks of a failed run run again. Raises what `cancel` raises."""
    with acting(by, refusal=Verb.RUN_RETRY_REFUSED, target=run.ref) as (trail, by):
        run = _ended(by, run)
        if run.status != Run.Status.FAILED:
            raise Conflict(f"{run.ref} succeeded, so there is nothing to retry. Choose the tasks to run again.")
        return _put(RETRY_RUN, by, run, _reason(reason), [], trail)


def clear_tasks(*, by: User, run: Run, tasks: Collection[str], reason: str = "") -> Operation:
    """Request that tasks of a run that has ended run again, with all tasks that depend on them.

    Raises what `cancel` raises, and Invalid (`tasks`).
    """
    with acting(by, refusal=Verb.RUN_RETRY_REFUSED, target=run.ref) as (trail, by):
        run = _ended(by, run)
        wrong = Wrong()
        with wrong.collecting():
            reason = _reason(reason)
        with wrong.collecting():
            tasks = _known_tasks(run, tasks)
        wrong.check()
        return _put(CLEAR_TASK, by, run, reason, [*tasks], trail)


def _locked(run: Run) -> Run:
    rows = Run.objects.select_related("dag__deployment", "requested_by", "operation")
    return rows.select_for_update(of=("self",)).get(pk=run.pk)


def _ended(by: User, run: Run) -> Run:
    """The run, if `by` may retry it now."""
    run = _locked(run)
    check_can_change_run(by, run, "retry")
    limits.check_retry(by, run)
    if (change := _open_change(run)) is not None:
        raise _already_asked(run, change)
    if not run.is_final:
        raise Conflict(f"{run.ref} has not ended yet ({run.get_status_display()}). Cancel it first, or wait.")
    if run.gone_at is not None:
        raise Conflict(f"{run.ref} was deleted in Airflow. Run it again as a new run.", reason="gone")
    if run.seen_at is None:
        raise Conflict(f"{run.ref} was never started. Run it again as a new run.", reason="not_started")
    return run


def _reason(text: str, *, required: str = "") -> str:
    reason = clean_text("reason", text, required=required)
    if len(reason) > MAX_REASON:
        raise Invalid({"reason": f"The reason has {len(reason)} characters; at most {MAX_REASON} are allowed."})
    if holds_secret(reason):
        raise Invalid({"reason": "The reason contains a credential. Remove it: others read the reason."})
    return reason


def _known_tasks(run: Run, chosen: Collection[str]) -> list[str]:
    """The chosen tasks in the order of the run. Raises Invalid (`tasks`)."""
    rows = run.tasks.rows if hasattr(run, "tasks") else []
    known = task_rows.names(rows)
    if not chosen:
        raise Invalid({"tasks": "Choose at least one task."})
    if len(chosen) > MAX_TASKS:
        raise Invalid({"tasks": f"At most {MAX_TASKS} tasks can be chosen. Retry the run instead."})
    for task in chosen:
        if task not in known:
            raise Invalid(
                {"tasks": f"{run.ref} has no task “{task[:100]}”. Its tasks: {', '.join(known[:10]) or 'none'}."}
            )
    return [task for task in known if task in chosen]


def _open_change(run: Run) -> Operation | None:
    return operations.open_of(run.ref).filter(kind__in=RUN_CHANGES).last()


def _already_asked(run: Run, change: Operation) -> Conflict:
    what = "cancelled" if change.kind == CANCEL_RUN else "retried"
    when = f"{change.created_at:%Y-%m-%d %H:%M} UTC"
    return Conflict(
        f"{change.requested_by} asked on {when} that {run.ref} is {what} ({change.ref}). It is not done yet."
    )


def _how_it_ended(run: Run) -> str:
    """With who ended it, if Gatehouse did."""
    done = operations.of_subject(run.ref).filter(kind=CANCEL_RUN, status=Operation.Status.SUCCEEDED).last()
    when = f" on {run.ended_at:%Y-%m-%d at %H:%M:%S} UTC" if run.ended_at else ""
    who = f", cancelled by {done.requested_by}" if done is not None else ""
    return f"{run.ref} has already ended{when} ({run.get_status_display()}{who}). It was left as it is."


def _put(kind: str, by: User, run: Run, reason: str, tasks: list[str], trail: Trail) -> Operation:
    operation = outbox.put(
        kind,
        deployment=run.dag.deployment,
        subject=run.ref,
        payload={"run": run.pk, "reason": reason, "tasks": tasks},
        by=by,
        about=run,
    )
    trail.add(
        VERBS[kind],
        by=by,
        target=run.ref,
        about=[run.ref, operation.ref, refs.dag(str(run.dag)), refs.deployment(run.dag.deployment.name)],
        detail={"dag": run.dag.dag_id, "reason": reason, "tasks": tasks or "the failed tasks"},
    )
    return operation
