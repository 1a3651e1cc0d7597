"""Storing runs as Airflow shows them. A run is read until its end, and then for some days at growing intervals."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from portal.audit.models import AuditEvent
from portal.audit.record import Trail, recording
from portal.audit.verbs import Verb
from portal.core import clock, refs
from portal.core.errors import Conflict
from portal.dags import dates
from portal.dags.models import Run, RunTasks
from portal.dags.operation_names import RUN_CHANGES
from portal.dags.runs import tasks
from portal.dags.runs.states import FOLLOWED, RUN
from portal.operations import queries as operations

if TYPE_CHECKING:  # only for annotations: this module does not call Airflow
    from portal.airflow.bridge import AirflowRun, AirflowTask

S = Run.Status
FRESH = timedelta(minutes=5)  # a younger run is read at every poll, an older one every SLOWLY
SOON = timedelta(seconds=2)
SLOWLY = timedelta(seconds=15)
AFTERWARDS = timedelta(days=7)  # a run is read for so long after its end: about fifty times
PERHAPS = timedelta(minutes=10)  # the same for a run whose start failed: Airflow may have started it all the same
WANTED = timedelta(seconds=20)  # a run stays wanted for so long; an open page renews it more often
GONE = "Airflow no longer has this run: it was deleted there."


def want(run_id: int) -> None:
    """Somebody views this run: read it and its tasks soon, unless it was read in the last seconds."""
    now = clock.now()
    rows = Run.objects.filter(pk=run_id).exclude(status=S.REQUESTED)
    rows.update(wanted_until=now + WANTED)
    rows.filter(next_look__gt=now, seen_at__lt=now - timedelta(seconds=5)).update(next_look=now)
    rows.filter(next_look=None, seen_at__isnull=False, seen_at__lt=now - timedelta(seconds=5)).update(next_look=now)


def observe(run: Run, seen: AirflowRun | None, instances: Iterable[AirflowTask] | None = None) -> None:
    """Store a run as Airflow shows it (None: Airflow does not have it), and its tasks if they were read.

    Its end is recorded, and every change after it. If another process has changed the run since `run` was read,
    nothing is changed.
    """
    if run.status == S.REQUESTED:
        return
    if _is_being_changed(run):
        Run.objects.filter(pk=run.pk).update(next_look=clock.now() + SOON)
        return
    rows = None if instances is None else tasks.summary(instances)
    try:
        if seen is None:
            _gone(run)
        elif run.status in FOLLOWED and seen.state in FOLLOWED:
            _still_running(run, seen)
        elif run.status in FOLLOWED:
            _ended(run, seen, rows)
        else:
            _afterwards(run, seen, rows)
    except Conflict:
        run.refresh_from_db()
    if rows is not None and seen is not None:
        values = {"rows": rows, "problem": "", "seen_at": clock.now()}
        RunTasks.objects.update_or_create(run=run, defaults=values)


def _is_being_changed(run: Run) -> bool:
    """Whether a cancel or a retry was sent to Airflow and is not settled yet. Its result is not a change by others."""
    return operations.open_of(run.ref).filter(kind__in=RUN_CHANGES, payload__has_key="sent").exists()


def unread(run: Run, why: str) -> None:
    """Airflow answered, but the run could not be read, for the reason `why`. It is read again later."""
    now = clock.now()
    Run.objects.filter(pk=run.pk).update(next_look=now + SLOWLY if run.status in FOLLOWED else _next_look(run, now))
    tasks_unread(run, why)


def tasks_unread(run: Run, why: str) -> None:
    """The tasks of the run could not be read, for the reason `why`. The tasks of the last reading are kept."""
    RunTasks.objects.update_or_create(run=run, defaults={"problem": why})


def _still_running(run: Run, seen: AirflowRun) -> None:
    times = _times(run, seen, over=False)
    if seen.state != run.status:
        RUN.move(run, to=seen.state, **times)
    else:
        _update(run, **times)


def _ended(run: Run, seen: AirflowRun, rows: list[tasks.TaskRow] | None) -> None:
    remark = _joined(run.remark, _remark(run, seen, rows))  # an earlier remark, as on a restart in Airflow, is kept
    with recording() as trail:
        RUN.move(run, to=seen.state, remark=remark, **_times(run, seen, over=True))
        _record_end(trail, run)


def _afterwards(run: Run, seen: AirflowRun, rows: list[tasks.TaskRow] | None) -> None:
    """Store a reading of a run that had ended, or that was not started as far as Gatehouse knew."""
    over = seen.state not in FOLLOWED
    times = _times(run, seen, over=over)
    was = "deleted" if run.gone_at else "not started" if run.seen_at is None else run.status
    ended_again = over and seen.ended_at is not None and run.ended_at is not None and seen.ended_at != run.ended_at
    if was == seen.state and not ended_again:
        said = _remark(run, seen, rows)
        if said not in run.remark:
            times["remark"] = _joined(run.remark, said)
        _update(run, **times)
        return
    said = _remark(run, seen, rows)
    changes = {**times, "gone_at": None, "error": "", "remark": _joined(_change_remark(was, seen.state), said)}
    with recording() as trail:
        if seen.state == run.status:
            _update(run, where={"ended_at": run.ended_at, "gone_at": run.gone_at}, **changes)
        else:
            RUN.move(run, to=seen.state, **changes)
        detail = _detail(run) | {"was": was, "state": seen.state, "remark": said}
        trail.add(Verb.RUN_CHANGED, by=None, target=run.ref, about=_about(run), detail=detail)


def _gone(run: Run) -> None:
    """Store that Airflow does not have the run. It is still read: a restored database of Airflow may have it again."""
    now = clock.now()
    if run.status in FOLLOWED:
        changes: dict[str, Any] = {"error": GONE, "gone_at": now, "ended_at": now, "seen_at": now}
        with recording() as trail:
            RUN.move(run, to=S.FAILED, next_look=now + SLOWLY, **changes)
            _record_end(trail, run)
    elif run.gone_at or run.seen_at is None:  # already stored as deleted, or never started
        _update(run, next_look=_next_look(run, now))
    else:
        with recording() as trail:
            _update(run, where={"gone_at": None}, gone_at=now, seen_at=now, next_look=_next_look(run, now))
            trail.add(Verb.RUN_DELETED, by=None, target=run.ref, about=_about(run), detail=_detail(run))


def _times(run: Run, seen: AirflowRun, *, over: bool) -> dict[str, Any]:
    now = clock.now()
    next_look = _next_look(run, now, ended_at=seen.ended_at) if over else _soon(run, now)
    return {"started_at": seen.started_at, "ended_at": seen.ended_at, "seen_at": now, "next_look": next_look}


def _soon(run: Run, now: datetime) -> datetime:
    is_fresh = run.created_at > now - FRESH or (run.wanted_until is not None and run.wanted_until > now)
    return now if is_fresh else now + SLOWLY


def _next_look(run: Run, now: datetime, *, ended_at: datetime | None = None) -> datetime | None:
    """The time of the next reading of an ended run. The interval is a quarter of the time since its end."""
    since = now - (ended_at or run.ended_at or run.created_at)
    longest = PERHAPS if run.seen_at is None and ended_at is None else AFTERWARDS
    return now + max(SLOWLY, since / 4) if since < longest else None


def _update(run: Run, *, where: dict[str, Any] | None = None, **changes: Any) -> None:
    """Change columns other than the status. Raises Conflict if another process has changed the run meanwhile."""
    if Run.objects.filter(pk=run.pk, status=run.status, **(where or {})).update(**changes) != 1:
        raise Conflict(f"{run.ref} was changed by another process at the same moment.")
    for name, value in changes.items():
        setattr(run, name, value)


def _remark(run: Run, seen: AirflowRun, rows: list[tasks.TaskRow] | None) -> str:
    if seen.state != S.SUCCESS or rows is None or not (said := tasks.nothing_done(rows)):
        return ""
    if tasks.counted(rows):
        return said
    state = getattr(run.dag, "state", None)
    why = dates.outside(run.logical_date, state.start_date, state.end_date) if state else ""
    return f"{said} {why or 'The DAG has no tasks, or all of them lie outside their start and end dates.'}"


def _change_remark(was: str, state: str) -> str:
    """A remark on a change after the end, for the page. Airflow does not tell how the change was made."""
    seen = f"Gatehouse saw this on {clock.now():%Y-%m-%d at %H:%M} UTC."
    if was == "deleted":
        return f"The run was deleted in Airflow and exists there again. {seen}"
    if was == "not started":
        return f"Gatehouse marked the run as not started, but Airflow had started it: its answer was lost. {seen}"
    how = "it was started again" if state in FOLLOWED else "its state was set there, or it ran again"
    return f"The run had {'succeeded' if was == S.SUCCESS else 'failed'}, then it was changed in Airflow: {how}. {seen}"


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _record_end(trail: Trail, run: Run) -> None:
    trail.add(
        Verb.RUN_FINISHED,
        by=None,
        target=run.ref,
        outcome=AuditEvent.Outcome.SUCCESS if run.status == S.SUCCESS else AuditEvent.Outcome.FAILED,
        about=_about(run),
        detail=_detail(run) | {"state": run.status, "error": run.error, "remark": run.remark},
    )


def _about(run: Run) -> list[str]:
    return [run.ref, refs.dag(str(run.dag)), refs.deployment(run.dag.deployment.name)]


def _detail(run: Run) -> dict[str, Any]:
    return {"dag": run.dag.dag_id, "dag_run_id": run.dag_run_id}
