"""Reading a DAG from Airflow for a page, within a moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from portal.airflow import clients
from portal.airflow.bridge import Airflow, AirflowDag
from portal.airflow.clients import Unavailable
from portal.catalogue import airflows
from portal.catalogue.models import Dag, Deployment

Answer = TypeVar("Answer")

MOMENT = 1.5  # seconds that a page waits for Airflow; then it shows what is known
PAGES_AT_ONCE = 2  # of one deployment and process: a slow Airflow must not hold the threads that serve everybody
_changing = threading.Lock()
_asking: dict[str, threading.BoundedSemaphore] = {}


def details(dag: Dag) -> AirflowDag | None:
    """The DAG with its parameters as Airflow has it now; None when Airflow knows no such DAG."""
    return _ask(dag.deployment, lambda airflow: airflow.dag(dag.dag_id))


def _ask(deployment: Deployment, question: Callable[[Airflow], Answer]) -> Answer:
    """For a page: within a moment, and not while others wait for the same Airflow already. Raises Unavailable."""
    deployment = airflows.through(deployment)
    with _changing:
        seats = _asking.setdefault(deployment.name, threading.BoundedSemaphore(PAGES_AT_ONCE))
    if not seats.acquire(blocking=False):
        raise Unavailable(
            f"Airflow on {deployment.name} is slow, and other pages already wait for it. Try again in a moment."
        )

    def briefly(airflow: Airflow) -> Answer:
        with airflow.within(MOMENT):
            return question(airflow)

    try:
        return clients.ask(deployment, briefly)
    finally:
        seats.release()
