"""One of the two doors to the bridge: the clients of a deployment's accounts, and reading Airflow for a page.

Pages read through the runner account alone. Whatever goes wrong becomes Unavailable with words for the page; no page
fails because Airflow does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import airflow_bridge
from airflow_bridge import BridgeError, Credentials, GoogleAuth, MwaaAuth, OAuth2Auth, PasswordAuth, TokenAuth
from airflow_bridge.types import Dag as AirflowDag
from portal.catalogue import airflows, secrets
from portal.catalogue.models import Dag, Deployment

Answer = TypeVar("Answer")

MOMENT = 1.5  # seconds that a page waits for Airflow; then it shows what is known
PAGES_AT_ONCE = 2  # of one deployment and process: a slow Airflow must not hold the threads that serve everybody
_asking: dict[str, threading.BoundedSemaphore] = {}

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


class Unavailable(Exception):
    """Airflow could not be asked; `str()` says why, for people."""


def details(dag: Dag) -> AirflowDag | None:
    """The DAG with its parameters as Airflow has it now; None when Airflow knows no such DAG."""
    return _ask(dag.deployment, lambda airflow: airflow.dag(dag.dag_id))


def variable(deployment: Deployment, key: str) -> str | None:
    """A variable's value; None when Airflow has none of that name. `portal.dags.variables` says which may be asked.

    For the command line, which has time.
    """
    found = _patiently(deployment, lambda airflow: airflow.variable(key))
    return None if found is None else found.value


def _ask(deployment: Deployment, question: Callable[[airflow_bridge.Airflow], Answer]) -> Answer:
    """For a page: within a moment, and not while others wait for the same Airflow already. Raises Unavailable."""
    deployment = airflows.through(deployment)
    with _making:
        seats = _asking.setdefault(deployment.name, threading.BoundedSemaphore(PAGES_AT_ONCE))
    if not seats.acquire(blocking=False):
        raise Unavailable(
            f"Airflow on {deployment.name} is slow, and other pages already wait for it. Try again in a moment."
        )

    def briefly(airflow: airflow_bridge.Airflow) -> Answer:
        with airflow.within(MOMENT):
            return question(airflow)

    try:
        return _patiently(deployment, briefly)
    finally:
        seats.release()


def _patiently(deployment: Deployment, question: Callable[[airflow_bridge.Airflow], Answer]) -> Answer:
    deployment = airflows.through(deployment)  # whose state counts, and who is named
    if deployment.status == Deployment.Status.DOWN:  # known to be away: do not make the page wait to hear it again
        raise Unavailable(f"Airflow on {deployment.name} is unreachable.")
    if deployment.refuses("runner"):  # each refusal may count towards the locking of the account
        raise Unavailable(f"Airflow on {deployment.name} refuses Gatehouse's account.")
    try:
        return question(runner(deployment))
    except BridgeError as error:
        raise Unavailable(str(error)) from error
    except secrets.SecretMissing as error:
        raise Unavailable(f"Gatehouse has no credentials for {deployment.name}: {error}") from error


def runner(deployment: Deployment) -> airflow_bridge.Airflow:
    """The client of the account that may only run DAGs; one per process.

    A deployment that was renamed is asked under its new name: the secrets of the old one may be gone.
    """
    return client(airflows.through(deployment), "runner")


def client(deployment: Deployment, account: str) -> airflow_bridge.Airflow:
    """The client of one of a deployment's accounts ("granter", "runner"), made anew when anything of it changes.

    Raises secrets.SecretMissing, BridgeError for what cannot be connected to at all.
    """
    connection = {**connection_of(deployment), "auth": credentials(deployment.accounts[account])}
    with _making:
        kept = _clients.get((deployment.name, account))
        if kept is None or kept[0] != connection:
            if (replaced := _replaced.pop((deployment.name, account), None)) is not None:
                replaced.close()
            if kept is not None:
                _replaced[deployment.name, account] = kept[1]  # another thread may be in the middle of a call
            kept = connection, airflow_bridge.connect(**connection)
            _clients[deployment.name, account] = kept
    return kept[1]


def connection_of(deployment: Deployment) -> dict[str, Any]:
    """What `airflow_bridge.connect` takes for it, without an account."""
    return {"name": deployment.name, "url": deployment.url, "api": deployment.api, **deployment.options}


def credentials(account: Mapping[str, Any]) -> Credentials:
    """How an account signs in, as the catalogue describes it (`AccountSpec`). Raises secrets.SecretMissing."""
    given = {name: value for name, value in account.items() if name not in ("kind", "username")}
    given = {name: secrets.resolve(value) if isinstance(value, dict) else value for name, value in given.items()}
    kind = account.get("kind", "password")
    if kind == "password":
        given["username"] = account["username"]
    return WAYS[kind](**given)


def close_all() -> None:
    """Close every connection to Airflow; the next question opens new ones."""
    with _making:
        for airflow in [*(airflow for _, airflow in _clients.values()), *_replaced.values()]:
            airflow.close()
        _clients.clear()
        _replaced.clear()
