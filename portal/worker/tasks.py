"""What Celery calls: thin doors to the rooms that do the work."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from portal.access import actions, grants
from portal.operations import outbox
from portal.worker import executor, health, runs


@shared_task(name=outbox.TASK)
def run_operation(operation_id: int) -> None:
    executor.run(operation_id)


@shared_task(name="portal.worker.tasks.sweep")
def sweep() -> None:
    """What time brings: starts, ends, lapses; and operations that no message announced or whose worker died."""
    outbox.release_expired()
    actions.lapse_due()
    grants.start_due()
    grants.expire_due()
    for operation_id in outbox.due():
        outbox.hint(operation_id)


@shared_task(name="portal.worker.tasks.follow_runs")
def follow_runs() -> None:
    runs.follow()


@shared_task(name="portal.worker.tasks.look_at_deployments")
def look_at_deployments() -> None:
    health.look_at_all()
    runs.look_at_dags()


@worker_ready.connect
def take_over(**_: Any) -> None:
    """A worker that starts takes over at once what a dead one of this host had claimed, and looks at what is new."""
    outbox.release_dead()
    sweep()
    look_at_deployments.apply_async(expires=15)
