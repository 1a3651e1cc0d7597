"""The API clients of each deployment: one per account and process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import airflow_bridge
from airflow_bridge import Credentials, GoogleAuth, MwaaAuth, OAuth2Auth, PasswordAuth, TokenAuth
from portal.catalogue import airflows, secrets
from portal.catalogue.models import Deployment

_making = threading.Lock()
_clients: dict[tuple[str, str], tuple[dict[str, Any], airflow_bridge.Airflow]] = {}
_replaced: dict[tuple[str, str], airflow_bridge.Airflow] = {}
WAYS: dict[str, Callable[..., Credentials]] = {
    "password": PasswordAuth,
    "token": TokenAuth,
    "oauth2": OAuth2Auth,
    "google": GoogleAuth,
    "mwaa": MwaaAuth,
}


def runner(deployment: Deployment) -> airflow_bridge.Airflow:
    """The client of the account that may only run DAGs.

    For a renamed deployment it is the client of the new name, because the secrets of the old one may be gone.
    """
    return client(airflows.current(deployment), "runner")


def client(deployment: Deployment, account: str) -> airflow_bridge.Airflow:
    """The client of an account ("granter", "runner"). A new one is made when the settings of the account change.

    Raises secrets.SecretMissing; BridgeError if the settings allow no connection.
    """
    connection = {**connection_of(deployment), "auth": credentials(deployment.accounts[account])}
    with _making:
        kept = _clients.get((deployment.name, account))
        if kept is None or kept[0] != connection:
            if (replaced := _replaced.pop((deployment.name, account), None)) is not None:
                replaced.close()
            if kept is not None:
                _replaced[deployment.name, account] = kept[1]  # closed later, because another thread may be using it
            kept = connection, airflow_bridge.connect(**connection)
            _clients[deployment.name, account] = kept
    return kept[1]


def connection_of(deployment: Deployment) -> dict[str, Any]:
    """The arguments of `airflow_bridge.connect` for a deployment, without the account."""
    return {"name": deployment.name, "url": deployment.url, "api": deployment.api, **deployment.options}


def credentials(account: Mapping[str, Any]) -> Credentials:
    """The credentials of an account in the catalogue (`AccountSpec`). Raises secrets.SecretMissing."""
    given = {name: value for name, value in account.items() if name not in ("kind", "username")}
    given = {name: secrets.resolve(value) if isinstance(value, dict) else value for name, value in given.items()}
    kind = account.get("kind", "password")
    if kind == "password":
        given["username"] = account["username"]
    return WAYS[kind](**given)


def close_all() -> None:
    """Close all connections to Airflow. The next call opens new ones."""
    with _making:
        for airflow in [*(airflow for _, airflow in _clients.values()), *_replaced.values()]:
            airflow.close()
        _clients.clear()
        _replaced.clear()
