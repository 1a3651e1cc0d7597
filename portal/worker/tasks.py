"""The Celery tasks: a new operation, somebody views a run or a DAG, and the routine cleaning that beat sends."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_shutdown
from django.core.management import call_command

from portal.core import private
from portal.dags import observing
from portal.dags.runs import following, wanted
from portal.operations import outbox, processes
from portal.worker import engine, logs


@shared_task(name=outbox.TASK)
def run_operation(operation_id: int) -> None:
    """A new operation. Without the engine, as in a forked child of a worker, another worker finds it in a second."""
    if engine.running is not None:
        engine.running.runner.wake()


@shared_task(name=wanted.RUN)
def want_run(run_id: int) -> None:
    """Somebody views a run: it is read sooner."""
    following.want(run_id)


@shared_task(name=wanted.DAG)
def want_dag(dag_id: int) -> None:
    """Somebody views a DAG: it is read before the others."""
    observing.want(dag_id)


@shared_task(name=wanted.LOG)
def want_log(run_id: int, task_id: str, map_index: int, try_number: int) -> None:
    """Somebody opens a log: it is read from Airflow."""
    logs.want(run_id, task_id, map_index, try_number)


@shared_task(name="portal.worker.tasks.keep_up")
def keep_up() -> None:
    """Routine cleaning: delete expired sessions and the rows of old processes."""
    call_command("clearsessions")
    processes.forget()


@worker_init.connect
def begin(**_: Any) -> None:
    """Start the engine before the worker connects to the broker, so that it works without the broker."""
    private.exit_if_exposed()
    engine.start()


@worker_shutdown.connect
def end(**_: Any) -> None:
    engine.stop()
