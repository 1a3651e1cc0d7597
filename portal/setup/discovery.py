"""Reads the roles and DAGs of a deployment from Airflow, for a first gatehouse.toml."""

from __future__ import annotations

from dataclasses import dataclass

from portal.airflow.bridge import connect
from portal.airflow.clients import connection_of, credentials
from portal.airflow.service_accounts import ACCOUNTS
from portal.catalogue.document import DeploymentSpec
from portal.catalogue.models import Deployment
from portal.catalogue.values import OWN_PREFIX, is_own_role

BUILT_IN = {"Admin", "Op", "User", "Viewer", "Public"}


@dataclass(frozen=True)
class Found:
    """Roles and DAGs of one Airflow, by name; DAGs with their description.

    Gatehouse's own roles are left out, also those of its accounts: with them, a person could do what Gatehouse can do.
    """

    version: str
    roles: tuple[str, ...]
    dags: tuple[tuple[str, str], ...]


def look(*, name: str, spec: DeploymentSpec) -> Found:
    """Read roles with the granter account and DAGs with the runner account.

    Raises BridgeError, secrets.SecretMissing.
    """
    deployment = Deployment(name=name, **spec.columns())
    people, runs = (
        connect(**connection_of(deployment), auth=credentials(deployment.accounts[account])) for account in ACCOUNTS
    )
    try:
        usernames = [account["username"] for account in deployment.accounts.values() if account.get("username")]
        own = {role for username in usernames if (user := people.user(username)) for role in user.roles}
        names = {
            role.name for role in people.roles() if not role.name.startswith(OWN_PREFIX) and not is_own_role(role.name)
        }
        roles = sorted(names - (own - BUILT_IN))
        dags = sorted((dag.dag_id, dag.description) for dag in runs.dags() if not dag.problem)
        return Found(people.version(), tuple(roles), tuple(dags))
    finally:
        people.close()
        runs.close()
