"""Reading the tasks that wait for a person from Airflow."""

from __future__ import annotations

import logging
from itertools import islice

from portal.airflow import clients
from portal.airflow.bridge import BridgeError
from portal.airflow.states import state_of
from portal.catalogue import secrets
from portal.catalogue.models import Deployment
from portal.catalogue.queries import dags_in_force
from portal.dags import human

log = logging.getLogger(__name__)

MOST = 500  # waiting tasks of the operable DAGs of one Airflow
MOST_READ = 2000  # of all its DAGs


def has_them(deployment: Deployment) -> bool:
    """Whether this Airflow can have waiting tasks of operable DAGs, and can be asked now."""
    state = state_of(deployment)
    knows = bool(state.airflow_version) and "human_tasks" not in (state.missing or {})
    return knows and state.status == state.Status.UP and dags_in_force().filter(deployment=deployment).exists()


def read(deployment: Deployment) -> None:
    """Read and store the waiting tasks. Without the permission (can_read on HITL Detail) there are none."""
    operable = set(dags_in_force().filter(deployment=deployment).values_list("dag_id", flat=True))
    try:
        every = islice(clients.runner(deployment).human_tasks(), MOST_READ)
        found = list(islice((task for task in every if task.dag_id in operable), MOST))
    except (BridgeError, secrets.SecretMissing) as error:
        log.info("%s: the tasks that wait for a person could not be read: %s", deployment.name, error)
        return
    human.store(deployment, found)
