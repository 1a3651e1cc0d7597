"""What Celery calls: hints that an operation waits or somebody looks at a run, and the upkeep that beat asks for."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_shutdown
from django.core.management import call_command

from portal.core import private
from portal.dags import following, observing, wanted
from portal.operations import outbox, processes
from portal.worker import engine


@shared_task(name=outbox.TASK)
def run_operation(operation_id: int) -> None:
    """An operation waits. Without the engine, as in a forked child of a worker, others find it within a second."""
    if engine.running is not None:
        engine.running.runner.wake()


@shared_task(name=wanted.RUN)
def want_run(run_id: int) -> None:
    """Somebody looks at a run: it is polled for sooner."""
    following.want(run_id)


@shared_task(name=wanted.DAG)
def want_dag(dag_id: int) -> None:
    """Somebody looks at a DAG: it is polled for before the others."""
    observing.want(dag_id)


@shared_task(name="portal.worker.tasks.keep_up")
def keep_up() -> None:
    """Routine upkeep, for which the hour does not matter: what nobody needs any more is deleted."""
    call_command("clearsessions")
    processes.forget()


@worker_init.connect
def begin(**_: Any) -> None:
    """Before the worker has its broker, which may be away for as long as it likes."""
    private.exit_if_exposed()
    engine.start()


@worker_shutdown.connect
def end(**_: Any) -> None:
    engine.stop()
