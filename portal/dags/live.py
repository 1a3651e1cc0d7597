"""Reading Airflow for a page: one of the two doors to the bridge, through the runner account alone.

Whatever goes wrong becomes Unavailable with words for the page; no page fails because Airflow does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import airflow_bridge
from airflow_bridge import BridgeError, PasswordAuth
from airflow_bridge.types import Dag as AirflowDag
from airflow_bridge.types import TaskInstance
from portal.catalogue import secrets
from portal.catalogue.models import Dag, Deployment
from portal.dags import following
from portal.dags.models import Run

Answer = TypeVar("Answer")

_making = threading.Lock()
_clients: dict[tuple[str, str], tuple[tuple[str, ...], airflow_bridge.Airflow]] = {}


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
    """The client of the account that may only run DAGs; one per process."""
    return client(deployment, "runner")


def client(deployment: Deployment, account: str) -> airflow_bridge.Airflow:
    """The client of one of a deployment's accounts ("granter", "runner"), made anew when anything of it changes.

    Raises secrets.SecretMissing.
    """
    spec = deployment.accounts[account]
    made_of = (deployment.url, deployment.api, spec["username"], secrets.resolve(spec["password"]))
    with _making:
        kept = _clients.get((deployment.name, account))
        if kept is None or kept[0] != made_of:
            url, api, username, password = made_of
            auth = PasswordAuth(username, password)
            kept = made_of, airflow_bridge.connect(name=deployment.name, url=url, api=api, auth=auth)
            _clients[deployment.name, account] = kept
    return kept[1]


def close_all() -> None:
    """Close every connection to Airflow; the next question opens new ones."""
    with _making:
        for _, airflow in _clients.values():
            airflow.close()
        _clients.clear()
