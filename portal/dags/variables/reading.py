"""Reading a variable from Airflow, for the command line. Pages show the stored value (observing)."""

from __future__ import annotations

from portal.airflow import clients, states
from portal.airflow.bridge import BridgeError
from portal.catalogue import airflows, secrets
from portal.catalogue.models import Deployment
from portal.dags.variables import offered


class Unavailable(Exception):
    """Airflow could not be read. `str()`: the reason, for people."""


def read(deployment: Deployment, key: str) -> str | None:
    """The value in Airflow; None if Airflow does not have the variable. Raises Refused, Unavailable.

    Reading is not recorded: only an operator can read in this way, and nothing is changed.
    """
    offered.find(deployment, key)
    deployment = airflows.current(deployment)
    if why := states.why_unreadable(deployment):  # a directory may lock the account after more refused sign-ins
        raise Unavailable(why)
    try:
        found = clients.runner(deployment).variable(key)
    except BridgeError as error:
        raise Unavailable(str(error)) from error
    except secrets.SecretMissing as error:
        raise Unavailable(f"Gatehouse has no credentials for {deployment.name}: {error}") from error
    return None if found is None else found.value
