"""Reading Airflow for a page: one of the two doors to the bridge, through the runner account alone.

Whatever goes wrong becomes Unavailable with words for the page; no page fails because Airflow does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import airflow_bridge
from airflow_bridge import BridgeError, PasswordAuth
from airflow_bridge.types import Dag as AirflowDag
from airflow_bridge.types import TaskInstance
from portal.catalogue import secrets
from portal.catalogue.models import Dag, Deployment
from portal.dags import following
from portal.dags.models import Run

Answer = TypeVar("Answer")
PATIENCE = 5.0  # seconds a page may wait for Airflow


class Unavailable(Exception):
    """Airflow could not be asked; `str()` says why, for people."""


def details(dag: Dag) -> AirflowDag | None:
    """The DAG with its parameters as Airflow has it now; None when Airflow knows no such DAG."""
    return _ask(dag.deployment, lambda airflow: airflow.dag(dag.dag_id))


def tasks(run: Run) -> list[TaskInstance]:
    """The run's task instances, in Airflow's order."""
    return _ask(run.dag.deployment, lambda airflow: airflow.task_instances(run.dag.dag_id, run.dag_run_id))


def refresh(run: Run) -> Run:
    """Ask Airflow for the run's state and keep it. A run that is final or not yet sent is returned as it is."""
    if run.is_final or run.status == Run.Status.REQUESTED:
        return run
    seen = _ask(run.dag.deployment, lambda airflow: airflow.run(run.dag.dag_id, run.dag_run_id))
    following.observe(run, seen)
    return run


def _ask(deployment: Deployment, question: Callable[[airflow_bridge.Airflow], Answer]) -> Answer:
    if deployment.status == Deployment.Status.DOWN:  # known to be away: do not make the page wait to hear it again
        raise Unavailable(f"Airflow on {deployment.name} is unreachable.")
    try:
        return question(runner(deployment))
    except BridgeError as error:
        raise Unavailable(str(error)) from error
    except secrets.SecretMissing as error:
        raise Unavailable(f"Gatehouse has no credentials for {deployment.name}: {error}") from error


def runner(deployment: Deployment) -> airflow_bridge.Airflow:
    """The client of the account that may only run DAGs; one per process and set of credentials."""
    return client(deployment, "runner")


def client(deployment: Deployment, account: str) -> airflow_bridge.Airflow:
    spec = deployment.accounts[account]
    password = secrets.resolve(spec["password"])
    return _client(deployment.name, deployment.url, deployment.api, json.dumps(spec, sort_keys=True), password)


@lru_cache(maxsize=64)
def _client(name: str, url: str, api: str, spec: str, password: str) -> airflow_bridge.Airflow:
    account: dict[str, Any] = json.loads(spec)
    auth = PasswordAuth(account["username"], password)
    return airflow_bridge.connect(name=name, url=url, api=api, auth=auth)
