"""The handlers that cancel and retry runs. They use the runner's account.

Before a change, the operation stores that it is being sent. If the answer is lost, the next attempt knows that it may
find its own change in Airflow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from accounts.models import User
from portal.airflow.bridge import Airflow, AirflowRun, BridgeError, Conflict
from portal.airflow.clients import runner
from portal.audit.models import AuditEvent
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.core import clock
from portal.dags import limits
from portal.dags.models import Run
from portal.dags.operation_names import CANCEL_RUN, RUN_CHANGES
from portal.dags.permissions import current, why_not_change_any_more
from portal.dags.runs import notes
from portal.dags.runs.states import FOLLOWED, RUN
from portal.operations import outbox
from portal.operations import queries as operations
from portal.operations.handling import Done, NotNeeded, PermanentFailure, RetryLater, record
from portal.operations.models import Operation

UNSENT_AGAIN = 2.0  # seconds until a run that is being started is looked at again


class ChangeRun(ABC):
    """Changes one run. action: of the catalogue entry, for the check right before the change."""

    action: str
    done: Verb
    failed: Verb

    def execute(self, operation: Operation) -> Done:
        run = _run(operation)
        if run.status == Run.Status.REQUESTED:
            raise RetryLater("The run is being started in Airflow.", retry_in=UNSENT_AGAIN)
        airflow = runner(run.dag.deployment)
        found = airflow.run(run.dag.dag_id, run.dag_run_id)
        if found is None:
            raise self.without_run(run)
        before, sent = found.state, operation.payload.get("sent")
        if self.is_done(found, sent=sent):
            before = (sent or {}).get("state", before)  # changed by an earlier attempt whose answer was lost
        else:
            if why := self.why_not(operation, run, found):
                raise PermanentFailure(why)
            outbox.note_sent(operation, ended_at=_iso(found.ended_at), state=before)
            try:
                found = self.change(airflow, run, operation)
            except Conflict as error:  # the run changed its state since it was read
                raise RetryLater(str(error), retry_in=0.0) from error
        note = _keep_note(airflow, run, operation)
        return Done({"state": before}, {"state": found.state, "note": note}, found=found)

    def why_not(self, operation: Operation, run: Run, seen: AirflowRun) -> str:
        """In words, why the change must not be made any more; empty if it may."""
        return why_not_change_any_more(operation.requested_by, run, self.action, state=seen.state)

    @abstractmethod
    def is_done(self, seen: AirflowRun, *, sent: Mapping[str, Any] | None) -> bool:
        """Whether Airflow has the wanted state. Raises PermanentFailure, NotNeeded if it can no longer be reached.

        sent: what Airflow showed when an earlier attempt sent the change, which may have been executed; None: not sent.
        """

    @abstractmethod
    def change(self, airflow: Airflow, run: Run, operation: Operation) -> AirflowRun: ...

    def without_run(self, run: Run) -> Exception:
        return PermanentFailure("Airflow no longer has this run: it was deleted there.")

    def settle(self, operation: Operation, done: Done, trail: Trail) -> None:
        self.store(_run(operation, locked=True), done.found, operation)
        record(trail, self.done, operation, **_asked(operation))

    @abstractmethod
    def store(self, run: Run, seen: AirflowRun, operation: Operation) -> None: ...

    def give_up(self, operation: Operation, why: str, trail: Trail) -> None:
        record(trail, self.failed, operation, AuditEvent.Outcome.FAILED, **_asked(operation), why=why)


class CancelRun(ChangeRun):
    """Ensures that a run that goes on has ended. A run that has ended is never changed."""

    action, done, failed = "cancel", Verb.RUN_CANCELLED, Verb.RUN_CANCEL_FAILED

    def without_run(self, run: Run) -> Exception:
        if run.seen_at is None:
            return NotNeeded("The run was never started.")
        return super().without_run(run)

    def is_done(self, seen: AirflowRun, *, sent: Mapping[str, Any] | None) -> bool:
        if not seen.is_final:
            return False
        if sent is not None and seen.state == "failed":
            return True
        raise PermanentFailure(f"The run had already ended ({_words(seen)}). It was left as it is.")

    def change(self, airflow: Airflow, run: Run, operation: Operation) -> AirflowRun:
        return airflow.cancel(run.dag.dag_id, run.dag_run_id)

    def store(self, run: Run, seen: AirflowRun, operation: Operation) -> None:
        now = clock.now()
        said = f"Cancelled by {operation.requested_by}: {operation.payload['reason']}"
        changes: dict[str, Any] = {"remark": said, "ended_at": seen.ended_at, "seen_at": now, "next_look": now}
        if run.status in FOLLOWED:
            RUN.move(run, to=seen.state, **changes)
        else:  # the worker has read its end meanwhile
            Run.objects.filter(pk=run.pk).update(**changes)


class RetryRun(ChangeRun):
    """Ensures that the failed tasks of a run run again.

    When a run is cancelled, Airflow skips its tasks that have not begun. Those of a cancelled run run again, too.
    """

    action, done, failed = "retry", Verb.RUN_RETRIED, Verb.RUN_RETRY_FAILED

    def why_not(self, operation: Operation, run: Run, seen: AirflowRun) -> str:
        if why := super().why_not(operation, run, seen):
            return why
        return limits.why_frozen(User.objects.get(username=operation.requested_by), current(run.dag))

    def is_done(self, seen: AirflowRun, *, sent: Mapping[str, Any] | None) -> bool:
        if not seen.is_final:  # it runs again already
            return True
        if sent is not None and _iso(seen.ended_at) != sent["ended_at"]:
            return True  # it ran again, and has ended
        self.check_worth(seen)
        return False

    def check_worth(self, seen: AirflowRun) -> None:
        if seen.state == "success":
            raise NotNeeded("The run has succeeded meanwhile.")

    def change(self, airflow: Airflow, run: Run, operation: Operation) -> AirflowRun:
        states = [(task.task_id, task.state) for task in airflow.task_instances(run.dag.dag_id, run.dag_run_id)]
        failed = {task for task, state in states if state in ("failed", "upstream_failed")}
        skipped = {task for task, state in states if state == "skipped"}
        if not failed and not skipped:
            raise PermanentFailure("None of its tasks failed. Choose the tasks to run again.")
        if skipped and (not failed or _was_cancelled(run)):  # without a failed task, it was marked failed in Airflow
            return airflow.clear_tasks(run.dag.dag_id, run.dag_run_id, sorted(failed | skipped))
        return airflow.clear(run.dag.dag_id, run.dag_run_id, only_failed=True)

    def store(self, run: Run, seen: AirflowRun, operation: Operation) -> None:
        now = clock.now()
        changes: dict[str, Any] = {"error": "", "remark": "", "gone_at": None, "seen_at": now, "next_look": now}
        to = Run.Status.QUEUED if seen.is_final else seen.state  # its next end is read and recorded by the worker
        changes |= {"started_at": seen.started_at, "ended_at": None}
        if run.status != to:
            RUN.move(run, to=to, **changes)
        else:
            Run.objects.filter(pk=run.pk).update(**changes)


class ClearTasks(RetryRun):
    """Ensures that chosen tasks of a run run again, with the tasks that depend on them."""

    def check_worth(self, seen: AirflowRun) -> None:
        """Tasks of a successful run can run again, too."""

    def change(self, airflow: Airflow, run: Run, operation: Operation) -> AirflowRun:
        return airflow.clear_tasks(run.dag.dag_id, run.dag_run_id, operation.payload["tasks"], downstream=True)


def _run(operation: Operation, *, locked: bool = False) -> Run:
    rows = Run.objects.select_related("dag__deployment", "requested_by")
    return (rows.select_for_update(of=("self",)) if locked else rows).get(pk=operation.payload["run"])


def _was_cancelled(run: Run) -> bool:
    """Whether the last change that Gatehouse made to the run was its cancel."""
    done = operations.of_subject(run.ref).filter(kind__in=RUN_CHANGES, status=Operation.Status.SUCCEEDED).last()
    return done is not None and done.kind == CANCEL_RUN


def _asked(operation: Operation) -> dict[str, Any]:
    payload = operation.payload
    return {
        "dag": _run(operation).dag.dag_id,
        "reason": payload.get("reason", ""),
        "requested_by": operation.requested_by,
        "tasks": payload.get("tasks") or "the failed tasks",
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _words(seen: AirflowRun) -> str:
    word = "succeeded" if seen.state == "success" else seen.state
    return f"{word} on {seen.ended_at:%Y-%m-%d at %H:%M:%S} UTC" if seen.ended_at else word


def _keep_note(airflow: Airflow, run: Run, operation: Operation) -> str:
    """Write the change into the run's note in Airflow. Returns what came of it; a failure does not undo the change."""
    try:
        airflow.set_note(run.dag.dag_id, run.dag_run_id, notes.with_change(run, operation))
    except BridgeError as error:
        return f"not changed: {error}"
    return "changed"
