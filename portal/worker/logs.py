"""Reading logs and results of runs from Airflow: at the end of a run, and when somebody opens a log."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from portal.airflow import clients
from portal.airflow.bridge import Airflow, AirflowRun, BridgeError, Forbidden, NotFound, TooLarge
from portal.catalogue import secrets
from portal.core import clock
from portal.core.threads import errors_logged
from portal.dags.models import Run, RunTasks, TaskLog
from portal.dags.permissions import current
from portal.dags.runs import logs, results
from portal.dags.runs.tasks import first_failure
from portal.operations import turns

log = logging.getLogger(__name__)

AT_END = 15.0  # seconds for the log of the error, at the end of a run
WHOLE = 90.0  # seconds for a whole log
THREADS = 2  # whole logs that this process reads at once
WAITING = 20  # logs that wait for a thread; more are asked for again by the open pages
FRESH = 15.0  # seconds for which the log of a running task is not read again

_pool: ThreadPoolExecutor | None = None
_waiting: set[int] = set()
_lock = threading.Lock()


def read_at_end(airflow: Airflow, run: Run, seen: AirflowRun) -> None:
    """After a run has ended: read the log around the error of a failed run, and the results. Each is read once."""
    tasks = RunTasks.objects.filter(run=run).exclude(seen_at=None).first()
    if tasks is None or not seen.is_final:
        return
    if seen.state == "failed" and tasks.log_at != seen.ended_at and not logs.why_no_logs(run):
        _read_error(airflow, run, tasks)
        RunTasks.objects.filter(pk=tasks.pk).update(log_at=seen.ended_at)
    if (named := current(run.dag).results) and tasks.results_at != seen.ended_at:
        results.store(run, [_result(airflow, run, name) for name in named], ended_at=seen.ended_at)


def _read_error(airflow: Airflow, run: Run, tasks: RunTasks) -> None:
    if (failure := first_failure(tasks.rows)) is None:
        return
    task_id, map_index, try_number = failure
    kept, _ = TaskLog.objects.get_or_create(run=run, task_id=task_id, map_index=map_index, try_number=try_number)
    read(airflow, kept, whole=False, seconds=AT_END)


def _result(airflow: Airflow, run: Run, name: str) -> results.Result:
    task_id, _, key = name.rpartition(".")
    try:
        found = airflow.xcom(run.dag.dag_id, run.dag_run_id, task_id, key)
    except TooLarge:
        return results.result(name, problem="This result is too large to be shown. It is in Airflow.")
    except Forbidden:
        return results.result(name, problem="Gatehouse's account for runs may not read it (can_read on XComs).")
    except BridgeError as error:
        return results.result(name, problem=f"It could not be read: {error}")
    return results.result(name, found.value) if found else results.result(name, problem="The run has no such result.")


def read(airflow: Airflow, kept: TaskLog, *, whole: bool, seconds: float) -> None:
    """Read a log, and store the lines around its error. whole: store all lines, too."""
    run = kept.run
    where = {"try_number": kept.try_number, "map_index": kept.map_index}
    try:
        lines = airflow.log_lines(run.dag.dag_id, run.dag_run_id, kept.task_id, seconds=seconds, **where)
        logs.store(kept, lines, whole=whole, ended=run.is_final)
    except Forbidden:
        logs.unread(kept, "Gatehouse's account for runs may not read logs (can_read on Task Logs).")
    except NotFound:
        logs.unread(kept, "Airflow has no log of this attempt.")
    except BridgeError as error:
        logs.unread(kept, f"The log could not be read: {error}")


# --- on demand -------------------------------------------------------------------------------------------------------
def want(run_id: int, task_id: str, map_index: int, try_number: int) -> None:
    """Somebody opens a log: read all of it in a thread, unless it is stored or being read."""
    run = Run.objects.select_related("dag__deployment", "tasks").filter(pk=run_id).first()
    if run is None or logs.why_no_logs(run):
        return
    logs.check_attempt(run, task_id, map_index, try_number)
    kept, _ = TaskLog.objects.get_or_create(run=run, task_id=task_id, map_index=map_index, try_number=try_number)
    if kept.kept_until is not None and (kept.ended or not _is_stale(kept)):
        logs.keep(kept.pk)
        return
    if kept.problem and not _is_stale(kept):
        return
    with _lock:
        if kept.pk in _waiting or len(_waiting) >= WAITING:
            return
        _waiting.add(kept.pk)
    _threads().submit(_read_whole, kept.pk)


def _is_stale(kept: TaskLog) -> bool:
    return kept.read_at is None or (clock.now() - kept.read_at).total_seconds() > FRESH


def _threads() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(THREADS, thread_name_prefix="logs")
        return _pool


def _read_whole(pk: int) -> None:
    try:
        with errors_logged("reading a log"):
            read_whole(pk)
    finally:
        with _lock:
            _waiting.discard(pk)
        connection.close()


def read_whole(pk: int) -> None:
    """Read all of a log. Only one worker reads it at a time."""
    name = f"log/{pk}"
    if not turns.take(name, seconds=WHOLE * 2):
        return
    kept = TaskLog.objects.select_related("run__dag__deployment").get(pk=pk)
    try:
        read(clients.runner(kept.run.dag.deployment), kept, whole=True, seconds=WHOLE)
    except secrets.SecretMissing as error:
        logs.unread(kept, str(error))
    finally:
        turns.give_back(name)
