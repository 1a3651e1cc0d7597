"""Reading the offered variables from Airflow."""

from __future__ import annotations

from portal.airflow import clients
from portal.airflow.bridge import BridgeError
from portal.airflow.models import DeploymentState
from portal.airflow.states import state_of
from portal.catalogue import secrets
from portal.catalogue.models import Deployment
from portal.core import clock
from portal.dags.variables import observing

MOST = 20  # variables of one visit; the others are read in the next one


def due_deployments() -> list[Deployment]:
    """The deployments that can be asked now and have a variable to read."""
    return [one for one in observing.due_deployments() if state_of(one).status == DeploymentState.Status.UP]


def are_due(deployment: Deployment) -> bool:
    return bool(observing.due_on(deployment))


def read(deployment: Deployment) -> None:
    """Read and store the variables that are due, one call for each: a list would hold other people's secrets."""
    for variable in observing.due_on(deployment)[:MOST]:
        asked_at = clock.now()
        try:
            seen = clients.runner(deployment).variable(variable.key)
        except (BridgeError, secrets.SecretMissing) as error:
            observing.unread(variable, str(error))
        else:
            observing.observe(variable, seen, asked_at=asked_at)
